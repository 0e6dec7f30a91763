"""Stubs and TypeScript as texts; what checkers make of them stands in the integration tests."""

import ast
import inspect

import pytest

import boards
import boards.blocking_facade
import boards.facade
import boards.sync
from boards.facade import RESERVED
from boards.registry import Registry
from boards.settings import load
from boards.typegen import GeneratorTypes, stubs, typed_generators, typescript
from boards.typegen.shapes import ANYTHING, Field, Scalar
from boards.typegen.signatures import signatures


@pytest.fixture(scope="module")
def installed() -> tuple[GeneratorTypes, ...]:
    """Every generator of the plugins."""
    return typed_generators(Registry(load(environment={})))


def one(*fields: Field, **more: object) -> GeneratorTypes:
    """A generator with some inputs."""
    given = {"names": ("acme/x",), "artifact_type": "image", "description": "", **more}
    return GeneratorTypes(fields=fields, **given)  # type: ignore[arg-type]


def field(name: str, *, required: bool = False, **schema: object) -> Field:
    """An input that is a text."""
    return Field(name=name, shape=Scalar("string"), required=required, schema=schema)


def inputs(*generators: GeneratorTypes) -> str:
    """The stub of the inputs, from the first class of a generator on."""
    text = stubs(generators)["boards/generator_inputs.pyi"]
    return text.partition("def __len__(self) -> int: ...\n")[2].strip()


def test_every_file_is_python(installed: tuple[GeneratorTypes, ...]) -> None:
    """For all installed generators, under all their names."""
    for text in stubs(installed).values():
        ast.parse(text)
    facade = stubs(installed)["boards/__init__.pyi"]
    for generator in installed:
        for name in generator.names:
            assert repr(name) in facade


@pytest.mark.parametrize("text", ['say """', '""""', '\\"', 'a "b"', "a\\", '\\"""'])
def test_a_description_may_end_with_quotes(text: str) -> None:
    """What it says comes back from the docstring."""
    found = inputs(one(description=text))
    (made,) = ast.parse(found).body
    assert isinstance(made, ast.ClassDef)
    assert ast.get_docstring(made) == f"acme/x: {text}"


def test_the_same_generators_give_the_same_text(installed: tuple[GeneratorTypes, ...]) -> None:
    """Byte for byte, so that a check in CI tells what changed."""
    again = typed_generators(Registry(load(environment={"FAL_KEY": "a key changes nothing"})))
    assert stubs(again) == stubs(installed)
    assert typescript(again) == typescript(installed)


@pytest.mark.parametrize(
    ("file", "module", "facade"),
    [
        ("boards/__init__.pyi", boards, boards.Boards),
        ("boards/sync.pyi", boards.sync, boards.sync.Boards),
    ],
)
def test_a_stub_offers_what_the_module_offers(file: str, module: object, facade: type) -> None:
    """The same public names, and arguments of overloaded methods that the methods have."""
    tree = ast.parse(stubs([one(field("prompt", required=True))])[file])
    offered: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            offered |= {name.asname or name.name for name in statement.names}
    classes = [statement for statement in tree.body if isinstance(statement, ast.ClassDef)]
    assert set(module.__all__) <= offered | {one.name for one in classes}  # type: ignore[attr-defined]
    class_ = next(one for one in classes if one.name == "_Typed")
    overloads = [
        each for each in class_.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    taking = {
        name
        for name, method in inspect.getmembers(facade, inspect.isfunction)
        if "inputs" in inspect.signature(method).parameters and not name.startswith("_")
    }
    assert {each.name for each in overloads} == taking >= {"generate", "submit", "estimate"}
    for each in overloads:
        real = inspect.signature(getattr(facade, each.name)).parameters
        stubbed = {argument.arg for argument in each.args.kwonlyargs}
        keywords = {name for name, about in real.items() if about.kind is about.KEYWORD_ONLY}
        assert keywords - {"input"} <= stubbed <= keywords


def test_the_arguments_of_the_methods_are_reserved() -> None:
    """So that no input takes their place in a stub."""
    for facade in (boards.facade.Facade, boards.blocking_facade.Facade):
        for signature in signatures(facade):
            assert {argument.arg for argument in signature.node.args.kwonlyargs} <= RESERVED


def test_inputs_that_cannot_be_keywords_go_through_input() -> None:
    """Reserved names, keywords of Python, and what is no name there at all."""
    odd = one(field("prompt", required=True), field("class", required=True), field("a-b"))
    assert inputs(odd) == (
        'class AcmeX(TypedDict):\n    """acme/x"""\n\n    prompt: str\n\n'
        'AcmeX_input = TypedDict("AcmeX_input", {\n'
        '    "class": str,\n    "a-b": NotRequired[str],\n})'
    )
    facade = stubs([odd])["boards/sync.pyi"]
    assert "/, *, input: _inputs.AcmeX_input, dedupe_key" in facade
    reserved = stubs([one(field("cache"))])["boards/sync.pyi"]
    assert "/, *, input: _inputs.AcmeX_input | None=None, dedupe_key" in reserved


def test_an_open_schema_takes_any_keyword() -> None:
    """Nobody can tell which are wrong."""
    assert (
        "Literal['acme/x'], /, *, dedupe_key: str | None=None, priority: int=0, **inputs: Any)"
        in (stubs([one(open=True)])["boards/sync.pyi"])
    )
    assert "  [input: string]: unknown;\n" in typescript([one(open=True)])


def test_two_generators_never_share_a_type() -> None:
    """Nor do they take a name that the module needs."""
    same = [one(field("a"), names=("acme/x-y",)), one(field("b"), names=("acme/x.y",))]
    text = inputs(*same, one(names=("file",)), one(names=("items",)))
    for name in ("AcmeXY", "AcmeXY_", "File_", "Items_"):
        assert text.count(f"class {name}(TypedDict):") == 1
    interfaces = typescript([*same, one(names=("Generators",))])
    assert interfaces.count("export interface AcmeXYInput_ ") == 1


def test_texts_of_others_cannot_leave_their_comment() -> None:
    """Quotes, backslashes and ends of comments stay text."""

    def saying(text: str) -> GeneratorTypes:
        return one(field("prompt", description=text, default=text), description=text)

    hostile = saying('a """ b \\ */ c\x00\r\nd"')
    module = ast.parse(stubs([hostile])["boards/generator_inputs.pyi"])
    (class_,) = [each for each in module.body if getattr(each, "name", "") == "AcmeX"]
    assert isinstance(class_, ast.ClassDef)
    documented = [each.value for each in class_.body if isinstance(each, ast.Expr)]
    assert len(documented) == 2
    assert typescript([hostile]).count("*/") == typescript([saying("a text")]).count("*/")


def test_nothing_installed_is_a_stub_all_the_same() -> None:
    """It changes nothing."""
    for text in stubs([]).values():
        ast.parse(text)
    facade = stubs([])["boards/sync.pyi"]
    assert "class _Typed(_Facade):\n    ...\n" in facade
    assert "class Boards(_Typed, _Boards):\n    def as_owner(self" in facade


def test_a_default_is_told() -> None:
    """As each language spells it."""
    flag = Field(name="loop", shape=ANYTHING, required=False, schema={"default": True})
    assert '"""By default True."""' in inputs(one(flag))
    assert "/** @default true */\n  loop?: unknown;" in typescript([one(flag)])
