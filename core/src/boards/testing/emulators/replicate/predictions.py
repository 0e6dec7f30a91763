"""Predictions and trainings: what they are at any moment, and as JSON."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from attrs import define, field

from boards.testing.emulators.replicate.models import Model
from boards.testing.emulators.replicate.outputs import File
from boards.testing.emulators.server import Job

Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]

TERMINAL: Final = frozenset({"succeeded", "failed", "canceled", "aborted"})
_STEPS: Final = 10
# What a create answers and what a read answers differ by some ms in recorded exchanges.
_CREATED_LAG: Final = timedelta(microseconds=17_391)


@define(eq=False)
class Prediction:
    """One prediction, or one training."""

    id: str
    model: Model
    version: str
    """As shown: an id of 64 digits, or ``hidden``."""
    input: Mapping[str, Any]
    job: Job
    output: Any
    """What it returns if it succeeds: JSON with a `File` where there will be a URL."""
    token: str
    """What its output URLs and its stream URL cannot be guessed without."""
    seed: int
    error: str | None = None
    """What it fails with, if it fails."""
    training: bool = False
    webhook: str | None = None
    events: frozenset[str] = frozenset()
    """What the webhook is called for."""
    extra: Mapping[str, Any] = field(factory=dict)
    """Members that only some have: ``deployment``, ``deadline``, ``webhook`` ..."""
    canceled: bool = False
    created: datetime = field(factory=lambda: datetime.now(UTC))
    stopped: asyncio.Event = field(factory=asyncio.Event)
    """Set when it is ended ahead of its time."""

    def status(self, now: float) -> Status:
        """Its status at a moment of the monotonic clock."""
        job = self.job
        if now < job.ends:
            return "processing" if now >= job.starts else "starting"
        if self.canceled:
            return "canceled"
        if job.cut:
            return "canceled" if job.ends > job.starts else "aborted"
        return "succeeded" if job.outcome == "succeed" else "failed"

    def produced(self, now: float) -> Any:
        """Its output so far: a model that streams shows a growing list, others all or nothing."""
        status = self.status(now)
        if status == "succeeded":
            return self.output
        if status == "processing" and self.model.concatenates and not self.training:
            return self.output[: self.chunks(now)] or None
        return None

    def chunks(self, now: float) -> int:
        """How many pieces of a streamed output there are."""
        return int(len(self.output) * self.job.progress(now))

    def logs(self, now: float) -> str | None:
        """A line when it starts, and one in the manner of tqdm for each step done."""
        if self.canceled and now >= self.job.ends:
            return None
        ran = min(now, self.job.ends) - self.job.starts
        if ran < 0 or self.model.concatenates:
            return ""
        part = ran / max(1e-9, self.job.ends - self.job.starts)
        lines = [f"Using seed: {self.seed}"]
        for step in range(int(_STEPS * part) + 1):
            bar = "█" * step + " " * (_STEPS - step)
            rate = step / ran if ran else 0.0
            lines.append(
                f"{100 * step // _STEPS:3}%|{bar}| {step}/{_STEPS} "
                f"[00:{int(ran):02}<00:{int(ran * (1 - part)):02}, {rate:5.2f}it/s]"
            )
        return "\n".join(lines) + "\n"

    def metrics(self, now: float) -> dict[str, Any]:
        """Its times in seconds, and what is billed; empty until it has ended."""
        status, job = self.status(now), self.job
        if status not in TERMINAL:
            return {}
        total = round(job.ends - job.created, 6)
        if status == "aborted":
            return {"total_time": total}
        ran = round(max(0.0, job.ends - job.starts), 6)
        found: dict[str, Any] = {"predict_time": ran, "total_time": total}
        if status != "succeeded" or self.training:
            return found
        if self.model.concatenates:
            pieces = len(self.output)
            prompt = str(self.input.get("prompt", ""))
            found["input_token_count"] = len(prompt.split())
            found["output_token_count"] = pieces
            found["time_to_first_token"] = round(ran / pieces, 6)
            found["tokens_per_second"] = round(pieces / max(ran, 1e-3), 3)
        elif self.model.kind == "image" and self.model.official:
            found["image_count"] = len(self.output) if isinstance(self.output, list) else 1
        return found

    def at(self, moment: float) -> datetime:
        """A moment of the monotonic clock as a time of day."""
        return self.created + timedelta(seconds=moment - self.job.created)

    async def until(self, moment: float) -> None:
        """Wait for a moment of the monotonic clock, or for being ended ahead of it."""
        while (left := moment - time.monotonic()) > 0 and not self.stopped.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self.stopped.wait()

    def created_document(self, base_url: str) -> dict[str, Any]:
        """What a create answers: input sorted by key, times in milliseconds."""
        # A training's links point at the predictions on create (seen in a recording).
        return {
            **self._head(),
            "input": dict(sorted(self.input.items())),
            "output": None,
            "logs": "",
            "error": None,
            "status": "starting",
            "created_at": timestamp(self.created, "milliseconds"),
            "data_removed": False,
            "urls": self._urls(base_url, "predictions"),
        }

    def document(
        self, now: float, *, base_url: str, place: Callable[[File], str], expire_seconds: float
    ) -> dict[str, Any]:
        """What a read answers at a moment of the monotonic clock.

        Args:
            now: The moment.
            base_url: What its links start with.
            place: The URL of a file of its output.
            expire_seconds: How long after its end the data of a prediction is removed.
        """
        status, job = self.status(now), self.job
        ended = status in TERMINAL
        removed = ended and not self.training and now >= job.ends + expire_seconds
        # A prediction that is canceled in the queue shows a start all the same.
        started = status not in {"starting", "aborted"}
        return {
            **self._head(),
            "input": {} if removed else dict(self.input),
            "output": None if removed else resolved(self.produced(now), place),
            "logs": "" if removed else self.logs(now),
            "error": self.error if status == "failed" else None,
            "status": status,
            "created_at": timestamp(self.created + _CREATED_LAG),
            "started_at": timestamp(self.at(min(job.starts, job.ends)) + _CREATED_LAG)
            if started
            else None,
            "completed_at": timestamp(self.at(job.ends) + _CREATED_LAG) if ended else None,
            "data_removed": removed,
            "metrics": self.metrics(now),
            "urls": self._urls(base_url, "trainings" if self.training else "predictions"),
        }

    def _head(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "model": self.model.full_name,
            "version": self.version,
            "source": "api",
            **self.extra,
        }

    def _urls(self, base_url: str, collection: str) -> dict[str, str]:
        url = f"{base_url}/v1/{collection}/{self.id}"
        urls = {"cancel": f"{url}/cancel", "get": url, "web": f"https://replicate.com/p/{self.id}"}
        if self.model.concatenates and not self.training:
            urls["stream"] = f"{base_url}/v1/streams/{self.token}"
        return urls


def timestamp(
    moment: datetime, precision: Literal["milliseconds", "microseconds"] = "microseconds"
) -> str:
    """A time of day as Replicate writes it, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def resolved(output: Any, place: Callable[[File], str]) -> Any:
    """An output with a URL for each file."""
    match output:
        case File():
            return place(output)
        case dict():
            return {name: resolved(item, place) for name, item in output.items()}
        case list():
            return [resolved(item, place) for item in output]
        case _:
            return output
