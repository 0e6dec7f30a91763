"""What must hold after any crash, read from the database, the storage and the provider's ledger."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Final

from attrs import frozen

from boards.generations import Generation
from boards.store import Listing
from boards.store.sqlite import SQLiteStore
from boards.testing.paid_provider import Behaviour, PaidProvider, content
from tests.crash.host import Plan, account

__all__ = ["Figures", "examine"]

_LEGAL: Final = {
    "succeeded": r"queued( submitting)* submitting( unknown resolved)? submitted"
    r"( fetching)? artifact succeeded",
    "unknown": r"queued( submitting)* submitting unknown",
    "canceled": r"queued( submitting)*( submitted)?( canceled)",
}
"""The orders in which events may come, without those that may come at any time."""
_ANY_TIME: Final = frozenset({"progress", "log", "canceling", "retrying"})


@frozen
class Figures:
    """What became of the generations of one run.

    Attributes:
        generations: All, by mode.
        charges: What the provider charged.
        twice: Prompts that were charged more than once.
        unknown: Generations that wait for a decision.
        lost: Charged, and neither succeeded nor unknown nor canceled; or acknowledged, and gone.
    """

    generations: Counter[str]
    charges: Counter[str]
    twice: Counter[str]
    unknown: Counter[str]
    lost: Counter[str]
    by_prompt: dict[str, Generation]


async def examine(
    plan: Plan,
    provider: PaidProvider,
    *,
    size: int = Behaviour().size,
    kills: int = 1,
) -> Figures:
    """Assert every invariant; the figures.

    Args:
        plan: Of the hosts, which have all ended.
        provider: Who charged.
        size: Of its outputs.
        kills: How often a host, or the provider, was killed: each may leave as many submits
            ambiguous as there are slots, beside those whose replies the provider lost.
    """
    store = SQLiteStore(plan.home / "boards.db")
    await store.open()
    try:
        generations = await store.list(Listing(limit=10_000))
        events = {one.id: await store.events(one.id) for one in generations}
    finally:
        await store.close()

    ids = [one.id for one in generations]
    assert set(_lines(plan.acknowledged)) <= set(ids), "what was acknowledged is there"
    prompts = [str(one.input["prompt"]) for one in generations]
    assert Counter(prompts) == Counter(call.prompt for call in plan.calls), "each call is one"
    phases = Counter(one.phase for one in generations)
    assert phases.keys() <= _LEGAL.keys(), [(one.phase, one.error) for one in generations]

    figures = Figures(
        Counter(one.provider for one in generations),
        Counter(),
        Counter(),
        Counter(one.provider for one in generations if one.phase == "unknown"),
        Counter(),
        {str(one.input["prompt"]): one for one in generations},
    )
    for mode in {call.mode for call in plan.calls}:
        charges = provider.charges(account(plan, mode))
        figures.charges[mode] = charges.total()
        figures.twice[mode] = sum(count > 1 for count in charges.values())
        kept = {prompt for prompt, one in figures.by_prompt.items() if one.phase in _LEGAL}
        figures.lost[mode] = len(charges.keys() - kept)
        for one in generations:
            if one.provider == mode and one.phase == "succeeded":
                assert charges[str(one.input["prompt"])] == 1, "what succeeded was paid once"
        assert figures.twice[mode] == 0, f"charged twice: {charges.most_common(3)}"
        assert figures.lost[mode] == 0
        bound = plan.slots * kills + provider.lost(account(plan, mode))
        assert figures.unknown[mode] <= bound, "no more than there are slots"
    assert figures.unknown["key"] == 0, "a key resolves every ambiguity"
    for mode in ("input", "webhook"):
        charges = provider.charges(account(plan, mode))
        for one in generations:
            if one.provider == mode and one.phase == "unknown":
                assert charges[str(one.input["prompt"])] == 0, "a job that is listed is found"

    for one in generations:
        types = " ".join(event.type for event in events[one.id] if event.type not in _ANY_TIME)
        assert re.fullmatch(_LEGAL[one.phase], types), (one.phase, types)
        if one.phase == "succeeded":
            (artifact,) = one.artifacts
            assert artifact.path is not None
            data = artifact.path.read_bytes()
            assert hashlib.sha256(data).hexdigest() == artifact.sha256
            assert data == content(str(one.input["prompt"]), size), "its own output, whole"
    told: dict[str, list[int]] = {id_: [] for id_ in ids}
    for line in _lines(plan.told):
        event = json.loads(line)
        told[event["generation"]].append(event["id"])
    for id_ in ids:
        assert told[id_] == [event.id for event in events[id_]], "all events, in order, resumed"
    assert not list((plan.home / "artifacts" / "tmp").iterdir()), "no leftovers"
    return figures


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
