"""Classes compiled to specs, and their mistakes told at their lines."""

import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any, Generic, Literal, TypedDict, TypeVar, get_args

import attrs
import pytest
from tests.unit.core.dsl.running import run as run_source

from boards import dsl
from boards.dsl import (
    Audio,
    Auth,
    Error,
    Fixture,
    Generator,
    Image,
    Output,
    Provider,
    Rule,
    Status,
    body,
    element,
    field,
    get,
    header,
    input,
    item,
    job,
    let,
    path,
    post,
    run,
    spec_of,
    status_code,
    token,
    variants,
    when,
)
from boards.dsl.compiling import document_of as document_of_class
from boards.dsl.generator import PARTS
from boards.dsl.parts import ErrorKind, Part, RequestKeys, StatusName
from boards.dsl.provider import ProviderKeys
from boards.errors import PROVIDER_ERROR_KINDS, SpecError
from boards.spec import model
from boards.spec.grammar import Choice, keys_of
from boards.spec.model import (
    Execution,
    GeneratorSpec,
    Poll,
    ProviderSpec,
    Reconcile,
    RequestSpec,
    SecretRequest,
    Stream,
    Submit,
)
from boards.spec.places import Problems, plain
from boards.spec.writing import document_of

ACME = Provider(
    "acme",
    base_url="https://api.acme.example/v1",
    api_key_env="ACME_KEY",
    auth=Auth("bearer"),
    status=Status(body.status, {"done": "succeeded"}, unknown="fail"),
)


class Size(TypedDict):
    width: int
    height: int


class Draw(Generator, name="draw", provider=ACME, artifact="image", tags=["text-to-image"]):
    """Draws.

    In colour.
    """

    prompt: str = field(min_length=1)
    style: Literal["photo", "paint"] = "photo"
    size: Size | None = None
    seed: int | None = None
    images: list[Image] = field(default=[], max_items=4)
    status_: bool | None = field(default=None, name="status")

    label = let(f"{input.style}: {input.prompt}")
    submit = post(
        "/jobs",
        query={"hook": run.webhook_url, "n": 1},
        json={
            "label": label,
            "seed": input.seed,
            "images": input.images.file,
            "status": input.status_,
            "literal": "${input.prompt} costs $5",
            "note": f"{{braces}} {input.prompt}",
        },
        capture={"id": body.id},
    )
    poll = get(f"/jobs/{job.id}", every="2s")
    outputs = [Output(body.images[:].url, expires="1h"), body.more]
    errors = [Error("quota", when=status_code.in_([402, 403]) & body.code.startswith("Q"))]


def document(generator: type[Generator]) -> dict[str, Any]:
    return document_of(spec_of(generator))


def test_fields_are_the_input_schema() -> None:
    """Types, defaults and keywords; what is optional is not required."""
    assert document(Draw)["io"]["input_schema"] == {
        "type": "object",
        "required": ["prompt"],
        "properties": {
            "prompt": {"type": "string", "minLength": 1},
            "style": {"type": "string", "enum": ["photo", "paint"], "default": "photo"},
            "size": {
                "type": "object",
                "required": ["width", "height"],
                "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}},
                "additionalProperties": False,
            },
            "seed": {"type": "integer"},
            "images": {
                "type": "array",
                "items": {"type": "string", "format": "image"},
                "maxItems": 4,
                "default": [],
            },
            "status": {"type": "boolean"},
        },
    }


def test_attributes_are_how_it_runs() -> None:
    """Tokens of optional inputs get their question mark; texts that look like tokens stay texts."""
    found = document(Draw)
    assert found["description"] == "Draws.\n\nIn colour."
    assert found["execution"] == {
        "let": {"label": "${input.style}: ${input.prompt}"},
        "submit": {
            "path": "/jobs",
            "query": {"hook": "${run.webhook_url?}", "n": "1"},
            "json": {
                "label": "${let.label}",
                "seed": "${input.seed?}",
                "images": "${input.images|file}",
                "status": "${input.status?}",
                "literal": "$${input.prompt} costs $5",
                "note": "{braces} ${input.prompt}",
            },
            "capture": {"id": "body.id"},
        },
        "poll": {"path": "/jobs/${job.id}", "every": "2s"},
        "extract": {
            "output_paths": ["more"],
            "outputs": [{"from": "body.images[*].url", "expires": "1h"}],
        },
        "errors": [
            {"when": {"status": [402, 403], "prefix": ["body.code", "Q"]}, "raise": "quota"}
        ],
    }


