"""Mistakes that reading cannot see: references, scopes, coverage. All at once, each with its place.

:func:`check_generator` looks at one generator and at what it inherits from its provider.
"""

from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve, frozen

from boards.spec.inputs import InputSchema
from boards.spec.merge import effective
from boards.spec.model import (
    Execution,
    GeneratorSpec,
    OutputSpec,
    ProviderSpec,
    Reconcile,
    RequestSpec,
    StatusSpec,
    Webhook,
)
from boards.spec.operators import (
    Body,
    Concat,
    Each,
    Items,
    Literal,
    MapTo,
    Members,
    Ratio,
    When,
)
from boards.spec.paths import Path, PathError, parse_path
from boards.spec.places import Place, Problems, Source, did_you_mean
from boards.spec.predicates import Condition, Predicate
from boards.spec.tokens import FILE_FILTERS, Template, Token

__all__ = ["check_generator", "check_provider"]

_BEFORE: Final = frozenset({"input", "let", "config", "run"})
_AFTER: Final = _BEFORE | {"job", "prev"}
_RESPONSE: Final = frozenset({"body", "header", "status"})
_RUN: Final = frozenset({"id", "uuid", "idempotency_key", "submitted_at", "webhook_url"})
_FILE: Final = frozenset({"bytes", "mime", "name", "size"})
_NOWHERE: Final = Place(Source("?"))


@frozen
class _Context:
    """What a token may refer to where it stands."""

    problems: Problems
    schema: InputSchema
    lets: frozenset[str]
    captures: frozenset[str] | None
    config: frozenset[str] | None
    roots: frozenset[str]
    guarded: frozenset[str] = frozenset()

    def guard(self, predicate: Predicate | None) -> "_Context":
        """The context under a predicate: what must exist there needs no ``?``."""
        return evolve(self, guarded=self.guarded | frozenset(_existing(predicate)))


def _existing(predicate: Predicate | None) -> Iterator[str]:
    """The inputs and lets whose presence a predicate that holds proves."""
    for condition in predicate.conditions if predicate else ():
        if condition.path is not None:
            yield ".".join(str(step) for step in condition.path.steps[:2])


def _of_provider(provider: ProviderSpec, problems: Problems, *roots: str) -> _Context:
    """The context of a request that belongs to no generation."""
    # An instance that changes nothing of its config has that of its definition, unknown here.
    config = frozenset(provider.config) if provider.type == "rest" else None
    known = frozenset({"config", *roots})
    return _Context(problems, InputSchema({}), frozenset(), None, config, known)


def check_provider(name: str, provider: ProviderSpec, problems: Problems) -> None:
    """Note what is wrong with a provider definition by itself."""
    place = provider.place or _NOWHERE
    if provider.type == "rest":
        if "base_url" not in provider.config:
            problems.error(place, f"provider {name}: config lacks base_url")
        if provider.auth is None:
            problems.error(place, f"provider {name}: auth is missing; kind: none is a choice too")
    auth = provider.auth
    if auth is not None and auth.kind in ("header", "query") and auth.name is None:
        problems.error(auth.place or place, f"auth kind {auth.kind} needs a name")
    if provider.cancel is not None:
        _check_shape(provider.cancel, problems)
    if provider.check is not None:
        _check_request(provider.check, _of_provider(provider, problems))
    if provider.catalog is not None:
        _check_request(provider.catalog.model, _of_provider(provider, problems, "model"))
    if provider.files is not None and provider.files.upload is not None:
        upload = provider.files.upload
        context = _of_provider(provider, problems, "run", "file")
        _check_request(upload.init, context)
        context = evolve(
            context, captures=frozenset(upload.capture), roots=context.roots | {"upload"}
        )
        if upload.put is not None:
            _check_request(upload.put, context)
        _check_template(upload.result, context)
        for path in upload.capture.values():
            _check_root(path, _RESPONSE, problems)
    if provider.status is not None:
        _check_status(provider.status, problems)


