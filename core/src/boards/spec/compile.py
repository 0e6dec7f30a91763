"""A generator, compiled once: everything that the engine asks of a spec, as closures."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import evolve, fields, frozen, has

from boards.spec.inputs import InputSchema
from boards.spec.merge import effective
from boards.spec.model import (
    Deadline,
    GeneratorSpec,
    Idempotency,
    ProviderSpec,
    Reconcile,
    RequestSpec,
    WebSocket,
)
from boards.spec.operators import compile_body
from boards.spec.paths import ABSENT, first, values
from boards.spec.predicates import Test, compile_predicate, compile_reply_predicate
from boards.spec.replies import (
    ReplyValue,
    compile_cost,
    compile_extract,
    compile_failure,
    compile_pause,
    compile_progress,
    compile_refusal,
    compile_status,
)
from boards.spec.requests import CompiledRequest, tokens_of
from boards.spec.tokens import (
    Render,
    RenderError,
    Scope,
    Template,
    Token,
    compile_template,
    compile_token,
)

__all__ = ["CompiledGenerator", "CompiledReconcile", "CompiledSocket", "CompiledSubmit"]


@frozen
class CompiledSubmit:
    """One variant of a submit."""

    request: CompiledRequest
    when: Test | None
    idempotency: Idempotency | None
    conflict: Test | None
    captures: tuple[tuple[str, Callable[[ReplyValue], Any]], ...]

    def capture(self, reply: ReplyValue) -> dict[str, Any] | None:
        """What is kept of the reply; None where a captured value is missing."""
        kept = {name: at(reply) for name, at in self.captures}
        if any(value is ABSENT or value is None for value in kept.values()):
            return None
        return kept


class CompiledSocket:
    """The frames of a websocket: those that open it, and which of those that come are the job's."""

    def __init__(self, spec: WebSocket) -> None:
        target = RequestSpec(url=spec.url, path=spec.path, base=spec.base, place=spec.place)
        self.request = CompiledRequest(target)
        self.open = tuple(compile_body(body) for body in spec.open)
        self.match = compile_reply_predicate(spec.match)


