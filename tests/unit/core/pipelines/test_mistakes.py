"""Mistakes in a pipeline are told before anything is begun, each at its place."""

import sys
import textwrap
from typing import Any

import pytest

from boards.errors import NotFoundError
from boards.pipelines.checking import Known, LookUp, check_document
from boards.pipelines.model import PipelineSpec
from boards.pipelines.reader import from_document
from boards.spec import yaml
from boards.spec.inputs import InputSchema
from boards.spec.places import Problems
from boards.spec.writing import document_of, to_yaml

GOOD = """\
spec: 1
pipeline:
  name: poster
  inputs:
    idea: {type: string}
    photo: {type: string, format: image, default: null}
    large: {type: boolean, default: false}
  steps:
    words:
      generator: acme/write
      input: {prompt: "A prompt for: ${input.idea}"}
    base:
      generator: acme/draw
      input: {prompt: "${steps.words.text}", image: "${input.photo?}"}
    large:
      generator: acme/draw
      when: {eq: [input.large, true]}
      on_failure: skip
      input: {prompt: larger, image: "${steps.base.artifacts.0}", seed: "${steps.base.meta.seed}"}
    film:
      generator: acme/film
      input:
        images:
          $concat:
            - ["${steps.base.artifacts.0}"]
            - {$each: "${steps.large.artifacts?}", do: "${item}"}
  outputs: [film]
"""


def known(name: str, makes: str, **properties: Any) -> Known:
    """A generator as the checker knows it."""
    schema = {"type": "object", "required": ["prompt"], "properties": properties}
    if "prompt" not in properties:
        del schema["required"]
    return Known(f"acme/{name}", makes, InputSchema(schema))


TEXT, FILE = {"type": "string"}, {"type": "string", "format": "image"}
FILES, SOUND = {"type": "array", "items": FILE}, {"type": "string", "format": "audio"}
GENERATORS = {
    one.id: one
    for one in (
        known("write", "text", prompt=TEXT),
        known("draw", "image", prompt=TEXT, image=FILE, seed={"type": "integer", "maximum": 99}),
        known("film", "video", images=FILES, sound=SOUND),
    )
}


def look_up(name: str) -> Known | None:
    """What is installed."""
    if name not in GENERATORS:
        raise NotFoundError(f"There is no generator {name!r}.")
    return GENERATORS[name]


def checked(text: str, finder: LookUp | None = look_up) -> tuple[PipelineSpec | None, Problems]:
    """A pipeline, and what is wrong with it."""
    problems = Problems()
    document = yaml.parse(text, "p.yaml", problems)
    assert document is not None
    return check_document(document, problems, finder), problems


def test_a_pipeline_without_mistakes_reads_and_reads_back() -> None:
    """What the store keeps of it is the same pipeline."""
    spec, problems = checked(GOOD)
    assert not problems.errors, problems.errors
    assert not problems.warnings
    assert spec is not None
    assert from_document(document_of(spec)) == spec
    text = to_yaml({"spec": 1, "pipeline": document_of(spec)})
    assert checked(text)[0] == spec
    assert spec.results == ("film",)
    assert spec.steps["film"].awaits == ("base", "large")
    assert spec.steps["film"].takes == {"base"}


def step(**keys: Any) -> str:
    """A pipeline of two steps, the second as a test has it."""
    lines = "".join(f"\n      {key}: {value}" for key, value in keys.items())
    return textwrap.dedent("""\
    pipeline:
      name: two
      inputs: {idea: {type: string}, photo: {type: string, format: image}}
      steps:
        one:
          generator: acme/draw
          input: {prompt: "${input.idea}", image: "${input.photo}"}
        two:""") + textwrap.indent(lines, "")


