"""The list of mistakes that authors make: each is told once, at the line and column at fault."""

import pytest
from tests.unit.core.spec.mistakes import BASE, MISTAKES, Mistake

from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.places import Problems

each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.told[:60])


def found_in(text: str) -> list[tuple[tuple[int, int], str]]:
    """Line, column and message of all mistakes."""
    problems = Problems()
    document = yaml.parse(text, "f.yaml", problems)
    if document is not None:
        check_documents([document], problems)
    places = [tuple(map(int, one.where.split(":")[1:])) for one in problems.errors]
    return [
        ((line, column), one.message.removeprefix("error: "))
        for (line, column), one in zip(places, problems.errors, strict=True)
    ]


def test_the_base_has_no_mistake_and_no_warning() -> None:
    """What the list changes is right."""
    problems = Problems()
    document = yaml.parse(BASE, "base.yaml", problems)
    assert document is not None
    check_documents([document], problems)
    assert [str(one) for one in problems.errors + problems.warnings] == []


@each_mistake
def test_each_mistake_is_told_once_at_its_place(mistake: Mistake) -> None:
    """One error, at the exact line and column, in words that say what is wrong."""
    ((place, message),) = found_in(mistake.text)
    assert mistake.told in message
    assert place == mistake.place


def together() -> tuple[str, list[tuple[int, str]]]:
    """A document with as many of the mistakes as do not touch each other, and what is told."""
    chosen: list[Mistake] = []
    for mistake in MISTAKES:
        end = mistake.start + len(mistake.was)
        apart = all(end <= one.start or one.start + len(one.was) <= mistake.start for one in chosen)
        if apart and not mistake.alone:
            chosen.append(mistake)
    chosen.sort(key=lambda one: one.start)
    text, shift, expected = BASE, 0, []
    for mistake in reversed(chosen):
        end = mistake.start + len(mistake.was)
        text = text[: mistake.start] + mistake.now + text[end:]
    for mistake in chosen:
        expected.append((mistake.place[0] + shift, mistake.told))
        shift += mistake.now.count("\n") - mistake.was.count("\n")
    return text, expected


def test_all_mistakes_are_told_at_once() -> None:
    """Many in one document, in reading and in checking: one run tells each of them, at its line."""
    text, expected = together()
    assert len(expected) >= 25
    found = found_in(text)
    for line, told in expected:
        assert [place for place, message in found if told in message and place[0] == line], told
    assert len(found) == len(expected)
