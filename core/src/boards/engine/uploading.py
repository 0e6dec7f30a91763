"""Uploads: an input file put where the provider can fetch it, as ``files.upload`` says."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boards.errors import ProviderError
from boards.spec.paths import ABSENT, first
from boards.spec.requests import CompiledRequest, FilePart
from boards.spec.tokens import Scope, compile_template

if TYPE_CHECKING:
    from boards.engine.rest import ProviderClient

__all__ = ["upload"]


async def upload(client: "ProviderClient", scope: Scope, file: FilePart) -> str:
    """Upload a file, and return what a request says instead of it: mostly its URL.

    Raises:
        ProviderError: The provider refused it, takes no uploads, or did not tell where it is.
    """
    spec = client.spec.files.upload if client.spec.files is not None else None
    if spec is None:
        raise ProviderError(
            "invalid_input", f"{client.name} takes no uploads.", provider=client.name
        )
    own: dict[str, Any] = {
        "config": client.config,
        "run": scope["run"],
        "file": {
            "name": file.name,
            "mime": file.mime,
            "size": len(file.content),
            "bytes": file,
        },
    }
    reply = await client.repeat(CompiledRequest(spec.init, client.spec.headers).render(own))
    own["upload"] = _captured(spec.capture, reply)
    if spec.put is not None:
        # The provider's headers belong to its API, not to the store behind a signed URL.
        await client.repeat(CompiledRequest(spec.put).render(own))
    return str(compile_template(spec.result)(own))


def _captured(capture: Mapping[str, Any], reply: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: first(path)(reply) for name, path in capture.items()}
    lacking = [name for name, value in found.items() if value is ABSENT or value is None]
    if lacking:
        raise ProviderError(
            "provider", f"The reply to an upload lacks {', '.join(lacking)}: nothing was submitted."
        )
    return found
