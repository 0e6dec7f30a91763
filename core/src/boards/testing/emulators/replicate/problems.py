"""Replicate's problem bodies (`application/problem+json`, in the manner of RFC 7807)."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web

from boards.testing.emulators.schema import Problem

NO_CREDIT: Final = (
    "You have insufficient credit to run this model. Go to "
    "https://replicate.com/account/billing#billing to purchase credit. Once you purchase "
    "credit, please wait a few minutes before trying again."
)
NO_VERSION: Final = (
    "The specified version does not exist (or perhaps you don't have permission to use it?)"
)


def problem(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: object,
) -> web.Response:
    """A problem body; members that are not given are left out, as Replicate does."""
    body: dict[str, Any] = {"detail": detail, "status": status, **extra}
    if title is not None:
        body = {"title": title, **body}
    return web.Response(
        status=status,
        text=json.dumps(body),
        content_type="application/problem+json",
        headers=headers,
    )


def unauthenticated() -> web.Response:
    """The credential is missing or not the accepted one."""
    detail = "You did not pass a valid authentication token"
    return problem(401, detail, title="Unauthenticated")


def no_credit() -> web.Response:
    """The account has nothing left to pay with."""
    return problem(402, NO_CREDIT, title="Insufficient credit")


def not_found(detail: str = "Not found") -> web.Response:
    """There is nothing of that name."""
    return problem(404, detail, title="Not Found")


def no_version() -> web.Response:
    """The version in the body names nothing that may be run."""
    return problem(422, NO_VERSION, title="Invalid version or not permitted")


def throttled(number: int, seconds: int = 1) -> web.Response:
    """Too many creates: even numbers tell until when in the body, odd ones in a header."""
    detail = f"Request was throttled. Your rate limit resets in ~{seconds}s."
    if number % 2:
        return problem(429, detail, headers={"Retry-After": str(seconds)})
    return problem(429, detail, retry_after=seconds)


def invalid(found: Iterable[Problem]) -> web.Response:
    """The body breaks a schema: one line and one `invalid_fields` entry for each problem."""
    fields = [_field(item) for item in found]
    detail = "".join(
        f"- {item['field']}: {item['description']}\n"
        if item["field"]
        else f"- {item['description']}\n"
        for item in fields
    )
    return problem(422, detail, title="Input validation failed", invalid_fields=fields)


def _field(found: Problem) -> dict[str, str]:
    """Word one problem as the validator behind Replicate's API does (xeipuu/gojsonschema)."""
    place, name = found.path, str(found.path[-1]) if found.path else "(root)"
    match found.kind:
        case "required":
            kind, text, place = "required", f"{name} is required", place[:-1]
        case "additionalProperties":
            kind = "additional_property_not_allowed"
            text, place = f"Additional property {name} is not allowed", place[:-1]
        case "enum":
            allowed = ", ".join(json.dumps(option) for option in found.expected)
            kind, text = "enum", f"{name} must be one of the following: {allowed}"
        case "type":
            expected = "/".join(found.expected)
            kind = "invalid_type"
            text = f"Invalid type. Expected: {expected}, given: {_type(found.value)}"
        case "minimum":
            kind, text = "number_gte", f"Must be greater than or equal to {found.expected}"
        case "maximum":
            kind, text = "number_lte", f"Must be less than or equal to {found.expected}"
        case "minLength":
            kind = "string_gte"
            text = f"String length must be greater than or equal to {found.expected}"
        case "maxLength":
            kind = "string_lte"
            text = f"String length must be less than or equal to {found.expected}"
        case "format":
            kind, text = "format", f"Does not match format '{found.expected}'"
        case other:
            kind, text = other, found.message
    return {"type": kind, "field": ".".join(map(str, place)), "description": text}


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
