"""The list of mistakes in ``tests/data/mistakes``: changes of a document that has none."""

from pathlib import Path
from typing import Any

from attrs import frozen

from boards.spec import yaml
from boards.spec.places import Problems, plain

DATA = Path(__file__).parents[3] / "data" / "mistakes"
BASE = (DATA / "base.yaml").read_text("utf-8")


@frozen
class Mistake:
    """An entry of the list.

    Attributes:
        start: Where in the base the change begins.
        place: Line and column at which it is told.
    """

    was: str
    now: str
    told: str
    schema: bool | str
    start: int
    place: tuple[int, int]
    alone: bool

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Mistake":
        was, now = entry["was"], entry["now"]
        assert BASE.count(was) == 1, was
        start = BASE.index(was)
        text = BASE.replace(was, now)
        at = text.index(entry["at"], text.rfind("\n", 0, start) + 1)
        line = text.count("\n", 0, at) + 1
        place = line, at - text.rfind("\n", 0, at)
        return cls(
            was, now, entry["told"], entry["schema"], start, place, entry.get("alone", False)
        )

    @property
    def text(self) -> str:
        """The document with the mistake."""
        return BASE.replace(self.was, self.now)


def read_list() -> list[Mistake]:
    problems = Problems()
    document = yaml.parse((DATA / "mistakes.yaml").read_text("utf-8"), "mistakes.yaml", problems)
    assert document is not None, problems.errors
    return [Mistake.of(entry) for entry in plain(document.root)["mistakes"]]


MISTAKES = read_list()
