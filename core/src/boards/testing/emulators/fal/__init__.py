"""fal, emulated."""

from boards.testing.emulators.fal.emulator import FalEmulator

__all__ = ["FalEmulator"]
