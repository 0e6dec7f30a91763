"""Refusals as a provider words them: as its tests show them, else as most providers would."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from boards.testing.conformance.proxy import Answer, answer
from boards.testing.conformance.subject import ProviderSubject

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["WORDS", "refusal_of"]

WORDS: Final = "the conformance kit refuses this"
"""What a refusal says that no test of the specification shows."""


def refusal_of(
    subject: ProviderSubject,
    generator: "CompiledGenerator",
    status: int,
    kinds: Collection[str],
    **headers: str,
) -> Answer:
    """A refusal by HTTP status.

    Args:
        subject: Whose tests are looked at: the generator's first.
        generator: That refuses.
        status: The HTTP status.
        kinds: What it is to mean: tests that raise something else show another refusal.
        headers: To be added; underscores stand for hyphens.
    """
    body = _shown(subject, generator, status, kinds)
    if body is None:
        body = {"detail": WORDS, "message": WORDS, "error": {"message": WORDS}}
    return answer(status, body, **headers)


def _shown(
    subject: ProviderSubject, generator: "CompiledGenerator", status: int, kinds: Collection[str]
) -> Any:
    """The body of such a refusal in a test."""
    others = [one for one in subject.compiled.values() if one.id != generator.id]
    for one in (generator, *others):
        for fixture in one.spec.tests:
            if fixture.raises not in kinds or not fixture.exchanges:
                continue
            reply = fixture.exchanges[-1].reply  # what came before it was not the refusal
            if reply.get("status") == status and "json" in reply:
                return reply["json"]
    return None
