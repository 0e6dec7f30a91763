"""What a kit is made of: verdicts, exemptions, and the tests that pytest finds."""

import asyncio
import textwrap
from typing import Any

import pytest

from boards.errors import StorageError
from boards.testing.conformance.checks import (
    Check,
    CheckTable,
    Conformance,
    NonconformanceError,
    NotApplicable,
    Verdict,
    check_exemptions,
    require,
    run_check,
    run_checks,
)

pytest_plugins = ["pytester"]

CHECKS = CheckTable[list[str]]()


@CHECKS.add("kept")
async def kept(subject: list[str]) -> None:
    """It is kept.

    More about it is no part of the title.
    """
    subject.append("kept")


@CHECKS.add("broken-one")
async def broken(subject: list[str]) -> None:
    """It is broken."""
    require(not subject, f"Expected nothing, and found {subject}.", "Empty it.")


@CHECKS.add("idle")
async def idle(subject: list[str]) -> None:
    """There is nothing to try."""
    raise NotApplicable("it has no list")


@CHECKS.add("odd")
async def odd(subject: list[str]) -> None:
    """Something else is raised."""
    raise ZeroDivisionError("by zero")


@CHECKS.add("own-error")
async def own_error(subject: list[str]) -> None:
    """The plugin tells a remedy itself."""
    raise StorageError("The disk is full.", remedy="Free space.")


@CHECKS.add("hanging", seconds=0.01)
async def hanging(subject: list[str]) -> None:
    """It waits for what never comes."""
    await asyncio.Event().wait()


async def test_each_check_has_a_verdict_whatever_the_others_do() -> None:
    """In the table's order; none is raised."""
    told: list[Verdict] = []
    verdicts = await run_checks(CHECKS, [], tell=told.append)
    assert [(one.check.name, one.outcome, one.message, one.remedy) for one in verdicts] == [
        ("kept", "passed", "", ""),
        ("broken-one", "failed", "Expected nothing, and found ['kept'].", "Empty it."),
        ("idle", "not_applicable", "it has no list", ""),
        ("odd", "failed", "ZeroDivisionError: by zero", ""),
        ("own-error", "failed", "StorageError: The disk is full.", "Free space."),
        (
            "hanging",
            "failed",
            "It did not end within 0.01 seconds.",
            "Something waits for what never comes, or blocks the event loop.",
        ),
    ]
    assert told == verdicts


async def test_a_timeout_of_the_subject_is_its_own_failure() -> None:
    """It is not taken for the check's."""

    async def run(subject: object) -> None:
        raise TimeoutError("no answer")

    verdict = await run_check(Check("slow", "It is slow.", run), None)
    assert verdict.message == "A TimeoutError was raised: no answer"


async def test_an_exempt_check_is_not_run() -> None:
    """Its reason is told in its place."""
    subject: list[str] = []
    verdicts = await run_checks(CHECKS[:2], subject, {"kept": "Acme keeps nothing."})
    assert [(one.outcome, one.message) for one in verdicts] == [
        ("exempt", "Acme keeps nothing."),
        ("passed", ""),
    ]
    assert subject == []


@pytest.mark.parametrize("reason", ["", "  ", None, True])
async def test_an_exemption_needs_a_reason(reason: Any) -> None:
    """For a command as for a class."""
    with pytest.raises(ValueError, match="'kept' needs a reason"):
        await run_checks(CHECKS, [], {"kept": reason})
    with pytest.raises(ValueError, match="'kept' needs a reason"):
        type("TestIt", (Kit,), {"exempt": {"kept": reason}})


def test_an_exemption_names_a_check() -> None:
    """A misspelled one would exempt nothing, and look as if it did."""
    with pytest.raises(ValueError, match=r"no check 'keept'. There are: kept, broken-one, "):
        check_exemptions(CHECKS, {"keept": "misspelled"})


def test_a_check_has_a_name_a_title_and_both_once() -> None:
    """The title is the first line of its docstring."""
    assert CHECKS.named("kept").title == "It is kept."
    assert CHECKS[0] is kept
    assert len(CHECKS) == 6
    with pytest.raises(ValueError, match="two checks of the name 'kept'"):
        CheckTable([kept, kept])
    with pytest.raises(ValueError, match="no docstring"):
        CheckTable[None]().add("bare")(_bare)
    with pytest.raises(ValueError, match="must match"):
        Check("Not A Name", "Title.", _bare)


async def _bare(subject: object) -> None:
    pass


def test_a_broken_promise_tells_what_and_the_remedy() -> None:
    """It is an assertion: pytest shows a failure and no error."""
    error = NonconformanceError("It broke.", "Mend it.")
    assert isinstance(error, AssertionError)
    assert str(error) == "It broke.\nMend it."
    assert str(NonconformanceError("It broke.")) == "It broke."


class Kit(Conformance, checks=CHECKS):
    """A kit, as the ones that come with Boards."""


SUITE = """
    from boards.testing.conformance.checks import *

    CHECKS = CheckTable()

    @CHECKS.add("kept")
    async def kept(subject):
        '''It is kept.'''
        assert subject.answer == 42

    @CHECKS.add("broken-one")
    async def broken(subject):
        '''It is broken.'''
        require(False, "It broke.", "Mend it.")

    @CHECKS.add("idle")
    async def idle(subject):
        '''There is nothing to try.'''
        raise NotApplicable("it has no list")

    class TestKit(Conformance, checks=CHECKS):
        answer = 0

    class Acme(TestKit):
        answer = 42

    class TestExempt(TestKit):
        answer = 42
        exempt = {"broken-one": "Acme is known to break."}

        def test_more(self):
            assert self.answer == 42
"""


def test_pytest_finds_a_test_for_each_check(pytester: pytest.Pytester) -> None:
    """Of an author's class, whatever its name; never of the kit's. No other plugin is needed."""
    pytester.makepyfile(textwrap.dedent(SUITE))
    result = pytester.runpytest_subprocess("-rsf", "-v", "-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(passed=3, failed=1, skipped=3)
    result.stdout.fnmatch_lines(
        [
            "*::Acme::test_kept PASSED*",
            "*::Acme::test_broken_one FAILED*",
            "*::Acme::test_idle SKIPPED*",
            "E *NonconformanceError: It broke.",
            "E *Mend it.",
            "SKIPPED * not applicable: it has no list",
            "SKIPPED * exempt: Acme is known to break.",
        ],
    )
    result.stdout.no_fnmatch_line("*::TestKit::*")
