"""What transitions mean for the ledger, and what budgets allow."""

from typing import TYPE_CHECKING

from boards.budgets import Budgets, Entry, Release, Reserve, Settle, micros
from boards.errors import BudgetError
from boards.generations import Attempt, Cost, Generation
from boards.logs import Logger

if TYPE_CHECKING:
    from boards.settings import Unpriced
    from boards.store import Store

__all__ = ["Accounts"]

_log = Logger("boards.engine")


class Accounts:
    """Keeps the ledger's part of each transition, which is committed with it.

    Args:
        store: Whose ledger it is.
        budgets: What has to have room for each submit.
        unpriced: Whether what has no price may be submitted while there are budgets.
    """

    def __init__(
        self, store: "Store", budgets: Budgets = (), unpriced: "Unpriced" = "allow"
    ) -> None:
        self._store = store
        self._budgets = budgets
        self._unpriced = unpriced
        self._warned: set[str] = set()

    async def check(self, generation: Generation) -> None:
        """Look whether there is room, before anything of a submit is prepared or uploaded.

        Only the reservation itself is sure; this keeps files from being sent in vain. Without
        budgets nothing is asked.

        Raises:
            BudgetError: There is none, or a generator has no price and is refused therefore.
        """
        if not self._budgets:
            return
        if generation.cost is None:
            self._blind(generation)
        await self._store.check_budgets(self._reserve(generation), generation.owner)

    def _blind(self, generation: Generation) -> None:
        name = generation.generator
        if self._unpriced == "refuse":
            raise BudgetError(
                f"{name} has no price, so that no budget can see what it costs. Nothing was sent.",
                remedy="Give it a cost in generators.yaml, or set BOARDS_BUDGET_UNPRICED=allow.",
            )
        if name not in self._warned:
            self._warned.add(name)
            _log.warning("it has no price: budgets cannot see what it costs", generator=name)

    def _reserve(self, generation: Generation) -> Reserve:
        cost = generation.cost
        return Reserve(None if cost is None else micros(cost.usd), self._budgets)

    def entry(
        self,
        before: Generation,
        after: Generation,
        attempt: Attempt | None,
        *,
        charged: bool = False,
    ) -> Entry | None:
        """What the ledger notes of a transition.

        An intent reserves. What the provider surely did not take is released: refused, unsent, or
        failed without a charge. Everything else settles, by what the provider told, or else by
        what was reserved: success, what may have been charged, what was canceled after it was
        accepted, and a lost submit that is given up or sent once more. Whatever is still open,
        ``unknown`` above all, stays reserved.

        Args:
            before: The generation before.
            after: And after.
            attempt: The latest attempt, as it is afterwards.
            charged: It failed, and may have been charged; the generation's error says that of all
                attempts.
        """
        if attempt is None:
            return None
        if after.phase == "submitting":
            return self._reserve(after) if before.phase == "queued" else None
        if after.phase == "queued":
            charged = attempt.outcome not in ("refused", "unsent")
        elif after.phase == "succeeded":
            charged = True
        elif after.phase == "canceled":
            charged = before.phase != "queued"
        elif not after.final:
            return None
        actual = _told(after.cost)
        if charged or actual is not None:
            return Settle(attempt.number, actual)
        return Release(attempt.number)


def _told(cost: Cost | None) -> int | None:
    """Micro-dollars that the provider told; None where it told nothing."""
    return None if cost is None or cost.estimated else micros(cost.usd)
