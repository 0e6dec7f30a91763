"""Requests: one address, one body, and tokens that are there when the request is made."""

import re
from collections.abc import Iterable
from typing import Final

from attrs import evolve

from boards.spec.check.bodies import (
    check_body,
    check_reply_predicate,
    check_request_predicate,
    tokens_in,
)
from boards.spec.check.context import RESPONSE, Context, place_of
from boards.spec.check.references import check_paths, check_template
from boards.spec.check.rules import check_rules
from boards.spec.hosts import origin
from boards.spec.model import (
    Execution,
    OutputSpec,
    Reconcile,
    RequestSpec,
    Submit,
    Upload,
    WebSocket,
)
from boards.spec.places import MappingPlace, Place, Problems, did_you_mean

__all__ = [
    "check_header_names",
    "check_output_request",
    "check_reconcile",
    "check_request",
    "check_shape",
    "check_submits",
    "check_upload",
    "check_websocket",
]


def check_shape(request: RequestSpec, context: Context) -> None:
    """Note what is wrong with a request whatever its tokens are."""
    problems = context.problems
    check_rules(request, problems)
    path, url = request.path, request.url
    if url is None and path is not None and not path.text.startswith(("/", "${")):
        problems.error(place_of(request, "path"), "a path begins with '/': it follows base_url")
    if path is None and url is not None and not url.text.startswith(("https://", "http://", "${")):
        problems.error(place_of(request, "url"), "a url is absolute; use path to follow base_url")
    _check_base(request, context)
    _check_host(request, context)


_WITH_HOST: Final = re.compile(r"(?:http|ws)(s?://[^/?#]*)(?=[/?#]|\Z)")
"""An address as far as its host; that of a websocket is asked for by http."""


def _check_host(part: RequestSpec | WebSocket, context: Context) -> None:
    """Of an address whose host has no token: nothing is sent elsewhere, least of all the key."""
    template, trusted = part.url, context.trusted
    literal = template.parts[0] if template is not None and template.parts else None
    match = _WITH_HOST.match(literal) if isinstance(literal, str) else None
    if template is None or match is None or trusted is None or part.path is not None:
        return
    if match.end() == len(str(literal)) and len(template.parts) > 1:  # a token goes on with it
        return
    place = place_of(part, "url")
    url = f"http{match[1]}"
    if origin(url) is None:
        context.problems.error(place, f"{match[0]} is no address with a plain host")
    elif url not in trusted and getattr(part, "auth", None) != "none":
        host = match[0].partition("://")[2]
        context.problems.error(
            place,
            f"{host} is neither in config nor in hosts of the provider: nothing would be sent "
            "there; add it to hosts, or say auth: none",
        )


def _check_base(part: RequestSpec | WebSocket, context: Context) -> None:
    config = context.config
    if part.base == "base_url":  # the provider itself is told to lack it
        return
    if config is not None and part.path is not None and part.base not in config:
        key = "base" if place_of(part, "base") != part.place else "path"
        near = did_you_mean(part.base, sorted(config))
        context.problems.error(place_of(part, key), f"config has no {part.base!r}{near}")


def check_header_names(names: Iterable[str], place: Place, problems: Problems) -> None:
    """Note the names that no header can have: a client refuses to send them."""
    for name in names:
        if not _HEADER.fullmatch(name) and "${" not in name:  # which the reader tells
            at = place.keys.get(name, place) if isinstance(place, MappingPlace) else place
            problems.error(at, f"a header's name has letters, digits and '-', not {name!r}")


