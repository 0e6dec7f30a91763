"""The emulators as providers of this host: how they are made, and how Boards is pointed at them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from boards.cli.check import yaml_files
from boards.cli.targets import is_path
from boards.errors import SettingsError

if TYPE_CHECKING:
    from boards.cli.session import Session
    from boards.testing.emulators.server import Emulator

__all__ = ["declared", "host_of", "imported", "instance_of"]


def imported(name: str, knobs: dict[str, Any], *, tls: bool = False) -> "Emulator":
    """Make an emulator that was written by hand; not started.

    Raises:
        SettingsError: The extra that it needs is not installed.
    """
    with _needing_extra(tls=tls):
        from boards.testing.emulators.server import Knobs, load  # noqa: PLC0415  # an extra

        return load(name)(Knobs(**knobs))


def declared(
    session: "Session", targets: tuple[str, ...], knobs: dict[str, Any], *, tls: bool = False
) -> "Emulator":
    """Make the emulator of a provider's spec; not started.

    Args:
        session: Whose installed providers are meant.
        targets: The name of a provider, or files and directories.
        knobs: How it behaves.
        tls: Whether it is to speak HTTPS.

    Raises:
        NotFoundError: There is no such provider.
        SpecError: A file, or a generator, has mistakes.
        SettingsError: The files are of several providers, or an extra is not installed.
    """
    with _needing_extra(tls=tls):
        from boards.testing.emulators.declared import DeclaredEmulator  # noqa: PLC0415  # an extra
        from boards.testing.emulators.server import Knobs  # noqa: PLC0415

    behaviour = Knobs(**knobs)
    if len(targets) == 1 and not is_path(targets[0]):
        return DeclaredEmulator.of(session.boards(drive=False).registry, targets[0], behaviour)
    files = yaml_files(tuple(Path(one) for one in targets))
    return DeclaredEmulator.of_files(files, behaviour)


@contextmanager
def _needing_extra(*, tls: bool) -> Iterator[None]:
    """Tell what is not installed now, not at the first request that needs it."""
    try:
        import PIL  # noqa: F401, PLC0415

        if tls:
            import cryptography  # noqa: F401, PLC0415
        yield
    except ImportError as error:
        raise SettingsError(
            f"The emulators need more than is installed: {error}.",
            remedy='pip install "boards-core[emulators]"',
        ) from error


def instance_of(emulator: "Emulator") -> dict[str, Any]:
    """The provider of an emulator's name, pointed at it: what stands in ``providers.yaml``."""
    return {"type": emulator.name, "config": emulator.config}


def host_of(emulator: "Emulator") -> str:
    """Its address, for ``BOARDS_ALLOW_PRIVATE_HOSTS``."""
    return urlsplit(emulator.base_url).netloc