class CompiledReconcile:
    """How a job is found whose submit reply was lost."""

    def __init__(self, spec: Reconcile, headers: Mapping[str, Template]) -> None:
        self.request = CompiledRequest(spec, headers)
        self.each = values(spec.each)
        self.next = first(spec.next) if spec.next is not None else None
        self.max_pages = spec.max_pages
        self._tests = [compile_reply_predicate(one) for one in spec.where]
        self.captures = tuple((name, first(path)) for name, path in spec.capture.items())

    def matches(self, page: ReplyValue, scope: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What is captured of each element of a page that is, or may be, the job."""
        found = []
        for element in self.each(page):
            if isinstance(element, dict) and self._may_be(element, {**scope, "item": element}):
                kept = {name: at(element) for name, at in self.captures}
                if all(value is not ABSENT and value is not None for value in kept.values()):
                    found.append(kept or element)
        return found

    def _may_be(self, element: dict[str, Any], scope: Mapping[str, Any]) -> bool:
        return any(test(element, scope) for test in self._tests)


def _request(spec: RequestSpec | None, headers: Mapping[str, Template]) -> CompiledRequest | None:
    return CompiledRequest(spec, headers) if spec is not None else None


def _compile_times(times: Template) -> Render:
    """A closure to a number of units, which may be written down as it is: ``times: 3``."""
    if times.tokens:
        return compile_template(times)
    written = float(times.text)
    return lambda _scope: written


def _mentions(value: object, root: str) -> bool:
    """Whether a token of this root is anywhere in a part of a spec."""
    if isinstance(value, Token):
        return value.root == root
    if isinstance(value, Mapping):
        return any(_mentions(one, root) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(one, root) for one in value)
    kind: Any = type(value)
    return has(kind) and any(_mentions(getattr(value, one.name), root) for one in fields(kind))


class CompiledGenerator:
    """A generator with its provider's defaults, ready to run.

    Attributes:
        looks_back: Whether a later request may need the reply before, ``prev``: an adapter may.

    Args:
        spec: A generator that the checker passed.
        provider_name: The instance that runs it.
        provider: The instance's effective definition.

    Raises:
        ValueError: The input schema is no JSON Schema.
    """

    def __init__(self, spec: GeneratorSpec, provider_name: str, provider: ProviderSpec) -> None:
        self.spec = spec
        self.provider_name = provider_name
        self.id = f"{provider_name}/{spec.name}"
        self.run = run = effective(spec, provider)
        self.inputs = InputSchema(spec.io.input_schema)
        self.deadline = run.deadline or Deadline()
        self._lets = [(name, compile_body(body)) for name, body in run.let.items()]
        headers = provider.headers
        self.submits = tuple(
            CompiledSubmit(
                CompiledRequest(submit, headers),
                compile_predicate(submit.when) if submit.when is not None else None,
                submit.idempotency,
                compile_reply_predicate(submit.idempotency.conflict)
                if submit.idempotency is not None and submit.idempotency.conflict is not None
                else None,
                tuple((name, first(path)) for name, path in submit.capture.items()),
            )
            for submit in run.submit
        )
        self.poll = _request(run.poll, headers)
        self.stream = _request(run.stream, headers)
        self.websocket = CompiledSocket(run.websocket) if run.websocket is not None else None
        self.result = _request(run.result, headers)
        self.cancel = _request(run.cancel, headers)
        self.reconcile = (
            CompiledReconcile(run.reconcile, headers) if run.reconcile is not None else None
        )
        self.status = compile_status(run.status) if run.status is not None else None
        self.webhook_status = (
            compile_status(run.webhook.status)
            if run.webhook is not None and run.webhook.status is not None
            else self.status
        )
        self.webhook_body = (
            first(run.webhook.body_at)
            if run.webhook is not None and run.webhook.body_at is not None
            else None
        )
        self.refusal = compile_refusal(run.errors)
        self.pause = compile_pause(run.poll.after if run.poll is not None else None)
        self.progress = compile_progress(run.progress)
        self.failure = compile_failure(run.failure)
        self.outputs = compile_extract(run.extract, spec.artifact_type, headers)
        self.charged = compile_cost(spec.cost)
        self.looks_back = provider.adapter is not None or _mentions((run, headers), "prev")
        self._needs = [
            (".".join(token.steps), compile_token(evolve(token, optional=True)))
            for request in (run.poll, run.stream, run.result)
            for token in tokens_of(request)
            if token.root == "job"
        ]
        self._times = (
            _compile_times(spec.cost.times)
            if spec.cost is not None and spec.cost.times is not None
            else None
        )
        self._config = provider.config
        self._prices_lets = spec.cost is not None and _mentions(spec.cost.times, "let")

    @property
    def listens(self) -> bool:
        """Whether its jobs are heard of without asking."""
        return self.stream is not None or self.websocket is not None

    def job_lacks(self, job: Any) -> list[str]:
        """What a submit would have to tell besides, as ``job`` has it, to ask for the job."""
        scope = {"job": job, "prev": job}
        lacking: dict[str, None] = {}
        for name, look_up in self._needs:
            try:
                found = look_up(scope) is not ABSENT
            except RenderError:  # an id that |int cannot read, say
                found = False
            if not found:
                lacking[name] = None
        return [*lacking]

    def with_lets(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """The scope of a request, its ``let`` derived in order."""
        derived: dict[str, Any] = {}
        complete = {**scope, "let": derived}
        for name, render in self._lets:
            value = render(complete)
            if value is not ABSENT:
                derived[name] = value
        return complete

    def _priced(self, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        """The scope of a price: of ``let``, what can be derived before there is an attempt."""
        if not self._prices_lets:
            return scope
        derived: dict[str, Any] = {}
        complete = {**scope, "let": derived}
        for name, render in self._lets:
            with suppress(RenderError):
                value = render(complete)
                if value is not ABSENT:
                    derived[name] = value
        return complete

    def choose_submit(self, scope: Scope) -> CompiledSubmit | None:
        """The first variant whose ``when`` holds; the last has none.

        None where the spec has no submit: the provider's adapter does it.
        """
        for submit in self.submits:
            if submit.when is None or submit.when(scope, scope):
                return submit
        return None

    def estimate(self, scope: Scope) -> tuple[float, str, float] | None:
        """US dollars, unit and quantity by the spec's list price; None where it has none.

        A scope of the input alone is enough. What is no number counts once.
        """
        cost = self.spec.cost
        if cost is None or cost.usd is None:
            return None
        scope = {"config": self._config, **scope}
        try:
            times = 1 if self._times is None else self._times(self._priced(scope))
        except RenderError:
            times = 1
        if isinstance(times, str) and cost.unit == "character":
            times = len(times)
        quantity = float(times) if isinstance(times, int | float) else 1.0
        if quantity < 0:  # -1 for "as you like", say: nobody can tell, and it is not free
            return None
        return cost.usd * quantity, cost.unit, quantity