def check_generator(
    generator: GeneratorSpec, provider: ProviderSpec | None, problems: Problems
) -> InputSchema | None:
    """Note what is wrong with a generator.

    Args:
        generator: As read.
        provider: Its provider, whose defaults count; None if it is not known here.
        problems: Where mistakes are noted.

    Returns:
        The compiled input schema, or None if it is no JSON Schema.
    """
    place = generator.place or _NOWHERE
    try:
        schema = InputSchema(generator.io.input_schema)
    except ValueError as error:
        node = generator.io.input_schema
        problems.error(getattr(node, "place", place), f"input_schema is no JSON Schema: {error}")
        return None
    run = effective(generator, provider) if provider is not None else generator.execution
    captures = _captures(run)
    context = _Context(
        problems,
        schema,
        frozenset(),
        captures,
        frozenset(provider.config) if provider is not None else None,
        _BEFORE,
    )
    for template in provider.headers.values() if provider is not None else ():
        _check_template(template, context)
    for name, body in run.let.items():
        _check_body(body, context)
        context = evolve(context, lets=context.lets | {name})
    _check_submits(run, context)
    after = evolve(context, roots=_AFTER)
    for request in (run.poll, run.result, run.cancel):
        if request is not None:
            _check_request(request, after)
    if run.reconcile is not None:
        _check_reconcile(run.reconcile, context)
    _check_outcomes(generator, run, after, provider is not None)
    if generator.cost is not None and generator.cost.times is not None:
        _check_template(generator.cost.times, context)
    return schema


def _captures(run: Execution) -> frozenset[str] | None:
    """What ``job`` has for sure; None where it is the reply's whole body."""
    named = [frozenset(submit.capture) for submit in run.submit]
    return frozenset.intersection(*named) if all(named) else None


def _check_submits(run: Execution, context: _Context) -> None:
    problems = context.problems
    for index, submit in enumerate(run.submit):
        last = index == len(run.submit) - 1
        place = submit.place or _NOWHERE
        if last and submit.when is not None:
            problems.error(place, "the last variant has no 'when': it is the one for all the rest")
        if not last and submit.when is None:
            problems.error(place, "only the last variant may lack 'when'")
        if submit.when is not None:
            _check_request_predicate(submit.when, context)
        _check_request(submit, context.guard(submit.when))
        for path in submit.capture.values():
            _check_root(path, _RESPONSE, problems)
        if submit.idempotency is not None:
            _check_response_predicate(submit.idempotency.conflict, problems)


def _check_reconcile(reconcile: Reconcile, context: _Context) -> None:
    """Its ``where`` and ``capture`` start at the element, which may have any key."""
    _check_request(reconcile, context)
    _check_root(reconcile.each, _RESPONSE, context.problems)
    if reconcile.next is not None:
        _check_root(reconcile.next, _RESPONSE, context.problems)
    within = evolve(context, roots=context.roots | {"item"})
    for condition in reconcile.where.conditions:
        for template in _operands(condition):
            _check_template(template, within)


def _check_shape(request: RequestSpec, problems: Problems) -> None:
    place = request.place or _NOWHERE
    if (request.path is None) == (request.url is None):
        problems.error(place, "a request has either path or url")
    elif request.path is not None and not request.path.text.startswith(("/", "${")):
        problems.error(request.path.place or place, "a path begins with '/': it follows base_url")
    elif request.url is not None and not request.url.text.startswith(("https://", "http://", "${")):
        problems.error(request.url.place or place, "a url is absolute; use path to follow base_url")
    bodies = [
        name for name in ("json", "form", "multipart", "body") if getattr(request, name) is not None
    ]
    if len(bodies) > 1:
        problems.error(place, f"a request has one body, not {' and '.join(bodies)}")


def _check_request(request: RequestSpec, context: _Context) -> None:
    _check_shape(request, context.problems)
    config = context.config
    if config is not None and request.path is not None and request.base not in config:
        context.problems.error(
            request.place or _NOWHERE,
            f"config has no {request.base!r}{did_you_mean(request.base, sorted(config))}",
        )
    for template in (request.path, request.url, request.body):
        if template is not None:
            _check_template(template, context)
    for mapping in (request.query, request.headers, request.form, request.multipart):
        for template in (mapping or {}).values():
            _check_template(template, context)
    if request.json is not None:
        _check_body(request.json, context)


def _check_body(body: Body, context: _Context) -> None:
    match body:
        case Template():
            _check_template(body, context)
        case Members(members):
            for _, value in members:
                _check_body(value, context)
        case Items(parts) | Concat(parts):
            for part in parts:
                _check_body(part, context)
        case MapTo():
            _check_map(body, context)
        case When(predicate, then, otherwise):
            _check_request_predicate(predicate, context)
            _check_body(then, context.guard(predicate))
            if otherwise is not None:
                _check_body(otherwise, context)
        case Each():
            _check_each(body, context)
        case Ratio(width, height, place):
            for token in (width, height):
                _check_token(token, place or _NOWHERE, context)
        case Literal():
            pass


