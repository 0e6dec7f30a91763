"""YAML as the language reads it: scalars, places, and limits against hostile files."""

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.errors import SpecError
from boards.spec import yaml
from boards.spec.places import Document, Mapping, Problems, Sequence, plain


def load(text: str) -> Any:
    """The value of a text without mistakes."""
    problems = Problems()
    document = yaml.parse(text, "f.yaml", problems)
    assert document is not None
    assert problems.errors == []
    return plain(document.root)


def mistakes(text: str) -> list[tuple[str, str]]:
    """Where and what is wrong with a text."""
    problems = Problems()
    yaml.parse(text, "f.yaml", problems)
    return [
        (one.where.removeprefix("f.yaml:"), one.message.removeprefix("error: "))
        for one in problems.errors
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("18446744073709551615", 18446744073709551615),
        ("12345678901234567890123", 12345678901234567890123),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1e3", 1000.0),
        ("1E-2", 0.01),
        ("2.5e+1", 25.0),
    ],
)
def test_words_and_numbers_have_types(text: str, value: Any) -> None:
    """Only JSON's words and numbers, and the empty value, are anything but text."""
    found = load(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "no",
            "yes",
            "on",
            "off",
            "True",
            "FALSE",
            "Null",
            "~",
            "012",
            "-01",
            "0x10",
            "0o7",
            "16:9",
            "10:30:00",
            "2024-11-06",
        ],
        *["1_000", "+1", ".5", "1.", ".inf", ".nan", "1e", "1.5s", "1,5", "١٢", "="],
    ],
)
def test_all_else_is_text(text: str) -> None:
    """What YAML 1.1 would turn into booleans, octals, sexagesimals or dates stays text."""
    assert load(f"a: {text}") == {"a": text}


@pytest.mark.parametrize("text", ["'true'", '"true"', "|-\n  true", ">-\n  true"])
def test_what_is_quoted_is_text(text: str) -> None:
    """Quotes and blocks make text of anything."""
    assert load(f"a: {text}") == {"a": "true"}
    assert load("a: ''") == {"a": ""}


@pytest.mark.parametrize("word", ["no", "Yes", "True", "OFF", "~", "Null"])
def test_look_alikes_are_told(word: str) -> None:
    """A text that YAML 1.1 reads otherwise gets a warning, not an error."""
    problems = Problems()
    yaml.parse(f"a: {word}", "f.yaml", problems)
    (warning,) = problems.warnings
    assert warning.where == "f.yaml:1:4"
    assert problems.errors == []


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 400, f"0.{'1' * 400}"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    """A number that JSON cannot carry is an error, not infinity."""
    ((where, message),) = mistakes(f"a: {text}")
    assert where == "1:4"
    assert "digits" in message


def test_keys_are_texts_as_written() -> None:
    """A key is never read as a number or a word."""
    assert load("1.10: a\ntrue: b\nnull: c\n012: d\n1e3: e\nno: f") == {
        "1.10": "a",
        "true": "b",
        "null": "c",
        "012": "d",
        "1e3": "e",
        "no": "f",
    }


def test_duplicate_keys_are_told_with_the_first() -> None:
    """Each duplicate is an error that names the line of the first; quotes make no difference."""
    found = mistakes("a: 1\nb: 2\n'a': 3\nb: 4\n")
    assert found == [
        ("3:1", "duplicate key 'a', first at line 1"),
        ("4:1", "duplicate key 'b', first at line 2"),
    ]


def test_anchors_and_merges() -> None:
    """An alias is its anchor's value; ``<<`` fills in what the mapping does not say itself."""
    text = """
        base: &base {a: 1, b: {c: 2}}
        more: &more {b: 9, d: 4}
        one: {<<: *base, a: 5}
        two: {<<: [*base, *more]}
        three: {z: *base}
    """
    value = load(textwrap.dedent(text))
    assert value["one"] == {"a": 5, "b": {"c": 2}}
    assert value["two"] == {"a": 1, "b": {"c": 2}, "d": 4}
    assert value["three"] == {"z": {"a": 1, "b": {"c": 2}}}


