"""Tokens and paths: what they refer to is there, and can stand where they stand."""

from collections.abc import Iterable
from typing import Final

from boards.spec.check.context import Context
from boards.spec.paths import Path
from boards.spec.places import NOWHERE, Place, Problems, did_you_mean
from boards.spec.tokens import FILE_FILTERS, Template, Token

__all__ = ["check_paths", "check_template", "check_token"]

_RUN: Final = frozenset({"id", "uuid", "idempotency_key", "submitted_at", "webhook_url"})
_FILE: Final = frozenset({"bytes", "mime", "name", "size"})


def check_template(
    template: Template | None, context: Context, *, text: bool = False, raw: bool = False
) -> None:
    """Note what is wrong with the tokens of a text.

    Args:
        template: The text; None is nothing to check.
        context: What its tokens may refer to.
        text: It becomes text wherever it stands, as in a path or a header.
        raw: It may be bytes, as in a multipart body.
    """
    if template is None:
        return
    place = template.place or NOWHERE
    embedded = text or template.only_token is None
    for token in template.tokens:
        check_token(token, place.find(token.text), context, text=embedded, raw=raw)


def check_token(
    token: Token,
    place: Place,
    context: Context,
    *,
    text: bool = False,
    raw: bool = False,
    whole: bool = False,
) -> None:
    """Note what is wrong with a token; ``whole``: an operator takes it as it is."""
    problems = context.problems
    if token.root not in context.roots:
        problems.error(
            place,
            f"{token.text}: {token.root!r} is not known here; "
            f"known: {', '.join(sorted(context.roots))}",
        )
        return
    if not FILE_FILTERS.isdisjoint(token.filters) and not context.files:
        problems.error(place, f"{token.text}: a file goes with the submit, and with nothing else")
        if token.root == "input":
            context.used.add(token.name)
        return
    if "bytes" in token.filters and not raw:
        problems.error(place, f"{token.text}: bytes are for multipart and body")
    known = _known_names(token, context)
    if known is not None and token.name and token.name not in known:
        problems.error(
            place,
            f"{token.text}: there is no {token.name!r}{did_you_mean(token.name, sorted(known))}",
        )
    elif token.root == "input":
        _check_input(token, place, context, text=text, whole=whole, raw=raw and not text)
    elif token.root == "let" and token.name in context.absent:
        if not token.optional and not context.is_guarded(f"let.{token.name}"):
            problems.error(
                place, f"{token.text} may be absent, as what it is derived of: end it with '?'"
            )
    elif token.root == "run" and token.name == "webhook_url" and not token.optional:
        problems.error(
            place, f"{token.text} is absent where no webhook is configured: end it with '?'"
        )


def _known_names(token: Token, context: Context) -> Iterable[str] | None:
    match token.root:
        case "input":
            return context.schema.properties if context.schema is not None else None
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


def _check_input(
    token: Token, place: Place, context: Context, *, text: bool, whole: bool, raw: bool
) -> None:
    context.used.add(token.name)
    if not token.name or context.schema is None:
        return
    problems = context.problems
    if not token.optional and not context.is_certain(token.name):
        problems.error(
            place,
            f"{token.text} may be absent: end it with '?', give the input a default, or require it",
        )
    is_file = any(one.name == token.name for one in context.schema.files)
    filtered = not FILE_FILTERS.isdisjoint(token.filters)
    if is_file and not filtered and not whole and len(token.steps) == 1:
        forms = "|bytes" if raw else "|file or |url"
        how = f"say how it is sent, for example {forms}"
        how = how if context.files else "it goes with the submit, and with nothing else"
        problems.error(place, f"{token.text} is a file: {how}")
    elif filtered and not is_file:
        problems.error(
            place,
            f"{token.text}: {token.name!r} is not a file; its format is none of "
            "image, audio, video, model, file",
        )
    elif text and len(token.steps) == 1 and "json" not in token.filters:
        _check_text(token, place, context)


def _check_text(token: Token, place: Place, context: Context) -> None:
    problems, schema = context.problems, context.schema_of("input", token.name)
    is_null = "default" in schema and schema["default"] is None
    if is_null and not token.optional and not context.is_guarded(f"input.{token.name}"):
        problems.error(
            place,
            f"{token.text} is null by default, which cannot stand in a text: end it with '?'",
        )
    found = {"array": "a list", "object": "a mapping"}.get(str(schema.get("type")))
    if found is not None:
        problems.error(
            place, f"{token.text} is {found}, which cannot stand in a text: |json writes it as one"
        )


def check_paths(problems: Problems, roots: frozenset[str], *paths: Path | None) -> None:
    """Note paths that begin with none of some roots."""
    for path in paths:
        if path is not None and path.root not in roots:
            problems.error(
                path.place or NOWHERE,
                f"{path.text!r} begins with none of {', '.join(sorted(roots))}",
            )