def test_a_class_without_a_name_is_there_to_inherit_from() -> None:
    """Its fields, parts and provider go to all who do, and can be replaced."""

    class Queue(Generator, provider=ACME, artifact="video"):
        prompt: str
        submit = post("/queue", json={"prompt": input.prompt}, capture={"id": body.id})
        poll = get(f"/queue/{job.id}")
        outputs = body.url

    class Long(Queue, name="long"):
        seconds: int = 5
        submit = post(
            "/long", json={"s": input.seconds, "p": input.prompt}, capture={"id": body.id}
        )

    spec = spec_of(Long)
    assert (spec.id, spec.artifact_type) == ("acme/long", "video")
    assert list(spec.io.input_schema["properties"]) == ["prompt", "seconds"]
    assert spec.execution.poll is not None
    assert document(Long)["execution"]["submit"]["path"] == "/long"
    assert "name" not in Queue.__boards_header__


def test_under_a_condition_an_input_is_there() -> None:
    """The tokens of an input whose presence a condition proves need no question mark."""

    class Sized(Generator, name="sized", provider=ACME, artifact="image"):
        width: int | None = None
        image: Image | None = None
        submit = variants(
            post("/edit", json={"image": input.image.file}, when=input.image.exists()),
            post(
                "/draw",
                json={"size": when(input.width.exists(), [input.width, 1], else_=input.width)},
            ),
            capture={"id": body.id},
        )  # fmt: skip
        poll = get(f"/{job.id}")
        outputs = body.url

    first, second = document(Sized)["execution"]["submit"]["variants"]
    assert first["json"] == {"image": "${input.image|file}"}
    assert second["json"]["size"]["then"] == ["${input.width}", 1]
    assert second["json"]["size"]["else"] == "${input.width?}"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (body.status == "x", {"eq": ["body.status", "x"]}),
        (body.status != "x", {"not": {"eq": ["body.status", "x"]}}),
        (body.done.is_(True), {"eq": ["body.done", True]}),
        (body["every"].every.exists(), {"exists": "body.every[*]"}),
        (header["Retry-After"].exists(), {"exists": "header.Retry-After"}),
        (status_code == 429, {"status": 429}),
        (path("status") == 429, {"eq": ["status", 429]}),
        (body.a[0].in_([1, "${x}"]), {"in": ["body.a[0]", [1, "$${x}"]]}),
        (element.hook.contains(run.id), {"contains": ["hook", "${run.id}"]}),
        (~body.a.exists(), {"not": {"exists": "body.a"}}),
        (
            (body.a == 1) & (body.b == 2) & (body.c == 3),
            {"eq": ["body.a", 1], "not": {"not": {
                "eq": ["body.b", 2], "not": {"not": {"eq": ["body.c", 3]}}}}},
        ),
    ],
)  # fmt: skip
def test_comparisons_are_conditions(condition: Any, said: dict[str, Any]) -> None:
    """Each operator; a second comparison of one kind stands under two nots."""

    class Ruled(Generator, name="ruled", provider=ACME, artifact="image"):
        submit = post("/a")
        outputs = body.url
        status = Status(rules=[Rule("failed", when=condition)], else_="running")

    (generator,) = document_of_class(Ruled, Problems()).root["generators"]
    (rule,) = plain(generator)["execution"]["status"]["rules"]
    assert rule == {"when": said, "is": "failed"}


def test_what_python_would_misread_is_refused_at_once() -> None:
    """Truth values, loops, formats, and what the language cannot say."""
    with pytest.raises(TypeError, match="use & and ~"):
        bool(body.a == 1)
    with pytest.raises(TypeError, match=r"\[:\] goes over it"):
        list(body.images)
    with pytest.raises(TypeError, match="part of a reply"):
        f"{body.id}"
    with pytest.raises(TypeError, match="no 'or'"):
        (body.a == 1) | (body.b == 2)
    with pytest.raises(TypeError, match="more than one 'not'"):
        ~body.a.exists() & ~body.b.exists()
    with pytest.raises(TypeError, match="has no format"):
        f"{input.n:.2f}"
    with pytest.raises(TypeError, match="no negative index"):
        body.images[-1]
    with pytest.raises(ValueError, match="is not one token"):
        token("a")


