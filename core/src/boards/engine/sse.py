"""Server-sent events: the ``data`` of each event of a stream (WHATWG HTML, section 9.2)."""

import codecs
from collections.abc import AsyncIterator
from typing import Final

from boards.engine.transport import LostReplyError

__all__ = ["data_of"]

MAX_EVENT: Final = 64 * 1024 * 1024
"""Characters of one event, base64 media included."""


async def data_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each event; comments, names and ids of events are passed over.

    Raises:
        LostReplyError: An event has no end.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")  # some begin with a BOM
    rest: list[str] = []
    data: list[str] = []
    size = 0
    returned = False  # the last line ended with "\r", and this chunk may begin with its "\n"
    async for chunk in chunks:
        if not (text := decoder.decode(chunk)):
            continue  # a part of a character
        text, returned = text.removeprefix("\n" if returned else ""), text.endswith("\r")
        size += len(text)
        if size > MAX_EVENT:
            raise LostReplyError(f"an event of the stream has more than {MAX_EVENT:,} characters")
        if "\n" not in text and "\r" not in text:
            rest.append(text)
            continue
        joined = "".join([*rest, text])
        lines = joined.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest = [lines.pop()]
        for line in lines:
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line:
                size = len(rest[0])
                if data:
                    yield "\n".join(data)
                    data = []
