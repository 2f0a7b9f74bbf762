"""Two counts of the same money: what a step says it spent, and what the ledger journaled for its campaigns."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from lead_assets.ledger import Ledger, purchase
from lead_assets.signals.agreement import ledger_agrees
from lead_assets.signals.stats import SignalStats
from lead_assets_tests.ledger.vendor import Vendor, wants


def test_a_step_and_the_ledger_agree_until_one_of_them_says_something_else(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    purchase(ledger, wants(4), Vendor())
    since = ledger.last_call()
    stats = SignalStats()
    stats.add(purchase(ledger, wants(7), Vendor()).spent)
    purchase(ledger, wants(3, operation="other", campaign="fall"), Vendor())
    agreement = ledger_agrees(ledger, since, "spring", [stats])
    assert (agreement.holds, agreement.ledger_usd, agreement.asset_usd) == (True, Decimal("0.03"), Decimal("0.03"))
    assert not ledger_agrees(ledger, since, "fall", [stats]).holds
    stats.spent["spring"].cost_micros += 1
    assert not ledger_agrees(ledger, since, "spring", [stats]).holds
    stats.spent["spring"].cost_micros -= 1
    stats.spent["spring"].uncertain += 1
    assert not ledger_agrees(ledger, since, "spring", [stats]).holds
    ledger.close()
