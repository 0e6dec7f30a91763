"""What a provider answers, as a value: read with a spec's paths, and written to by them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from boards.spec.paths import ABSENT, Path, values
from boards.spec.predicates import Condition, Predicate, compile_reply_predicate
from boards.spec.tokens import RenderError, Scope, Template, compile_template

Steps = tuple[str | int | tuple[str], ...]

_LOWEST_ERROR: Final = 400


@frozen
class Answer:
    """A reply: JSON where ``body`` is no text and no bytes.

    Attributes:
        status: The HTTP status.
        headers: By lower-case names.
        body: A JSON value; ``raw`` is the text or the bytes of any other body.
        raw: See ``body``.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: Any = None
    raw: str | bytes | None = None

    @classmethod
    def of(cls, reply: Mapping[str, Any]) -> "Answer":
        """A reply as a fixture writes it."""
        headers = {name.lower(): str(value) for name, value in reply.get("headers", {}).items()}
        raw = reply.get("text", reply.get("bytes"))
        return cls(
            int(reply.get("status", 200)),
            headers,
            reply.get("json"),
            None if raw is None or "json" in reply else str(raw),
        )

    @property
    def refused(self) -> bool:
        """It is an error by its HTTP status."""
        return self.status >= _LOWEST_ERROR

    def value(self, scope: Scope | None = None) -> dict[str, Any]:
        """The reply as the engine reads it."""
        body = self.body if self.raw is None else self.raw
        if isinstance(body, bytes):
            body = body.decode("utf-8", "replace")
        told = {"status": self.status, "header": self.headers, "body": body}
        return told if scope is None else {**told, "scope": scope}

    def content(self) -> tuple[bytes, str]:
        """The body's bytes, and its media type where ``headers`` name none."""
        if self.raw is None:
            return json.dumps(self.body).encode(), "application/json"
        raw = self.raw if isinstance(self.raw, bytes) else self.raw.encode()
        return raw, "application/octet-stream"

    def at(self, path: Path) -> list[Any]:
        """The values at a response path."""
        return values(path)(self.value())

    def put(self, path: Path, new: Any) -> "Answer":
        """The same with a value at a response path, the way to it made where it lacks."""
        root, rest = path.steps[0], path.steps[1:]
        if root == "status" and isinstance(new, int):
            return evolve(self, status=new)
        if root == "header" and rest:
            return evolve(self, headers={**self.headers, str(rest[0]): str(new)})
        if root == "body":
            return evolve(self, body=put(self.body, rest, new), raw=None)
        return self

    def change(self, path: Path, how: Callable[[Any], Any]) -> "Answer":
        """The same with each value at a response path changed; what is not there stays away."""
        root, rest = path.steps[0], path.steps[1:]
        if root == "body" and self.raw is None:
            return evolve(self, body=change(self.body, rest, how))
        if root == "header" and rest and (name := str(rest[0])) in self.headers:
            return evolve(self, headers={**self.headers, name: str(how(self.headers[name]))})
        return self


def put(document: Any, steps: Steps, new: Any) -> Any:
    """A JSON value with another one at a place in it."""
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(step, tuple):
        if isinstance(document, dict) and document:
            first = next(iter(document))
            return {**document, first: put(document[first], rest, new)}
        members = document if isinstance(document, list) and document else [None]
        return [put(members[0], rest, new), *members[1:]]
    if isinstance(step, int) and not isinstance(document, dict):
        items = list(document) if isinstance(document, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = put(items[step], rest, new)
        return items
    members_by_name = document if isinstance(document, dict) else {}
    return {**members_by_name, str(step): put(members_by_name.get(str(step)), rest, new)}


def change(document: Any, steps: Steps, how: Callable[[Any], Any]) -> Any:
    """A JSON value with each value at a path in it changed; as the paths of specs go."""
    if not steps:
        return how(document)
    step, rest = steps[0], steps[1:]
    if isinstance(step, tuple):
        if isinstance(document, list):
            return [change(one, rest, how) for one in document]
        if isinstance(document, dict):
            return {name: change(one, rest, how) for name, one in document.items()}
        return document if document is None else change(document, rest, how)
    if isinstance(document, dict):
        name = str(step)
        if name not in document:
            return document
        return {**document, name: change(document[name], rest, how)}
    if isinstance(step, int) and isinstance(document, list):
        if step >= len(document):
            return document
        return [change(one, rest, how) if at == step else one for at, one in enumerate(document)]
    if step == 0 and document is not None:
        return change(document, rest, how)  # a scalar counts as a list of one
    return document


def everywhere(value: Any, how: Callable[[str], str]) -> Any:
    """A JSON value with all its texts changed, names of members included."""
    if isinstance(value, str):
        return how(value)
    if isinstance(value, Mapping):
        return {how(str(name)): everywhere(one, how) for name, one in value.items()}
    return [everywhere(one, how) for one in value] if isinstance(value, list) else value


def satisfying(predicate: Predicate, answer: Answer, scope: Scope) -> Answer | None:
    """An answer changed as little as needed for a predicate to hold; None where it cannot be."""
    for condition in predicate.conditions:
        if compile_reply_predicate(Predicate((condition,)))(answer.value(), scope):
            continue
        answer = _satisfied(condition, answer, scope)
    return answer if compile_reply_predicate(predicate)(answer.value(), scope) else None


def _satisfied(condition: Condition, answer: Answer, scope: Scope) -> Answer:
    if condition.operator == "status":
        return evolve(answer, status=condition.statuses[0])
    if condition.path is None:
        return answer
    if condition.operator == "exists":
        return answer.put(condition.path, "unknown")
    wanted = condition.operands[0]
    if isinstance(wanted, Template):
        try:
            wanted = compile_template(wanted)(scope)
        except RenderError:
            return answer
    if wanted is ABSENT:
        return answer
    return answer.put(condition.path, wanted)
