"""Refuse answers that would make a project which does not build.

Cookiecutter runs this file; ``boards new-plugin`` calls :func:`problems`. It needs nothing but
Python.
"""

import json
import keyword
import re
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

ANSWERS = r"""{{ cookiecutter | jsonify }}"""

KINDS = ("declarative", "python", "storage", "auth")
AUTHS = ("bearer", "header", "query", "basic", "none")
LICENSES = ("MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary")
TAKEN = {"boards", "boards-core", "tests"}


def problems(answers: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each answer, by its name; empty if nothing is."""
    found = {name: check(answers[name]) for name, check in CHECKS.items() if name in answers}
    return {name: problem for name, problem in found.items() if problem}


def _distribution(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        return f"{value!r} is no name of a distribution: use letters, digits and -, as boards-acme"
    if re.sub(r"[-_.]+", "-", value).lower() in TAKEN:
        return f"{value!r} is taken; choose another, such as boards-acme"
    return ""


def _module(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value) or keyword.iskeyword(value):
        return f"{value!r} is no name of a Python package: use a-z, 0-9 and _, as boards_acme"
    if value in TAKEN or value in sys.stdlib_module_names:
        return f"{value!r} would hide another package; choose another, such as boards_acme"
    return ""


def _provider(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*([._-][a-z0-9]+)*", value):
        return f"{value!r} is no name of a provider: a-z, 0-9 and single - between them, as acme"
    return ""


def _kinds(value: str) -> str:
    given = split_kinds(value)
    unknown = [one for one in given if one not in KINDS]
    if unknown or not given:
        what = f"there is no kind {unknown[0]!r}" if unknown else "a plugin is of some kind"
        return f"{what}: choose one or more of {', '.join(KINDS)}"
    return ""


def _base_url(value: str) -> str:
    example = "write it as https://api.acme.example/v1"
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", value):
        return f"{value!r} is no base URL: {example}"
    try:
        parts = urlsplit(value)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        return f"{value!r} has no host, or a port that is none: {example}"
    if value.endswith("/"):
        return f"{value!r} ends with /, and paths begin with one: {example}"
    return ""


def _endpoint(value: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/[A-Za-z0-9]+([._-][A-Za-z0-9]+)*", value):
        return f"{value!r} is no path of an endpoint: write it as /images or /v1/images"
    return ""


def _author(value: str) -> str:
    if not value.strip() or not value.isprintable() or set(value) & set('"\\'):
        return f"{value!r} is no name of an author: one line, without quotation marks"
    return ""


def _one_of(known: tuple[str, ...]):  # type: ignore[no-untyped-def]
    def check(value: str) -> str:
        return "" if value in known else f"{value!r} is none of {', '.join(known)}"

    return check


def split_kinds(value: str) -> list[str]:
    """The words of ``kinds``."""
    return re.findall(r"[^\s,+]+", value)


CHECKS = {
    "distribution": _distribution,
    "module": _module,
    "provider": _provider,
    "kinds": _kinds,
    "base_url": _base_url,
    "auth": _one_of(AUTHS),
    "endpoint": _endpoint,
    "license": _one_of(LICENSES),
    "author": _author,
}


if __name__ == "__main__":
    told = problems(json.loads(ANSWERS))
    for name, problem in told.items():
        print(f"{name}: {problem}.", file=sys.stderr)
    sys.exit(1 if told else 0)