def _check_map(body: MapTo, context: _Context) -> None:
    place = body.place or _NOWHERE
    _check_token(body.token, place, context)
    for _, value in body.to:
        _check_body(value, context)
    if body.otherwise is not None:
        _check_body(body.otherwise, context)
        return
    enum = _schema_of(body.token, context.schema).get("enum")
    if enum is None:
        if body.token.root == "input":
            context.problems.error(place, f"{body.token.text} has no enum: $map needs an else")
        return
    entries = {name for name, _ in body.to}
    lacking = [
        one
        for one in enum
        if (not body.token.optional if one is None else _text(one) not in entries)
    ]
    if lacking:
        names = ", ".join("null" if one is None else repr(one) for one in lacking)
        context.problems.error(place, f"$map lacks {names} of {body.token.text}, and has no else")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_each(body: Each, context: _Context) -> None:
    place = body.place or _NOWHERE
    if "item" in context.roots:
        context.problems.error(place, "$each does not nest")
    _check_token(body.token, place, context, elements=True)
    if body.token.root != "input":
        context.problems.error(place, "$each goes over an input")
    elif "maxItems" not in _schema_of(body.token, context.schema):
        context.problems.error(place, f"{body.token.text} has no maxItems: $each must be bounded")
    _check_body(body.do, evolve(context, roots=context.roots | {"item"}))


def _check_template(template: Template, context: _Context) -> None:
    for token in template.tokens:
        _check_token(token, template.place or _NOWHERE, context)


def _check_token(token: Token, place: Place, context: _Context, *, elements: bool = False) -> None:
    """Note what is wrong with a token; ``elements``: ``$each`` goes over it, it is not sent."""
    problems = context.problems
    if token.root not in context.roots:
        problems.error(
            place,
            f"{token.text}: {token.root!r} is not known here; "
            f"known: {', '.join(sorted(context.roots))}",
        )
        return
    known = _known_names(token, context)
    if known is not None and token.name and token.name not in known:
        problems.error(
            place,
            f"{token.text}: there is no {token.name!r}{did_you_mean(token.name, sorted(known))}",
        )
        return
    if token.root == "input":
        _check_input(token, place, context, elements=elements)
    elif token.root == "run" and token.name == "webhook_url" and not token.optional:
        problems.error(
            place, f"{token.text} is absent where no webhook is configured: end it with '?'"
        )


def _known_names(token: Token, context: _Context) -> frozenset[str] | None:
    match token.root:
        case "input":
            return frozenset(context.schema.properties)
        case "let":
            return context.lets
        case "run":
            return _RUN
        case "job" | "upload":
            return context.captures
        case "file":
            return _FILE
        case "config":
            return context.config
        case _:
            return None


def _check_input(token: Token, place: Place, context: _Context, *, elements: bool) -> None:
    if not token.name:
        return
    schema = context.schema
    certain = token.name in schema.required or token.name in schema.defaults
    if not (token.optional or certain or f"input.{token.name}" in context.guarded):
        context.problems.error(
            place,
            f"{token.text} may be absent: end it with '?', give the input a default, or require it",
        )
    is_file = any(one.name == token.name for one in schema.files)
    filtered = any(name in FILE_FILTERS for name in token.filters)
    if is_file and not filtered and not elements and len(token.steps) == 1:
        context.problems.error(
            place, f"{token.text} is a file: say how it is sent, for example |file or |url"
        )
    if filtered and not is_file:
        context.problems.error(
            place,
            f"{token.text}: {token.name!r} is not a file; its format is none of "
            "image, audio, video, model, file",
        )


def _schema_of(token: Token, schema: InputSchema) -> dict[str, Any]:
    found = schema.properties.get(token.name) if token.root == "input" else None
    return found if isinstance(found, dict) else {}


def _check_request_predicate(predicate: Predicate, context: _Context) -> None:
    for condition in predicate.conditions:
        for template in _operands(condition):
            _check_template(template, context)
        if condition.negated is not None:
            _check_request_predicate(condition.negated, context)
        elif condition.path is None:
            context.problems.error(
                predicate.place or _NOWHERE, "status: there is no reply before the request"
            )
        else:
            path = condition.path
            _check_root(path, context.roots, context.problems)
            if path.root == "input" and len(path.steps) > 1:
                name = str(path.steps[1])
                if name not in context.schema.properties:
                    context.problems.error(
                        path.place or _NOWHERE,
                        f"{path.text}: there is no {name!r}"
                        f"{did_you_mean(name, context.schema.properties)}",
                    )


