"""Specs written as documents and as YAML."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec import yaml
from boards.spec.places import Problems, plain
from boards.spec.reader import SpecFile, read_text
from boards.spec.writing import file_document, to_yaml

_ROOT = Path(__file__).parents[4]
_FILES = sorted(
    [*_ROOT.glob("plugins/*/src/*/specs/*.yaml"), *_ROOT.glob("tests/data/seed-config/*.yaml")]
)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_LOOK_ALIKES = st.sampled_from(
    [
        "42",
        "1_000",
        "None",
        "${x}",
        "16:9",
        "no",
        "null",
        "~",
        "0x1",
        "1e5",
        "y",
        "-",
        "012",
        "|",
        "#",
        "2024-11-06",
        ".inf",
        "[1, 2]",
        "# x",
        "- a",
        "a: b",
        "a #b",
        " a",
        "a ",
        "",
        "a\n b\n",
        "a\n\nb",
        "{a: b}",
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | _LOOK_ALIKES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_TEXT.filter(lambda name: name != "<<"), inner, max_size=4)
    ),
    max_leaves=20,
)


def _read(text: str) -> SpecFile:
    problems = Problems()
    read = read_text(text, "test.yaml", problems)
    assert not problems.errors
    return read


@given(_JSON)
def test_yaml_reads_back_as_the_same_values_of_the_same_types(value: object) -> None:
    problems = Problems()
    document = yaml.parse(to_yaml({"value": value}), "test.yaml", problems)
    assert document is not None
    assert not problems.errors
    assert repr(plain(document.root)) == repr({"value": value})


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parts[-4]}-{path.name}")
def test_a_written_file_reads_back_as_equal_specs_and_writes_the_same_again(path: Path) -> None:
    read = _read(path.read_text())
    text = to_yaml(file_document(read.providers, read.generators))
    again = _read(text)
    assert again == read
    assert to_yaml(file_document(again.providers, again.generators)) == text


def test_short_mappings_stand_on_a_line_and_long_texts_in_blocks() -> None:
    document = {"auth": {"kind": "bearer"}, "every": "500ms", "text": "a\nb\n", "ratio": "16:9"}
    assert to_yaml(document) == (
        'auth: {kind: bearer}\nevery: 500ms\ntext: |\n  a\n  b\nratio: "16:9"\n'
    )
