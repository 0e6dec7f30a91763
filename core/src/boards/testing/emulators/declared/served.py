"""A generator as the emulator serves it: its submits, its stories, and what errors look like."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from attrs import evolve, frozen

from boards.spec.compile import CompiledGenerator, CompiledSubmit
from boards.spec.model import ErrorRule, ProviderSpec
from boards.spec.paths import first, parse_path
from boards.spec.predicates import compile_predicate
from boards.spec.requests import tokens_of
from boards.spec.tokens import RenderError
from boards.testing.emulators.declared import synthesis
from boards.testing.emulators.declared.answers import Answer
from boards.testing.emulators.declared.reading import Reader
from boards.testing.emulators.declared.stories import Story, Told, told_by

_FAILURES: Final = ("provider", "transient", "timeout", "quota", "invalid_input", "not_found")
"""Kinds of error that a failed job may have, the likeliest first."""
_NO_MESSAGE: Final = frozenset({"auth", "rate_limited", "quota", "moderated"})
"""Kinds whose words in a fixture say it as well as ours would."""


@frozen(eq=False)
class Served:
    """A generator, and all that its fixtures tell.

    Attributes:
        compiled: With its provider's defaults.
        provider: The provider.
        told: By its fixtures.
        reader: Reads its requests.
    """

    compiled: CompiledGenerator
    provider: ProviderSpec
    told: Told
    reader: Reader
    synthetic: Story

    @classmethod
    def of(cls, compiled: CompiledGenerator, provider: ProviderSpec, config: Any) -> "Served":
        """Read what there is of a generator."""
        types = {
            name: one.get("type") if isinstance(one, Mapping) else None
            for name, one in compiled.inputs.properties.items()
        }
        reader = Reader(compiled.run.let, config, types)
        told = told_by(compiled, provider)
        return cls(compiled, provider, told, reader, synthesis.success(compiled, provider))

    @property
    def submits(self) -> Sequence[CompiledSubmit]:
        """The variants of its submit."""
        return self.compiled.submits

    def success(self, variant: int, given: Mapping[str, Any]) -> Story:
        """The story of a success that is the most like a request.

        Args:
            variant: Which submit it was.
            given: What is known of the input.
        """
        found = [one for one in self.told.stories if not one.kind and one.accepted is not None]

        def likeness(story: Story) -> tuple[bool, int]:
            alike = sum(given.get(name) == value for name, value in story.input.items())
            return story.variant == variant, alike

        return max(found, key=likeness, default=self.synthetic)

    @cached_property
    def failures(self) -> dict[str, Story]:
        """Stories that end badly, by kind; those of jobs that were accepted are preferred."""
        found: dict[str, Story] = {}
        for story in self.told.stories:
            if story.kind in ("", "rate_limited", "auth", "untrusted_url"):
                continue
            known = found.get(story.kind)
            later = known is not None and known.refused is not None and story.refused is None
            if known is None or (later and not self.compiled.run.synchronous):
                found[story.kind] = story
        return found

    def ending(self, outcome: str, among: Sequence["Served"]) -> Story | None:
        """The story of a job that fails, or is refused for its content.

        Args:
            outcome: ``fail`` or ``moderate``.
            among: Generators of the same provider, whose fixtures may show what these lack.

        Returns:
            None where neither a fixture nor the spec knows of such an end.
        """
        kinds = ("moderated",) if outcome == "moderate" else _FAILURES
        alike = [one for one in among if _pattern(one) == _pattern(self)]
        for failures in (self.failures, *(one.failures for one in alike)):
            for kind in kinds:
                if kind in failures:
                    return failures[kind]
        base = self.success(0, {})
        made = (synthesis.failure(self.compiled, base, kind) for kind in kinds)
        return next((story for story in made if story is not None), None)

    @cached_property
    def waits(self) -> dict[str, list[tuple[Story, Answer]]]:
        """Replies about jobs that are ``queued`` or ``running``, with the stories they are from.

        Those of the story that shows the most; what it lacks is taken from the spec.
        """
        found: dict[str, list[tuple[Story, Answer]]] = {}
        successes = [one for one in self.told.stories if not one.kind]
        for status in ("queued", "running"):
            told = [
                [(story, answer) for said, answer in story.waiting if said == status]
                for story in successes
            ]
            found[status] = max(told, key=len, default=[]) or self._made(status, successes)
        return found

    def _made(self, status: str, successes: Sequence[Story]) -> list[tuple[Story, Answer]]:
        for story in (*successes, self.synthetic):
            for base in (story.accepted, *(one for _, one in story.waiting)):
                if base is None or base.raw is not None or base.refused:
                    continue
                if self._final(base, submitted=True):
                    base = Answer(body={})  # noqa: PLW2901
                made = synthesis.with_status(self.compiled, base, status)
                if made is not None:
                    return [(story, made)]
        return []

    def _final(self, answer: Answer, *, submitted: bool) -> bool:
        if self.compiled.status is None:
            return True
        status = self.compiled.status(answer.value({}), submitted)[0]
        return status not in ("queued", "running")

    def at_once(self, story: Story) -> bool:
        """Whether a story's reply to the submit is the result."""
        if story.accepted is None or self.compiled.run.synchronous:
            return story.accepted is not None
        return story.ended is None

    def captured(self, story: Story, answer: Answer) -> list[tuple[str, Any]]:
        """What is captured of an accepting reply, by name; of its whole body without captures."""
        run = self.compiled.run
        submit = self.submits[min(story.variant, len(self.submits) - 1)] if run.submit else None
        captures = submit.captures if submit is not None else ()
        told = answer.value()
        found = [(name, at(told)) for name, at in captures]
        if not captures:
            for request in synthesis.follow_ups(self.compiled).values():
                for token in tokens_of(request):
                    if token.root == "job" and token.steps:
                        path = parse_path(f"body.{'.'.join(token.steps)}")
                        found.append((token.name, first(path)(told)))
        return found


