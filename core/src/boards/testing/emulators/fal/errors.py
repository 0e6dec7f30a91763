"""fal's errors in its three shapes: the model's, the platform's and the gateway's.

Source: fal's page "Errors" and its toolkit. A model's error is a list of details and comes from
the runner, so a request that is refused for its input is accepted first and fails as its result.
A platform's error is flat, with an `error_type` that the status tells too.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
from attrs import frozen

from boards.testing.emulators.fal.catalogue import Endpoint, endpoints

DOCS = "https://docs.fal.ai/errors/#"

MODEL_ERRORS: Mapping[str, tuple[int, bool, str]] = {
    # type: (HTTP status, whether a retry may help, message)
    "internal_server_error": (500, True, "Internal server error"),
    "generation_timeout": (504, True, "Generation timeout"),
    "downstream_service_error": (400, True, "Downstream service error"),
    "downstream_service_unavailable": (500, True, "Downstream service unavailable"),
    "content_policy_violation": (
        422,
        False,
        "The content could not be processed because a content checker flagged it.",
    ),
    "no_media_generated": (422, False, "No media was generated"),
    "image_load_error": (422, False, "Failed to load the image"),
    "file_download_error": (422, False, "Failed to download the file"),
    "face_detection_error": (422, False, "Could not detect a face in the image"),
    "feature_not_supported": (422, False, "The feature is not supported"),
}
"""The errors that fal documents for models, without those that a schema's limits give."""

PLATFORM_ERRORS: Mapping[str, tuple[int, str]] = {
    "request_timeout": (504, "Request timed out"),
    "startup_timeout": (504, "Runner startup timed out"),
    "runner_scheduling_failure": (503, "Failed to schedule a runner"),
    "runner_connection_timeout": (503, "Connection to the runner timed out"),
    "runner_disconnected": (503, "Runner disconnected"),
    "runner_connection_refused": (503, "Runner refused the connection"),
    "runner_connection_error": (503, "Runner connection error"),
    "runner_incomplete_response": (502, "Runner sent an incomplete response"),
    "runner_server_error": (500, "Runner server error"),
    "client_disconnected": (499, "Client disconnected"),
    "client_cancelled": (499, "Request was cancelled by the client"),
    "bad_request": (400, "Bad request"),
    "internal_error": (500, "Internal error"),
}

Detail = dict[str, Any]


@frozen
class Failure:
    """How a request ended badly: what its result URL answers, and what its status says.

    Attributes:
        status: The HTTP status of the result.
        body: The JSON body of the result.
        headers: Headers that tell more.
        error_type: The platform's word; None for a model's error, of which the status says
            nothing but COMPLETED.
    """

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    error_type: str | None = None


def model_failure(kind: str, *, loc: tuple[str | int, ...] = ("body", "prompt")) -> Failure:
    """A failure of the model, of one of the documented types."""
    status, retryable, message = MODEL_ERRORS[kind]
    where = ("body",) if status >= 500 else loc
    return Failure(
        status=status,
        body={"detail": [detail(kind, message, where)]},
        headers={"X-Fal-Retryable": str(retryable).lower()},
    )


def invalid(details: list[Detail]) -> Failure:
    """A refused input, as FastAPI answers it in the runner."""
    return Failure(422, {"detail": details}, {"X-Fal-Retryable": "false"})


def platform_failure(kind: str) -> Failure:
    """A failure of the platform around the model, of one of the documented types."""
    status, message = PLATFORM_ERRORS[kind]
    headers = {"X-Fal-Error-Type": kind}
    if kind == "request_timeout":
        # Tells clients that their own X-Fal-Request-Timeout expired: not to be tried again.
        headers["X-Fal-Request-Timeout-Type"] = "user"
    return Failure(
        status=status,
        body={"detail": message, "error_type": kind},
        headers=headers,
        error_type=kind,
    )


def detail(
    kind: str,
    message: str,
    loc: tuple[str | int, ...],
    *,
    ctx: Mapping[str, Any] | None = None,
    given: object = None,
) -> Detail:
    """One entry of `detail`: loc, msg, type, and url, ctx and input where they apply."""
    entry: Detail = {"loc": list(loc), "msg": message, "type": kind}
    if kind in MODEL_ERRORS or kind in _LIMITS.values():
        entry["url"] = DOCS + kind
    if ctx:
        entry["ctx"] = dict(ctx)
    if given is not None:
        entry["input"] = given
    return entry


