"""Input files in the form that a provider takes: a URL, a data URI, an upload."""

import base64
import binascii
import mimetypes
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from boards.artifacts import REFERENCE_PREFIX
from boards.engine.media import sniff
from boards.engine.rest import FilePart, ProviderClient
from boards.errors import ProviderError
from boards.spec.model import Files
from boards.spec.paths import ABSENT, first
from boards.spec.requests import CompiledRequest
from boards.spec.tokens import Scope, compile_template
from boards.storage import Storage

__all__ = ["FileForms", "parse_data_uri"]

_OCTETS: Final = "application/octet-stream"
_EXTENSION_TYPES: Final = {"glb": "model/gltf-binary", "webp": "image/webp"}


def parse_data_uri(uri: str) -> tuple[bytes, str]:
    """The bytes and the media type of a ``data:`` URI.

    Raises:
        ValueError: It is none.
    """
    header, comma, payload = uri.partition(",")
    if not header.startswith("data:") or not comma:
        raise ValueError("not a data URI")
    mime, _, encoding = header[5:].rpartition(";")
    if encoding == "base64":
        try:
            return base64.b64decode(payload, validate=True), mime.partition(";")[0] or _OCTETS
        except binascii.Error as error:
            raise ValueError(f"a data URI with bad base64: {error}") from None
    return unquote_to_bytes(payload), header[5:].partition(";")[0] or "text/plain"


@frozen
class _Content:
    """The bytes of an input file."""

    name: str
    mime: str
    content: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        return base64.b64encode(self.content).decode()

    @property
    def data_uri(self) -> str:
        return f"data:{self.mime};base64,{self.base64}"


class FileForms:
    """Prepares the files of one request, then answers the filters of its templates.

    Rendering is synchronous and files are not: a first rendering collects what is asked for,
    :meth:`prepare` fetches it, and the second rendering finds it ready.
    """

    def __init__(self, client: ProviderClient, storage: Storage, scope: Scope) -> None:
        self._client = client
        self._storage = storage
        self._scope = scope
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
                return await self._upload(await self._content(reference))
            raise self._refused("this provider takes URLs only; give an http(s) URL")
        content = await self._content(reference)
        match form:
            case "mime":
                return content.mime
            case "base64":
                return content.base64
            case "data_uri":
                return content.data_uri
            case _:
                return FilePart(content.name, content.mime, content.content)

    async def _first_that_fits(self, reference: str) -> str:
        accept = self._files.accept
        if reference.startswith("data:") and "data_uri" in accept:
            return reference
        if "url" in accept and (url := await self._url(reference)) is not None:
            return url
        content = await self._content(reference)
        for form in accept:
            if form == "data_uri" and len(content.data_uri) <= self._files.data_uri_max:
                return content.data_uri
            if form == "upload" and self._files.upload is not None:
                return await self._upload(content)
        raise self._refused(
            f"a file of {len(content.content):,} bytes; it takes {', '.join(accept)}"
            f" (data URIs up to {self._files.data_uri_max:,} bytes)"
        )

    async def _url(self, reference: str) -> str | None:
        if reference.startswith(("https://", "http://")):
            return reference
        if reference.startswith(REFERENCE_PREFIX):
            return await self._storage.url(reference[len(REFERENCE_PREFIX) :])
        return None

    async def _content(self, reference: str) -> _Content:
        if reference.startswith("data:"):
            content, mime = parse_data_uri(reference)
            return _Content(f"file.{mime.partition('/')[2] or 'bin'}", mime, content)
        if not reference.startswith(REFERENCE_PREFIX):
            raise self._refused("this provider takes no URLs here; download the file and give it")
        key = reference[len(REFERENCE_PREFIX) :]
        content = b"".join([chunk async for chunk in self._storage.read(key)])
        extension = key.rpartition(".")[2]
        mime = (
            sniff(content[:512])
            or _EXTENSION_TYPES.get(extension)
            or mimetypes.guess_type(key)[0]
            or _OCTETS
        )
        return _Content(f"{key[:16]}.{extension}", mime, content)

    async def _upload(self, content: _Content) -> str:
        upload = self._files.upload
        assert upload is not None  # noqa: S101  # callers asked
        scope: dict[str, Any] = {
            "config": self._client.config,
            "run": self._scope["run"],
            "file": {
                "name": content.name,
                "mime": content.mime,
                "size": len(content.content),
                "bytes": FilePart(content.name, content.mime, content.content),
            },
        }
        reply = await self._client.repeat(CompiledRequest(upload.init).render(scope))
        scope["upload"] = _captured(upload.capture, reply)
        if upload.put is not None:
            await self._client.repeat(CompiledRequest(upload.put).render(scope))
        return str(compile_template(upload.result)(scope))

    def _refused(self, message: str) -> ProviderError:
        return ProviderError(
            "invalid_input", f"{self._client.name}: {message}.", provider=self._client.name
        )


def _captured(capture: Mapping[str, Any], reply: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: first(path)(reply) for name, path in capture.items()}
    lacking = [name for name, value in found.items() if value is ABSENT or value is None]
    if lacking:
        raise ProviderError(
            "provider", f"The reply to an upload lacks {', '.join(lacking)}: nothing was submitted."
        )
    return found