MISTAKES = """from boards.dsl import *
from boards.dsl import input

acme = Provider("acme", base_url="https://a.example", auth=Auth("bearer"))

class Bad(Generator, name="bad", provider=acme, artifact="image"):
    prompt: str
    seed: int | None = None
    odd: set[str] | None = None
    poll: str = "x"

    SIZE = {
        "w": input.widht,
    }
    submit = post(
        "/jobs",
        json={
            "prompt": input.prompt.file,
            "seed": input.seed.required,
            "list": ["a", f"x {input.nope} y"],
            "price": f"${input.prompt}",
            "reply": body.id,
            f"{input.seed}": 1,
        },
        timeout="1 minute",
    )
    outputs = [header.location, Output(body.url, expires="1d")]
    errors = [
        Error("unknown_kind", when=body.a == 1),
    ]
"""


def test_mistakes_are_told_at_their_lines(tmp_path: Path) -> None:
    """All at once, each with its line and its column in the Python file."""
    file = tmp_path / "bad.py"
    file.write_text(MISTAKES)
    namespace: dict[str, Any] = {"__name__": "bad"}
    exec(compile(MISTAKES, str(file), "exec"), namespace)
    with pytest.raises(SpecError) as caught:
        spec_of(namespace["Bad"])
    told = {
        (int(line), int(column)): one
        for one in caught.value.problems
        for line, column in [one.where.rsplit(":", 2)[1:]]
    }
    lines = MISTAKES.splitlines()
    expected = {
        "odd: set": "set[str] is no type of an input",
        "poll: str": 'say field(name="poll")',
        'f"${input.prompt}"': "a '$' directly before",
        "body.id,": "a path has no place here",
        '"1 minute"': "expected a duration",
        "outputs = [header": "begin at the body",
        '"1d"': "expected a duration",
        '"unknown_kind"': "is not allowed here",
    }
    for text, message in expected.items():
        number = next(index for index, line in enumerate(lines, 1) if text in line)
        column = lines[number - 1].index(text) + 1
        here = [one for (line, _), one in told.items() if line == number]
        assert any(message in one.message for one in here), (text, told)
        if text.startswith(('"', "f")):
            assert (number, column) in told, (text, told)
        assert lines[number - 1].strip() in here[0].source
    (key,) = (one for one in caught.value.problems if "tokens stand in values" in one.message)
    assert key.where.endswith("bad.py:17:14")


def test_references_are_checked_at_their_lines() -> None:
    """What only the checker sees has the line of its expression too."""
    source = MISTAKES.replace('    odd: set[str] | None = None\n    poll: str = "x"\n', "")
    for wrong, right in (
        ('            "price": f"${input.prompt}",\n            "reply": body.id,\n', ""),
        ('            f"{input.seed}": 1,\n', ""),
        ("1 minute", "60s"),
        ("header.location, ", ""),
        ("1d", "24h"),
        ("unknown_kind", "quota"),
    ):
        source = source.replace(wrong, right)
    lines = source.splitlines()
    with pytest.raises(SpecError) as caught:
        spec_of(run_source(source)["Bad"])
    told = {int(one.where.rsplit(":", 2)[1]): one.message for one in caught.value.problems}
    expected = {
        "input.prompt.file": "is not a file",
        "input.seed.required": "may be absent",
        "input.nope": "there is no 'nope'",
    }
    for text, message in expected.items():
        number = next(index for index, line in enumerate(lines, 1) if text in line)
        assert message in told[number], told


def test_a_provider_tells_its_mistakes_at_their_lines() -> None:
    """A generator that brings a broken provider along tells what is wrong with that."""
    source = MISTAKES.split("\n\nclass", maxsplit=1)[0].replace('Auth("bearer")', 'Auth("bearre")')
    source += (
        '\nclass Fine(Generator, name="fine", provider=acme, artifact="image"):\n'
        '    submit = post("/a")\n    outputs = body.url\n'
    )
    with pytest.raises(SpecError) as caught:
        spec_of(run_source(source)["Fine"])
    (problem,) = caught.value.problems
    assert "did you mean 'bearer'?" in problem.message
    assert problem.where.endswith(":4:65")


