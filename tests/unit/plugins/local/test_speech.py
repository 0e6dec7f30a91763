"""Speech, with a stand-in for Piper: what it is asked to say, and what is made of it.

The real one is heard in ``tests/integration/test_local.py``, where it is installed.
"""

import io
import sys
import wave
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from boards.errors import ProviderError
from boards_local import speech
from boards_local.bench import Control, Given, Made, StoppedError

RATE = 1000


class Piper(ModuleType):
    """Says a sample for each letter."""

    def __init__(self) -> None:
        super().__init__("piper")
        self.asked: list[tuple[str, float]] = []
        self.loaded: list[Path] = []
        self.PiperVoice = SimpleNamespace(load=self.load)
        self.SynthesisConfig = SimpleNamespace

    def load(self, path: Path, config: Path) -> Any:
        self.loaded.append(path)
        if not config.is_file():
            raise FileNotFoundError(config)
        return SimpleNamespace(config=SimpleNamespace(sample_rate=RATE), synthesize=self.synthesize)

    def synthesize(self, text: str, manner: Any) -> list[Any]:
        self.asked.append((text, manner.length_scale))
        letters = [one for one in text if one.isalpha()]
        return [SimpleNamespace(audio_int16_bytes=b"\x01\x00")] * len(letters)


@pytest.fixture
def piper(monkeypatch: pytest.MonkeyPatch) -> Piper:
    """The stand-in."""
    stand_in = Piper()
    monkeypatch.setitem(sys.modules, "piper", stand_in)
    monkeypatch.setattr(speech, "_VOICES", {})
    return stand_in


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """A voice that the host names."""
    (tmp_path / "ann.onnx.json").write_text("{}")
    return tmp_path / "ann.onnx"


def said(voice: Path, text: str, speed: float = 1.0) -> Made:
    """What is made of a text."""
    return speech.speak(Given({"text": text, "speed": speed}, {}, {"model": voice}), Control())


def test_it_is_a_wav_with_a_pause_between_sentences(piper: Piper, voice: Path) -> None:
    """16 bits, mono, at the rate of the voice."""
    made = said(voice, "Hello there. Good night!\nBye", speed=2)
    with wave.open(io.BytesIO(made.content)) as told:
        shape = told.getnchannels(), told.getsampwidth(), told.getframerate(), told.getnframes()
    assert shape == (1, 2, RATE, 10 + 250 + 9 + 250 + 3)
    assert made.mime == "audio/wav"
    assert piper.asked == [("Hello there.", 0.5), ("Good night!", 0.5), ("Bye", 0.5)]


def test_a_sentence_without_end_is_cut_where_words_end(piper: Piper, voice: Path) -> None:
    """Every word is said, and nothing is said twice."""
    text = "word " * 200 + "x" * 700
    said(voice, text)
    asked = [one for one, _ in piper.asked]
    assert max(map(len, asked)) <= 300
    assert "".join(asked).replace(" ", "") == text.replace(" ", "")
    assert all(one.replace("word", "").strip("x ") == "" for one in asked)


@pytest.mark.parametrize("text", ["See [[this]]", "See [[[this]]]"])
def test_phonemes_in_brackets_are_a_text_like_any_other(
    piper: Piper, voice: Path, text: str
) -> None:
    """Piper would take them for its own language."""
    said(voice, text)
    assert "[[" not in piper.asked[0][0]


@pytest.mark.parametrize(("text", "asked"), [("...\n!", 0), ("... 12 ...", 1)])
def test_nothing_to_be_said_is_told(piper: Piper, voice: Path, text: str, asked: int) -> None:
    """An empty sound helps nobody; Piper is not asked to say punctuation, and may say nothing."""
    with pytest.raises(ProviderError, match="nothing to be said") as caught:
        said(voice, text)
    assert (caught.value.kind, len(piper.asked)) == ("invalid_input", asked)


def test_it_is_stopped_between_two_sentences(piper: Piper, voice: Path) -> None:
    """What is not said yet is never said."""
    control = Control()
    saying = piper.synthesize

    def interrupted(text: str, manner: Any) -> list[Any]:
        control.stop()
        return saying(text, manner)

    piper.synthesize = interrupted  # type: ignore[method-assign]
    given = Given({"text": "One. Two. Three.", "speed": 1}, {}, {"model": voice})
    with pytest.raises(StoppedError):
        speech.speak(given, control)
    assert [one for one, _ in piper.asked] == ["One."]


def test_a_voice_is_loaded_once(piper: Piper, voice: Path) -> None:
    """That takes a second."""
    said(voice, "One.")
    said(voice, "Two.")
    assert piper.loaded == [voice]


def test_a_voice_that_cannot_be_loaded_is_told(piper: Piper, tmp_path: Path) -> None:
    """It is tried anew the next time: somebody may have mended it."""
    for _ in range(2):
        with pytest.raises(ProviderError, match=r"bob\.onnx cannot be loaded") as caught:
            said(tmp_path / "bob.onnx", "One.")
        assert ".onnx.json" in caught.value.remedy
    assert len(piper.loaded) == 2
