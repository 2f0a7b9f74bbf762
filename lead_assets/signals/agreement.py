"""Whether what a step says it spent is what the ledger journaled meanwhile: two counts of the same money, made in two places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from lead_assets.ledger.model import to_usd
from lead_assets.signals.stats import SignalStats

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger


@dataclass(frozen=True)
class Agreement:
    """What both say, US dollars, and how many calls may have been billed besides."""

    ledger_usd: Decimal
    asset_usd: Decimal
    ledger_uncertain: int
    asset_uncertain: int

    @property
    def holds(self) -> bool:
        return self.ledger_usd == self.asset_usd and self.ledger_uncertain == self.asset_uncertain


def ledger_agrees(ledger: Ledger, since: int, campaign: str, stats: Iterable[SignalStats]) -> Agreement:
    """Compare the stats of a step with the calls that a campaign has paid for since the call id `since` (`Ledger.last_call` when it began).

    Two runs that buy for one campaign at the same time see each other's calls, and disagree: the check that shows this is a warning, not a wall.
    """
    spent = [each.spent[campaign] for each in stats]
    billed = ledger.billed(since, [campaign])
    cost, uncertain = sum(each.cost_micros for each in spent), sum(each.uncertain for each in spent)
    return Agreement(billed["usd"], to_usd(cost), billed["uncertain_calls"], uncertain)
