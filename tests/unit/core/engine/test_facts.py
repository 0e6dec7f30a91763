"""What media tell of themselves: right where they are whole, nothing where they are not."""

import io
import random
import struct
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.engine import facts as facts_module
from boards.engine.facts import Facts, facts, facts_of
from boards.engine.media import sniff
from boards.storage import Blob
from boards.storage.local import LocalStorage
from boards.testing.emulators import media

SAMPLES = Path(__file__).parents[3] / "data" / "media"
"""Made by FFmpeg: a test picture of 64 by 48 at 10 frames a second, and a tone."""

PICTURE = Facts(64, 48)
TOLD = {
    "a.avif": PICTURE,
    "a.gif": PICTURE,
    "a.jpg": PICTURE,
    "a.png": PICTURE,
    "a.webp": PICTURE,
    "a.flac": Facts(duration=0.5, sample_rate=8000, channels=1),
    "a.wav": Facts(duration=0.5, sample_rate=8000, channels=1),
    "piped.wav": Facts(sample_rate=8000, channels=1),
    "a.m4a": Facts(duration=1.5, sample_rate=44100, channels=2),
    "a.ogg": Facts(duration=1.5, sample_rate=44100, channels=1),
    "a.opus": Facts(duration=1.5, sample_rate=48000, channels=1),
    "bare.mp3": Facts(duration=1.541, sample_rate=44100, channels=1),
    "cbr.mp3": Facts(duration=1.541, sample_rate=44100, channels=1),
    "vbr.mp3": Facts(duration=1.541, sample_rate=44100, channels=1),
    "early.mp4": Facts(64, 48, 1.5, 10.0),
    "frag.mp4": PICTURE,
    "late.mp4": Facts(64, 48, 1.5, 10.0, 44100, 2),
    "a.webm": Facts(64, 48, 1.508, 10.0, 48000, 1),
    "b.webm": Facts(64, 48, 1.5, 10.0),
    "piped.webm": Facts(64, 48, fps=10.0),
}


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        return content


def told(content: bytes, mime: str | None = None) -> Facts:
    """What bytes tell, looked at with the same care as a file."""
    mime = mime or sniff(content[:512])
    assert mime is not None
    file = Counting(content)
    began = time.process_time()
    found = facts(file, len(content), mime)
    assert file.taken <= 1 << 20
    assert time.process_time() - began < 5.0
    return found


@pytest.mark.parametrize("name", TOLD)
def test_the_headers_of_a_medium_are_read(name: str) -> None:
    """Dimensions of pictures, durations and rates of sound, both of films."""
    assert told((SAMPLES / name).read_bytes()) == TOLD[name]


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
def test_what_the_emulators_make_is_read(kind: str) -> None:
    """The media of tests and demos."""
    match kind:
        case "image":
            made = media.image("x", 1, width=96, height=64)
            assert told(made.content) == Facts(96, 64)
        case "video":
            found = told(media.video("x", 1).content)
            assert None not in (found.width, found.height, found.duration, found.fps)
        case _:
            found = told(media.audio("x", 1).content)
            assert None not in (found.duration, found.sample_rate, found.channels)


def test_a_film_on_its_side_is_told_as_it_is_displayed() -> None:
    """The matrix of its track is a quarter turn: telephones do so."""
    straight = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    content = (SAMPLES / "early.mp4").read_bytes()
    at = content.index(b"tkhd")
    content = content[:at] + content[at:].replace(straight, turned, 1)
    assert told(content) == Facts(48, 64, 1.5, 10.0)


def test_a_large_film_is_read_at_its_end() -> None:
    """Its media are passed over."""
    content = (SAMPLES / "late.mp4").read_bytes()
    at = content.index(b"mdat") - 4
    (size,) = struct.unpack(">I", content[at : at + 4])
    padding = struct.pack(">I4s", 9_000_000, b"free") + bytes(9_000_000 - 8)
    moved = content[:at] + padding + content[at:]
    assert size < len(content)
    assert told(moved) == TOLD["late.mp4"]


@pytest.mark.parametrize("name", TOLD)
def test_a_medium_that_breaks_off_is_no_error(name: str) -> None:
    """At any byte: fewer facts, or none; but never others."""
    content = (SAMPLES / name).read_bytes()
    mime = sniff(content[:512])
    for end in [*range(0, min(400, len(content)), 7), *range(400, len(content), 997)]:
        found = told(content[:end], mime)
        assert found.width in (None, TOLD[name].width)
        assert found.sample_rate in (None, TOLD[name].sample_rate)


