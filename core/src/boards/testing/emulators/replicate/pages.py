"""Replicate's lists: `{next, previous, results}`, with a cursor that says nothing to a client."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")


def page(
    request: web.Request,
    items: Sequence[T],
    *,
    size: int,
    key: Callable[[T], str],
    document: Callable[[T], Any],
    base_url: str,
) -> web.Response:
    """Answer with one page of a list.

    A cursor names the item next to the page, not a position, so what is created between
    two requests shifts nothing.

    Args:
        request: Its query may hold a ``cursor``.
        items: Everything, in the order of the list.
        size: Items on a page.
        key: An item's identity.
        document: An item as JSON.
        base_url: What the links to other pages start with.
    """
    keys = [key(item) for item in items]
    start = 0
    if cursor := request.query.get("cursor"):
        try:
            direction, _, beside = base64.b64decode(cursor, validate=True).decode().partition("=")
            at = keys.index(beside)
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return web.json_response({"detail": "Invalid cursor", "status": 404}, status=404)
        start = max(0, at - size) if direction == "r" else at + 1

    def link(direction: str, beside: int) -> str:
        encoded = base64.b64encode(f"{direction}={keys[beside]}".encode()).decode()
        url = request.rel_url.update_query(cursor=encoded)
        return f"{base_url}{url}"

    shown = items[start : start + size]
    end = start + len(shown)
    return web.json_response(
        {
            "next": link("p", end - 1) if end < len(items) else None,
            "previous": link("r", start) if start else None,
            "results": [document(item) for item in shown],
        }
    )