def test_a_merged_key_keeps_its_place() -> None:
    """A mistake in what was merged is told where it is written."""
    problems = Problems()
    document = yaml.parse("x: &x {kee: 1}\ny:\n  <<: *x\n", "f.yaml", problems)
    assert document is not None
    assert document.root["y"].key_places["kee"].line == 1


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a: !!str 5", "1:4", "tags such as tag:yaml.org,2002:str"),
        ("a: !!python/object/apply:os.system [id]", "1:4", "tags such as"),
        ("a:\n  - !env X", "2:5", "tags such as !env"),
        ("a: 1\n---\nb: 2", "2:1", "a second document"),
        ("a: *nowhere", "1:4", "unknown alias *nowhere"),
        ("a: &a [*a]", "1:8", "unknown alias *a"),
        ("a: {<<: 5}", "1:9", "<< takes a mapping"),
        ("? [a]\n: 1", "1:3", "a key must be a text"),
        ("x: &x {}\n*x : 1", "2:1", "a key must be a text"),
        ("a: [1, 2\nb: 3", "2:2", "while parsing a flow sequence"),
        ("a: 1\n  b: 2", "2:4", "mapping values are not allowed"),
        ("ä: é\nb: 'x", "2:6", "while scanning a quoted scalar"),
        ("a:\n\tb: 1", "2:1", "cannot start any token"),
        ("a: b\nc: d\x07", "2:5", "U+0007 is not allowed"),
        ("ä: \x00", "1:4", "U+0000 is not allowed"),
        ("a: \ud800", "1:1", "not Unicode text"),
    ],
)
def test_mistakes_have_their_place(text: str, where: str, message: str) -> None:
    """What cannot be read is told once, at its line and column."""
    ((found, told),) = mistakes(text)
    assert found == where
    assert message in told


def test_the_line_is_quoted_with_a_caret() -> None:
    """A problem shows the source line; nothing in it reaches a terminal as a control character."""
    problems = Problems()
    yaml.parse("ok: 1\nab: \x1b[31mred", "f.yaml", problems)
    assert str(problems.errors[0]).endswith("    ab:  [31mred\n        ^")


def test_of_a_long_line_the_part_around_is_quoted() -> None:
    """The caret points at the mistake wherever it stands."""
    problems = Problems()
    yaml.parse(f"a: [{'x, ' * 200}*none]", "f.yaml", problems)
    line, caret = problems.errors[0].source.splitlines()
    assert len(line) < 170
    assert line[caret.index("^") :].startswith("*none]")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "%YAML 1.2\n---\n"])
def test_an_empty_file_defines_nothing(text: str) -> None:
    """Nothing is not a mistake."""
    assert not load(text)


@pytest.mark.parametrize("text", ["\ufeffa: ü\n", "a: ü\r\n", "a: ü\r", "---\na: ü\n...\n"])
def test_files_of_other_editors_are_read(text: str) -> None:
    """A byte order mark, other line ends and document marks do no harm."""
    assert load(text) == {"a": "ü"}


def test_every_node_knows_its_place() -> None:
    """Keys, values and items stand where they are written."""
    problems = Problems()
    document = yaml.parse("a:\n  b: [10, {c: x}]\n", "f.yaml", problems)
    assert isinstance(document, Document)
    inner = document.root["a"]
    assert isinstance(inner, Mapping)
    items = inner["b"]
    assert isinstance(items, Sequence)
    assert str(inner.key_places["b"]) == "f.yaml:2:3"
    assert str(inner.value_places["b"]) == "f.yaml:2:6"
    assert [str(place) for place in items.item_places] == ["f.yaml:2:7", "f.yaml:2:11"]
    assert str(items[1].value_places["c"]) == "f.yaml:2:15"


# Hostile files


