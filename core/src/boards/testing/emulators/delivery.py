"""Sending a file the way content delivery networks do: ranges, validators, open to all."""

import hashlib
import re
from typing import Final

from aiohttp import web

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


def deliver(request: web.Request, content: bytes, mime: str) -> web.Response:
    """Answer a GET or HEAD with a file, whole (200), in part (206) or not at all (304, 416).

    One range is understood (RFC 9110, section 14); a header with several, or one that makes
    no sense, is ignored, as the RFC allows.
    """
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "public,max-age=3600",
        "Content-Type": mime,
        "ETag": etag,
    }
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None or asked.groups() == ("", "") or request.headers.get("If-Range", etag) != etag:
        return web.Response(body=content, headers=headers)
    size = len(content)
    if asked[1]:
        first = int(asked[1])
        last = min(int(asked[2]) if asked[2] else size - 1, size - 1)
    else:
        first, last = max(0, size - int(asked[2])), size - 1
    if first > last:
        headers["Content-Range"] = f"bytes */{size}"
        return web.Response(status=416, headers=headers)
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return web.Response(status=206, body=content[first : last + 1], headers=headers)