def _pattern(served: Served) -> tuple[bool, bool]:
    return served.compiled.run.synchronous, served.compiled.result is not None


@frozen
class Refusals:
    """How a provider says no: as its fixtures show it, else as its rules read it.

    Attributes:
        rules: The provider's own ``errors``.
        served: Its generators.
    """

    rules: tuple[ErrorRule, ...]
    served: Sequence[Served]

    def answer(self, kind: str, message: str, by: Served | None = None) -> Answer:
        """An error reply.

        Args:
            kind: Of the error.
            message: What to say, where the shape has a place for it.
            by: The generator that it is about; its own fixtures come first.
        """
        rules = by.compiled.run.errors if by is not None else self.rules
        known = [by] if by is not None else []
        for served in (*known, *self.served):
            for seen in served.told.errors:
                if seen.refusal.kind == kind and seen.answer.refused and seen.submitted:
                    return self._saying(seen.answer, served, kind, message)
        return synthesis.refusal(rules, kind, message)

    def _saying(self, answer: Answer, served: Served, kind: str, message: str) -> Answer:
        """A fixture's reply with our message where the spec reads one."""
        if kind in _NO_MESSAGE:
            return answer
        for rule in served.compiled.run.errors:
            try:
                holds = compile_predicate(rule.when)(answer.value(), {})
            except RenderError:
                continue
            if holds and rule.message is not None:
                told = answer.at(rule.message)
                if told and isinstance(told[0], str):
                    return answer.put(rule.message, message)
                return answer
        return answer

    def rate_limited(self, turn: int, by: Served | None) -> Answer:
        """A 429, to come back in a second: told by the header, and by the body where it can be.

        Args:
            turn: Which refusal it is, counted from 0; every other one tells it by the body alone,
                where the spec has a path for it.
            by: The generator.
        """
        answer = self.answer("rate_limited", "Too many requests.", by)
        rules = by.compiled.run.errors if by is not None else self.rules
        in_body = False
        for rule in rules:
            if rule.kind == "rate_limited" and rule.after is not None:
                told = answer.at(rule.after)
                as_text = bool(told) and isinstance(told[0], str)
                answer = answer.put(rule.after, "1s" if as_text else 1)
                in_body = True
                break
        headers = {name: one for name, one in answer.headers.items() if name != "retry-after"}
        if not in_body or turn % 2 == 0:
            headers["retry-after"] = "1"
        return evolve(answer, headers=headers)
