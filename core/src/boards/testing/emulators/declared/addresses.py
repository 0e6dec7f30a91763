"""Where on the emulator a provider's addresses are: the host becomes the first step of the path.

``https://queue.acme.example/v1/jobs`` is ``http://127.0.0.1:PORT/queue.acme.example/v1/jobs``, so
that several hosts of a provider are told apart, and an address tells whose it is.
"""

import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from boards.spec.model import RequestSpec
from boards.spec.tokens import Template

_SLASH: Final = re.compile("%2f", re.IGNORECASE)
_SCHEMES: Final = ("http://", "https://", "ws://", "wss://")


def is_url(value: Any) -> bool:
    """Whether a value is an absolute address of HTTP or of a websocket."""
    return isinstance(value, str) and value.startswith(_SCHEMES) and bool(urlsplit(value).netloc)


def local_path(url: str) -> str:
    """``/HOST/PATH?QUERY`` of an address."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"/{parts.netloc}{parts.path}{query}"


def localized(url: str, here: str) -> str:
    """A provider's address as the emulator's own.

    Args:
        url: Absolute.
        here: The emulator's base address.
    """
    if url.startswith(("ws:", "wss:")):
        here = f"ws{here.removeprefix('http')}"
    return f"{here}{local_path(url)}"


def path_template(request: RequestSpec, config: dict[str, Any]) -> Template | None:
    """The local path of a request as a template; None where only a reply tells it.

    Args:
        request: With ``path``, or an absolute ``url``.
        config: The provider's own settings, not yet localized.
    """
    if request.path is not None:
        base = str(config.get(request.base, "")).rstrip("/")
        if not is_url(base):
            return None
        return Template(request.path.text, (local_path(base), *request.path.parts))
    assert request.url is not None  # noqa: S101  # the checker saw to it
    first, *rest = request.url.parts
    if isinstance(first, str):
        if not is_url(first):
            return None
        return Template(request.url.text, (local_path(first), *rest))
    if first.root == "config" and is_url(config.get(first.name)):
        return Template(request.url.text, (local_path(str(config[first.name])).rstrip("/"), *rest))
    return None


def shown(template: Template) -> str:
    """A template as a route: ``/api.acme.example/jobs/{job.id}``."""
    return "".join(
        part if isinstance(part, str) else "{" + ".".join((part.root, *part.steps)) + "}"
        for part in template.parts
    )


def plain(path: str) -> str:
    """A path without its query and its escapes: how two are compared.

    An escaped slash stays as it is: it ends no step.
    """
    return "%2F".join(unquote(part) for part in _SLASH.split(path.partition("?")[0]))
