"""A generator, together with what it inherits from its provider."""

from attrs import evolve

from boards.spec.check.bodies import check_body, may_be_absent
from boards.spec.check.context import BEFORE, RESPONSE, Context, place_of
from boards.spec.check.inputs import check_inputs, misnamed
from boards.spec.check.outcomes import check_cost, check_outputs, check_replies
from boards.spec.check.provider import secrets_of, trusted_by
from boards.spec.check.references import check_paths, check_template
from boards.spec.check.requests import (
    check_reconcile,
    check_request,
    check_submits,
    check_websocket,
)
from boards.spec.check.rules import check_rules
from boards.spec.inputs import InputSchema
from boards.spec.merge import effective
from boards.spec.model import Execution, GeneratorSpec, ProviderSpec
from boards.spec.places import Problems

__all__ = ["check_generator"]


def check_generator(
    generator: GeneratorSpec,
    provider: ProviderSpec | None,
    problems: Problems,
    *,
    used: set[str] | None = None,
) -> InputSchema | None:
    """Note what is wrong with a generator, so that it could not run.

    Args:
        generator: As read.
        provider: Its provider, whose defaults count; None if it is not known here.
        problems: Where mistakes are noted.
        used: Gathers the names of the inputs that it refers to; an empty name is all of them.

    Returns:
        The compiled input schema, or None if it is no JSON Schema.
    """
    schema = check_inputs(generator, problems)
    run = effective(generator, provider) if provider is not None else generator.execution
    before = Context(
        problems,
        schema,
        lets=frozenset(),
        captures=_captures(run),
        config=frozenset(provider.config) if provider is not None else None,
        secrets=secrets_of(provider) if provider is not None else frozenset(),
        guarded=misnamed(schema),
        trusted=trusted_by(provider) if provider is not None else None,
        used=set() if used is None else used,
    )
    _check_kind(generator, provider, problems)
    for name, body in run.let.items():
        check_body(body, before)
        absent = before.absent | {name} if may_be_absent(body, before) else before.absent - {name}
        before = evolve(before, lets=(before.lets or frozenset()) | {name}, absent=absent)
    for template in provider.headers.values() if provider is not None else ():
        check_template(template, before, text=True)
    outside = evolve(before, secrets=frozenset())
    check_submits(run, outside)
    check_websocket(run.websocket, run, before)
    check_reconcile(run.reconcile, outside)
    after = outside.with_roots("job", "prev")
    for request in (run.poll, run.stream, run.result, run.cancel):
        check_request(request, after)
    if run.poll is not None:
        check_paths(problems, RESPONSE, run.poll.after)
    check_replies(run, after.only(*BEFORE, "job"))
    check_outputs(run, after)
    check_cost(generator.cost, outside)
    return schema


def _captures(run: Execution) -> frozenset[str] | None:
    """What ``job`` has for sure; None where it is the reply's whole body."""
    named = [frozenset(submit.capture) for submit in run.submit]
    return frozenset.intersection(*named) if named and all(named) else None


def _check_kind(
    generator: GeneratorSpec, provider: ProviderSpec | None, problems: Problems
) -> None:
    """What an execution needs, by its type and by how it waits."""
    own = generator.execution
    place = own.place or place_of(generator)
    if own.type == "adapter":
        if provider is not None and provider.adapter is None:
            problems.error(
                place_of(own, "type"), f"the provider {generator.provider} has no adapter"
            )
    elif not own.submit:
        problems.error(place, "missing key 'submit'")
    check_rules(own, problems)
    polls = own.type == "rest" and not own.synchronous
    if provider is not None and polls and (own.status or provider.status) is None:
        problems.error(place, "a generator that polls needs a status, its own or its provider's")
