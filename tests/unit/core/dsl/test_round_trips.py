"""YAML -> spec -> YAML, and spec -> Python -> spec -> YAML -> spec: nothing changes."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.core.dsl.running import run
from tests.unit.core.spec.strategies import documents

from boards.dsl import Generator, Provider, spec_of
from boards.dsl.compiling import document_of as document_of_class
from boards.dsl.document import Writer
from boards.dsl.expressions import Scope
from boards.dsl.expressions import Writer as Expressions
from boards.dsl.layout import laid_out
from boards.dsl.origin import Spot
from boards.dsl.references import Names
from boards.dsl.source import python_source
from boards.spec import model
from boards.spec.grammar import BAD, Shape, keys_of
from boards.spec.model import (
    Execution,
    Extract,
    GeneratorSpec,
    Io,
    ProviderSpec,
    SecretRequest,
    Submit,
)
from boards.spec.places import Document, Place, Problems, Source, locate
from boards.spec.reader import SpecFile, read_document, read_text
from boards.spec.writing import document_of, file_document, to_yaml

ROOT = Path(__file__).parents[4]
FILES = sorted(
    [
        *ROOT.glob("plugins/*/src/*/specs/*.yaml"),
        *ROOT.glob("tests/data/seed-config/*.yaml"),
        *ROOT.glob("tests/specs/*.yaml"),
    ]
)
MODELS = [
    one for one in vars(model).values() if isinstance(one, type) and attrs.has(one) and keys_of(one)
]
IN_PYTHON = [
    one for one in MODELS if one not in (Execution, Extract, Io, GeneratorSpec, ProviderSpec)
]
PLACE = Place(Source("test"))
thorough = settings(
    deadline=None,
    max_examples=settings.default.max_examples // 5,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def read_as(kind: type, document: Any) -> Any:
    problems = Problems()
    spec = Shape(kind).read(locate(document, PLACE), PLACE, problems)
    assert spec is not BAD, problems.errors
    return spec


def read_yaml(text: str) -> SpecFile:
    problems = Problems()
    found = read_text(text, "test.yaml", problems)
    assert not problems.errors, "\n".join(map(str, problems.errors))
    return found


def classes(namespace: dict[str, Any]) -> list[type[Generator]]:
    return [
        one
        for one in namespace.values()
        if isinstance(one, type) and issubclass(one, Generator) and one is not Generator
    ]


@pytest.mark.parametrize("kind", MODELS, ids=lambda one: one.__name__)
@thorough
@given(st.data())
def test_yaml_to_spec_to_yaml(kind: type, data: st.DataObject) -> None:
    """What a spec is written as reads back as an equal spec, and is written the same again."""
    spec = read_as(kind, data.draw(documents(kind)))
    text = to_yaml({"spec": document_of(spec)})
    problems = Problems()
    from boards.spec import yaml

    document = yaml.parse(text, "test.yaml", problems)
    assert document is not None, problems.errors
    again = Shape(kind).read(document.root["spec"], PLACE, problems)
    assert again == spec, problems.errors
    assert to_yaml({"spec": document_of(again)}) == text


@pytest.mark.parametrize("kind", IN_PYTHON, ids=lambda one: one.__name__)
@thorough
@given(st.data())
def test_every_part_of_the_language_is_an_expression_of_python(
    kind: type, data: st.DataObject
) -> None:
    """Each model class, whatever it says, is said in Python too."""
    spec = read_as(kind, data.draw(documents(kind)))
    scope = Scope(Names(optional=frozenset({"a", "status"})))
    writer = Expressions()
    source = f"made = {laid_out(writer.value(Shape(kind), document_of(spec), scope))}\n"
    made = run(f"from boards.dsl import *\nfrom boards.dsl import input\n{source}")["made"]
    problems = Problems()
    document = Writer(scope.names, problems).write(Shape(kind), made, Spot(PLACE))
    assert not problems.errors, (source, problems.errors)
    assert Shape(kind).read(document, PLACE, problems) == spec, (source, problems.errors)


@thorough
@given(documents(GeneratorSpec))
def test_spec_to_python_to_spec_to_yaml_to_spec(document: dict[str, Any]) -> None:
    """A class says what its spec says; converting twice changes nothing."""
    spec = read_as(GeneratorSpec, document)
    source = python_source([spec])
    (made,) = classes(run(source))
    problems = Problems()
    (again,) = read_document(document_of_class(made, problems), problems).generators
    assert again == spec, (source, problems.errors)
    assert python_source([again]) == source
    (last,) = read_yaml(to_yaml(file_document({}, [again]))).generators
    assert last == spec


@thorough
@given(documents(ProviderSpec))
def test_a_provider_in_python_says_the_same(document: dict[str, Any]) -> None:
    """A provider, and a generator that refers to it, come back from Python."""
    spec = read_as(ProviderSpec, document)
    source = python_source([], {"acme": spec})
    (made,) = (one for one in run(source).values() if isinstance(one, Provider))
    problems = Problems()
    root = made.document(problems)
    read = read_document(Document(root.place.source, root, root.place), problems)
    assert read.providers == {"acme": spec}, (source, problems.errors)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_every_generator_that_there_is_comes_back_from_python(path: Path) -> None:
    """All of a file's generators and providers: equal specs, and the same source again."""
    file = read_yaml(path.read_text())
    source = python_source(file.generators, file.providers)
    namespace = run(source)
    providers = {one.name: spec_of(one) for one in namespace.values() if isinstance(one, Provider)}
    specs = [spec_of(one) for one in classes(namespace)]
    assert providers == file.providers
    assert specs == list(file.generators)
    assert python_source(specs, providers) == source
    assert read_yaml(to_yaml(file_document(providers, specs))) == file


def test_there_are_generators_to_convert() -> None:
    """The files above are those of both plugins."""
    assert sum(len(read_yaml(path.read_text()).generators) for path in FILES) >= 51


def test_all_shapes_have_an_expression() -> None:
    """What is left out of the expressions is a whole of its own."""
    assert {Submit, SecretRequest} <= set(IN_PYTHON)


@pytest.mark.parametrize("text", ['say """', '\\"', 'a "b"', "a\\", '\\"""', 'two\nlines """'])
def test_a_description_may_end_with_quotes(text: str) -> None:
    """It is a docstring, and comes back from it."""
    io = Io(input_schema={"type": "object"})
    spec = GeneratorSpec(
        name="x", artifact_type="image", provider="acme", description=text, io=io,
        execution=read_as(
            Execution, {"submit": {"path": "/x"}, "extract": {"output_paths": ["url"]}}
        ),
    )  # fmt: skip
    assert spec_of(run(python_source([spec]))["X"]).description == text
