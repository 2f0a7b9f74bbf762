"""Compares what a step says it spent with what the ledger journaled: two independent counts of the same money."""

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
    """Both amounts in US dollars, and the number of calls that may have been billed in addition."""

    ledger_usd: Decimal
    asset_usd: Decimal
    ledger_uncertain: int
    asset_uncertain: int

    @property
    def holds(self) -> bool:
        return self.ledger_usd == self.asset_usd and self.ledger_uncertain == self.asset_uncertain


def ledger_agrees(ledger: Ledger, since: int, campaign: str, stats: Iterable[SignalStats]) -> Agreement:
    """Compare a step's stats with the calls that a campaign has paid for since the call id `since` (`Ledger.last_call` at its start).

    Two simultaneous runs for one campaign see each other's calls and disagree, so the check only warns and does not block.
    """
    spent = [each.spent[campaign] for each in stats]
    billed = ledger.billed(since, [campaign])
    cost, uncertain = sum(each.cost_micros for each in spent), sum(each.uncertain for each in spent)
    return Agreement(billed["usd"], to_usd(cost), billed["uncertain_calls"], uncertain)
