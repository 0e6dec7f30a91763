"""A check that is tried on each of a provider's representative generators."""

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from boards.testing.conformance.checks import NotApplicable
from boards.testing.conformance.rig import Rig, rig
from boards.testing.conformance.subject import ProviderSubject

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["on_each"]

Trial = Callable[[Rig, "CompiledGenerator"], Awaitable[None]]
Run = Callable[[ProviderSubject], Coroutine[Any, Any, None]]


def on_each(**options: Any) -> Callable[[Trial], Run]:
    """Try the decorated function on each representative, each with a rig of its own.

    Where one has nothing to be tried, the others count; where none has, the check is not
    applicable.

    Args:
        options: Of :func:`boards.testing.conformance.rig.rig`.
    """

    def decorate(trial: Trial) -> Run:
        @functools.wraps(trial)
        async def run(subject: ProviderSubject) -> None:
            lacking: list[NotApplicable] = []
            for generator in subject.tried:
                try:
                    async with rig(subject, **options) as made:
                        await trial(made, generator)
                except NotApplicable as told:
                    lacking.append(told)
            if len(lacking) == len(subject.tried):
                raise lacking[0]

        return run

    return decorate