def test_a_class_without_source_is_told_by_its_number() -> None:
    """As in a console: no line to quote, but where it was."""
    namespace: dict[str, Any] = {}
    exec(compile(MISTAKES, "<console>", "exec"), namespace)
    with pytest.raises(SpecError) as caught:
        spec_of(namespace["Bad"])
    assert all(one.where.startswith("<console>:") for one in caught.value.problems)


def test_annotations_may_be_texts() -> None:
    """``from __future__ import annotations`` changes nothing."""
    source = (
        "from __future__ import annotations\nfrom typing import Literal\n"
        "from boards.dsl import *\nfrom boards.dsl import input\n"
        'class Late(Generator, name="late", provider="acme", artifact="image"):\n'
        '    kind: Literal["b", "a"] | None = None\n    image: Image | None = None\n'
        '    submit = post("/a", json={"k": input.kind, "i": input.image.url})\n'
        "    outputs = body.url\n"
    )
    spec = spec_of(run_source(source)["Late"])
    assert spec.io.input_schema["properties"] == {
        "kind": {"type": "string", "enum": ["b", "a"]},
        "image": {"type": "string", "format": "image"},
    }


def told(generator: type[Generator]) -> list[str]:
    """The mistakes of a class."""
    with pytest.raises(SpecError) as caught:
        spec_of(generator)
    return [one.message for one in caught.value.problems]


KEPT = "a name that begins with an underscore keeps it for others to use"


def test_a_part_under_a_wrong_name_is_told() -> None:
    """Nothing would read it: a cancel that is misspelt would never be sent."""

    class Slip(Draw, name="slip"):
        cancle = post("/cancel")
        extra = body.more
        _kept = post("/kept")

    assert told(Slip) == [
        "error: cancle is no part of a generator; did you mean 'cancel'?",
        f"error: extra is no part of a generator; {KEPT}",
    ]


def test_a_class_statement_that_says_too_little_is_told_what_to_say() -> None:
    """In the words of Python, not of YAML."""

    class Bare(Generator, name="bare"):
        submit = post("/a", json={"a": input.nothing})
        outputs = body.url

    assert told(Bare) == [
        'error: the class statement says no provider: add provider="..."',
        'error: the class statement says no artifact: add artifact="image", or what else it makes',
        "error: ${input.nothing}: there is no 'nothing'",
    ]


@attrs.frozen
class Knot:
    """A type that contains itself."""

    knots: "list[Knot]"


def test_a_type_that_json_lacks_is_told_once_and_with_what_to_say() -> None:
    """Not again by each request that refers to the input."""

    class Style(Enum):
        OIL = "oil"
        INK = "ink"

    class Odd(Generator, name="odd", provider="acme", artifact="image"):
        style: Style = Style.OIL
        raw: bytes
        pair: tuple[int, int] = (1, 2)
        knot: Knot

        submit = post("/a", json={"s": input.style, "r": input.raw, "p": input.pair})
        outputs = body.url

    assert told(Odd) == [
        "error: style: Style is no type of an input; say Literal['oil', 'ink']",
        "error: raw: bytes is no type of an input; say File, or Image, Audio, Video or Model",
        "error: pair: tuple[int, int] is no type of an input; say list[...]",
        "error: knot: its type contains itself",
    ]


def test_no_two_instances_share_a_default_that_can_be_changed() -> None:
    """With ``field`` or without."""

    class Tagged(Generator, name="tagged", provider="acme", artifact="image"):
        tags: list[str] = ["a"]
        more: dict[str, Any] = {}  # an input's default

        submit = post("/a", json={"tags": input.tags, "more": input.more})
        outputs = body.url

    one, other = Tagged(), Tagged()
    one.tags.append("b")
    one.more["b"] = 1
    assert (other.tags, other.more) == (["a"], {})
    assert document(Tagged)["io"]["input_schema"]["properties"]["tags"]["default"] == ["a"]


T = TypeVar("T")


def test_a_class_is_found_behind_others_that_it_inherits_from() -> None:
    """``Generic`` stands between the class statement and ours."""

    class Boxed(Generic[T], Draw, name="boxed"):  # noqa: PYI059  # the order that is hard
        timeout = post("/slip")

    with pytest.raises(SpecError) as caught:
        spec_of(Boxed)
    assert Path(__file__).name in caught.value.problems[0].where