def _check_root(path: Path, roots: frozenset[str], problems: Problems) -> None:
    if path.root not in roots:
        known = ", ".join(sorted(roots))
        problems.error(path.place or _NOWHERE, f"{path.text!r} begins with none of {known}")


def _check_response_predicate(predicate: Predicate | None, problems: Problems) -> None:
    for condition in predicate.conditions if predicate else ():
        if condition.path is not None:
            _check_root(condition.path, _RESPONSE, problems)
        for template in _operands(condition):
            problems.error(
                template.place or _NOWHERE,
                f"{template.text}: a reply is compared with literals, not with tokens",
            )
        _check_response_predicate(condition.negated, problems)


def _operands(condition: Condition) -> Iterator[Template]:
    """The second operands that have tokens."""
    return (operand for operand in condition.operands if isinstance(operand, Template))


def _check_outcomes(
    generator: GeneratorSpec, run: Execution, after: _Context, provider_known: bool
) -> None:
    problems = after.problems
    place = run.place or generator.place or _NOWHERE
    if not run.synchronous and run.status is None and provider_known:
        problems.error(place, "a generator that polls needs a status, its own or its provider's")
    if run.status is not None:
        _check_status(run.status, problems)
    if run.webhook is not None and run.poll is None:
        problems.error(run.webhook.place or place, "a webhook never stands without poll")
    if run.webhook is not None:
        _check_webhook(run.webhook, problems)
    for rule in run.errors:
        _check_response_predicate(rule.when, problems)
        for path in (rule.message, rule.after):
            if path is not None:
                _check_root(path, _RESPONSE, problems)
    if run.failure is not None:
        if run.failure.message is not None:
            _check_root(run.failure.message, _RESPONSE, problems)
        for kind in run.failure.kinds:
            _check_response_predicate(kind.when, problems)
    if run.progress is not None:
        progress = run.progress
        for path in (progress.percent, progress.fraction, progress.queue_position, progress.logs):
            if path is not None:
                _check_root(path, _RESPONSE, problems)
        if progress.log_percent is not None and progress.logs is None:
            problems.error(progress.place or place, "log_percent needs logs")
    extract = run.extract
    if not extract.output_paths and not extract.outputs:
        problems.error(extract.place or place, "extract names no output")
    for output in extract.outputs:
        _check_output(output, problems)


def _check_webhook(webhook: Webhook, problems: Problems) -> None:
    place = webhook.place or _NOWHERE
    if webhook.verify.kind == "none" and webhook.then == "accept":
        problems.error(
            webhook.verify.place or place, "what nobody verified is not accepted: use then: poll"
        )
    if webhook.body_at is not None:
        _check_root(webhook.body_at, _RESPONSE, problems)
    if webhook.status is not None:
        _check_status(webhook.status, problems)


def _check_status(status: StatusSpec, problems: Problems) -> None:
    place = status.place or _NOWHERE
    if status.rules:
        if status.otherwise is None:
            problems.error(place, "rules need an else: what no rule matches")
        if status.map or status.at:
            problems.error(place, "a status has either at and map, or rules")
    elif status.at is None or not status.map:
        problems.error(place, "a status needs at and map, or rules and else")
    elif status.unknown is None:
        problems.error(
            place, "map needs unknown: what a value that it lacks means; 'fail' or a status"
        )
    if status.at is not None:
        _check_root(status.at, _RESPONSE, problems)
        if status.at.has_wildcard and status.combine is None:
            problems.error(place, f"{status.at.text} may have several values: say combine: all")
    _check_response_predicate(status.fail_if, problems)
    for rule in status.rules:
        _check_response_predicate(rule.when, problems)


def _check_output(output: OutputSpec, problems: Problems) -> None:
    paths = [output.source, *output.meta.values()]
    if output.mime is not None and "/" not in output.mime:
        try:
            paths.append(parse_path(output.mime, output.place))
        except PathError as error:
            problems.error(output.place or _NOWHERE, f"mime is a media type or a path: {error}")
    if output.each is not None:  # the others are relative to the element
        paths = [output.each]
    for path in paths:
        _check_root(path, _RESPONSE, problems)
