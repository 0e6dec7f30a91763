"""What a reply means: refused, how far, failed how, which outputs. Pure, compiled once.

A reply is a mapping of ``body`` (JSON, text or bytes), ``header`` (lower-case names) and
``status``: what response paths start at. Beside them ``scope`` may have the roots of the tokens
that it is compared with.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final, Literal

from attrs import field, frozen

from boards.artifacts import declared_type, type_of
from boards.errors import ProviderErrorKind
from boards.spec.model import (
    CostSpec,
    ErrorRule,
    Extract,
    FailureSpec,
    OutputSpec,
    ProgressSpec,
    StatusSpec,
)
from boards.spec.paths import ABSENT, Path, first, members, parse_path, values
from boards.spec.predicates import compile_reply_predicate
from boards.spec.requests import CompiledRequest
from boards.spec.tokens import Scope, Template

__all__ = [
    "Found",
    "Refusal",
    "ReplyValue",
    "compile_cost",
    "compile_extract",
    "compile_failure",
    "compile_pause",
    "compile_progress",
    "compile_refusal",
    "compile_status",
    "message_in",
]

ReplyValue = Mapping[str, Any]
_NO_SCOPE: Final[Scope] = {}

Normalised = Literal["queued", "running", "succeeded", "failed", "canceled"]


@frozen
class Refusal:
    """A reply that is an error.

    Attributes:
        kind: What went wrong.
        message: In the provider's words where they were found.
        after: Seconds that the provider asked to wait.
        refused: The provider accepted nothing, so that a submit may be sent again.
        declared: A rule of the spec said so, not only the HTTP status.
    """

    kind: ProviderErrorKind
    message: str
    after: float | None = None
    refused: bool = False
    declared: bool = False


_BY_STATUS: Final[dict[int, ProviderErrorKind]] = {
    400: "invalid_input",
    422: "invalid_input",
    401: "auth",
    403: "auth",
    402: "quota",
    404: "not_found",
    410: "not_found",
    408: "timeout",
    429: "rate_limited",
}


def compile_refusal(rules: tuple[ErrorRule, ...]) -> Callable[[ReplyValue], Refusal | None]:
    """A closure: is the reply an error? Rules first, in order, then the HTTP status."""
    compiled = [
        (
            rule,
            compile_reply_predicate(rule.when),
            first(rule.message) if rule.message is not None else None,
            compile_pause(rule.after),
        )
        for rule in rules
    ]

    def refusal(reply: ReplyValue) -> Refusal | None:
        for rule, test, message_at, pause in compiled:
            if test(reply, _scope(reply)):
                told = message_at(reply) if message_at is not None else ABSENT
                return Refusal(
                    rule.kind,  # type: ignore[arg-type]  # the reader allows only kinds
                    _told(told) or message_in(reply),
                    pause(reply),
                    rule.refused or (rule.kind == "rate_limited" and reply["status"] == 429),
                    declared=True,
                )
        status = reply["status"]
        if status < 400:
            return None
        kind = _BY_STATUS.get(status, "transient" if status >= 500 else "provider")
        return Refusal(kind, message_in(reply), _retry_after(reply), refused=status == 429)

    return refusal


def compile_pause(at: Path | None) -> Callable[[ReplyValue], float | None]:
    """A closure: how many seconds a reply asks to wait, there or else in ``Retry-After``."""
    after_at = None if at is None else first(at)

    def pause(reply: ReplyValue) -> float | None:
        told = None if after_at is None else _seconds(after_at(reply))
        return _retry_after(reply) if told is None else told

    return pause


def _scope(reply: ReplyValue) -> Scope:
    scope: Scope = reply.get("scope", _NO_SCOPE)
    return scope


def _seconds(value: Any) -> float | None:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d+)?)\s*s?\s*", value)
        return float(match[1]) if match else None
    seconds = _number(value)
    return seconds if seconds is not None and seconds >= 0 else None


def _retry_after(reply: ReplyValue) -> float | None:
    """Seconds in a Retry-After header, given as such or as a date (RFC 9110)."""
    value = reply["header"].get("retry-after")
    seconds = _seconds(value)
    if value is None or seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):  # a year of eleven digits, say
        return None


_MESSAGE_KEYS: Final = ("message", "detail", "error", "errors", "msg", "title", "description")
_LONGEST: Final = 500


def message_in(reply: ReplyValue) -> str:
    """What an error reply says, as well as one can tell without a rule: at most 500 characters."""
    body = reply["body"]
    status = reply["status"]
    is_page = isinstance(body, str) and body.lstrip().startswith("<")
    text = None if is_page else _message(body, 4)
    if not text:
        return f"HTTP {status}"
    return f"HTTP {status}: {text[:_LONGEST]}"


def _told(value: Any) -> str:
    """What a path to a message found: a text as it is, anything else as well as one can tell."""
    return value if isinstance(value, str) else _message(value, 4) or ""


def _message(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        lines = [one for item in value[:5] if (one := _message(item, depth - 1))] if depth else []
        return "; ".join(lines) or None
    if isinstance(value, dict) and depth:
        for key in _MESSAGE_KEYS:
            if (told := _message(value.get(key), depth - 1)) is not None:
                place = value.get("loc")
                if isinstance(place, list) and place:
                    return f"{'.'.join(str(step) for step in place)}: {told}"
                return told
    return None


def compile_status(
    status: StatusSpec,
) -> Callable[[ReplyValue, bool], tuple[Normalised | None, str]]:
    """A closure from a reply, and whether it is the submit's, to the status and the raw value.

    None means that the spec does not know the value and says ``fail``.
    """
    fail_if = compile_reply_predicate(status.fail_if) if status.fail_if is not None else None
    judge = _compile_rules(status) if status.rules else _compile_map(status)

    def normalised(reply: ReplyValue, submitted: bool) -> tuple[Normalised | None, str]:
        if fail_if is not None and fail_if(reply, _scope(reply)):
            return "failed", "fail_if"
        return judge(reply, submitted)

    return normalised


_Judge = Callable[[ReplyValue, bool], tuple[Normalised | None, str]]


def _compile_rules(status: StatusSpec) -> _Judge:
    rules = [(compile_reply_predicate(rule.when), rule.status) for rule in status.rules]
    otherwise: Any = status.otherwise

    def judge(reply: ReplyValue, _submitted: bool) -> tuple[Normalised | None, str]:
        for test, is_ in rules:
            if test(reply, _scope(reply)):
                return is_, is_  # type: ignore[return-value]  # the reader allows only statuses
        return otherwise, "else"

    return judge


def _compile_map(status: StatusSpec) -> _Judge:
    assert status.at is not None  # noqa: S101  # the checker saw to it
    found_at = members(status.at)  # an element without a status counts as absent
    table: dict[str, Any] = dict(status.map)
    unknown: Any = None if status.unknown == "fail" else status.unknown
    absent: Any = None if status.absent == "fail" else status.absent

    def one(value: Any, submitted: bool) -> tuple[Any, str]:
        if value is ABSENT or value is None:
            if status.absent is not None:
                return absent, "no status"
            return ("queued" if submitted else unknown), "no status"
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return table.get(text, unknown), text

    def judge(reply: ReplyValue, submitted: bool) -> tuple[Normalised | None, str]:
        found = found_at(reply)
        if status.combine is None or not found:
            return one(found[0] if found else ABSENT, submitted)
        judged = [one(value, submitted) for value in found]
        for wanted in (None, "failed", "canceled"):
            for verdict in judged:
                if verdict[0] == wanted:
                    return verdict
        if all(verdict[0] == "succeeded" for verdict in judged):
            return judged[0]
        return next(
            (verdict for verdict in judged if verdict[0] == "running"), ("queued", judged[0][1])
        )

    return judge


_TQDM: Final = re.compile(r"(\d{1,3})%\s*\|")


@frozen
class Advance:
    """How far a reply says that the job is; ``logs`` are the lines so far."""

    percent: float | None = None
    queue_position: int | None = None
    logs: tuple[str, ...] = ()


def compile_progress(progress: ProgressSpec | None) -> Callable[[ReplyValue], Advance]:
    """A closure from a reply to how far it is."""
    if progress is None:
        nothing = Advance()
        return lambda _reply: nothing
    percent = first(progress.percent) if progress.percent is not None else None
    fraction = first(progress.fraction) if progress.fraction is not None else None
    position = first(progress.queue_position) if progress.queue_position is not None else None
    logs = values(progress.logs) if progress.logs is not None else None

    def advance(reply: ReplyValue) -> Advance:
        lines = _lines(logs(reply)) if logs is not None else ()
        told = _number(percent(reply)) if percent is not None else None
        if told is None and fraction is not None:
            part = _number(fraction(reply))
            told = None if part is None else part * 100
        if told is None and progress.log_percent is not None:
            told = _log_percent(lines)
        where = _number(position(reply)) if position is not None else None
        return Advance(
            None if told is None else min(max(told, 0.0), 100.0),
            None if where is None else int(where),
            lines,
        )

    return advance


Priced = tuple[float, str, float | None]
"""US dollars, unit, and quantity where it is told."""


def compile_cost(cost: CostSpec | None) -> Callable[[ReplyValue], Priced | None] | None:
    """A closure from the last reply of a job to what it did cost, None where it does not tell.

    There is none where the spec does not say where to look.
    """
    if cost is None or cost.actual is None:
        return None
    dollars = values(cost.actual.usd) if cost.actual.usd is not None else None
    units = values(cost.actual.quantity) if cost.actual.quantity is not None else None
    rates = [(values(one.quantity), one.usd) for one in cost.actual.rates]

    def charged(reply: ReplyValue) -> Priced | None:
        usd = _sum(dollars(reply)) if dollars is not None else None
        quantity = _sum(units(reply)) if units is not None else None
        if usd is None:
            told = [(amount, each) for at, each in rates if (amount := _sum(at(reply))) is not None]
            if told:
                usd = sum(amount * each for amount, each in told)
                quantity = sum(amount for amount, _ in told) if quantity is None else quantity
        if usd is None and quantity is not None and cost.usd is not None:
            usd = cost.usd * quantity
        if usd is None:
            return None
        return usd, cost.unit, quantity

    return charged


def _sum(found: list[Any]) -> float | None:
    """The sum of amounts, which headers give as text; None if there is none, or no amount."""
    amounts = []
    for value in found:
        if isinstance(value, str):
            try:
                value = float(value)  # noqa: PLW2901
            except ValueError:
                return None
        amount = _number(value)
        if amount is None or amount < 0:
            return None
        amounts.append(amount)
    return sum(amounts) if amounts else None


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None  # JSON as Python reads it has NaN and Infinity


def _lines(found: list[Any]) -> tuple[str, ...]:
    lines: list[str] = []
    for value in found:
        if isinstance(value, str):
            # A progress bar overwrites its line with carriage returns: only the last state counts.
            lines.extend(
                line.rstrip("\r").rsplit("\r", 1)[-1]
                for line in value.rstrip().split("\n")
                if line.strip()
            )
    return tuple(lines)


def _log_percent(lines: tuple[str, ...]) -> float | None:
    for line in reversed(lines):
        if match := _TQDM.search(line):
            return float(match[1])
    return None


def compile_failure(
    failure: FailureSpec | None,
) -> Callable[[ReplyValue], tuple[ProviderErrorKind, str]]:
    """A closure from the reply of a failed job to the error kind and its message, if it has one."""
    message_at = first(failure.message) if failure and failure.message is not None else None
    kinds = [
        (compile_reply_predicate(one.when), one.kind) for one in (failure.kinds if failure else ())
    ]

    def explain(reply: ReplyValue) -> tuple[ProviderErrorKind, str]:
        told = message_at(reply) if message_at is not None else ABSENT
        message = _told(told)
        for test, kind in kinds:
            if test(reply, _scope(reply)):
                return kind, message  # type: ignore[return-value]  # the reader allows only kinds
        return "provider", message

    return explain


@frozen
class Found:
    """An output in a final reply.

    Attributes:
        form: ``url base64 data_uri bytes text json``, as the spec says.
        value: The URL, the text, the encoded or raw bytes.
        mime: The declared media type.
        expires: Seconds that the URL lives.
        fetch_auth: ``none`` or ``same_origin``.
        meta: Facts of it.
        request: What fetches it, where it is no plain URL; ``item`` is ``value``.
    """

    form: str
    value: Any
    mime: str | None = None
    expires: float | None = None
    fetch_auth: str = "none"
    meta: Mapping[str, Any] = field(factory=dict)
    request: CompiledRequest | None = None


def compile_extract(
    extract: Extract, artifact_type: str, headers: Mapping[str, Template] | None = None
) -> Callable[[ReplyValue], list[Found]]:
    """A closure from a final reply to its outputs, in order.

    Args:
        extract: Where they are.
        artifact_type: Of the generator.
        headers: Of the provider, for outputs that have a request of their own.
    """
    parts = [_compile_output(output, artifact_type, headers or {}) for output in extract.outputs]
    parts += [
        _compile_output_path(path.text, text=artifact_type == "text")
        for path in extract.output_paths
    ]
    if len(parts) == 1:
        return parts[0]
    return lambda reply: [found for part in parts for found in part(reply)]


def _compile_output_path(path: str, *, text: bool) -> Callable[[ReplyValue], list[Found]]:
    found_at = values(parse_path(path))

    def find(reply: ReplyValue) -> list[Found]:
        found = found_at(reply["body"])
        if text:
            return _joined(found)
        return [
            Found("data_uri" if leaf.startswith("data:") else "url", leaf)
            for leaf in _file_strings(found)
        ]

    return find


def _file_strings(value: Any) -> list[str]:
    """Strings that are http(s) or data URIs, through lists and mappings, in order."""
    if isinstance(value, str):
        return [value] if value.startswith(("https://", "http://", "data:")) else []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for item in value for leaf in _file_strings(item)]
    return []


def _joined(found: list[Any]) -> list[Found]:
    """Text outputs: a list of chunks is one text."""
    return [Found("text", text) for value in found if (text := _text(value)) is not None]


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return "".join(item for item in value if isinstance(item, str))
    return value if isinstance(value, str) else None


def _compile_output(
    output: OutputSpec, artifact_type: str, headers: Mapping[str, Template]
) -> Callable[[ReplyValue], list[Found]]:
    found_at = members(output.source)
    mime_literal = output.mime if output.mime and "/" in output.mime else None
    mime_at = _series(parse_path(output.mime)) if output.mime and not mime_literal else None
    meta_at = [(name, _series(path)) for name, path in output.meta.items()]
    elements = values(output.each) if output.each is not None else None
    request = CompiledRequest(output.request, headers) if output.request is not None else None
    whole = output.form == "bytes" and output.mime is None and output.each is None

    def find(subject: Any) -> list[Found]:
        found = _leaves(found_at(subject), output.form)
        mimes = mime_at(subject) if mime_at is not None else _no_value
        metas = [(name, at(subject)) for name, at in meta_at]
        declared = _declared(subject, artifact_type) if whole else None
        return [
            Found(
                _form(output.form, value),
                json.dumps(value, ensure_ascii=False) if output.form == "json" else value,
                mime_literal or (declared if whole else declared_type(mimes(index))),
                output.expires,
                output.fetch_auth,
                {name: told for name, nth in metas if (told := nth(index)) is not None},
                request,
            )
            for index, value in enumerate(found)
            if value is not None
        ]

    if elements is None:
        return find
    return lambda reply: [found for element in elements(reply) for found in find(element)]


def _form(form: str, value: Any) -> str:
    """A URL field may hold a data URI: some providers send small outputs so."""
    return "data_uri" if form == "url" and str(value).startswith("data:") else form


_Nth = Callable[[int], Any]


def _leaves(found: list[Any], form: str) -> list[Any]:
    """The values that are outputs: lists of URLs count one by one, chunks of a text together.

    None stands where there is none, so that the facts of the others stay theirs.
    """
    if form == "text":
        return [_text(value) for value in found]
    if form in ("json", "bytes"):
        return [None if value is ABSENT else value for value in found]
    flat = [leaf for value in found for leaf in (value if isinstance(value, list) else [value])]
    return [None if leaf is ABSENT else leaf for leaf in flat]


def _series(path: Path) -> Callable[[Any], _Nth]:
    """A closure to facts by output: with ``[*]`` each output has its own, else all have one."""
    found_at = members(path)

    def series(subject: Any) -> _Nth:
        found = [None if value is ABSENT else value for value in found_at(subject)]
        if path.has_wildcard:
            return lambda index: found[index] if index < len(found) else None
        return lambda _index: found[0] if found else None

    return series


def _no_value(_index: int) -> None:
    return None


def _declared(reply: ReplyValue, artifact_type: str) -> str | None:
    """What a reply says that its bytes are, if they can be that: some servers say anything."""
    mime: str = reply["header"].get("content-type", "").partition(";")[0].strip().lower()
    kind = type_of(mime)
    fits = kind == artifact_type or (kind is None and artifact_type in ("model", "intermediate"))
    return declared_type(mime) if fits else None
