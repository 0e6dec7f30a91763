"""What users and plugins rely on changes only when it is meant to."""

from datetime import date

import pytest

from boards import hookspecs
from boards.hook_arguments import DeprecatedArgument
from tests.public_api import ACCEPT, KEPT, difference, forbidden, listing

DEPRECATED = "hook boards_before_submit(generation, request [goes after 2028-01-05])\n"
WHOLE = "hook boards_before_submit(generation, request)\n"
LESS = "hook boards_before_submit(generation)\n"


def test_the_public_api_is_as_it_was_written_down() -> None:
    """A change is shown, with the command that accepts it."""
    changed = difference(KEPT.read_text(), listing())
    assert not changed, (
        f"The public API has changed:\n\n{changed}\n\n"
        "A line with - that others use breaks them: deprecate it first.\n"
        f"If it is meant, accept it with: {ACCEPT}"
    )


def test_the_listing_names_what_matters() -> None:
    """The facade with its methods, records, errors, and hooks with their arguments."""
    lines = listing().splitlines()
    assert lines.count("  property final") > 1  # of each class, whatever others have
    assert "hook boards_before_submit(generation, request)" in lines
    assert "hook boards_storages()" in lines
    assert any(one.startswith("class boards.Boards(") for one in lines)
    assert any(one.startswith("  async generate(self, ") for one in lines)
    assert any(one.startswith("class boards.records.StorageRecord(name, create") for one in lines)
    assert "class boards.NotFoundError" in {one.partition("(")[0] for one in lines}
    assert not [one for one in lines if " at 0x" in one]


def test_a_deprecated_argument_is_listed_with_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what was accepted tells when it may go."""
    old = DeprecatedArgument("request", since="0.4", day=date(2027, 1, 5))
    options = vars(hookspecs.boards_before_submit)["boards_spec"]
    monkeypatch.setitem(options, "warn_on_impl_args", {"request": old})
    assert DEPRECATED in listing()


def test_a_change_is_shown_with_its_class() -> None:
    """Removed and added lines, and what stands before them."""
    assert difference("class A()\n  function f(self)\n", "class A()\n  function f(self, x)\n") == (
        "--- public-api.txt\n+++ the code\n@@ -1,2 +1,2 @@\n"
        " class A()\n-  function f(self)\n+  function f(self, x)"
    )
    assert difference(WHOLE, WHOLE) == ""


@pytest.mark.parametrize(
    ("kept", "now", "today", "told"),
    [
        (WHOLE, WHOLE, date(2026, 1, 1), []),
        (LESS, WHOLE, date(2026, 1, 1), []),
        (WHOLE, DEPRECATED, date(2027, 1, 5), []),
        (
            WHOLE, LESS, date(2030, 1, 1),
            ["boards_before_submit: request is gone, and was never deprecated"],
        ),
        (
            DEPRECATED, LESS, date(2028, 1, 5),
            ["boards_before_submit: request may go after 2028-01-05"],
        ),
        (DEPRECATED, LESS, date(2028, 1, 6), []),
        (
            WHOLE, "", date(2030, 1, 1),
            ["the hook boards_before_submit is gone: plugins implement it"],
        ),
    ],
)  # fmt: skip
def test_an_argument_of_a_hook_goes_a_year_after_its_deprecation(
    kept: str, now: str, today: date, told: list[str]
) -> None:
    """What is added is accepted; what goes too early is refused."""
    assert forbidden(kept, now, today) == told
