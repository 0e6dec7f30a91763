"""``boards demo``: real files through both providers, and a page that shows them."""

import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

from PIL import Image


def test_the_demo_makes_an_image_a_video_and_a_sound_through_each_provider(
    tmp_path: Path,
) -> None:
    """Without keys and whatever the host's own settings are; it leaves nothing in the home."""
    environment = {
        **os.environ,
        "BOARDS_HOME": str(tmp_path / "home"),
        "BOARDS_PROVIDER_PRIORITY": "nobody",
        "FAL_KEY": "not the emulator's",
    }
    done = subprocess.run(
        [sys.executable, "-m", "boards.cli", "demo", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    made = {(one["provider"], one["artifacts"][0]["type"]) for one in shown["generations"]}
    assert made == {(p, t) for p in ("replicate", "fal") for t in ("image", "video", "audio")}
    paths = [Path(one["artifacts"][0]["path"]) for one in shown["generations"]]
    assert {path.parent for path in paths} == {tmp_path / "boards-demo"}
    for path in paths:
        match path.suffix:
            case ".png":
                with Image.open(path) as image:
                    image.load()
            case ".wav":
                with wave.open(str(path)) as sound:
                    assert sound.getnframes() > 0
            case _:
                assert path.suffix == ".mp4"
                assert path.read_bytes()[4:8] == b"ftyp"
    page = (tmp_path / shown["contact_sheet"]).read_text()
    assert set(re.findall(r'src="([^"]*)"', page)) == {path.name for path in paths}
    assert not (tmp_path / "home" / "boards.db").exists()
