"""Replicate, emulated."""

from boards.testing.emulators.replicate.api import ReplicateEmulator

__all__ = ["ReplicateEmulator"]
