"""kill -9 of a program with a shipped plugin, then a restart: nothing lost or submitted twice."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from boards import Boards
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Knobs, running

COUNT = 30
DRIVER = Path(__file__).parent / "driver.py"


def start(home: Path, base_url: str, count: int) -> "subprocess.Popen[str]":
    """A host in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(DRIVER), str(home), base_url, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


async def test_nothing_is_lost_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    """Every acknowledged generation is there; each was submitted at most once."""
    knobs = Knobs(queue_seconds=0.1, run_seconds=0.3, latency_seconds=0.15)
    emulator = ReplicateEmulator(knobs)
    with running(emulator):
        first = start(tmp_path, emulator.base_url, COUNT)
        assert first.stdout is not None
        acknowledged = [first.stdout.readline().strip() for _ in range(COUNT)]
        first.send_signal(signal.SIGKILL)
        first.wait()
        first.stdout.close()

        second = start(tmp_path, emulator.base_url, 0)
        output, _ = second.communicate(timeout=60)
        assert "done" in output

        with urllib.request.urlopen(f"{emulator.base_url}/_boards/stats") as reply:
            stats = json.load(reply)
        async with Boards(home=tmp_path, environment={}, drive=False) as boards:
            generations = {one.id: one for one in await boards.list(limit=1000)}
            events = {
                one.id: [event.type async for event in boards.events(one.id)]
                for one in generations.values()
            }
    assert set(acknowledged) <= set(generations)
    phases = [one.phase for one in generations.values()]
    assert set(phases) <= {"succeeded", "unknown"}
    submitted = sum(type_ == "submitting" for types in events.values() for type_ in types)
    assert stats["jobs"] <= submitted <= COUNT
    assert stats["jobs"] >= phases.count("succeeded")
    assert phases.count("unknown") <= 20, "at most as many as there are submit slots"
    for one in generations.values():
        if one.phase == "succeeded":
            (artifact,) = one.artifacts
            assert artifact.path is not None
            assert hashlib.sha256(artifact.path.read_bytes()).hexdigest() == artifact.sha256
            assert events[one.id].count("submitting") == 1
            assert events[one.id][-1] == "succeeded"
