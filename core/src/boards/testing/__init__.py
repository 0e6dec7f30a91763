"""What authors of plugins and hosts test with: conformance kits, and providers on the loopback."""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from boards.testing.conformance.auth import AuthConformance
    from boards.testing.conformance.provider import ProviderConformance
    from boards.testing.conformance.storage import StorageConformance
    from boards.testing.emulators.declared import DeclaredEmulator

__all__ = ["AuthConformance", "DeclaredEmulator", "ProviderConformance", "StorageConformance"]

_HOMES: Final = {
    "AuthConformance": "boards.testing.conformance.auth",
    "DeclaredEmulator": "boards.testing.emulators.declared",
    "ProviderConformance": "boards.testing.conformance.provider",
    "StorageConformance": "boards.testing.conformance.storage",
}


def __getattr__(name: str) -> Any:
    # Each is imported when it is asked for: a test of a storage needs no provider's kit.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
