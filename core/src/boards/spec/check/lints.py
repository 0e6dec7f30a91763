"""What is allowed, but looks like a slip: warnings, for authors alone."""

import math
import re
from collections import Counter
from typing import Any, Final

from boards.spec.check.context import RESPONSE, place_of
from boards.spec.check.inputs import place_in
from boards.spec.inputs import InputSchema
from boards.spec.model import GeneratorSpec
from boards.spec.places import NOWHERE, Document, Mapping, Place, Problems, Sequence

__all__ = ["lint_document", "lint_generator"]


def lint_generator(
    generator: GeneratorSpec, schema: InputSchema | None, used: set[str], problems: Problems
) -> None:
    """Warn of unused inputs, addresses that expire, paths that begin elsewhere, no test of failure.

    Args:
        generator: As read.
        schema: Its inputs; None where it is not known for sure which are used.
        used: Names of the inputs that requests refer to; an empty name is all of them.
        problems: Where warnings are noted.
    """
    by_adapter = generator.execution.type == "adapter"
    if schema is not None and not by_adapter and "" not in used:
        written = generator.io.input_schema
        place = getattr(written, "place", None) or place_of(generator)
        for name in schema.properties:
            if name not in used:
                at = place_in(written, ["properties"], place)
                properties = written.get("properties")
                if isinstance(properties, Mapping):
                    at = properties.key_places.get(name, at)
                problems.warn(at, f"no request uses the input {name!r}")
    for output in generator.execution.extract.outputs:
        if output.form == "url" and output.expires is None and output.request is None:
            problems.warn(
                place_of(output, "from"),
                "how long does this address live? Say expires: then it is fetched in time",
            )
        if output.each is not None and output.source.root in RESPONSE:
            problems.warn(
                output.source.place or NOWHERE,
                f"{output.source.text}: under each, a path begins at the element",
            )
    for path in generator.execution.extract.output_paths:
        if path.root in RESPONSE:
            problems.warn(
                path.place or NOWHERE, f"{path.text}: a path of output_paths begins below the body"
            )
    if not any(test.raises for test in generator.tests):
        problems.warn(place_of(generator, "tests"), "no test of a failure (raises:)")


_SECRETS: Final = re.compile(
    r"""\b(?:
      sk-[\w-]{16,} | (?:sk|pk|rk)_(?:live|test)_\w{12,} | key_[0-9a-f]{32,}
    | r8_[A-Za-z0-9]{20,} | hf_[A-Za-z0-9]{20,} | gsk_[A-Za-z0-9]{20,} | xai-[A-Za-z0-9]{20,}
    | AIza[\w-]{35} | AKIA[A-Z0-9]{16} | gh[pousr]_[A-Za-z0-9]{30,}
    | eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+
    | [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}:[0-9a-f]{32}
    | (?:Bearer|Basic|Key|Token)\ +(?=\S*[0-9])(?!cGxhY2Vob2xkZXItc2VjcmV0\b)[\w.~+/-]{16,}=*
    )""",
    re.VERBOSE,
)
"""Keys of OpenAI, Stripe, Replicate, Hugging Face, Groq, xAI, Google, AWS, GitHub and fal; JWTs;
values of an Authorization header, but not the placeholder of fixtures in basic authentication."""

_WORD: Final = re.compile(r"[A-Za-z0-9_-]{32,}")
_ENTROPY: Final = 4.2
"""Bits for each character: random letters and digits of 32 characters have more, words less."""

_SENT: Final = frozenset({"headers", "query", "json", "form", "multipart", "body", "url", "path"})


def lint_document(document: Document, problems: Problems) -> None:
    """Warn of literals that look like secrets, wherever they stand."""
    _find_secrets(document.root, document.place, False, problems)


def _find_secrets(value: Any, place: Place, sent: bool, problems: Problems) -> None:
    """``sent``: the value goes into a request."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = (sent or name in _SENT) and name != "tests"
            _find_secrets(item, value.value_places[name], inner, problems)
    elif isinstance(value, Sequence):
        for item, at in zip(value, value.item_places, strict=True):
            _find_secrets(item, at, sent, problems)
    elif isinstance(value, str) and len(value) >= 16:
        match = _SECRETS.search(value) or (sent and _random(value)) or None
        if match is not None:
            problems.warn(
                place.find(match.group()),
                f"{match.group()[:6]}... looks like a secret: those come from the environment, "
                "through auth",
            )


def _random(text: str) -> re.Match[str] | None:
    """A word that nobody made up: long, of letters of both cases and digits, without a pattern."""
    for match in _WORD.finditer(text):
        word = match.group()
        mixed = any(map(str.isupper, word)) and any(map(str.islower, word))
        if mixed and any(map(str.isdigit, word)):
            counts = Counter(word).values()
            entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts)
            if entropy >= _ENTROPY:
                return match
    return None
