"""A request in words: as HTTP, and as a curl command that bash runs.

Some of its texts are *marked*: a secret, the bytes of a file, what only a reply will tell. A
:class:`Wording` has for each mark what people see, and what bash puts in its place.
"""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from attrs import define, field, frozen

from boards.engine.transport import Request
from boards.spec.paths import ABSENT
from boards.spec.requests import FilePart, Rendered

__all__ = ["Wording", "size_of"]

_SHORT: Final = 48
"""Characters of a file's base64 that are shown."""
_BOUNDARY: Final = "boards"
_SPECIAL = re.compile(r'[\\"$`]')
_IN_HEREDOC = re.compile(r"[\\$`]")


@frozen
class _Mark:
    """What stands for a marked text: for people, and in double quotes of bash."""

    shown: str
    shell: str


@define
class Wording:
    """Turns requests into text. Marks are random enough that no input contains one by chance.

    Args:
        salt: What every mark begins with; letters and digits, so that nothing encodes it.
    """

    salt: str
    _marks: dict[str, _Mark] = field(factory=dict, init=False)
    _paths: dict[bytes, Path] = field(factory=dict, init=False)
    _urls: dict[bytes, str] = field(factory=dict, init=False)

    def mark(self, shown: str, shell: str) -> str:
        """A text that stands for another one from now on."""
        mark = f"{self.salt}{len(self._marks)}x"
        self._marks[mark] = _Mark(shown, shell)
        return mark

    def alias(self, text: str, shown: str, shell: str) -> None:
        """Another text that stands for something: what encoding makes of a mark."""
        self._marks[text] = _Mark(shown, shell)

    def file(self, content: bytes, path: Path) -> None:
        """Note where the bytes of a file come from."""
        self._paths[content] = path

    def unfetched(self, content: bytes, url: str) -> None:
        """Note that these bytes stand for those behind an address."""
        self._urls[content] = url

    def data(self, prefix: str, encoded: str, content: bytes) -> str:
        """Mark the base64 of a file, behind the ``data:...;base64,`` of a data URI or nothing.

        What is before it stays unmarked: it may be a caller's own text, and is quoted as such.
        """
        if (url := self._urls.get(content)) is not None:
            fetched = f"$({_fetching(url)} | base64 | tr -d '\\n')"
            return f"{prefix}{self.mark(_named(url), fetched)}"
        path = self._paths.get(content)
        name = f" of {path.name}" if path is not None else ""
        rest = "..." if len(encoded) > _SHORT else ""
        shown = f"{encoded[:_SHORT]}{rest} ({size_of(len(content))}{name})"
        shell = encoded if path is None else f"$(base64 < {_word(path)} | tr -d '\\n')"
        return f"{prefix}{self.mark(shown, shell)}"

    # For people

    def shown(self, value: Any) -> Any:
        """A value of JSON with its marks as people see them."""
        if isinstance(value, str):
            for mark, one in self._marks.items():
                value = value.replace(mark, one.shown)
            return value
        if isinstance(value, Mapping):
            return {self.shown(name): self.shown(item) for name, item in value.items()}
        return [self.shown(item) for item in value] if isinstance(value, list) else value

    def http(self, request: Request, rendered: Rendered) -> str:
        """The request as it goes over the wire; files and secrets are only named."""
        headers = {name: self.shown(value) for name, value in request.headers.items()}
        lines = [f"{request.method} {self.shown(request.url)} HTTP/1.1"]
        for name, value in headers.items():
            multipart = name.lower() == "content-type" and rendered.multipart is not None
            kind = f"multipart/form-data; boundary={_BOUNDARY}" if multipart else value
            lines.append(f"{name}: {kind}")
        body = self.body(rendered)
        return "\n".join(lines) if body is None else "\n".join([*lines, "", body])

    def body(self, rendered: Rendered) -> str | None:
        """The body as text; None where there is none."""
        if rendered.json is not ABSENT:
            return json.dumps(self.shown(rendered.json), indent=2, ensure_ascii=False)
        if rendered.form is not None:
            return "\n&".join(
                f"{self.shown(name)}={self.shown(value)}" for name, value in rendered.form.items()
            )
        if rendered.multipart is not None:
            lines = []
            for name, part in _parts(rendered.multipart):
                head = f'Content-Disposition: form-data; name="{self.shown(name)}"'
                lines.append(f"--{_BOUNDARY}")
                if isinstance(part, FilePart):
                    lines += [f'{head}; filename="{part.name}"', f"Content-Type: {part.mime}"]
                else:
                    lines.append(head)
                lines += ["", self._content(part)]
            return "\n".join([*lines, f"--{_BOUNDARY}--"])
        if rendered.body is None or rendered.body is ABSENT:
            return None
        return self._content(rendered.body)

    def _content(self, part: Any) -> str:
        if not isinstance(part, FilePart):
            return str(self.shown(_text(part)))
        if (url := self._urls.get(part.content)) is not None:
            return _named(url)
        path = self._paths.get(part.content)
        return f"({size_of(len(part.content))}{f' of {path.name}' if path else ''})"

    # For bash

    def curl(self, request: Request, rendered: Rendered) -> str:
        """A command that sends the same request, once the variables that it names are set."""
        encoded = rendered.form is not None or rendered.multipart is not None
        words = ["curl -sS"]
        if re.search(r"[\[\]{}]", request.url):
            words.append("--globoff")
        sends = rendered.body not in (None, ABSENT) or rendered.json is not ABSENT or encoded
        if request.method != "GET" or sends:  # curl would make a POST of it
            words.append(f"-X {request.method}")
        words.append(self._quoted(request.url))
        options = [
            f"-H {self._quoted(f'{name}: {value}' if value else f'{name};')}"  # ":" takes it away
            for name, value in request.headers.items()
            if not (encoded and name.lower() == "content-type")
        ]
        input_ = ""
        if rendered.json is not ABSENT:
            text = json.dumps(rendered.json, indent=2, ensure_ascii=False)
            marked = any(mark in text for mark in self._marks)
            begin = "JSON" if marked else "'JSON'"
            options.append(f"--data-binary @- <<{begin}")
            input_ = f"\n{self._expanded(text, _IN_HEREDOC) if marked else text}\nJSON"
        elif rendered.form is not None:
            options += [
                f"--data-urlencode {self._quoted(f'{quote_plus(name)}={value}')}"
                for name, value in rendered.form.items()
            ]
        elif rendered.multipart is not None:
            options += [self._part(name, part) for name, part in _parts(rendered.multipart)]
        elif isinstance(rendered.body, FilePart):
            options.append(f"--data-binary @{self._source(rendered.body)}")
        elif rendered.body is not None and rendered.body is not ABSENT:
            options.append(f"--data-raw {self._quoted(_text(rendered.body))}")
        return " \\\n  ".join([" ".join(words), *options]) + input_

    def _part(self, name: str, part: Any) -> str:
        if not isinstance(part, FilePart):
            return f"--form-string {self._quoted(f'{name}={_text(part)}')}"
        rest = f";type={part.mime};filename={_for_curl(part.name)}"
        path = self._paths.get(part.content)
        if path is not None:
            return f"-F {shlex.quote(f'{name}=@{_for_curl(str(path))}{rest}')}"
        return f"-F {shlex.quote(f'{name}=@')}{self._source(part)}{shlex.quote(rest)}"

    def _source(self, part: FilePart) -> str:
        """The file of a part, or its bytes as bash gives them to a command."""
        path = self._paths.get(part.content)
        if path is not None:
            return _word(path)
        if (url := self._urls.get(part.content)) is not None:
            return f"<({_fetching(url)})"
        import base64  # noqa: PLC0415  # rarely needed

        return f"<(printf %s {base64.b64encode(part.content).decode()} | base64 -d)"

    def _quoted(self, text: str) -> str:
        if any(mark in text for mark in self._marks):
            return f'"{self._expanded(text, _SPECIAL)}"'
        return shlex.quote(text)

    def _expanded(self, text: str, special: re.Pattern[str]) -> str:
        """A text in which bash fills in what is marked, and takes nothing else for its own."""
        text = special.sub(lambda found: f"\\{found[0]}", text)
        for mark, one in self._marks.items():
            text = text.replace(mark, one.shell)
        return text


def _parts(multipart: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name, part)
        for name, value in multipart.items()
        for part in (value if isinstance(value, list) else [value])
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _named(url: str) -> str:
    return f"<bytes of {url}>"


def _fetching(url: str) -> str:
    return f"curl -sSL --globoff {shlex.quote(url)}"


def _word(path: Path) -> str:
    return shlex.quote(str(path))


def _for_curl(text: str) -> str:
    """A text in an option of curl's forms, where ``;`` and ``,`` would end it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def size_of(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} KB" if count < 1000_000 else f"{count / 1000_000:.1f} MB"