def problems(endpoint: Endpoint, given: Mapping[str, Any]) -> list[Detail]:
    """What is wrong with an input by the endpoint's schema; a stock endpoint takes anything.

    This reads the validator's own tree, and not `boards.testing.emulators.schema`, because
    pydantic's unions tell what each branch misses, which fal passes on.
    """
    if endpoint.stock:
        return []
    # pydantic's optional fields accept null, which fal's documents mostly do not say.
    properties = endpoint.input["properties"]
    required = endpoint.input.get("required", ())
    present = {
        name: value
        for name, value in given.items()
        if value is not None or name in required or "default" in properties.get(name, {})
    }
    return [
        found
        for error in _validator(endpoint.id).iter_errors(present)
        for found in _details(error, present)
    ]


@lru_cache
def _validator(endpoint_id: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(endpoints()[endpoint_id].input_schema())


_LIMITS: Mapping[str, str] = {
    "minimum": "greater_than_equal",
    "exclusiveMinimum": "greater_than",
    "maximum": "less_than_equal",
    "exclusiveMaximum": "less_than",
    "multipleOf": "multiple_of",
    "minLength": "sequence_too_short",
    "minItems": "sequence_too_short",
    "maxLength": "sequence_too_long",
    "maxItems": "sequence_too_long",
}
"""JSON Schema's words for limits, and fal's."""

_PHRASES: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("ge", "Input should be greater than or equal to {}"),
    "greater_than": ("gt", "Input should be greater than {}"),
    "less_than_equal": ("le", "Input should be less than or equal to {}"),
    "less_than": ("lt", "Input should be less than {}"),
    "multiple_of": ("multiple_of", "Input should be a multiple of {}"),
    "sequence_too_short": ("min_length", "Input should have at least {} items or characters"),
    "sequence_too_long": ("max_length", "Input should have at most {} items or characters"),
}

_TYPES: Mapping[str, tuple[str, str]] = {
    "string": ("string_type", "Input should be a valid string"),
    "integer": ("int_type", "Input should be a valid integer"),
    "number": ("float_type", "Input should be a valid number"),
    "boolean": ("bool_type", "Input should be a valid boolean"),
    "array": ("list_type", "Input should be a valid list"),
    "object": ("model_attributes_type", "Input should be a valid dictionary or object"),
}
"""JSON Schema's types, and the errors of pydantic that pass through."""


def _details(error: jsonschema_rs.ValidationError, given: object) -> Iterator[Detail]:
    kind: Any = error.kind
    loc: tuple[str | int, ...] = ("body", *error.instance_path)
    value = error.instance
    match kind.name:
        case "required":
            yield detail("missing", "Field required", (*loc, kind.property), given=given)
        case "type":
            name, message = _TYPES.get(kind.types[0], ("value_error", error.message))
            yield detail(name, message, loc, given=value)
        case "enum":
            expected = [repr(option) for option in kind.options]
            text = " or ".join(filter(None, (", ".join(expected[:-1]), expected[-1])))
            message = f"Input should be {text}"
            yield detail("literal_error", message, loc, ctx={"expected": text}, given=value)
        case "anyOf" if kind.context:
            # The branch that came furthest says best what is wrong, as pydantic's unions do.
            for inner in max(kind.context, key=_depth):
                yield from _details(inner, given)
        case keyword if keyword in _LIMITS:
            name = _LIMITS[keyword]
            limit = kind.multiple_of if keyword == "multipleOf" else kind.limit
            key, phrase = _PHRASES[name]
            yield detail(name, phrase.format(limit), loc, ctx={key: limit}, given=value)
        case _:
            yield detail("value_error", error.message, loc, given=value)


def _depth(branch: list[jsonschema_rs.ValidationError]) -> tuple[int, int]:
    wrong_type = any(error.kind.name == "type" for error in branch)
    return (0 if wrong_type else 1, max(len(error.instance_path) for error in branch))
