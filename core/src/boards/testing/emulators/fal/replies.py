"""How fal answers: JSON with a request id, and what the ingress before it says."""

import math
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from boards.testing.emulators.fal.errors import Detail, detail

_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"


class IngressError(web.Response):
    """An answer of nginx, which fal has not seen: no request id, and nginx in the body."""


def ingress(status: int, title: str) -> IngressError:
    """An answer of the ingress, such as 502 and `502 Bad Gateway`."""
    return IngressError(status=status, text=_PAGE.format(title), content_type="text/html")


def reply(
    body: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> web.Response:
    """A JSON answer, with a request id of its own if it belongs to no request."""
    named = {**(headers or {}), "x-fal-request-id": request_id or str(uuid.uuid4())}
    return web.json_response(body, status=status, headers=named)


def error(status: int, message: str) -> web.Response:
    """An answer with a `detail` that is a string, as the gateway gives it."""
    return reply({"detail": message}, status=status)


async def read_input(request: web.Request) -> tuple[dict[str, Any], list[Detail]]:
    """The input in a request's body, and what FastAPI says of a body that is none."""
    try:
        given = await request.json()
    except ValueError as problem:
        return {}, [detail("json_invalid", f"JSON decode error: {problem}", ("body", 0))]
    if isinstance(given, dict):
        return given, []
    message = "Input should be a valid dictionary or object to extract fields from"
    return {}, [detail("model_attributes_type", message, ("body",), given=given)]


def number(text: str | None, default: float) -> float:
    """A finite number from a header or a query; the default where there is none."""
    try:
        value = default if text is None else float(text)
    except ValueError:
        return default
    return value if math.isfinite(value) else default
