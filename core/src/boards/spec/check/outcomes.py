"""What replies mean: status, errors, progress, webhooks, outputs."""

from math import inf

from boards.spec.check.bodies import check_reply_predicate
from boards.spec.check.context import RESPONSE, Context, place_of
from boards.spec.check.references import check_paths, check_template
from boards.spec.check.requests import check_output_request, check_request
from boards.spec.check.rules import check_rules
from boards.spec.model import (
    CostSpec,
    ErrorRule,
    Execution,
    FailureSpec,
    OutputSpec,
    ProgressSpec,
    ProviderSpec,
    StatusSpec,
    Webhook,
)
from boards.spec.paths import PathError, parse_path
from boards.spec.tokens import Template

__all__ = ["check_cost", "check_outputs", "check_replies", "check_status", "check_webhook"]


def check_replies(part: Execution | ProviderSpec, context: Context) -> None:
    """Note what is wrong with all that reads a reply, of a generator or of a provider's defaults.

    ``context`` is that of the tokens in second operands: a job is known.
    """
    check_status(part.status, context)
    check_webhook(part.webhook, context)
    for rule in part.errors:
        _check_error(rule, context)
    _check_failure(part.failure, context)
    _check_progress(part.progress, context)


def _check_error(rule: ErrorRule, context: Context) -> None:
    check_reply_predicate(rule.when, context)
    check_paths(context.problems, RESPONSE, rule.message, rule.after)


def _check_failure(failure: FailureSpec | None, context: Context) -> None:
    if failure is not None:
        check_paths(context.problems, RESPONSE, failure.message)
        for kind in failure.kinds:
            check_reply_predicate(kind.when, context)


def _check_progress(progress: ProgressSpec | None, context: Context) -> None:
    if progress is not None:
        check_rules(progress, context.problems)
        paths = (progress.percent, progress.fraction, progress.queue_position, progress.logs)
        check_paths(context.problems, RESPONSE, *paths)


def check_cost(cost: CostSpec | None, context: Context) -> None:
    """Note what is wrong with a price."""
    if cost is None:
        return
    problems, actual = context.problems, cost.actual
    check_rules(cost, problems)
    check_template(cost.times, context.only("input", "let", "config"))
    if cost.times is not None:
        _check_times(cost, cost.times, context)
    if actual is None:
        return
    check_rules(actual, problems)
    rates = (one.quantity for one in actual.rates)
    check_paths(problems, RESPONSE, actual.usd, actual.quantity, *rates)
    if actual.quantity is not None and (actual.usd, cost.usd, actual.rates) == (None, None, ()):
        problems.error(
            place_of(actual, "quantity"), "a quantity needs the price of one: usd, beside actual"
        )


def _check_times(cost: CostSpec, times: Template, context: Context) -> None:
    place = place_of(cost, "times")
    if not times.tokens:
        if not _is_number(times):
            context.problems.error(place, "times is a number, or a token: ${input.seconds}")
        return
    token = times.only_token
    if cost.unit == "character" or (token is not None and (token.filters or len(token.steps) != 1)):
        return
    if token is None or context.schema_of(token.root, token.name).get("type") == "string":
        read = "" if token is None else f": {token.text.removesuffix('}')}|int}} reads it"
        context.problems.error(place, f"{times.text} is a text, which would count once{read}")


def _is_number(written: Template) -> bool:
    try:
        return 0 <= float(written.text) < inf
    except ValueError:
        return False


def check_status(status: StatusSpec | None, context: Context) -> None:
    """Note what is wrong with a status."""
    if status is None:
        return
    problems = context.problems
    check_rules(status, problems)
    check_paths(problems, RESPONSE, status.at)
    if status.at is not None and status.at.has_wildcard and status.combine is None:
        problems.error(
            place_of(status, "at"), f"{status.at.text} may have several values: say combine: all"
        )
    check_reply_predicate(status.fail_if, context)
    for rule in status.rules:
        check_reply_predicate(rule.when, context)


def check_webhook(webhook: Webhook | None, context: Context) -> None:
    """Note what is wrong with a webhook, its verification included."""
    if webhook is None:
        return
    problems, verify = context.problems, webhook.verify
    check_rules(verify, problems)
    if verify.kind == "none" and webhook.then == "accept":
        problems.error(
            place_of(verify, "kind"), "what nobody verified is not accepted: use then: poll"
        )
    for key in ("header", "prefix", "encoding"):
        if verify.kind != "hmac_sha256" and place_of(verify, key) != verify.place:
            problems.error(place_of(verify, key), f"{key} is for hmac_sha256, not {verify.kind}")
    if (request := verify.secret_request) is not None:
        check_request(request, context.only("config"))
        check_paths(problems, RESPONSE, *request.capture.values())
        if "secret" not in request.capture:
            problems.error(
                place_of(request, "capture"), "secret_request needs capture: {secret: path}"
            )
    check_paths(problems, RESPONSE, webhook.body_at)
    check_status(webhook.status, context)


def check_outputs(run: Execution, context: Context) -> None:
    """Note what is wrong with where a generator finds its outputs."""
    extract, problems = run.extract, context.problems
    if not extract.output_paths and not extract.outputs and run.type == "rest":
        place = extract.place or place_of(run)
        problems.error(place, "extract names no output: output_paths or outputs")
    for output in extract.outputs:
        _check_output(output, context)


def _check_output(output: OutputSpec, context: Context) -> None:
    problems = context.problems
    paths = [output.source, *output.meta.values()]
    if output.mime is not None and "/" not in output.mime:
        try:
            paths.append(parse_path(output.mime, place_of(output, "mime")))
        except PathError as error:
            problems.error(place_of(output, "mime"), f"mime is a media type or a path: {error}")
    # Under each, all the others are relative to the element.
    check_paths(problems, RESPONSE, *(paths if output.each is None else [output.each]))
    check_output_request(output, context)
