"""The two shipped emulators, and the settings of a host that uses them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boards.testing.emulators.fal import FalEmulator
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Knobs, running

FAST = Knobs(queue_seconds=0.02, run_seconds=0.05)


@contextmanager
def emulators(knobs: Knobs = FAST) -> Iterator[tuple[ReplicateEmulator, FalEmulator]]:
    """Both emulators, on threads of their own."""
    replicate, fal = ReplicateEmulator(knobs), FalEmulator(knobs)
    with running(replicate), running(fal):
        yield replicate, fal


def settings(replicate: ReplicateEmulator, fal: FalEmulator) -> dict[str, Any]:
    """Arguments of ``Boards`` under which the plugins talk to the emulators."""
    return {
        "environment": {**os.environ, **replicate.env, **fal.env},
        "allow_private_hosts": True,
        "providers": {
            "replicate": {
                "type": "replicate",
                "config": {"base_url": f"{replicate.base_url}/v1"},
            },
            "fal": {
                "type": "fal",
                "config": {
                    "base_url": fal.run_url,
                    "queue_url": fal.queue_url,
                    "rest_url": fal.rest_url,
                    "site_url": fal.base_url,
                },
            },
        },
    }
