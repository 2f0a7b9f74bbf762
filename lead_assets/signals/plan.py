"""Within a budget the best leads are bought for first: which subjects a step may buy now, so that enough is left for what better leads still need.

Signals are bought by several steps, some of them at the same time, and each vendor has its own pace. So the order in which subjects are asked about does not
decide who gets the last dollar. Each step therefore counts from the best lead down what all signals may cost at most, also those that other steps buy, and buys
only as far as the budget reaches. Once the real costs are known, it counts again.

Belongs here: counting. Does not belong here: what a lead is worth (see `worth`), buying (see `engine`), the limits themselves (see `lead_assets.ledger.money`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lead_assets.ledger.model import Want

if TYPE_CHECKING:
    from lead_assets.ledger.money import Budget

Line = tuple[str, str]


@dataclass(frozen=True)
class Wish:
    """What a signal may have to buy about a subject, at most. `rank`: of the best lead that it serves, from 1."""

    signal: str
    subject: str
    rank: int
    wants: Sequence[Want]

    @property
    def price_micros(self) -> int:
        return sum(want.price_micros for want in self.wants)


def beyond(budgets: Iterable[Budget], wishes: Iterable[Wish]) -> dict[str, set[str]]:
    """Signal → subjects for which the budgets do not reach, counted from the best lead down and for one lead from the cheapest signal up.

    Once a budget is too short for a wish, nothing else comes out of it: what is left of it is not spent on lesser leads.
    """
    free: dict[Line, int] = {}
    for budget in budgets:
        line: Line = (budget.scope, budget.name)
        free[line] = min(budget.free_micros, free.get(line, budget.free_micros))
    closed: set[Line] = set()
    counted: set[str] = set()
    found: dict[str, set[str]] = {}
    for wish in sorted(wishes, key=lambda wish: (wish.rank, wish.price_micros, wish.signal, wish.subject)):
        due = {want.key: want for want in wish.wants if want.key not in counted}
        prices = _prices(due.values(), free)
        short = {line for line, price in prices.items() if line in closed or free[line] < price}
        if short:
            closed |= short
            found.setdefault(wish.signal, set()).add(wish.subject)
            continue
        counted |= set(due)
        for line, price in prices.items():
            free[line] -= price
    return found


def _prices(wants: Iterable[Want], limited: Mapping[Line, int]) -> dict[Line, int]:
    """What the wants cost each limited budget."""
    prices: dict[Line, int] = {}
    for want in wants:
        for line in _lines(want):
            if line in limited and want.price_micros:
                prices[line] = prices.get(line, 0) + want.price_micros
    return prices


def _lines(want: Want) -> Iterator[Line]:
    yield "total", ""
    yield "campaign", want.campaign_id
    yield "provider", want.provider
