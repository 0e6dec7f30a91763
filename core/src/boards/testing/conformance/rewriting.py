"""Replies of a server, changed so that they say something else."""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from boards.spec.model import StatusSpec
from boards.spec.paths import Path
from boards.testing.conformance.checks import NotApplicable
from boards.testing.conformance.proxy import Answer, answer

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["ALIVE", "saying_status", "status_in", "with_status", "with_value", "without_outputs"]

ALIVE: Final = ("running", "queued")

Step = str | int | tuple[str]


def status_in(
    generator: "CompiledGenerator", reply: Answer, *, submitted: bool = False
) -> str | None:
    """The status that a reply tells; None where it tells none, or the spec does not know it."""
    if generator.status is None or reply.status >= 300 or reply.json is None:
        return None
    return generator.status(reply.value, submitted)[0]


def saying_status(
    generator: "CompiledGenerator", reply: Answer, wanted: Sequence[str], *, submitted: bool = False
) -> Answer:
    """A reply that says one of some statuses: this one, with another word in it if need be.

    Raises:
        NotApplicable: Nobody knows how the provider says that.
    """
    if status_in(generator, reply, submitted=submitted) in wanted:
        return reply
    status = generator.run.status
    if status is not None and status.at is not None:
        for word, meaning in status.map.items():
            if meaning in wanted:
                return with_status(generator, reply, word)
    for fixture in generator.spec.tests:
        for exchange in fixture.exchanges[1:]:
            shown = answer(int(exchange.reply.get("status", 200)), exchange.reply.get("json"))
            if status_in(generator, shown) in wanted:
                return shown
    raise NotApplicable(f"no test of {generator.id} shows a reply that says {' or '.join(wanted)}")


def with_status(generator: "CompiledGenerator", reply: Answer, word: str) -> Answer:
    """A reply with a word where the status stands.

    Raises:
        NotApplicable: There is no such word.
    """
    status = generator.run.status
    at = None if status is None else status.at or _read_by_rules(status)
    if at is None or at.root != "body":
        raise NotApplicable("no one word in the reply tells the status")
    return reply.saying(with_value(reply.json, at, word))


def _read_by_rules(status: StatusSpec) -> Path | None:
    """The word that the rules for success look at."""
    for rule in status.rules:
        for condition in rule.when.conditions:
            if rule.status == "succeeded" and condition.operator in ("eq", "in"):
                return condition.path
    return None


def with_value(body: Any, path: Path, value: Any) -> Any:
    """A copy of a body with another value at a path below ``body``."""
    return _changed(body, path.steps[1:], lambda _: value)


def without_outputs(generator: "CompiledGenerator", reply: Answer) -> Answer:
    """A final reply from which every output is gone.

    Raises:
        NotApplicable: Outputs are not where a specification could say.
    """
    extract = generator.run.extract
    paths = [one.steps for one in extract.output_paths]
    paths += [(*(one.each.steps if one.each else ()), *one.source.steps) for one in extract.outputs]
    if not paths:
        raise NotApplicable("the adapter, not extract, finds the outputs")
    if reply.json is None:
        return Answer(reply.status, reply.headers, b"")
    body = reply.json
    for path in paths:
        steps = path[1:] if path[0] == "body" else path
        body = _changed(body, steps, None) if steps else {}
    return reply.saying(body)


def _changed(body: Any, steps: Sequence[Step], make: Callable[[Any], Any] | None) -> Any:
    """A copy of a body with what is at a path made anew, or taken away."""
    copied = copy.deepcopy(body)
    if not steps:
        return make(copied) if make is not None else None
    _change(copied, steps, make)
    return copied


def _change(value: Any, steps: Sequence[Step], make: Callable[[Any], Any] | None) -> None:
    step, rest = steps[0], steps[1:]
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value) if isinstance(step, tuple) else [str(step)]
    elif isinstance(value, list):
        keys = list(range(len(value)))[::-1] if isinstance(step, tuple) else [step]
        keys = [key for key in keys if isinstance(key, int) and key < len(value)]
    for key in keys:
        there = isinstance(value, list) or key in value
        if rest:
            if not there and make is not None:
                value[key] = {}
            if there or make is not None:
                _change(value[key], rest, make)
        elif make is not None:
            value[key] = make(None)
        elif there:
            del value[key]