@pytest.mark.parametrize(
    ("mime", "content"),
    [
        ("audio/mpeg", b"\xff\xfb" + bytes(3_000_000)),
        ("audio/mpeg", b"\xff" * 3_000_000),
        ("image/jpeg", b"\xff\xd8" + b"\xff" * 3_000_000),
        ("image/jpeg", b"\xff\xd8" + bytes(3_000_000)),
        ("video/mp4", b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 300_000),
        ("video/mp4", b"\0\0\0\x08ftyp" + bytes(1_000_000)),
        ("video/mp4", b"\0\0\0\x08ftyp\0\0\0\x01moov" + b"\xff" * 8),
        ("video/webm", b"\x1aE\xdf\xa3\x80\x18S\x80g\xff" + b"\xae\xff" * 100_000),
        ("video/webm", b"\x1aE\xdf\xa3\x80" + b"\xec\x80" * 300_000),
        ("audio/wav", b"RIFF\0\0\0\0WAVE" + b"xxxx\0\0\0\0" * 300_000),
        ("audio/wav", b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\x7f" + bytes(100)),
        ("audio/flac", b"fLaC" + b"\x01\0\0\0" * 500_000),
        ("image/avif", b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + b"\0\0\0\x08free" * 300_000),
    ],
)
def test_a_hostile_medium_neither_hangs_nor_tells_anything(mime: str, content: bytes) -> None:
    """Endless chains of nothing, and lengths beyond the end."""
    assert told(content, mime) == Facts()


@given(
    content=st.binary(max_size=4096),
    start=st.sampled_from(sorted(TOLD)),
    cut=st.integers(0, 300),
)
def test_random_bytes_never_raise(content: bytes, start: str, cut: int) -> None:
    """Behind a true beginning, or alone."""
    sample = (SAMPLES / start).read_bytes()
    mime = sniff(sample[:512])
    for found in (told(content, mime), told(sample[:cut] + content, mime)):
        for value in (found.width, found.height, found.duration, found.fps):
            assert value is None or 0 < value < 1_000_000


def test_changed_bytes_never_raise() -> None:
    """Headers with a few bytes of rubbish in them."""
    chance = random.Random(7)
    samples = [(SAMPLES / name).read_bytes() for name in sorted(TOLD)]
    for _ in range(1500):
        content = bytearray(chance.choice(samples))
        mime = sniff(bytes(content[:512]))
        for _ in range(chance.randrange(1, 10)):
            content[chance.randrange(min(len(content), 1200))] = chance.choice(
                (0, 1, 127, 128, 255)
            )
        told(bytes(content), mime)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LocalStorage]:
    opened = LocalStorage(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


async def kept(storage: LocalStorage, content: bytes) -> Blob:
    writer = storage.writer()
    await writer.write(content)
    return await writer.commit("bin")


class Remote(LocalStorage):
    """Keeps no files that others could open."""

    def path(self, key: str) -> Path:
        return cast("Path", None)


async def test_facts_are_found_in_any_storage(storage: LocalStorage, tmp_path: Path) -> None:
    """As a file, or by the beginning of its bytes."""
    blob = await kept(storage, (SAMPLES / "late.mp4").read_bytes())
    assert await facts_of(storage, blob, "video/mp4") == TOLD["late.mp4"]
    remote = Remote(tmp_path)
    await remote.open()
    assert await facts_of(remote, blob, "video/mp4") == TOLD["late.mp4"]
    long = io.BytesIO()
    with wave.open(long, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(6_000_000))
    blob = await kept(storage, long.getvalue())
    assert await facts_of(remote, blob, "audio/wav") == Facts(None, None, 375.0, None, 8000, 1)
    await remote.close()


async def test_what_is_gone_or_no_medium_has_no_facts(storage: LocalStorage) -> None:
    """Neither is an error."""
    gone = Blob(f"{'0' * 64}.png", 1, "0" * 64)
    assert await facts_of(storage, gone, "image/png") == Facts()
    assert await facts_of(storage, Blob("no key", 1, ""), "image/png") == Facts()
    blob = await kept(storage, b"glTF" + bytes(100))
    assert await facts_of(storage, blob, "model/gltf-binary") == Facts()


def test_reading_all_of_a_file_is_refused() -> None:
    """Whatever a parser wants."""
    bounded = cast("BinaryIO", facts_module._Bounded(io.BytesIO(b"x" * 100), 100))
    assert bounded.read(10) == b"x" * 10
    with pytest.raises(ValueError, match="more"):
        bounded.read()
