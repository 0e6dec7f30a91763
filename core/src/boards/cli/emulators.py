"""The emulators as providers of this host: how they are made, and how Boards is pointed at them."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from boards.errors import SettingsError

if TYPE_CHECKING:
    from boards.testing.emulators.server import Emulator

__all__ = ["host_of", "imported", "instance_of"]


def imported(name: str, knobs: dict[str, Any], *, tls: bool = False) -> "Emulator":
    """Make an emulator; not started.

    Raises:
        SettingsError: The extra that it needs is not installed.
    """
    try:
        # Told here, not at the first request that needs them.
        import PIL  # noqa: F401, PLC0415

        if tls:
            import cryptography  # noqa: F401, PLC0415
        from boards.testing.emulators.server import Knobs, load  # noqa: PLC0415  # an extra

        return load(name)(Knobs(**knobs))
    except ImportError as error:
        raise SettingsError(
            f"The emulators need more than is installed: {error}.",
            remedy='pip install "boards-core[emulators]"',
        ) from error


def instance_of(emulator: "Emulator") -> dict[str, Any]:
    """The provider of an emulator's name, pointed at it: what stands in ``providers.yaml``."""
    base = emulator.base_url
    config = {
        "fal": {
            "base_url": f"{base}/run",
            "queue_url": f"{base}/queue",
            "rest_url": f"{base}/rest",
            "api_url": f"{base}/v1",
            "site_url": base,
        },
        "replicate": {"base_url": f"{base}/v1"},
    }
    return {"type": emulator.name, "config": config[emulator.name]}


def host_of(emulator: "Emulator") -> str:
    """Its address, for ``BOARDS_ALLOW_PRIVATE_HOSTS``."""
    return urlsplit(emulator.base_url).netloc
