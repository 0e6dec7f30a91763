"""Money in whole micro-dollars, budgets as texts, and periods of the calendar."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.budgets import Budget, micros, parse_budgets, usd
from boards.errors import BudgetError, SettingsError
from boards.settings import load


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("dollars", "amount"),
    [
        (0.04, 40_000),
        (0.0398, 39_800),
        (0.003 * 3, 9_000),
        (0.1 + 0.2, 300_000),
        (0.000_000_1, 1),
        (0, 0),
        (-1, 0),
        (float("nan"), 0),
        (float("inf"), 10**15),
        (1e308, 10**15),
    ],
)
def test_dollars_are_whole_micro_dollars(dollars: float, amount: int) -> None:
    """Rounded up, so that nothing with a price is free; nonsense is bounded."""
    assert micros(dollars) == amount


@given(st.integers(0, 10**12))
def test_micro_dollars_survive_being_dollars(amount: int) -> None:
    """What is shown in dollars is what is counted."""
    assert micros(usd(amount)) == amount


@pytest.mark.parametrize(
    ("text", "budgets"),
    [
        ("10 USD/day", (Budget(10_000_000, "day"),)),
        ("0.5usd / hour", (Budget(500_000, "hour"),)),
        ("0 USD/month", (Budget(0, "month"),)),
        (
            "5 USD/hour,100 USD/week",
            (Budget(5_000_000, "hour"), Budget(100_000_000, "week")),
        ),
        (["5 USD/hour", "1 USD/day"], (Budget(5_000_000, "hour"), Budget(1_000_000, "day"))),
    ],
)
def test_budgets_are_texts(text: Any, budgets: tuple[Budget, ...]) -> None:
    """An amount and a period; several by commas, or as a list."""
    assert parse_budgets(text) == budgets


@pytest.mark.parametrize(
    "text", ["10", "10 EUR/day", "-1 USD/day", "USD/day", "1 USD/year", "1 USD/day,", [1]]
)
def test_what_is_no_budget_is_told(text: Any) -> None:
    """The error names the setting and shows what is expected."""
    with pytest.raises(SettingsError, match=r"budget is .* expected budgets such as 10 USD/day"):
        load(home="/nowhere", environment={}, budget=text)


def test_settings_have_budgets() -> None:
    """From the environment, for all and for each owner."""
    environment = {
        "BOARDS_BUDGET": "10 USD/day",
        "BOARDS_OWNER_BUDGET": "1 USD/hour",
        "BOARDS_BUDGET_UNPRICED": "refuse",
    }
    settings = load(home="/nowhere", environment=environment)
    assert settings.budget == (Budget(10_000_000, "day"),)
    assert settings.owner_budget == (Budget(1_000_000, "hour", each_owner=True),)
    assert settings.budget_unpriced == "refuse"
    assert load(home="/nowhere", environment={}).budget == ()


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("hour", "2026-11-21T07:00", "2026-11-21T08:00"),
        ("day", "2026-11-21", "2026-11-22"),
        ("week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
    ],
)
def test_periods_are_those_of_the_calendar(period: Any, start: str, end: str) -> None:
    """In UTC; a week begins on Monday."""
    budget = Budget(1, period)
    assert budget.bounds(at("2026-11-21T07:59:59.999")) == (at(start), at(end))
    assert budget.bounds(at(start))[0] == at(start)


@pytest.mark.parametrize("month", ["2026-01-31T23:59", "2026-12-31T23:59", "2028-02-29T12:00"])
def test_months_have_their_own_length(month: str) -> None:
    """The next month begins where this one ends."""
    _, end = Budget(1, "month").bounds(at(month))
    assert datetime.fromtimestamp(end, UTC).day == 1
    assert Budget(1, "month").bounds(end)[0] == end


def test_what_does_not_fit_is_told_in_full() -> None:
    """Limit, spent, reserved, what it costs, when it resets, and what to change."""
    budget = Budget(10_000_000, "day")
    budget.check(20_000, 9_900_000, 80_000, at("2026-11-21T07:00"))
    with pytest.raises(BudgetError) as caught:
        budget.check(40_000, 9_900_000, 80_000, at("2026-11-21T07:00"))
    assert caught.value.message == (
        "This costs about 0.04 USD, and of the budget of 10 USD/day 0.02 USD are left:"
        " 9.9 USD are spent, and 0.08 USD are reserved. It resets at 2026-11-22T00:00Z."
        " Nothing was sent."
    )
    remedy = "Raise BOARDS_BUDGET, or generate again after 2026-11-22T00:00Z."
    assert caught.value.remedy == remedy
    with pytest.raises(BudgetError) as caught:
        Budget(0, "hour", each_owner=True).check(1, 0, 0, at("2026-11-21T07:00"))
    assert "the owner's budget of 0 USD/hour" in caught.value.message
    assert "BOARDS_OWNER_BUDGET" in caught.value.remedy


def test_what_is_free_always_fits_and_what_has_no_price_while_something_is_left() -> None:
    """A budget that is used up stops everything that may cost."""
    budget = Budget(10, "day")
    budget.check(0, 12, 0, 0.0)
    budget.check(None, 9, 0, 0.0)
    with pytest.raises(BudgetError, match="has no price"):
        budget.check(None, 9, 1, 0.0)
