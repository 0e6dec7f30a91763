"""A fixture is added to a file as text: all else in it stays."""

import os
from pathlib import Path
from typing import Any

import pytest

from boards.spec.writing import to_yaml
from boards.testing.fixtures.inserting import NotInsertedError, inserted
from boards.textfiles import replace_text

FIXTURE: dict[str, Any] = {
    "name": "new",
    "input": {"prompt": "a: fox"},
    "exchanges": [{"expect": {"method": "POST"}, "reply": {"status": 402, "json": {}}}],
    "raises": "quota",
}
NEW = "".join(f"    {line}\n" for line in to_yaml({"tests": [FIXTURE]}).splitlines())
ONE = """\
# of mine
generators:
  - name: draw  # this one
    provider: acme
    execution: {submit: {path: /x}}
"""
OTHER = """\

  # the other
  - name: paint
    provider: acme
"""
TESTS = """\
    tests:
      - name: old
        exchanges: []  # none

      # the last
      - name: older
        text: |
          a
            b

          c
"""


def without_blanks(text: str) -> list[str]:
    """The lines, for a comparison that the house style of YAML may not break."""
    return [line for line in text.splitlines() if line.strip()]


def test_it_follows_the_tests_that_are_there() -> None:
    """In their indentation; comments stay where they were."""
    for rest in ("", OTHER, "    docs: https://acme.test\n", "      # a comment\n"):
        found = inserted(f"{ONE}{TESTS}{rest}", "acme/draw", FIXTURE)
        lines = without_blanks(found)
        before = without_blanks(f"{ONE}{TESTS}")
        assert lines[: len(before)] == before
        assert lines[len(before)] == "      - name: new"
        assert lines[len(lines) - len(without_blanks(rest)) :] == without_blanks(rest)


@pytest.mark.parametrize("rest", ["", OTHER, "\n# the end\n"])
def test_a_generator_without_tests_gets_them(rest: str) -> None:
    """At its end."""
    found = inserted(f"{ONE}{rest}", "acme/draw", FIXTURE)
    assert found == f"{ONE}{NEW}{rest}"


def test_a_list_that_is_not_indented_stays_so() -> None:
    """YAML allows the dash under the key."""
    text = ONE + "    tests:\n    - name: old\n    docs: x\n"
    found = inserted(text, "acme/draw", FIXTURE)
    assert "\n    - name: new\n" in found
    assert found.endswith("    docs: x\n")


def test_a_file_without_a_last_line_break_gets_one() -> None:
    """And one of Windows keeps its own."""
    assert inserted(ONE.rstrip("\n"), "acme/draw", FIXTURE).startswith(ONE)
    found = inserted(ONE.replace("\n", "\r\n"), "acme/draw", FIXTURE)
    assert "\n" not in found.replace("\r\n", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ONE, "does not define acme/other"),
        (ONE + "    tests: []\n", "not a list with an entry"),
        (ONE + "    tests: [{name: old}]\n", "not written as a block"),
        ("generators: [{name: draw, provider: acme}]\n", "not written as a block"),
        (ONE + "    tests: [\n", "has mistakes"),
        (
            "a: &t\n      - name: old\n" + ONE + "    tests: *t\n",
            "would say something else",
        ),
    ],
)
def test_where_the_place_is_not_sure_nothing_is_changed(text: str, why: str) -> None:
    """The reason is told, and what to do."""
    id_ = "acme/other" if "other" in why else "acme/draw"
    with pytest.raises(NotInsertedError, match=why) as told:
        inserted(text, id_, FIXTURE)
    assert "by hand" in told.value.remedy


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    """Through a link, too."""
    path, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    replace_text(link, "new\r\n")
    assert path.read_bytes() == b"new\r\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link.yaml", "real.yaml"]
