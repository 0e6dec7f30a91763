"""What the fixtures of a generator show of a job's life: each reply by its role, in order."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import define, evolve, field, frozen

from boards.spec.compile import CompiledGenerator
from boards.spec.model import Exchange, Fixture, ProviderSpec, RequestSpec
from boards.spec.replies import Refusal
from boards.spec.tokens import RenderError, Template
from boards.testing.emulators.declared.answers import Answer
from boards.testing.emulators.declared.reading import Reader, UnlikeError

_WAITING: Final = ("queued", "running")
_PASSES: Final = frozenset({"rate_limited", "transient", "timeout", "auth", "quota"})
"""Error kinds after which a job is asked for again."""
_RUN: Final = {name: f"${{run.{name}}}" for name in ("id", "uuid", "idempotency_key")}


@frozen(kw_only=True)
class Story:
    """A job's life, as a fixture or :mod:`synthesis` tells it.

    Attributes:
        kind: The kind of error that it ends with; empty for a success.
        input: The fixture's, with defaults.
        variant: Which submit it is, counted from 0.
        accepted: The reply to the submit; for a synchronous generator, the result.
        waiting: Replies to polls of a job that is ``queued`` or ``running``.
        ended: The poll's last reply; None where ``accepted`` says it.
        result: The reply that has the outputs, where it is another request.
        refused: The submit's reply that is an error.
    """

    kind: str = ""
    input: Mapping[str, Any] = field(factory=dict)
    variant: int = 0
    accepted: Answer | None = None
    waiting: tuple[tuple[str, Answer], ...] = ()
    ended: Answer | None = None
    result: Answer | None = None
    refused: Answer | None = None

    @property
    def last(self) -> Answer | None:
        """The reply that has the outputs, or the reason of a failure."""
        return self.result or self.ended or self.accepted


@frozen
class Seen:
    """An error that a fixture shows.

    Attributes:
        refusal: What the spec makes of it.
        answer: The reply.
        submitted: It answers a submit.
    """

    refusal: Refusal
    answer: Answer
    submitted: bool


@define
class Told:
    """All that the fixtures of a generator show.

    Attributes:
        stories: Of jobs, in order.
        errors: Replies that are errors.
        uploads: Replies to the requests of ``files.upload``, by ``init`` and ``put``.
    """

    stories: list[Story] = field(factory=list)
    errors: list[Seen] = field(factory=list)
    uploads: dict[str, Answer] = field(factory=dict)


def told_by(compiled: CompiledGenerator, provider: ProviderSpec) -> Told:
    """Read all fixtures of a generator."""
    told = Told()
    for fixture in compiled.spec.tests:
        _Reading(compiled, provider, fixture, told).read()
    return told


@define
class _Reading:
    """One fixture, read as the engine would go through it."""

    compiled: CompiledGenerator
    provider: ProviderSpec
    fixture: Fixture
    told: Told
    input: dict[str, Any] = field(init=False)
    scope: dict[str, Any] = field(init=False)

    def read(self) -> None:
        """Note the story and the errors of the fixture."""
        if not self.fixture.exchanges:
            return
        self.input = self.compiled.inputs.complete(self.fixture.input)
        self.scope = {"input": self.input, "run": _RUN, "config": self.provider.config}
        exchanges = self._without_uploads()
        accepted = self._submit(exchanges)
        if accepted is None:
            return
        begun = Story(
            kind=self.fixture.raises or "",
            input=self.input,
            variant=self._variant(),
            accepted=accepted,
        )
        if self.compiled.run.synchronous:
            self._note(begun)
            return
        status = self._status(accepted, submitted=True)
        waiting: list[tuple[str, Answer]] = []
        ended: Answer | None = None
        if status in _WAITING:
            status, ended = self._polls(exchanges, waiting)
        if status in _WAITING:
            return  # it tells of no end
        result = None
        if status == "succeeded" and self.compiled.result is not None:
            result = self._result(exchanges)
        self._note(evolve(begun, waiting=tuple(waiting), ended=ended, result=result))

    def _note(self, story: Story) -> None:
        last = story.last
        if last is not None and (refusal := self._refusal(last)) is not None:
            submitted = last is story.accepted
            self.told.errors.append(Seen(refusal, last, submitted))
        self.told.stories.append(story)

    def _submit(self, exchanges: Iterator[Exchange]) -> Answer | None:
        """The reply that accepts the job; errors before it are noted, the last as a story."""
        refused: Answer | None = None
        for answer in self._answers(exchanges):
            refusal = self._refusal(answer)
            if refusal is None or self._conflict(answer):
                return answer
            self.told.errors.append(Seen(refusal, answer, submitted=True))
            refused = answer
        if refused is not None and self.fixture.raises:
            story = Story(
                kind=self.fixture.raises,
                input=self.input,
                variant=self._variant(),
                refused=refused,
            )
            self.told.stories.append(story)
        return None

    def _polls(
        self, exchanges: Iterator[Exchange], waiting: list[tuple[str, Answer]]
    ) -> tuple[str | None, Answer | None]:
        for answer in self._answers(exchanges):
            refusal = self._refusal(answer)
            if refusal is not None:
                if answer.refused and refusal.kind in _PASSES:
                    continue
                return "failed", answer
            status = self._status(answer, submitted=False)
            if status not in _WAITING:
                return status, answer
            waiting.append((str(status), answer))
        return "running", None

    def _result(self, exchanges: Iterator[Exchange]) -> Answer | None:
        """The reply to ``result``; the last one, where it was not there at first."""
        left = list(self._answers(exchanges))
        for answer in left[:1]:
            refusal = self._refusal(answer)
            passes = refusal is not None and answer.refused and refusal.kind in _PASSES
            return left[-1] if passes else answer
        return None

    def _answers(self, exchanges: Iterator[Exchange]) -> Iterator[Answer]:
        for exchange in exchanges:
            yield from _documents(Answer.of(exchange.reply))

    def _status(self, answer: Answer, *, submitted: bool) -> str | None:
        if self.compiled.status is None:
            return "succeeded"
        return self.compiled.status(answer.value(self.scope), submitted)[0]

    def _refusal(self, answer: Answer) -> Refusal | None:
        try:
            return self.compiled.refusal(answer.value(self.scope))
        except RenderError:
            return None

    def _conflict(self, answer: Answer) -> bool:
        return any(
            submit.conflict is not None and submit.conflict(answer.value(), self.scope)
            for submit in self.compiled.submits
        )

    def _variant(self) -> int:
        chosen = self.compiled.choose_submit(self.scope)
        return self.compiled.submits.index(chosen) if chosen is not None else 0

    def _without_uploads(self) -> Iterator[Exchange]:
        """The exchanges from the submit on; those of uploads are noted."""
        exchanges = list(self.fixture.exchanges)
        upload = self.provider.files.upload if self.provider.files is not None else None
        while upload is not None and exchanges and _expects(exchanges[0], upload.init):
            self.told.uploads.setdefault("init", Answer.of(exchanges.pop(0).reply))
            if upload.put is not None and exchanges:
                self.told.uploads.setdefault("put", Answer.of(exchanges.pop(0).reply))
        return iter(exchanges)


def _documents(answer: Answer) -> Iterator[Answer]:
    """A reply, or each event of a stream of them."""
    if answer.headers.get("content-type", "").partition(";")[0] != "text/event-stream":
        yield answer
        return
    for line in str(answer.raw).splitlines():
        if line.startswith("data:"):
            try:
                yield Answer(body=json.loads(line.removeprefix("data:")))
            except ValueError:
                continue


def _expects(exchange: Exchange, request: RequestSpec) -> bool:
    """Whether an exchange expects this request: by its path or its address."""
    for key, template in (("path", request.path), ("url", request.url)):
        expected = exchange.expect.get(key)
        if isinstance(expected, str) and template is not None and _fits(template, expected):
            return True
    return False


def _fits(template: Template, text: str) -> bool:
    try:
        Reader().text(template, text, "path", {})
    except UnlikeError:
        return False
    return True
