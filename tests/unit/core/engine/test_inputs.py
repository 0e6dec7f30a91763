"""Files that a caller gives: checked before anything is kept, kept whole or not at all."""

import os
from pathlib import Path

import pytest

from boards.engine.inputs import checked
from boards.errors import InvalidInputError
from boards.spec.inputs import InputSchema

SCHEMA = InputSchema({"properties": {"image": {"type": "string", "format": "image"}}})


def test_a_path_that_no_file_can_have_is_a_problem_of_its_input(tmp_path: Path) -> None:
    """As any other: with its field, and before anything is sent."""
    with pytest.raises(InvalidInputError) as caught:
        checked(SCHEMA, {"image": tmp_path / ("x" * 300)}, "acme/draw")
    (problem,) = caught.value.problems
    assert problem.where == "image"
    assert "cannot be read: File name too long" in problem.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_what_is_no_plain_file_is_none(tmp_path: Path) -> None:
    """A directory cannot be read, and to open a pipe would wait for who writes into it."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InvalidInputError, match="nothing was sent") as caught:
            checked(SCHEMA, {"image": path}, "acme/draw")
        assert "there is no file" in caught.value.problems[0].message
