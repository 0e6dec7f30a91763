"""What a kit is made of: checks, their verdicts, exemptions, and the class that pytest collects.

A check is one promise, as a function of a subject: whatever the kit asks of an author, for
example a way to make an empty storage. Checks stand in a :class:`CheckTable`; from it come the
verdicts of a command (:func:`run_checks`) and the tests of a class (:class:`Conformance`), so the
two can never differ.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

from attrs import field, frozen
from attrs.validators import gt, matches_re

from boards.errors import BoardsError

__all__ = [
    "Check",
    "CheckTable",
    "Conformance",
    "NonconformanceError",
    "NotApplicable",
    "Outcome",
    "Verdict",
    "check_exemptions",
    "require",
    "run_check",
    "run_checks",
]

Outcome = Literal["passed", "failed", "exempt", "not_applicable"]

S = TypeVar("S")

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SECONDS: Final = 60.0


class NonconformanceError(AssertionError):
    """A promise is broken. pytest shows it as a failed test.

    Args:
        what: What was done, what was expected, and what came instead.
        remedy: What to change in the plugin.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n{self.remedy}" if self.remedy else self.what


class NotApplicable(Exception):  # noqa: N818 - it is no error
    """The subject has nothing that the check could try. pytest shows it as a skipped test.

    Args:
        reason: What it lacks, for example ``the spec declares no webhook``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def require(kept: object, what: str, remedy: str = "") -> None:
    """Go on only if a promise is kept.

    Raises:
        NonconformanceError: It is not.
    """
    if not kept:
        raise NonconformanceError(what, remedy)


@frozen
class Check(Generic[S]):
    """One promise.

    Attributes:
        name: Its id: words with hyphens, for example ``lost-submit``.
        title: The behaviour, in one sentence.
        run: Tries it on a subject. Raises :class:`NonconformanceError` where the promise is
            broken, and :class:`NotApplicable` where there is nothing to try.
        seconds: After which it counts as broken: something hangs.
    """

    name: str = field(validator=matches_re(_NAME))
    title: str
    run: Callable[[S], Awaitable[None]] = field(repr=False)
    seconds: float = field(default=_SECONDS, validator=gt(0))


@frozen
class Verdict:
    """What came of a check.

    Attributes:
        check: Which.
        outcome: What came of it.
        message: What went wrong, or why it was not tried; empty where it passed.
        remedy: What mends it; empty where nothing is known.
    """

    check: Check[Any]
    outcome: Outcome
    message: str = ""
    remedy: str = ""


class CheckTable(Sequence[Check[S]]):
    """Checks in the order in which they run, each name once."""

    def __init__(self, checks: Sequence[Check[S]] = ()) -> None:
        self._checks: dict[str, Check[S]] = {}
        for check in checks:
            self._enter(check)

    def add(
        self, name: str, *, seconds: float = _SECONDS
    ) -> Callable[[Callable[[S], Coroutine[Any, Any, None]]], Check[S]]:
        """Make the decorated function the next check.

        The first sentence of its docstring, on a line of its own, is the title.

        Args:
            name: The check's id.
            seconds: After which it counts as broken.
        """

        def enter(run: Callable[[S], Coroutine[Any, Any, None]]) -> Check[S]:
            title = (inspect.getdoc(run) or "").partition("\n")[0]
            if not title:
                raise ValueError(f"The check {name!r} has no docstring: it is the title.")
            return self._enter(Check(name, title, run, seconds))

        return enter

    def _enter(self, check: Check[S]) -> Check[S]:
        if check.name in self._checks:
            raise ValueError(f"There are two checks of the name {check.name!r}.")
        self._checks[check.name] = check
        return check

    def named(self, name: str) -> Check[S]:
        """The check of a name.

        Raises:
            KeyError: There is none.
        """
        return self._checks[name]

    def __getitem__(self, index: Any) -> Any:
        return tuple(self._checks.values())[index]

    def __len__(self) -> int:
        return len(self._checks)

    def __iter__(self) -> Iterator[Check[S]]:
        return iter(self._checks.values())


def check_exemptions(checks: Sequence[Check[Any]], exempt: Mapping[str, str]) -> None:
    """Refuse exemptions that no reader could judge.

    Raises:
        ValueError: One names no check, or gives no reason.
    """
    names = [check.name for check in checks]
    for name, reason in exempt.items():
        if name not in names:
            raise ValueError(f"exempt: there is no check {name!r}. There are: {', '.join(names)}.")
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"exempt: {name!r} needs a reason, for the reader of the report.")


async def _perform(check: Check[S], subject: S) -> None:
    """Run one check; whatever it finds wrong is a :class:`NonconformanceError`."""
    __tracebackhide__ = True
    try:
        async with asyncio.timeout(check.seconds) as limit:
            await check.run(subject)
    except TimeoutError as error:
        if not limit.expired():
            raise NonconformanceError(f"A TimeoutError was raised: {error}") from error
        raise NonconformanceError(
            f"It did not end within {check.seconds:g} seconds.",
            "Something waits for what never comes, or blocks the event loop.",
        ) from error
    except BoardsError as error:
        raise NonconformanceError(
            f"{type(error).__name__}: {error.message}", error.remedy
        ) from error


async def run_check(
    check: Check[S], subject: S, exempt: Mapping[str, str] | None = None
) -> Verdict:
    """The verdict of one check. Only what ends a program is raised.

    Args:
        check: Which.
        subject: What it is tried on.
        exempt: The reason of each exempted check, by its name.
    """
    reason = (exempt or {}).get(check.name)
    if reason is not None:
        return Verdict(check, "exempt", reason)
    try:
        await _perform(check, subject)
    except NotApplicable as told:
        return Verdict(check, "not_applicable", told.reason)
    except NonconformanceError as error:
        return Verdict(check, "failed", error.what, error.remedy)
    except Exception as error:
        return Verdict(check, "failed", f"{type(error).__name__}: {error}")
    return Verdict(check, "passed")


async def run_checks(
    checks: Sequence[Check[S]],
    subject: S,
    exempt: Mapping[str, str] | None = None,
    *,
    tell: Callable[[Verdict], None] | None = None,
) -> list[Verdict]:
    """Run checks one after another, each to its verdict, without pytest.

    Args:
        checks: Which, in this order.
        subject: What they are tried on.
        exempt: The reason of each exempted check, by its name.
        tell: Called with each verdict as soon as it is known.

    Returns:
        One verdict for each check.

    Raises:
        ValueError: An exemption names no check, or gives no reason.
    """
    check_exemptions(checks, exempt or {})
    verdicts = []
    for check in checks:
        verdict = await run_check(check, subject, exempt)
        verdicts.append(verdict)
        if tell is not None:
            tell(verdict)
    return verdicts


class Conformance:
    """The base of every kit's class for pytest: a kit names its checks, an author the subject.

    .. code-block:: python

        class StorageConformance(Conformance, checks=CHECKS): ...  # the kit; is not collected


        class TestAcme(StorageConformance):  # an author's; is collected
            exempt = {"url": "Acme has no public addresses."}

    Each check is an inherited method ``test_...``. It is no coroutine: it runs an event loop of
    its own, so it needs no other plugin of pytest. The instance, which pytest makes anew for each
    test, is the subject, unless :attr:`subject` says otherwise.

    Attributes:
        checks: The kit's.
        exempt: The reason of each check that is not tried, by its name. pytest shows it as
            skipped, with the reason.
    """

    checks: ClassVar[tuple[Check[Any], ...]] = ()
    exempt: ClassVar[Mapping[str, str]] = {}
    __test__ = False

    def __init_subclass__(cls, checks: Sequence[Check[Any]] = (), **others: Any) -> None:
        super().__init_subclass__(**others)
        cls.checks = tuple(CheckTable((*cls.checks, *checks)))
        for check in checks:
            setattr(cls, f"test_{check.name.replace('-', '_')}", _test_of(check))
        # Not by its name alone: pytest finds an author's class whatever it is called.
        if "__test__" not in cls.__dict__:
            cls.__test__ = not checks
        check_exemptions(cls.checks, cls.exempt)

    @property
    def subject(self) -> Any:
        """What the checks are tried on; asked once for each test."""
        return self


def _test_of(check: Check[Any]) -> Callable[[Conformance], None]:
    """The method that pytest calls for a check."""

    def test(self: Conformance) -> None:
        __tracebackhide__ = True
        import pytest  # noqa: PLC0415 - the command needs none

        if check.name in self.exempt:
            pytest.skip(f"exempt: {self.exempt[check.name]}")
        try:
            # The loop is not made the thread's own: pytest-asyncio keeps one there.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(_perform(check, self.subject))
        except NotApplicable as told:
            pytest.skip(f"not applicable: {told.reason}")

    test.__name__ = f"test_{check.name.replace('-', '_')}"
    test.__qualname__ = f"{Conformance.__name__}.{test.__name__}"
    test.__doc__ = check.title
    return test
