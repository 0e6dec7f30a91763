"""One accepted job: ids of its own, and what each request about it is answered."""

import asyncio
import contextlib
import re
import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

from attrs import evolve

from boards.spec.hosts import TrustedHosts
from boards.spec.paths import ABSENT
from boards.testing.emulators.declared.addresses import is_url, localized
from boards.testing.emulators.declared.answers import Answer, everywhere
from boards.testing.emulators.declared.ids import fresh, renumbered
from boards.testing.emulators.declared.outputs import Dresser, Maker, counted
from boards.testing.emulators.declared.reading import Bound
from boards.testing.emulators.declared.served import Served
from boards.testing.emulators.declared.stories import Story
from boards.testing.emulators.declared.synthesis import with_status
from boards.testing.emulators.media import Media
from boards.testing.emulators.server import Job

State = Literal["queued", "running", "ended", "canceled"]


class Files(Protocol):
    """Serves the outputs of jobs."""

    def publish(self, task: "Task", made: Media, url: str, own: bool) -> str:
        """Serve an output, and return its address."""

    def fetchable(self, task: "Task", found: Any, made: Media) -> None:
        """Serve an output that has a request of its own."""


_RUN: Final = re.compile(r"\$\{run\.([a-z_]+)\}")


class Task:
    """A job that was accepted.

    Args:
        served: Its generator.
        job: When it runs, and what becomes of it.
        story: Of its success.
        ending: Of its failure, where it fails.
        bound: What its submit told.
        here: The base address of what it names.
        files: Where its outputs are served.
    """

    def __init__(
        self,
        served: Served,
        job: Job,
        story: Story,
        ending: Story | None,
        bound: Bound,
        here: str,
        files: "Files",
    ) -> None:
        self.served = served
        self.job = job
        self.story = story
        self.ending = ending
        self.bound = bound
        self.here = here
        self._stopped = asyncio.Event()
        self.token = secrets.token_hex(8)
        self.submitted_at = datetime.now(UTC).isoformat()
        self.run = {
            "uuid": bound.get("run.uuid", str(uuid.uuid4())),
            "idempotency_key": bound.get("run.idempotency_key", self.token),
            "id": bound.get("run.id", self.token),
            "submitted_at": self.submitted_at,
        }
        self.input = {
            name.removeprefix("input."): value
            for name, value in bound.items()
            if name.startswith("input.")
        }
        self._trusted = TrustedHosts(served.provider)
        self._ids: dict[str, Any] = {}
        self._urls: set[str] = set()
        self._fresh: dict[str, Any] = {}
        self._dressed: Answer | None = None
        self._maker = Maker(served.compiled.spec.artifact_type, self.input, job.number)
        self._files = files
        for known in (story, ending):
            if known is not None:
                self._learn(known)
        self.accepted = self._accepted()
        captured = served.captured(story, self.accepted)
        self.captured = {name: value for name, value in captured if value is not ABSENT}

    @property
    def webhook(self) -> str | None:
        """Where the caller wants to be told of it."""
        url = self.bound.get("run.webhook_url")
        return url if isinstance(url, str) else None

    @property
    def scope(self) -> dict[str, Any]:
        """The roots of the tokens in requests about it."""
        body = self.accepted.body
        captured = self.captured if self.served.compiled.run.submit[0].capture else body
        return {"run": self.run, "job": captured, "input": self.input, "prev": body}

    def state(self) -> State:
        """How far it is."""
        now = time.monotonic()
        if self.canceled:
            return "canceled"
        if now >= self.job.ends:
            return "ended"
        return "queued" if now < self.job.starts else "running"

    @property
    def canceled(self) -> bool:
        """Whether it was canceled before its end."""
        return self._stopped.is_set()

    def cancel(self) -> None:
        """End it as canceled."""
        self._stopped.set()

    async def over(self) -> None:
        """Wait for its end, which may come ahead of its time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self.job.ends - time.monotonic())):
                await self._stopped.wait()

    # Replies

    def _accepted(self) -> Answer:
        """The reply to the submit, without outputs."""
        told = self.ending if self.ending is not None and self.ending.accepted else self.story
        if told.accepted is None:
            return Answer(body={})
        return self.own(told.accepted)

    @property
    def answers_at_once(self) -> bool:
        """Whether the submit's reply is the last word."""
        told = self.ending or self.story
        return told.refused is not None or self.served.at_once(told)

    def at_once(self) -> Answer | None:
        """The reply to a submit that has the result; None where the job is to be asked for."""
        told = self.ending or self.story
        if told.refused is not None:
            return self.own(told.refused)
        if not self.answers_at_once:
            return None
        return self.final() if told is self.story else self.accepted

    def told(self) -> Answer:
        """The reply to a poll."""
        state = self.state()
        if state == "ended":
            ending = self.ending
            if ending is None:
                return self.final() if self.story.result is None else self._last(self.story)
            return self._last(ending)
        if state == "canceled":
            return self._canceled()
        other = "queued" if state == "running" else "running"
        waits = self.served.waits[state] or self.served.waits[other]
        if not waits:
            return self.accepted
        begun, until = self.job.created, self.job.starts
        if state == "running":
            begun, until = self.job.starts, self.job.ends
        part = (time.monotonic() - begun) / max(1e-9, until - begun)
        story, answer = waits[min(int(part * len(waits)), len(waits) - 1)]
        self._learn(story)
        return self._progressing(self.own(answer))

    def result(self) -> Answer | None:
        """The reply to ``result``; None as long as there is none."""
        if self.state() != "ended":
            return None
        if self.ending is not None:
            told = self.ending.result or self.ending.ended
            return None if told is None else self.own(told)
        return self.final()

    def final(self) -> Answer:
        """The reply that has the outputs; made once."""
        if self._dressed is None:
            dresser = Dresser(
                self.served.compiled,
                self._maker,
                lambda made, url, own: self._files.publish(self, made, url, own),
                self.token,
            )
            told = self.own(self.story.last or Answer(body={}))
            many = counted(told, self.served.compiled, self.story.input, self.input)
            self._dressed = dresser.dress(many)
            for found, made in dresser.fetchable(self._dressed):
                self._files.fetchable(self, found, made)
        return self._dressed

    def _last(self, story: Story) -> Answer:
        return self.own(story.ended or story.accepted or Answer(body={}))

    def _canceled(self) -> Answer:
        base = self._last(self.story) if self.story.result is not None else self.accepted
        if base.raw is not None:
            base = Answer(body={})
        return with_status(self.served.compiled, base, "canceled") or Answer(404, {}, {})

    @property
    def knows_canceled(self) -> bool:
        """Whether the spec has a word for a job that was canceled."""
        return not self._canceled().refused

    def _progressing(self, answer: Answer) -> Answer:
        """A reply to a poll with how far the job is, where the spec reads that."""
        progress = self.served.compiled.run.progress
        if progress is None or self.state() != "running":
            return answer
        part = self.job.progress(time.monotonic())
        for path, value in ((progress.percent, round(part * 100)), (progress.fraction, part)):
            if path is not None and any(isinstance(one, int | float) for one in answer.at(path)):
                answer = answer.put(path, value)
        return answer

    # Ids and addresses of its own

    def _learn(self, story: Story) -> None:
        """Give each id that a story's submit was answered with a new one, by its name."""
        if story.accepted is None:
            return
        for name, value in self.served.captured(story, story.accepted):
            if value is ABSENT or value is None or isinstance(value, bool):
                continue
            if is_url(value):
                self._urls.add(str(value))
            elif isinstance(value, str | int) and not _RUN.search(str(value)):
                if name not in self._fresh:
                    self._fresh[name] = fresh(value)
                self._ids.setdefault(str(value), self._fresh[name])

    def own(self, answer: Answer) -> Answer:
        """A fixture's reply as this job's: ids, addresses and values of the run."""
        olds = sorted(self._ids, key=len, reverse=True)
        pattern = (
            re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, olds))})(?![A-Za-z0-9])")
            if olds
            else None
        )

        def text(value: str) -> str:
            own = _RUN.sub(lambda found: str(self.run.get(found[1], found[0])), value)
            if pattern is not None:
                own = pattern.sub(lambda found: str(self._ids[found[0]]), own)
            return self._address(value, own)

        body = renumbered(everywhere(answer.body, text), self._ids)
        headers = {name: text(value) for name, value in answer.headers.items()}
        raw = text(answer.raw) if isinstance(answer.raw, str) else answer.raw
        return evolve(answer, body=body, headers=headers, raw=raw)

    def _address(self, before: str, own: str) -> str:
        """An address of the provider as one here; without an id in it, it gets the job's token."""
        if not is_url(own) or not (before in self._urls or own in self._trusted):
            return own
        address = localized(own, self.here)
        if before in self._urls and own == before:
            scheme, _, rest = address.partition("://")
            host_here, _, path = rest.partition("/")
            host, _, tail = path.partition("/")
            return f"{scheme}://{host_here}/{host}/{self.token}/{tail}"
        return address
