"""fal's storage: uploads in one piece and in parts, and the files that outputs link to.

Source: PyPI fal-client 1.0.3 (token, then upload to the CDN) and npm @fal-ai/client 1.10.1
(initiate, then PUT to the URL that comes back).
"""

import base64
import binascii
import contextlib
import hashlib
import json
import math
import mimetypes
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

from aiohttp import web
from attrs import define, field, frozen

from boards.testing.emulators.delivery import deliver
from boards.testing.emulators.fal.replies import error, read_input, reply
from boards.testing.emulators.media import Media

TOKEN_SECONDS = 3600
ANIMALS = ("elephant", "koala", "lion", "monkey", "panda", "penguin", "rabbit", "tiger", "zebra")
"""The directories that fal's CDN spreads files over."""


@frozen
class StoredFile:
    """A file behind a URL.

    Attributes:
        load: Gives its bytes. An output is drawn again when asked for rather than kept, so
            that a long run of many jobs does not fill the memory.
        mime: Its media type.
        expires: When it is gone, on the monotonic clock.
    """

    load: Callable[[], Media]
    mime: str
    expires: float = math.inf


@define
class Upload:
    """An upload that was announced: how long it will live, and the parts that came."""

    path: str
    mime: str
    seconds: float
    parts: dict[int, bytes] = field(factory=dict)