_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token, as RFC 9110 has it."""


def check_request(request: RequestSpec | None, context: Context) -> None:
    """Note what is wrong with a request; None is nothing to check."""
    if request is None:
        return
    check_shape(request, context)
    for template in (request.path, request.url):
        check_template(template, context, text=True)
    check_header_names(request.headers, place_of(request, "headers"), context.problems)
    for texts in (request.query, request.headers, request.form or {}):
        for template in texts.values():
            check_template(template, context, text=True)
    for template in (request.multipart or {}).values():
        check_template(template, context, raw=True)
    check_template(request.body, context, raw=True)
    check_body(request.json, context)


def check_submits(run: Execution, context: Context) -> None:
    """Note what is wrong with the variants of a submit."""
    for index, submit in enumerate(run.submit):
        last = index == len(run.submit) - 1
        problems = context.problems
        if last and submit.when is not None:
            problems.error(
                place_of(submit, "when"),
                "the last variant has no 'when': it is the one for all the rest",
            )
        if not last and submit.when is None:
            problems.error(place_of(submit), "only the last variant may lack 'when'")
        check_request_predicate(submit.when, context)
        check_request(submit, evolve(context.guard(submit.when), files=True))
        check_paths(problems, RESPONSE, *submit.capture.values())
        _check_idempotency(submit, context)


def _check_idempotency(submit: Submit, context: Context) -> None:
    idempotency = submit.idempotency
    if idempotency is None:
        return
    check_rules(idempotency, context.problems)
    check_reply_predicate(idempotency.conflict, context)
    if idempotency.body is None:
        return
    parts = (submit.form or {}) | (submit.multipart or {})
    bodies = (submit.json, submit.body, *parts.values())
    if not any(idempotency.body == token for body in bodies for token in tokens_in(body)):
        context.problems.error(
            place_of(idempotency, "body"), f"the body of the submit has no ${{{idempotency.body}}}"
        )


def check_reconcile(reconcile: Reconcile | None, context: Context) -> None:
    """Its ``where`` and ``capture`` start at the element, which may have any key."""
    if reconcile is None:
        return
    check_request(reconcile, context)
    check_paths(context.problems, RESPONSE, reconcile.each, reconcile.next)
    for one in reconcile.where:
        check_reply_predicate(one, context.with_roots("item"), roots=None)


def check_websocket(websocket: WebSocket | None, run: Execution, context: Context) -> None:
    """What opens a socket, and which of its frames are the job's."""
    if websocket is None:
        return
    problems = context.problems
    check_rules(websocket, problems)
    url = websocket.url
    if url is not None and not url.text.startswith(("wss://", "ws://", "${")):
        problems.error(place_of(websocket, "url"), "the url of a websocket begins with wss://")
    else:
        _check_host(websocket, context)
    _check_base(websocket, context)
    for template in (websocket.path, url):
        check_template(template, context, text=True)
    opening = evolve(context, secrets=context.secrets | {"api_key"})
    for frame in websocket.open:
        check_body(frame, opening)
    check_reply_predicate(websocket.match, context, roots=None)
    for submit in run.submit:
        if submit.json is None:
            problems.error(place_of(websocket), "a websocket sends submit.json, and there is none")
        elif (known := submit.idempotency) and known.body not in {*tokens_in(submit.json)}:
            problems.error(place_of(known), "a websocket sends submit.json, which lacks the key")


def check_output_request(output: OutputSpec, context: Context) -> None:
    """How a file is fetched that has no plain address."""
    request = output.request
    if request is None:
        return
    check_request(request, context.with_roots("item"))
    if request.method != "GET":
        context.problems.error(
            place_of(request, "method"), "an output is fetched with GET: nothing changes"
        )
    for name in ("json", "form", "multipart", "body"):
        if getattr(request, name) is not None:
            context.problems.error(
                place_of(request, name), "the request of an output has url or path, query, headers"
            )


def check_upload(upload: Upload, context: Context) -> None:
    """The requests that put a file where the provider can fetch it."""
    context = context.with_roots("run", "file")
    check_request(upload.init, context)
    context = evolve(context, captures=frozenset(upload.capture)).with_roots("upload")
    check_request(upload.put, context)
    check_template(upload.result, context, text=True)
    check_paths(context.problems, RESPONSE, *upload.capture.values())
