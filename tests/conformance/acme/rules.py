"""What Acme insists on in every request, and the shape in which it refuses one."""

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

CREDENTIALS = ("x-acme-key", "authorization", "cookie")
PRINTABLE = re.compile(r"[\x21-\x7e]{1,64}")

Kind = type | tuple[type, ...]


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that Acme does not take.

    Args:
        status: The HTTP status.
        code: Acme's word for what is wrong.
        text: The same for people.
        headers: To go with the answer.
    """

    def __init__(
        self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = dict(headers or {})

    def answer(self) -> web.Response:
        """The answer: ``{"problem": {"code": ..., "text": ...}}``."""
        problem = {"problem": {"code": self.code, "text": self.text}}
        return web.json_response(problem, status=self.status, headers=self.headers)


async def body_of(request: web.Request, wanted: Mapping[str, Kind], *required: str) -> Any:
    """The JSON object of a request, with no other members than the wanted ones, of their types."""
    if request.content_type != "application/json":
        raise Refused(415, "unsupported_media_type", "Send application/json.")
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise Refused(400, "bad_json", "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "bad_json", "The body is no object.")
    for name, value in body.items():
        if name not in wanted:
            raise Refused(422, "unknown_field", f"There is no field {name}.")
        if not isinstance(value, wanted[name]) or isinstance(value, bool):
            raise Refused(422, "bad_field", f"The field {name} is of another type.")
    for name in required:
        if not body.get(name):
            raise Refused(422, "missing_field", f"The field {name} is missing.")
    return body


async def no_body(request: web.Request, *parameters: str) -> None:
    """Refuse a body, and parameters other than these."""
    if await request.read():
        raise Refused(400, "unexpected_body", f"{request.method} takes no body.")
    if unknown := set(request.query) - set(parameters):
        raise Refused(400, "unknown_parameter", f"There is no parameter {min(unknown)}.")


def no_credentials(request: web.Request) -> None:
    """Refuse credentials where none belong: files are for whoever has their address."""
    if sent := [name for name in CREDENTIALS if name in request.headers]:
        raise Refused(400, "unexpected_credentials", f"Do not send {sent[0]} for a file.")


def callback_of(body: Mapping[str, Any]) -> str | None:
    """Where to call when the job is over."""
    url = body.get("callback_url")
    if url is not None and not url.startswith(("http://", "https://")):
        raise Refused(422, "bad_field", "callback_url is no address.")
    return url


def idempotency_key(request: web.Request) -> str | None:
    """The key that makes two equal requests one."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not PRINTABLE.fullmatch(key):
        raise Refused(400, "bad_idempotency_key", "Idempotency-Key: 1 to 64 printable characters.")
    return key
