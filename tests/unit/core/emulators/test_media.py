"""The emulators' media files are real ones, and always the same."""

import io
import json
import struct
import subprocess
import sys
import tarfile
import wave
from collections.abc import Iterator

import pytest
from PIL import Image

from boards.testing.emulators import media, mp4


def boxes(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The boxes at one level of an MP4 file."""
    at = 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind.decode(), content[at + 8 : at + size]
        at += size
    assert at == len(content)


def descend(content: bytes, *path: str) -> bytes:
    """The payload of the box at a path."""
    for kind in path:
        content = dict(boxes(content))[kind]
    return content


@pytest.mark.parametrize(
    ("asked", "opened", "mime"),
    [
        ("png", "PNG", "image/png"),
        ("jpg", "JPEG", "image/jpeg"),
        ("jpeg", "JPEG", "image/jpeg"),
        ("webp", "WEBP", "image/webp"),
    ],
)
def test_an_image_opens_in_its_format_and_size(asked: str, opened: str, mime: str) -> None:
    """Every format is what it says, in the size that was asked for."""
    drawn = media.image("a cat", 1, width=320, height=200, format=asked)
    with Image.open(io.BytesIO(drawn.content)) as picture:
        picture.load()
        assert (picture.format, picture.size, drawn.mime) == (opened, (320, 200), mime)
        assert len(picture.convert("RGB").getcolors(320 * 200) or []) > 50


def test_an_image_of_another_format_is_refused() -> None:
    """The error names the formats that there are."""
    with pytest.raises(ValueError, match="png, jpg, webp"):
        media.image("a cat", 1, format="tiff")


def test_prompt_and_seed_decide_the_picture() -> None:
    """The same arguments give the same bytes, others give others."""
    first = media.image("a cat", 1)
    media.image.cache_clear()
    assert media.image("a cat", 1) == first
    assert media.image("a cat", 2) != first
    assert media.image("a dog", 1) != first


def test_media_are_the_same_in_another_process() -> None:
    """Nothing hangs on hash randomisation."""
    script = (
        "import hashlib; from boards.testing.emulators import media as m;"
        "print([hashlib.sha256(x.content).hexdigest() for x in"
        " (m.image('a', 1), m.video('a', 1), m.audio('a', 1), m.mesh('a', 1), m.weights('a', 1))])"
    )
    runs = {
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_a_video_is_an_mp4_with_its_index_first() -> None:
    """The boxes nest, and the tables describe the data."""
    filmed = media.video("a cat", 1)
    assert [kind for kind, _ in boxes(filmed.content)] == ["ftyp", "moov", "mdat"]
    stbl = descend(filmed.content, "moov", "trak", "mdia", "minf", "stbl")
    assert {kind for kind, _ in boxes(stbl)} == {"stsd", "stts", "stss", "stsc", "stsz", "stco"}
    tables = dict(boxes(stbl))
    count = struct.unpack_from(">I", tables["stsz"], 8)[0]
    sizes = struct.unpack_from(f">{count}I", tables["stsz"], 12)
    offset = struct.unpack_from(">I", tables["stco"], 8)[0]
    assert count == 24
    assert offset + sum(sizes) == len(filmed.content)
    for size in sizes:
        length, header = struct.unpack_from(">IB", filmed.content, offset)
        assert length == size - 4
        assert header == (0x65 if size == sizes[0] else 0x41)
        offset += size
    scale, duration = struct.unpack_from(">II", descend(filmed.content, "moov", "mvhd"), 12)
    assert duration / scale == 2.0


def test_a_video_stays_small() -> None:
    """A large, long film is scaled down rather than sent in full."""
    long = media.video("a cat", 1, seconds=60, width=1080, height=1920, fps=60)
    assert len(media.video("a cat", 1).content) < 300_000
    assert len(long.content) < 500_000


def test_raw_samples_survive_the_escaping() -> None:
    """What looks like a start code inside a frame is escaped."""
    black = mp4.Frame(bytes(256), bytes(64), bytes(64))
    mdat = descend(mp4.encode([black, black], width=16, height=16, fps=1), "mdat")
    assert b"\0\0\0" not in mdat[4:-20]
    assert mdat.count(b"\0\0\3") > 100


def test_a_size_off_the_macroblock_grid_is_refused() -> None:
    """H.264 codes blocks of 16 by 16."""
    with pytest.raises(ValueError, match="20x16"):
        mp4.encode([], width=20, height=16, fps=1)
    with pytest.raises(ValueError, match="at least one frame"):
        mp4.encode([], width=16, height=16, fps=1)


def test_audio_is_a_wav_that_sounds() -> None:
    """The length is what was asked for, and the samples are not silent."""
    played = media.audio("a song", 1, seconds=1.5, format="mp3")
    assert (played.mime, played.extension) == ("audio/wav", "wav")
    with wave.open(io.BytesIO(played.content)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(1.5, abs=0.01)
        samples = memoryview(file.readframes(file.getnframes())).cast("h")
    assert 3000 < max(samples) < 32_000


def test_a_mesh_is_binary_gltf() -> None:
    """The header tells the length, and the JSON chunk the version."""
    model = media.mesh("a chair", 1)
    magic, version, length = struct.unpack_from("<4sII", model.content)
    assert (magic, version, length) == (b"glTF", 2, len(model.content))
    size, kind = struct.unpack_from("<I4s", model.content, 12)
    assert kind == b"JSON"
    assert json.loads(model.content[20 : 20 + size])["asset"]["version"] == "2.0"


def test_weights_are_safetensors_alone_or_in_a_tar() -> None:
    """The tensors named in the header are all of the data."""
    alone = media.weights("TOK", 1)
    size = struct.unpack_from("<Q", alone.content)[0]
    header = json.loads(alone.content[8 : 8 + size])
    assert header["lora_up.weight"]["data_offsets"][1] == len(alone.content) - 8 - size
    packed = media.weights("TOK", 1, format="tar")
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
        member = archive.extractfile("output/lora.safetensors")
        assert member is not None
        assert member.read() == alone.content


def test_text_takes_up_the_prompt() -> None:
    """It is about what was asked, and the same each time."""
    assert "cats in the rain" in media.text("cats in the rain", 1)
    assert media.text("cats", 1) == media.text("cats", 1) != media.text("cats", 2)
