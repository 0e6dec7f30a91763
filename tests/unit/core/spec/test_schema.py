"""The JSON Schema of the language: it takes every right document, and sees what a schema can."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import jsonschema_rs
import pytest
from tests.unit.core.spec.mistakes import BASE, MISTAKES, Mistake

from boards.pipelines import PipelineSpec
from boards.spec import model as language
from boards.spec import yaml
from boards.spec.grammar import keys_of
from boards.spec.places import Problems, plain
from boards.spec.schema import SCHEMA_DRAFT, document_schema, language_schema

ROOT = Path(__file__).parents[4]
SCHEMA = language_schema()
VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA)
PIPELINES = jsonschema_rs.Draft7Validator(document_schema("Pipelines", "pipeline", PipelineSpec))
MODELS = [
    one
    for one in vars(language).values()
    if isinstance(one, type) and attrs.has(one) and keys_of(one)
]
FILES = [
    *ROOT.glob("plugins/**/specs/*.yaml"),
    *ROOT.glob("tests/specs/**/*.yaml"),
    *ROOT.glob("tests/data/seed-config/*.yaml"),
]


def flaws(text: str) -> list[str]:
    """What an editor would mark in a document."""
    problems = Problems()
    document = yaml.parse(text, "f.yaml", problems)
    assert document is not None, problems.errors
    root = plain(document.root)
    validator = PIPELINES if "pipeline" in root else VALIDATOR
    return [one.message for one in validator.iter_errors(root)]


@pytest.mark.parametrize(
    ("step", "fits"),
    [
        ("generator: x, input: {a: '${steps.b.text?}'}, needs: [b], on_failure: skip", True),
        ("generator: x, when: {eq: [input.a, 1]}", True),
        ("input: {}", False),
        ("generator: x, on_failure: retry", False),
        ("generator: x, need: [b]", False),
    ],
)
def test_a_pipeline_has_a_schema_of_its_own(step: str, fits: bool) -> None:
    """It sees the keys of steps, and what they take."""
    found = flaws(f"spec: 1\npipeline: {{name: p, steps: {{a: {{{step}}}}}}}")
    assert (found == []) is fits, found


def test_it_is_a_schema_of_a_draft_that_editors_read() -> None:
    """Draft-07, as JSON."""
    assert SCHEMA["$schema"] == SCHEMA_DRAFT
    assert jsonschema_rs.meta.is_valid(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_specification_of_the_repository_fits(path: Path) -> None:
    """What ships, what the tests bring, and what hosts have."""
    assert flaws(path.read_text("utf-8")) == []


def examples() -> Iterator[Any]:
    """The whole documents in the documentation."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for number, block in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        ):
            whole = "generators:" not in block or "execution:" in block  # or a page goes on with it
            if whole and re.search(r"^(providers|generators|spec):", block, re.MULTILINE):
                yield pytest.param(block, id=f"{page.name}-{number}")


@pytest.mark.parametrize("text", list(examples()))
def test_every_example_of_the_documentation_fits(text: str) -> None:
    """An editor marks nothing in what a page shows."""
    assert flaws(text) == []


def test_the_base_of_the_mistakes_fits() -> None:
    """All positions of the language are in it."""
    assert flaws(BASE) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.told[:60])
def test_a_mistake_is_seen_if_a_schema_can_say_it(mistake: Mistake) -> None:
    """The list says for each mistake whether the schema sees it; if not, why it cannot."""
    if "!env" in mistake.now:
        return  # no document at all
    seen = flaws(mistake.text) != []
    assert seen is (mistake.schema is True)
    assert mistake.schema is True or len(str(mistake.schema)) > 20


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_in_the_schema(model: type) -> None:
    """Its properties are the model's keys, no more and no fewer; an editor says what each is."""
    definition = SCHEMA["definitions"][model.__name__]
    assert set(definition["properties"]) == set(keys_of(model))
    required = [name for name, one in keys_of(model).items() if one.default is attrs.NOTHING]
    assert definition.get("required", []) == required
    assert definition["description"]
    silent = [name for name, one in definition["properties"].items() if not described(one)]
    assert silent == []


def described(schema: dict[str, Any]) -> bool:
    """Whether a value says what it is, by itself or by what it refers to."""
    if "$ref" in schema:
        return described(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
    nested = [schema.get("items"), schema.get("then")]
    return "description" in schema or any(described(one) for one in nested if one)


@pytest.mark.parametrize(
    "text",
    [
        "plain", "", "$", "$$", "cost: $5", "${input.a}", "a ${input.a?} b", "${item}", "$${x",
        "$$${x", "${input.a.0?|str|json}", "a } b", "$x{", "${config.base_url}/x", "$ {", "{ {",
    ],
)  # fmt: skip
def test_texts_with_tokens(text: str) -> None:
    """The pattern takes what the reader takes."""
    assert re.search(SCHEMA["definitions"]["Text"]["pattern"], text)


@pytest.mark.parametrize(
    "text", ["${", "${input", "${input.}", "${x.a}", "${input.a|b}", "{{x}}", "a ${ b}", "${}"]
)
def test_texts_with_broken_tokens(text: str) -> None:
    """The pattern refuses what the reader refuses."""
    assert not re.search(SCHEMA["definitions"]["Text"]["pattern"], text)