DRAW = "acme/draw"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (step(generator="acme/drow"), "9:18", "There is no generator 'acme/drow'"),
        (step(genrator=DRAW), "9:7", "unknown key 'genrator'; did you mean 'generator'?"),
        (step(generator=DRAW, input="{promt: a}"), "10:15", "no input 'promt'; did you mean"),
        (step(generator=DRAW, input="{seed: 3}"), "10:14", "acme/draw needs 'prompt'"),
        (
            step(generator=DRAW, input="{prompt: a, seed: 100}"),
            "10:32",
            "seed must be at most 99, not 100",
        ),
        (
            step(generator=DRAW, input='{prompt: "${steps.ona.text}"}'),
            "10:24",
            "there is no step 'ona'; did you mean 'one'?",
        ),
        (
            step(generator=DRAW, input='{prompt: "${steps.one.text}"}'),
            "10:24",
            "acme/draw makes image, and no text",
        ),
        (
            step(generator=DRAW, input='{prompt: "${steps.one.artefacts.0}"}'),
            "10:24",
            "a step has no 'artefacts'; did you mean 'artifacts'?",
        ),
        (
            step(generator=DRAW, input='{prompt: "of ${steps.one.artifacts.0}"}'),
            "10:27",
            "is a file, which cannot stand in a text",
        ),
        (
            step(generator=DRAW, input='{prompt: "${steps.one.artifacts.0}"}'),
            "10:24",
            "is a file, and 'prompt' of acme/draw takes none",
        ),
        (
            step(generator=DRAW, input='{prompt: a, image: "${steps.one.artifacts}"}'),
            "10:34",
            "'image' of acme/draw takes one file: ${steps.one.artifacts.0}",
        ),
        (
            step(generator="acme/film", input='{images: "${steps.one.artifacts.0}"}'),
            "10:24",
            "takes a list",
        ),
        (
            step(generator="acme/film", input='{sound: "${steps.one.artifacts.0}"}'),
            "10:23",
            "acme/draw makes image, and 'sound' of acme/film takes audio",
        ),
        (
            step(generator=DRAW, input='{prompt: "${input.ide}"}'),
            "10:24",
            "there is no 'ide'; did you mean 'idea'?",
        ),
        (
            step(generator=DRAW, input='{prompt: "${input.photo}"}'),
            "10:24",
            "${input.photo} is a file, and 'prompt' of acme/draw takes none",
        ),
        (
            step(generator=DRAW, input='{prompt: "${job.id}"}'),
            "10:24",
            "'job' is not known here; known: input, steps",
        ),
        (
            step(generator=DRAW, input='{prompt: "${input.photo|base64}"}'),
            "10:24",
            "a file is passed on as it is, without a filter",
        ),
        (
            step(generator=DRAW, input="{prompt: a}", needs="[tow]"),
            "11:14",
            "there is no step 'tow'",
        ),
        (
            step(generator=DRAW, input="{prompt: a}", needs="[two]"),
            "11:14",
            "the step 'two' cannot wait for itself",
        ),
        (
            step(generator=DRAW, input="{prompt: a}", when="{eq: [body.x, 1]}"),
            "11:19",
            "begins with none of input, steps",
        ),
        (
            step(generator=DRAW, input="{prompt: a}", when="{eq: [steps.uno.status, x]}"),
            "11:19",
            "there is no step 'uno'",
        ),
        (
            step(generator=DRAW, input="{prompt: a}", when="{exists: steps.one.artifacts.0}"),
            "11:22",
            "'steps.one.artifacts.0': artifacts are numbered: artifacts[0] is the first",
        ),
        (
            step(
                generator=DRAW,
                input="{prompt: a}",
                when="{eq: ['steps.one.artifacts[0].widht', 7]}",
            ),
            "11:19",
            "an artifact has no 'widht'; did you mean 'width'?",
        ),
        (
            step(generator=DRAW, input="{prompt: a}", when="{eq: [steps.one.status, success]}"),
            "11:19",
            "steps.one.status is never 'success'; known: 'succeeded', 'failed', 'skipped'",
        ),
        (
            step(
                generator=DRAW, input="{prompt: a}", when="{not: {eq: [input.large, 'yes']}}"
            ).replace("photo: {", "large: {type: boolean, default: false}, photo: {"),
            "11:25",
            "input.large is never 'yes'; known: true, false",
        ),
        (
            step(generator=DRAW, input="{prompt: a}", on_failure="ignore"),
            "11:19",
            "'ignore' is not allowed here; known: fail, skip, continue",
        ),
        (step(generator=DRAW, input="[a]"), "10:14", "input is a mapping of inputs by name"),
        (
            step(generator=DRAW, input="{prompt: {$secret: api_key}}"),
            "10:23",
            "$secret has no place here",
        ),
        ("pipelines: {}", "1:1", "unknown key 'pipelines'; did you mean 'pipeline'?"),
        ("pipeline: {name: x, steps: {}}", "1:28", "a pipeline has at least one step"),
        (
            "pipeline: {name: x, inputs: {n: {type: integer, default: a}}, steps: {}}",
            "1:58",
            "the default of n must be an integer, not the string 'a'",
        ),
        (
            "pipeline: {name: x, outputs: [y], steps: {x: {generator: acme/film}}}",
            "1:30",
            "there is no step 'y'",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(text: str, place: str, message: str) -> None:
    """File, line and column, and what was meant."""
    _, problems = checked(text)
    told = [(one.where.removeprefix("p.yaml:"), one.message) for one in problems.errors]
    assert any(at == place and message in said for at, said in told), told


def test_steps_in_a_circle_are_told_once() -> None:
    """With all that wait for each other."""
    _, problems = checked("""\
pipeline:
  name: circle
  steps:
    a: {generator: acme/draw, input: {prompt: a, image: "${steps.c.artifacts.0}"}}
    b: {generator: acme/draw, input: {prompt: b, image: "${steps.a.artifacts.0}"}}
    c: {generator: acme/draw, input: {prompt: c}, needs: [b]}
""")
    (error,) = problems.errors
    assert "steps wait for each other in a circle: a needs c needs b needs a" in error.message


def test_what_may_be_absent_is_taken_with_a_question_mark() -> None:
    """An optional input, and the result of a step after which the run continues."""
    text = """\
pipeline:
  name: p
  inputs: {photo: {type: string, format: image, default: null}}
  steps:
    a: {generator: acme/draw, on_failure: continue, input: {prompt: a, image: "${input.photo%s}"}}
    b: {generator: acme/draw, input: {prompt: b, image: "${steps.a.artifacts.0%s}"}}
    c:
      generator: acme/draw
      input:
        prompt: c
        image:
          $when: {exists: steps.a.artifacts}
          then: "${steps.a.artifacts.0}"
"""
    assert not checked(text % ("?", "?"))[1].errors
    told = [one.message for one in checked(text % ("", ""))[1].errors]
    assert ["may be absent" in one for one in told] == [True, True]


def test_an_input_that_no_step_uses_is_a_warning() -> None:
    """It is allowed."""
    _, problems = checked(
        "pipeline: {name: p, inputs: {a: {}}, steps: {x: {generator: acme/film}}}"
    )
    assert [one.message for one in problems.warnings] == ["warning: the input 'a' is not used"]


def test_what_is_not_installed_is_not_checked() -> None:
    """A model that is imported at its first use, for example; the rest is."""
    spec, problems = checked(step(generator="acme/later", input="{x: 1}"), lambda _: None)
    assert spec is not None
    assert not problems.errors
    assert "nothing is known of 'acme/later' yet" in problems.warnings[1].message


def told(text: str) -> list[str]:
    """The lines of all mistakes and warnings, each with what it is about."""
    _, problems = checked(text)
    return [
        f"{one.where.split(':')[1]} {one.message}" for one in (*problems.errors, *problems.warnings)
    ]


def test_mistakes_of_reading_and_of_checking_are_told_in_one_round() -> None:
    """What cannot be read hides nothing of the rest, and makes up no mistake of its own."""
    text = """\
pipeline:
  name: two words
  colour: red
  inputs:
    idea: {type: string}
    photo: 7
  steps:
    one:
      generator: acme/draw
      on_failure: explode
      input: {prompt: "${input.idea", image: "${input.photo}"}
    two:
      generator: acme/drow
      input: {prompt: "${input.idae}", image: "${steps.one.artifacts.0}"}
    three:
      input: {prompt: "${steps.two.text}"}
    four:
      generator: acme/draw
      neds: [one]
      when: {is: [steps.one.status, succeeded]}
      input: {prompt: x, image: "${steps.fuor.artifacts.0}", sede: 1}
    five: []
  outputs: [fiv]
"""
    found = told(text)
    lines = [int(one.split()[0]) for one in found]
    assert lines == [2, 3, 6, 10, 11, 13, 14, 16, 19, 20, 21, 21, 22, 23], "\n".join(found)
    assert not any("warning" in one for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "pipeline: 7\n",
        "pipeline: {name: x}\n",
        "pipeline: {name: x, steps: []}\n",
        "pipeline: {name: x, steps: {a: {generator: 7}}}\n",
        "pipeline: {name: x, inputs: [], steps: {a: {generator: acme/film, input: {}}}}\n",
        "spec: 1\n",
        "[]\n",
    ],
)
def test_what_cannot_be_read_at_all_is_told_once(text: str) -> None:
    """One mistake is one line."""
    assert len(told(text)) == 1


def test_a_long_chain_is_checked_however_it_is_written() -> None:
    """Longer than Python's stack is deep; a circle of as many is told."""
    count = 2 * sys.getrecursionlimit()
    lines = [f"    s{n}: {{generator: acme/draw, needs: [s{n + 1}]}}" for n in range(count)]
    head = "pipeline:\n  name: chain\n  steps:\n" + "\n".join(lines)
    spec, problems = checked(f"{head}\n    s{count}: {{generator: acme/draw}}\n", None)
    assert spec is not None
    assert not problems.errors
    _, problems = checked(f"{head}\n    s{count}: {{generator: acme/draw, needs: [s0]}}\n", None)
    (error,) = problems.errors
    assert "steps wait for each other in a circle: s0 needs s1 needs s2" in error.message