@define
class Storage:
    """The files of one emulator, and the handlers of the REST and CDN hosts.

    Attributes:
        base: Gives the emulator's own base URL.
    """

    base: Callable[[], str]
    files: dict[str, StoredFile] = field(factory=dict)
    uploads: dict[str, Upload] = field(factory=dict)
    token: str = field(factory=lambda: uuid.uuid4().hex, repr=False)

    def routes(self) -> list[web.RouteDef]:
        """Both ways to upload, and downloads."""
        return [
            web.post("/rest/storage/auth/token", self.issue_token),
            web.post("/rest/storage/upload/initiate", self.initiate),
            web.post("/rest/storage/upload/initiate-multipart", self.initiate),
            web.put("/cdn/uploads/{upload}", self.put_whole),
            web.put("/cdn/uploads/{upload}/{number:[0-9]+}", self.put_part),
            web.post("/cdn/uploads/{upload}/complete", self.complete),
            web.post("/cdn/files/upload", self.upload),
            web.post("/cdn/files/upload/multipart", self.begin_multipart),
            web.put("/cdn/files/{path:.+}/multipart/{upload}/{number:[0-9]+}", self.put_part),
            web.post("/cdn/files/{path:.+}/multipart/{upload}/complete", self.complete),
            web.get("/cdn/files/{path:.+}", self.download),
        ]

    def clear(self) -> None:
        """Forget every file and upload."""
        self.files.clear()
        self.uploads.clear()

    def add(self, name: str, file: StoredFile) -> str:
        """Keep a file, and return its path from the emulator's root."""
        path = f"{_animal(name)}/{name}"
        self.files[path] = file
        return f"/cdn/files/{path}"

    def find(self, path: str) -> StoredFile | None:
        """The file at a path below `/cdn/files/`, unless it has expired."""
        file = self.files.get(path)
        return file if file is not None and time.monotonic() < file.expires else None

    def read(self, url: str) -> Media | None:
        """The bytes behind a data URI, or behind a URL of this emulator.

        None for any other URL: the emulator fetches nothing from elsewhere.

        Raises:
            LookupError: There is nothing behind the URL, or it is not a URL.
        """
        if url.startswith("data:"):
            return _decode(url)
        if url.startswith(prefix := f"{self.base()}/cdn/files/"):
            if (file := self.find(url.removeprefix(prefix))) is None:
                raise LookupError(url)
            return file.load()
        if not url.startswith(("http://", "https://")):
            raise LookupError(url)
        return None

    # The REST host

    async def issue_token(self, request: web.Request) -> web.Response:
        """A token for the CDN."""
        expires = datetime.now(UTC) + timedelta(seconds=TOKEN_SECONDS)
        return reply(
            {
                "token": self.token,
                "token_type": "Bearer",
                "base_url": f"{self.base()}/cdn",
                "expires_at": expires.isoformat(),
            }
        )

    async def initiate(self, request: web.Request) -> web.Response:
        """Announce an upload, whole or in parts: the URL to PUT to, and the one to read from."""
        wanted, problems = await read_input(request)
        if problems:
            return reply({"detail": problems}, status=422)
        upload = self._announce(
            request,
            str(wanted.get("file_name") or "upload.bin"),
            str(wanted.get("content_type") or "application/octet-stream"),
        )
        return reply(
            {
                "upload_url": f"{self.base()}/cdn/uploads/{upload}?signature={uuid.uuid4().hex}",
                "file_url": self._url(self.uploads[upload].path),
            }
        )

    # The CDN host

    async def upload(self, request: web.Request) -> web.Response:
        """Store a whole body."""
        upload = self._announce_headers(request)
        self.uploads[upload].parts[1] = await request.read()
        return reply({"access_url": self._url(self._store(upload))})

    async def begin_multipart(self, request: web.Request) -> web.Response:
        """Announce an upload in parts."""
        upload = self._announce_headers(request)
        url = self._url(self.uploads[upload].path)
        return reply({"access_url": url, "uploadId": upload})

    async def put_whole(self, request: web.Request) -> web.Response:
        """The body of an upload that was announced, in one piece."""
        upload = request.match_info["upload"]
        if upload not in self.uploads:
            return error(404, "Upload not found")
        self.uploads[upload].parts[1] = await request.read()
        self._store(upload)
        return web.Response()

    async def put_part(self, request: web.Request) -> web.Response:
        """One part, and its ETag."""
        upload, number = request.match_info["upload"], int(request.match_info["number"])
        if upload not in self.uploads:
            return error(404, "Upload not found")
        self.uploads[upload].parts[number] = content = await request.read()
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return web.json_response({"partNumber": number, "etag": etag}, headers={"ETag": etag})

    async def complete(self, request: web.Request) -> web.Response:
        """Put the parts together; every one that is named must have come."""
        upload = request.match_info["upload"]
        if upload not in self.uploads:
            return error(404, "Upload not found")
        told, _ = await read_input(request)
        named = {part.get("partNumber") for part in told.get("parts", ())}
        if named != set(self.uploads[upload].parts):
            return error(400, "Parts do not match the upload")
        return reply({"access_url": self._url(self._store(upload))})

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file, or the part of it that a Range header asks for."""
        file = self.find(request.match_info["path"])
        if file is None:
            return error(404, "File not found")
        return deliver(request, file.load().content, file.mime)

    def _announce(self, request: web.Request, file_name: str, mime: str) -> str:
        """Begin an upload. The file's address keeps only the ending of its name."""
        ending = file_name.rpartition(".")[2] if "." in file_name else ""
        ending = ending or (mimetypes.guess_extension(mime) or ".bin")[1:]
        upload = uuid.uuid4().hex
        name = f"{uuid.uuid4().hex}.{ending}"
        self.uploads[upload] = Upload(f"{_animal(name)}/{name}", mime, lifetime(request))
        return upload

    def _announce_headers(self, request: web.Request) -> str:
        name = request.headers.get("X-Fal-File-Name", "")
        return self._announce(request, name, request.content_type)

    def _store(self, upload: str) -> str:
        """Make an upload's file readable, and return its path. Clients may repeat this."""
        done = self.uploads[upload]
        content = b"".join(part for _, part in sorted(done.parts.items()))
        media = Media(content, done.mime, done.path.rpartition(".")[2])
        self.files[done.path] = StoredFile(
            lambda: media, done.mime, time.monotonic() + done.seconds
        )
        return done.path

    def _url(self, path: str) -> str:
        return f"{self.base()}/cdn/files/{path}"


def lifetime(request: web.Request) -> float:
    """How many seconds the client's lifecycle preference lets a file live; inf without one."""
    for name in ("X-Fal-Object-Lifecycle", "X-Fal-Object-Lifecycle-Preference"):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            return float(json.loads(request.headers[name])["expiration_duration_seconds"])
    return math.inf


def _animal(name: str) -> str:
    return ANIMALS[sum(name.encode()) % len(ANIMALS)]


def _decode(uri: str) -> Media:
    head, comma, data = uri.removeprefix("data:").partition(",")
    mime, *parameters = head.split(";")
    try:
        content = (
            base64.b64decode(data, validate=True)
            if "base64" in parameters
            else unquote_to_bytes(data)
        )
    except binascii.Error:
        raise LookupError(uri[:40]) from None
    if not comma:
        raise LookupError(uri[:40])
    return Media(content, mime or "text/plain", (mimetypes.guess_extension(mime) or ".bin")[1:])
