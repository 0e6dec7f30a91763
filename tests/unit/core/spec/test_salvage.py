"""A document with mistakes is read as far as it can be, for the checker alone."""

import json
import textwrap

import attrs
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.spec.mistakes import BASE

from boards.spec import model, yaml
from boards.spec.check import check_documents
from boards.spec.grammar import keys_of
from boards.spec.operators import OPERATORS
from boards.spec.places import Document, Problems
from boards.spec.predicates import PREDICATES
from boards.spec.reader import SpecFile, read_document
from boards.spec.salvage import salvage


def parse(text: str) -> Document:
    document = yaml.parse(textwrap.dedent(text), "f.yaml", Problems())
    assert document is not None
    return document


def messages(text: str) -> list[str]:
    problems = Problems()
    check_documents([parse(text)], problems)
    return [one.message.removeprefix("error: ") for one in problems.errors]


def test_what_has_no_mistake_is_read_as_ever() -> None:
    """Nothing is stood in for."""
    document = parse(BASE)
    file, known = salvage(document)
    assert file == read_document(document, Problems())
    assert known == frozenset()


def test_nothing_of_a_newer_language_is_judged() -> None:
    """Its mistakes may be none."""
    assert salvage(parse("spec: 2\ngenerators: [{}]")) == (SpecFile(), frozenset())


def test_a_value_that_cannot_be_read_brings_no_further_mistake() -> None:
    """A broken capture, let, predicate or schema is told, and nothing that comes of it."""
    text = """
        providers:
          p: {config: {base_url: "https://p.test"}, auth: {kind: none}}
        generators:
          - name: g
            provider: p
            artifact_type: image
            io: {input_schema: 5}
            execution:
              let: {a: "${oops"}
              submit:
                capture: {id: "bo dy"}
                variants:
                  - {when: {exists: "in put"}, path: "/${let.a}/${input.x}"}
                  - {path: "/y"}
              poll: {path: "/${job.id}"}
              status: {at: body.s, map: {a: dnoe}, unknwon: fail}
              extract: {outputs: [{form: body.x}]}
    """
    assert [one.split(";")[0][:60] for one in messages(text)] == [
        "expected a JSON Schema of an object",
        "token '${oops' is not closed",
        "'bo dy' is not a path: stuck at ' dy'",
        "'in put' is not a path: stuck at ' put'",
        "'dnoe' is not allowed here",
        "unknown key 'unknwon'",
        "unknown key 'form'",
    ]


def test_what_stands_beside_a_mistake_is_checked() -> None:
    """In the same body, the same list, the same mapping."""
    text = """
        generators:
          - name: g
            provider: p
            artifact_type: image
            io: {input_schema: {properties: {a: {type: integer}}}}
            execution:
              submit:
                path: /x
                json:
                  {one: "${oops", two: ["{{b}}", "${input.b}"], three: {$mpa: 1}}
                query: {four: "${input.a}"}
              extract: {outputs: [{from: x}, 5, {from: y}]}
            oops: 1
    """
    found = messages(text)
    assert len(found) == 9
    for told in (
        "is not closed",
        "'{{'",
        "no 'b'",
        "'$mpa'",
        "may be absent",
        "'x' begins",
        "not 5",
    ):
        assert [one for one in found if told in one], told


KEYS = sorted(
    {
        "variants",
        *PREDICATES,
        *(key for name, beside in OPERATORS.items() for key in (name, *beside)),
        *(
            key
            for one in vars(model).values()
            if isinstance(one, type) and attrs.has(one)
            for key in keys_of(one)
        ),
    }
)
"""Every key of the language."""
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["${input.a}", "body.x", "{{", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(documents, documents)
def test_anything_can_be_checked(provider: object, generator: object) -> None:
    """Whatever stands in a document, mistakes are told and nothing is raised."""
    text = json.dumps({"providers": {"p": provider}, "generators": [generator]})
    problems = Problems()
    check_documents([parse(text)], problems)
    assert problems.errors
