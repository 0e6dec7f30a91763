"""Replicate's files: uploads that may be given as inputs for a day."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import BodyPartReader, web
from attrs import frozen

from boards.testing.emulators.delivery import deliver
from boards.testing.emulators.replicate.pages import page
from boards.testing.emulators.replicate.predictions import timestamp
from boards.testing.emulators.replicate.problems import not_found, problem

FILES_SECRET: Final = "boards-replicate-files"  # noqa: S105
"""What signed downloads of the emulated account are signed with."""

_LIFETIME: Final = timedelta(hours=24)


@frozen
class Upload:
    """An uploaded file."""

    id: str
    name: str
    content: bytes
    content_type: str
    metadata: Any
    created: datetime


class Files:
    """The files of the emulated account."""

    def __init__(self, base_url: Callable[[], str]) -> None:
        self._base_url = base_url
        self._uploads: dict[str, Upload] = {}

    def routes(self) -> list[web.RouteDef]:
        """Create, list, read, delete and signed download."""
        return [
            web.post("/v1/files", self._create),
            web.get("/v1/files", self._list),
            web.get("/v1/files/{id}", self._read),
            web.delete("/v1/files/{id}", self._delete),
            web.get("/v1/files/{id}/download", self._download),
        ]

    def clear(self) -> None:
        """Forget every file."""
        self._uploads.clear()

    def missing(self, url: object) -> bool:
        """Whether a URL given as an input names a file here that does not exist."""
        prefix = f"{self._base_url()}/v1/files/"
        if not isinstance(url, str) or not url.startswith(prefix):
            return False
        return url.removeprefix(prefix).partition("/")[0] not in self._uploads

    def _document(self, upload: Upload) -> dict[str, Any]:
        return {
            "id": upload.id,
            "name": upload.name,
            "content_type": upload.content_type,
            "size": len(upload.content),
            "etag": hashlib.md5(upload.content, usedforsecurity=False).hexdigest(),
            "checksums": {
                "sha256": hashlib.sha256(upload.content).hexdigest(),
                "md5": hashlib.md5(upload.content, usedforsecurity=False).hexdigest(),
            },
            "metadata": upload.metadata,
            "created_at": timestamp(upload.created, "milliseconds"),
            "expires_at": timestamp(upload.created + _LIFETIME, "milliseconds"),
            "urls": {"get": f"{self._base_url()}/v1/files/{upload.id}"},
        }

    async def _create(self, request: web.Request) -> web.Response:
        if not request.content_type.startswith("multipart/"):
            return problem(400, "Content-Type must be multipart/form-data")
        content: bytes | None = None
        fields: dict[str, str] = {}
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.name == "content":
                content = bytes(await part.read(decode=True))
                fields.setdefault("filename", part.filename or "")
                fields.setdefault("type", part.headers.get("Content-Type", ""))
            elif part.name:
                fields[part.name] = await part.text()
        name = fields.get("filename", "")
        if content is None:
            return problem(422, "- content is required\n", title="Input validation failed")
        if not 0 < len(name.encode()) <= 255:
            detail = "- filename must be 1 to 255 bytes\n"
            return problem(422, detail, title="Input validation failed")
        try:
            metadata = json.loads(fields.get("metadata") or "{}")
        except ValueError:
            return problem(422, "- metadata is not JSON\n", title="Input validation failed")
        upload = Upload(
            id=base64.urlsafe_b64encode(str(uuid.uuid4()).encode()).decode(),
            name=name,
            content=content,
            content_type=fields.get("type") or "application/octet-stream",
            metadata=metadata,
            created=datetime.now(UTC),
        )
        self._uploads[upload.id] = upload
        return web.json_response(self._document(upload), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        return page(
            request,
            list(reversed(self._uploads.values())),
            size=100,
            key=lambda upload: upload.id,
            document=self._document,
            base_url=self._base_url(),
        )

    async def _read(self, request: web.Request) -> web.Response:
        upload = self._uploads.get(request.match_info["id"])
        return not_found() if upload is None else web.json_response(self._document(upload))

    async def _delete(self, request: web.Request) -> web.Response:
        if self._uploads.pop(request.match_info["id"], None) is None:
            return not_found()
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.Response:
        upload = self._uploads.get(request.match_info["id"])
        if upload is None:
            return not_found()
        owner, expiry = request.query.get("owner", ""), request.query.get("expiry", "")
        expected = download_signature(owner, upload.id, expiry)
        signed = hmac.compare_digest(request.query.get("signature", "").encode(), expected.encode())
        if not signed or not expiry.isdecimal() or int(expiry) < time.time():
            return problem(403, "The signature is invalid or has expired")
        return deliver(request, upload.content, upload.content_type)


def download_signature(owner: str, file_id: str, expiry: str | int) -> str:
    """The ``signature`` of a download's query, for an owner and a Unix time of expiry."""
    signed = f"{owner} {file_id} {expiry}".encode()
    return base64.b64encode(hmac.digest(FILES_SECRET.encode(), signed, "sha256")).decode()