def test_the_limits_are_exact() -> None:
    """100 levels, 50,000 nodes and 1 MiB pass; one more does not."""
    deep = yaml.MAX_DEPTH
    assert mistakes("[" * deep + "]" * deep) == []
    assert "nested deeper" in mistakes("[" * (deep + 1) + "]" * (deep + 1))[0][1]
    many = yaml.MAX_NODES
    assert mistakes(f"[{'a,' * (many - 1)}]") == []
    assert "more than 50,000 nodes" in mistakes(f"[{'a,' * many}]")[0][1]
    assert mistakes("a" * yaml.MAX_BYTES) == []
    assert "longer than" in mistakes("a" * (yaml.MAX_BYTES + 1))[0][1]
    assert "longer than" in mistakes("ä" * (yaml.MAX_BYTES // 2 + 1))[0][1]


def test_aliases_count_as_what_they_expand_to() -> None:
    """50,000 nodes are counted after aliases, merges included."""
    half = f"a: &a [{'x,' * 24_000}]\nb: *a\n"
    assert mistakes(half) == []
    assert "nodes" in mistakes(half + "c: *a")[0][1]
    merges = "a: &a {x: 1, y: 2}\n" + "".join(f"b{i}: {{<<: *a}}\n" for i in range(9_000))
    assert "nodes" in mistakes(merges)[0][1]


_LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
_HOSTILE = {
    "deep flow sequences": "[" * 100_000,
    "deep flow mappings": "{a: " * 100_000,
    "deep blocks": "- " * 100_000,
    "deep keys": "? " * 100_000,
    "billion laughs": _LAUGHS,
    "many documents": "---\n" * 100_000,
    "many quotes": "'" * 500_001,
    "a long tag": "!" * 500_000,
    "many duplicates": "{" + "a," * 20_000 + "}",
    "many anchors": "".join(f"- &a{i} x\n" for i in range(24_000)) + "- *none",
}


@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_hostile_texts_are_refused_quickly(text: str) -> None:
    """What is built to crash or stall is an error within a second."""
    start = time.process_time()
    assert mistakes(text)
    assert time.process_time() - start < 1


def test_hostile_files_cost_no_memory(tmp_path: Path) -> None:
    """A 50 MB file, binary rubbish and nested text are clear errors in under 100 MB of memory."""
    (tmp_path / "large.yaml").write_bytes(b"a: b\n" * 10_000_000)
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "utf16.yaml").write_bytes("a: 1".encode("utf-16"))
    (tmp_path / "deep.yaml").write_text("[" * 100_000)
    (tmp_path / "laughs.yaml").write_text(_LAUGHS)
    script = """
        import json, pathlib, re, resource, sys, time
        from boards.errors import SpecError
        from boards.spec.places import Problems
        from boards.spec.reader import read_file
        told = {}
        for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
            problems, start = Problems(), time.process_time()
            try:
                read_file(path, problems)
                message = problems.errors[0].message
            except SpecError as error:
                message = error.message
            told[path.stem] = [message, time.process_time() - start]
        # On Linux a new process begins with the peak of the one that started it, but for VmHWM.
        status = pathlib.Path("/proc/self/status")
        if status.exists():
            peak = 1024 * int(re.search("VmHWM: *([0-9]+)", status.read_text().expandtabs())[1])
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([told, peak]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    told, peak = json.loads(done.stdout)
    assert peak < 100_000_000
    assert all(seconds < 1 for _, seconds in told.values())
    messages = {name: message for name, (message, _) in told.items()}
    assert "at most 1,048,576 bytes" in messages["large"]
    assert "is not UTF-8" in messages["binary"]
    assert "is not UTF-8" in messages["utf16"]
    assert "nested deeper" in messages["deep"]
    assert "nodes" in messages["laughs"]


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A file that is not there, or is a directory, is an error of the spec, with its path."""
    for path in (tmp_path / "nowhere.yaml", tmp_path):
        with pytest.raises(SpecError, match=r"cannot be read") as caught:
            yaml.load(path)
        assert str(path) in caught.value.message


@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader raise."""
    problems = Problems()
    assert yaml.parse(text, "f.yaml", problems) is not None or problems.errors


@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@`#ab \n\t01.<", max_size=60))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    """No arrangement of YAML's own characters makes the reader raise."""
    problems = Problems()
    assert yaml.parse(text, "f.yaml", problems) is not None or problems.errors


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=40), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_json)
def test_json_is_read_as_json(value: Any) -> None:
    """A JSON document has the same value and the same types as YAML."""
    text = json.dumps(value)
    if '"<<"' not in text and "\\ud" not in text:  # JSON spells astral characters as surrogates
        assert repr(load(text)) == repr(value)
