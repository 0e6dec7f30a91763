"""Input files in the form that a provider takes: a URL, a data URI, an upload."""

import base64
import binascii
import mimetypes
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from boards.artifacts import REFERENCE_PREFIX, extension_of
from boards.engine.download import Fetcher
from boards.engine.media import sniff
from boards.engine.rest import ProviderClient
from boards.errors import ProviderError
from boards.spec.model import Files
from boards.spec.requests import FilePart
from boards.storage import Storage

__all__ = ["FileForms", "parse_data_uri", "read_file"]

_OCTETS: Final = "application/octet-stream"
_EXTENSION_TYPES: Final = {"glb": "model/gltf-binary", "webp": "image/webp"}


def parse_data_uri(uri: str) -> tuple[bytes, str]:
    """The bytes and the media type of a ``data:`` URI.

    What is written like no media type counts as bytes of any kind: it would stand in headers.

    Raises:
        ValueError: It is none.
    """
    header, comma, payload = uri.partition(",")
    if not header.startswith("data:") or not comma:
        raise ValueError("not a data URI")
    mime, _, encoding = header[5:].rpartition(";")
    if encoding.lower() == "base64":
        try:
            return base64.b64decode(payload, validate=True), _media_type(mime, _OCTETS)
        except binascii.Error as error:
            raise ValueError(f"a data URI with bad base64: {error}") from None
    return unquote_to_bytes(payload), _media_type(header[5:], "text/plain")


def _media_type(written: str, absent: str) -> str:
    essence = written.partition(";")[0]
    if not essence:
        return absent
    return essence if _MEDIA_TYPE.fullmatch(essence) else _OCTETS


_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*/[A-Za-z0-9][A-Za-z0-9.+_-]*")


class FileForms:
    """Prepares the files of one request, then answers the filters of its templates.

    Rendering is synchronous and files are not: a first rendering collects what is asked for,
    :meth:`prepare` fetches it, and the second rendering finds it ready.

    Args:
        client: Of the provider.
        storage: Where the files are.
        upload: Puts a file at the provider.
        fetcher: Fetches what is given as a URL.
        link: The public address of a file of the storage; as the storage says where it is None.
        uploaded: Where files were put for the same request before, by reference, and are from now
            on: another address would make it another request.
    """

    def __init__(
        self,
        client: ProviderClient,
        storage: Storage,
        upload: Callable[[FilePart], Awaitable[str]],
        fetcher: Fetcher,
        link: Callable[[str], Awaitable[str | None]] | None = None,
        uploaded: dict[str, str] | None = None,
    ) -> None:
        self._uploaded = {} if uploaded is None else uploaded
        self._fetcher = fetcher
        self._link = storage.url if link is None else link
        self._client = client
        self._storage = storage
        self._upload = upload
        self._files = client.spec.files or Files()
        self._asked: dict[tuple[str, str], None] = {}
        self._ready: dict[tuple[str, str], Any] = {}

    def get(self, reference: str, form: str) -> Any:
        """A file in a form; a placeholder while it is not prepared yet."""
        wanted = (reference, form)
        if wanted in self._ready:
            return self._ready[wanted]
        self._asked[wanted] = None
        return ""

    async def prepare(self) -> bool:
        """Make ready what was asked for; False if there was nothing.

        Raises:
            ProviderError: ``invalid_input``: a file cannot be given in a form that is accepted.
        """
        asked = [wanted for wanted in self._asked if wanted not in self._ready]
        for reference, form in asked:
            self._ready[reference, form] = await self._form(reference, form)
        return bool(asked)

    async def _form(self, reference: str, form: str) -> Any:
        if form == "file":
            return await self._first_that_fits(reference)
        if form == "url":
            if (url := await self._url(reference)) is not None:
                return url
            if self._files.upload is not None:
                return await self._put(reference, await self._read(reference))
            raise self._refused("this provider takes URLs only; give an http(s) URL")
        file = await self._read(reference)
        match form:
            case "mime":
                return file.mime
            case "base64":
                return _base64(file)
            case "data_uri":
                return _data_uri(file)
            case _:
                return file

    async def _first_that_fits(self, reference: str) -> str:
        accept = self._files.accept
        if reference.startswith("data:") and "data_uri" in accept:
            return reference
        if "url" in accept and (url := await self._url(reference)) is not None:
            return url
        file = await self._read(reference)
        for form in accept:
            if form == "data_uri" and len(uri := _data_uri(file)) <= self._files.data_uri_max:
                return uri
            if form == "base64" and len(text := _base64(file)) <= self._files.data_uri_max:
                return text
            if form == "upload":
                return await self._put(reference, file)
        raise self._refused(
            f"a file of {len(file.content):,} bytes; it takes {', '.join(accept)}"
            f" (data URIs up to {self._files.data_uri_max:,} bytes)"
        )

    async def _url(self, reference: str) -> str | None:
        if reference.startswith(("https://", "http://")):
            return reference
        if reference.startswith(REFERENCE_PREFIX):
            return await self._link(reference[len(REFERENCE_PREFIX) :])
        return None

    async def _put(self, reference: str, file: FilePart) -> str:
        known = self._uploaded.get(reference)
        self._uploaded[reference] = url = known or await self._upload(file)
        return url

    async def _read(self, reference: str) -> FilePart:
        return await read_file(self._storage, reference, self._fetcher)

    def _refused(self, message: str) -> ProviderError:
        return _refused(self._client.name, message)


async def read_file(storage: Storage, reference: str, fetcher: Fetcher) -> FilePart:
    """A file input with its bytes.

    Args:
        storage: Where the bytes of artifacts are.
        reference: As a generation's input has it: ``artifact:KEY``, a data URI or a URL.
        fetcher: Fetches a URL, with the same care as an output's.

    Raises:
        ProviderError: It is a URL that cannot be fetched.
    """
    if reference.startswith("data:"):
        content, mime = parse_data_uri(reference)
        return FilePart(f"file.{mime.partition('/')[2] or 'bin'}", mime, content)
    if reference.startswith(REFERENCE_PREFIX):
        key = reference[len(REFERENCE_PREFIX) :]
    else:
        key = await _fetched(fetcher, reference)
    content = b"".join([chunk async for chunk in storage.read(key)])
    extension = key.rpartition(".")[2]
    mime = (
        sniff(content[:512])
        or _EXTENSION_TYPES.get(extension)
        or mimetypes.guess_type(key)[0]
        or _OCTETS
    )
    return FilePart(f"{key[:16]}.{extension}", mime, content)


async def _fetched(fetcher: Fetcher, url: str) -> str:
    """The storage's key of a file that was given as a URL, where the provider takes no URLs."""
    try:
        downloaded = await fetcher.fetch(url)
    except ProviderError as error:
        kind = error.kind if error.retryable or error.kind == "untrusted_url" else "invalid_input"
        message = error.message.replace("output", "input", 1)
        raise ProviderError(kind, message, remedy=error.remedy, status=error.status) from error
    mime = sniff(downloaded.writer.head) or downloaded.content_type or _OCTETS
    return (await downloaded.writer.commit(extension_of(mime))).key


def _refused(provider: str, message: str) -> ProviderError:
    return ProviderError("invalid_input", f"{provider}: {message}.", provider=provider)


def _base64(file: FilePart) -> str:
    return base64.b64encode(file.content).decode()


def _data_uri(file: FilePart) -> str:
    return f"data:{file.mime};base64,{_base64(file)}"
