"""Pipelines in Python say what YAML says, and their mistakes are told at their lines."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from boards.dsl import Generator, Image, body, concat, post, when
from boards.errors import SpecError
from boards.pipelines import Pipeline, PipelineSpec
from boards.pipelines.reader import from_document
from boards.spec.writing import to_yaml

YAML = """\
spec: 1
pipeline:
  name: poster
  description: A poster.
  inputs:
    idea: {type: string}
    style: {type: string, enum: [photo, paint]}
    photo: {type: string, format: image}
    large: {type: boolean, default: false}
  steps:
    words:
      generator: write
      input: {prompt: "${input.idea}, a ${input.style}"}
    base:
      generator: draw
      input: {note: "$${input.x}", prompt: "${steps.words.text}", seed: 7, image: "${input.photo}"}
      needs: [words]
    large:
      generator: draw
      input: {prompt: larger, image: "${steps.base.artifacts.0}"}
      when: {eq: [input.large, true]}
      on_failure: skip
    film:
      generator: film
      input:
        images:
          $concat:
            - ["${steps.base.artifacts.0}"]
            - $when: {exists: steps.large.artifacts}
              then: ["${steps.large.artifacts.0}"]
        seed: "${steps.base.meta.seed?}"
  outputs: [film, words]
"""


def poster() -> Pipeline:
    """The same in Python."""
    pipeline = Pipeline(
        "poster",
        description="A poster.",
        inputs={
            "idea": str,
            "style": Literal["photo", "paint"],
            "photo": Image,
            "large": {"type": "boolean", "default": False},
        },
    )
    given = pipeline.input
    words = pipeline.step("words", "write", prompt=f"{given.idea}, a {given.style}")
    base = pipeline.step(
        "base",
        "draw",
        prompt=words.text,
        seed=7,
        image=given.photo,
        input={"note": "${input.x}"},
        needs=[words],
    )
    large = pipeline.step(
        "large",
        "draw",
        prompt="larger",
        image=base.artifacts[0],
        when=given.large.is_(True),
        on_failure="skip",
    )
    film = pipeline.step(
        "film",
        "film",
        images=concat([base.artifacts[0]], when(large.artifacts.exists(), [large.artifacts[0]])),
        seed=base.meta.seed.optional,
    )
    pipeline.outputs(film, "words")
    return pipeline


def read(text: str) -> PipelineSpec:
    """The pipeline of a YAML text."""
    from boards.pipelines.reader import read_document
    from boards.spec import yaml
    from boards.spec.places import Problems

    problems = Problems()
    document = yaml.parse(text, "poster.yaml", problems)
    assert document is not None
    spec = read_document(document, problems)
    assert spec is not None, problems.errors
    return spec


def test_python_says_what_yaml_says() -> None:
    """Both are one specification, and it is written back as the same YAML."""
    assert poster().spec == read(YAML)
    assert read(to_yaml(poster().document)) == read(YAML)
    assert from_document(poster().document["pipeline"]) == read(YAML)


def test_a_class_of_the_dsl_is_a_step() -> None:
    """The pipeline brings its generator along."""

    class Draw(Generator, name="draw", provider="acme", artifact="image"):
        prompt: str
        submit = post("/run", json={"x": 1})
        outputs = body.url

    pipeline = Pipeline("one")
    pipeline.step("draw", Draw, prompt="a cat")
    assert pipeline.spec.steps["draw"].generator == "acme/draw"
    assert [one.spec.id for one in pipeline.records] == ["acme/draw"]


def test_mistakes_are_told_at_their_lines() -> None:
    """All of them."""
    pipeline = Pipeline("wrong", inputs={"idea": str, "odd": object})
    base = pipeline.step("base", "draw", prompt=pipeline.input.ida)
    pipeline.step("next", "draw", prompt=base.txt, on_failure="explode")
    pipeline.step("last", "draw", image=base.artifacts[0].file)
    with pytest.raises(SpecError) as caught:
        _ = pipeline.spec
    told = {one.message.removeprefix("error: "): one for one in caught.value.problems}
    assert any("the input 'odd': object is no type" in one for one in told)
    policy = next(one for message, one in told.items() if "'explode' is not allowed" in message)
    assert "test_building.py" in policy.where
    assert 'on_failure="explode"' in policy.source


def test_references_are_told_at_their_lines() -> None:
    """In an f-string, too."""
    pipeline = Pipeline("wrong", inputs={"idea": str})
    base = pipeline.step("base", "draw", prompt=f"of {pipeline.input.ida}")
    pipeline.step("next", "draw", prompt=base.txt)
    with pytest.raises(SpecError) as caught:
        _ = pipeline.spec
    first, second = caught.value.problems
    assert "there is no 'ida'" in first.message
    assert "prompt=f" in first.source
    assert "a step has no 'txt'; did you mean 'text'?" in second.message


def test_a_name_is_given_once() -> None:
    """The second one is an error at once."""
    pipeline = Pipeline("twice")
    pipeline.step("one", "draw")
    with pytest.raises(TypeError, match="has a step 'one' already"):
        pipeline.step("one", "draw")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Pipeline("p", inputs=["idea"]), "inputs are types by name, .* not ..idea..$"),
        (lambda: Pipeline("p").step(3, "x"), "a step's name is a text, not 3"),
        (lambda: Pipeline("p").step("a", 3), "a name or a class of boards.dsl, not 3"),
        (lambda: Pipeline("p").step("a", int), "a name or a class of boards.dsl, not <class"),
        (lambda: Pipeline("p").step("a", "x", input=["b"]), "a mapping of inputs by name, not"),
        (lambda: Pipeline("p").step("a", "x", needs="base"), r"a list of steps, \['base'\], not"),
        (lambda: Pipeline("p").step("a", "x", needs=[3]), "or a name, not 3"),
        (lambda: Pipeline("p").outputs(3), "or a name, not 3"),
    ],
)
def test_an_argument_of_a_wrong_type_is_told_at_once(
    wrong: Callable[[], Any], message: str
) -> None:
    """By what it should be."""
    with pytest.raises(TypeError, match=message):
        wrong()


def test_one_step_is_no_list_of_steps() -> None:
    """Neither its name nor what stands for it."""
    pipeline = Pipeline("p")
    base = pipeline.step("base", "x")
    with pytest.raises(TypeError, match=r"needs is a list of steps, \[steps.base\]"):
        pipeline.step("next", "x", needs=base)  # type: ignore[arg-type]