def test_choices_keep_their_order() -> None:
    """Though Python takes Literals of another order for the same."""
    found = []
    for order in ('"x", "y"', '"y", "x"'):
        source = (
            "from typing import Literal\nfrom boards.dsl import *\n"
            'class One(Generator, name="one", provider="acme", artifact="image"):\n'
            f'    kind: Literal[{order}] | None = None\n    submit = post("/a")\n'
            "    outputs = body.url\n"
        )
        found.append(spec_of(run_source(source)["One"]).io.input_schema)
    assert [one["properties"]["kind"]["enum"] for one in found] == [["x", "y"], ["y", "x"]]


# The table of the language, and what Python offers

_REQUESTS = (RequestSpec, Submit, Poll, Stream, Reconcile, SecretRequest)
_PARTS = {
    one.model: one
    for one in vars(dsl).values()
    if isinstance(one, type) and issubclass(one, Part) and hasattr(one, "model")
}
_MODELS = [
    one for one in vars(model).values() if isinstance(one, type) and attrs.has(one) and keys_of(one)
]


@pytest.mark.parametrize(
    "kind",
    [
        one
        for one in _MODELS
        if one not in (*_REQUESTS, Execution, GeneratorSpec, ProviderSpec, model.Io, model.Extract)
    ],
    ids=lambda one: one.__name__,
)
def test_a_part_has_every_key_of_its_model(kind: type) -> None:
    """What the language can say, Python can: a key that is added is added here too."""
    part = _PARTS[kind]
    names = {one.name.rstrip("_") for one in attrs.fields(part) if one.init}
    if kind is model.Catalog:
        names = {"model" if one == "request" else one for one in names}
    assert names == set(keys_of(kind))


def test_requests_generators_and_providers_have_every_key() -> None:
    """Those of all requests; those of an execution, as attributes; those of a provider."""
    of_requests = {name for one in _REQUESTS for name in keys_of(one)}
    assert set(RequestKeys.__annotations__) | {"method", "path"} == of_requests
    assert set(keys_of(Execution)) - {"type", "let", "extract"} | {"outputs"} <= set(PARTS)
    assert set(ProviderKeys.__annotations__) == set(keys_of(ProviderSpec))
    header = {"name", "display_name", "description", "artifact", "provider", "docs", "tags"}
    of_generators = {*header, "enabled", "cost", "tests", "io", "execution"}
    assert of_generators == {
        "artifact" if name == "artifact_type" else name for name in keys_of(GeneratorSpec)
    }


@pytest.mark.parametrize("kind", _PARTS, ids=lambda one: one.__name__)
def test_words_are_typed_as_the_language_has_them(kind: type) -> None:
    """Each closed list of words is a Literal of the same words."""
    import typing

    hints = typing.get_type_hints(_PARTS[kind])
    for name, key in keys_of(kind).items():
        found = key.metadata["kind"]
        if not isinstance(found, Choice) or name == "importer":
            continue
        hint = hints.get(name) or hints[f"{name}_"]
        words = {
            word
            for one in (hint, *get_args(hint))
            for word in (get_args(one) if typing.get_origin(one) is Literal else ())
        }
        assert words == set(found.words), name


def test_words_used_twice_are_said_once() -> None:
    """The statuses, and the kinds of errors."""
    assert set(get_args(ErrorKind)) == set(PROVIDER_ERROR_KINDS)
    assert set(get_args(StatusName)) == {"queued", "running", "succeeded", "failed", "canceled"}


def test_importing_the_dsl_is_light() -> None:
    """No cattrs, HTTP or YAML until an instance is used."""
    report = "import boards.dsl, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    )
    heavy = {"cattrs", "aiohttp", "yaml", "asyncio", "click", "pluggy"}
    assert heavy & set(done.stdout.split()) == set()


def test_files_and_elements_have_their_types() -> None:
    """An item of a list of files, with a filter."""

    class Many(Generator, name="many", provider=ACME, artifact="audio"):
        clips: list[Audio] = field(max_items=3)
        submit = post(
            "/a",
            json={"clips": dsl.each(input.clips, {"data": item.base64, "type": item.mime})},
            capture={"id": body.id},
        )
        poll = get(f"/{job.id}")
        outputs = body.url
        tests = [Fixture("nothing", input={"clips": []}, raises="invalid_input")]

    assert document(Many)["execution"]["submit"]["json"] == {
        "clips": {
            "$each": "${input.clips}",
            "do": {"data": "${item|base64}", "type": "${item|mime}"},
        }
    }
