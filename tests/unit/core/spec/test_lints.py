"""Warnings: what is allowed, but looks like a slip. None for what the repository ships."""

from pathlib import Path

import pytest
from tests.unit.core.spec.mistakes import BASE

from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.places import Problems

ROOT = Path(__file__).parents[4]


def warnings(text: str) -> list[tuple[str, str]]:
    """Place and message of all warnings of a text without errors."""
    problems = Problems()
    document = yaml.parse(text, "f.yaml", problems)
    assert document is not None
    check_documents([document], problems)
    assert [str(one) for one in problems.errors] == []
    return [
        (one.where.removeprefix("f.yaml:"), one.message.removeprefix("warning: "))
        for one in problems.warnings
    ]


def changed(was: str, now: str) -> tuple[str, int]:
    """The base with a change, and the line on which that begins."""
    assert BASE.count(was) == 1
    return BASE.replace(was, now), BASE.count("\n", 0, BASE.index(was)) + 1


@pytest.mark.parametrize(
    ("was", "now", "at", "message"),
    [
        ("voice: {type: string}", "voice: {type: string}\n          speed: {type: number}",
         (1, 11), "no request uses the input 'speed'"),
        (", as: url, mime: image/png, expires: 1h", ", as: url, mime: image/png",
         (0, 20), "how long does this address live?"),
        ("from: data, as", "from: body.data, as", (0, 43), "under each, a path begins at"),
        ("outputs: [{from: body, as: bytes, mime: audio/mpeg}]", "output_paths: [body.audio]",
         (0, 24), "body.audio: a path of output_paths begins below the body"),
        ("X-Run: \"${run.id}\"", "X-Run: Bearer 0123456789abcdef0123",
         (0, 26), "Bearer... looks like a secret"),
        ("X-Run: \"${run.id}\"", "X-Run: sk-proj-0123456789abcdefABCD",
         (0, 26), "sk-pro... looks like a secret"),
        ("X-Run: \"${run.id}\"", "X-Run: r8_0123456789abcdefghijABCDEFGHIJ0123456",
         (0, 26), "r8_012... looks like a secret"),
        ("X-Run: \"${run.id}\"", "X-Run: a9Xk2Lm8Qz7Rt5Wv3Yb6Nc1Jd4Fg0Hs2Pe",
         (0, 26), "a9Xk2L... looks like a secret"),
        ("api_key_env: ACME_KEY", "api_key: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
         (0, 16), "eyJhbG... looks like a secret"),
        ("display_name: Painter", "display_name: no", (0, 19), "no is a text here"),
        ("display_name: Painter", "display_name: 16:9", (0, 19), "16:9 is a text here"),
        ("display_name: Painter", "display_name: 2024-11-06", (0, 19), "but a date"),
        ("artifact_type: audio\n    provider: acme", "artifact_type: audio\n    provider: acne",
         (1, 15), "the provider 'acne' is not defined here"),
    ],
)  # fmt: skip
def test_each_warning_stands_where_the_slip_is(
    was: str, now: str, at: tuple[int, int], message: str
) -> None:
    """Alone, at its line and column, and no error."""
    text, line = changed(was, now)
    ((where, told),) = warnings(text)
    assert message in told
    assert where == f"{line + at[0]}:{at[1]}"


def test_a_generator_without_a_test_of_a_failure() -> None:
    """Told at its tests, or at the generator where it has none."""
    text, _ = changed("        raises: quota\n", "        outputs: []\n")
    line = text.count("\n", 0, text.index("- name: a picture")) + 1
    assert warnings(text) == [(f"{line}:7", "no test of a failure (raises:)")]


@pytest.mark.parametrize(
    "value",
    [
        "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa",
        "https://storage.example/a/b/c/d/e/f/g/a-long-and-telling-name-of-a-file.png",
        "black-forest-labs/flux-1.1-pro-ultra-with-a-very-long-name-indeed-v2",
        "Bearer placeholder-secret",
        "a text about Key figures and Basic needs, of many words",
        "sk-...",
        "0d9c4ee8-1bd5-4b9e-8a86-4b8c9d4e3f00",
    ],
)
def test_what_is_no_secret(value: str) -> None:
    """Hashes (a version at Replicate), addresses, identifiers and placeholders are not told."""
    text, _ = changed('X-Run: "${run.id}"', f'X-Run: "{value}"')
    assert warnings(text) == []


def test_nothing_that_ships_is_warned_of() -> None:
    """No error and no warning in any specification of a plugin."""
    problems = Problems()
    documents = []
    for path in sorted(ROOT.glob("plugins/*/src/*/specs/*.yaml")):
        document = yaml.parse(path.read_text("utf-8"), path.name, problems)
        assert document is not None
        documents.append(document)
    check_documents(documents, problems)
    assert len(documents) > 10
    assert [str(one) for one in problems.errors + problems.warnings] == []
