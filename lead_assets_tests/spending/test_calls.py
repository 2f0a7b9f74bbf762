"""The ledger's sums as a table: equal to what the journal says, equal when it is made again, and without a word about whom was asked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from lead_assets.contracts import Calls, JournaledCall
from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger, Reply, Want, buy
from lead_assets.signals.signal import load_signals, places_of_operations, signals_of_operations
from lead_assets.spending.calls import calls, journaled
from lead_assets_tests.ledger.vendor import Vendor, want


class Seldom(Vendor):
    def reply(self, one: Want) -> Reply:
        return Reply("not_found", "no_result") if one.subject == "nobody.example" else super().reply(one)


def test_calls_are_counted_by_what_came_of_them(settings: Settings) -> None:
    ledger = Ledger(settings.ledger_location, clock=lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))
    operation = "company:overview@2"
    asked = [want(subject, operation=operation) for subject in ("acme.example", "moreau.example", "nobody.example")]
    asyncio.run(buy(ledger, asked, Seldom()))
    asyncio.run(buy(ledger, [want("x.example", provider="anthropic", operation="messages", campaign="fall")], Vendor(cost=7)))
    broken = ProviderError("pipe0", operation, "contract", "no JSON", status=200)
    asyncio.run(buy(ledger, [want("broken.example", operation=operation)], Vendor(broken, broken)))

    frame = calls(ledger, signals_of_operations(load_signals(settings).values()))
    assert frame.schema == Calls.polars_schema()
    counted = frame.select("campaign_id", "operation", "signal", "state", "reason", "answers", "calls", "cost_usd", "uncertain_calls")
    assert sorted(counted.rows(), key=str) == [
        ("fall", "anthropic.messages", None, "found", "", 1, 1, Decimal("0.000007"), 0),
        ("spring", "pipe0.company:overview@2", "company_overview", "found", "", 2, 2, Decimal("0.02"), 0),
        ("spring", "pipe0.company:overview@2", "company_overview", "not_found", "no_result", 1, 0, Decimal(0), 0),
        ("spring", "pipe0.company:overview@2", "company_overview", "unknown", "bad_answer", 1, 0, Decimal(0), 0),
        ("spring", "pipe0.company:overview@2", "company_overview", "unknown", "uncertain", 0, 0, Decimal(0), 2),
    ]
    assert set(frame["day"].to_list()) == {datetime(2026, 11, 24, tzinfo=UTC).date()}
    assert frame["cost_usd"].sum() == ledger.billed()["usd"]
    assert not frame.write_csv().count(".example"), "no row says whom it was about"
    assert calls(ledger, signals_of_operations(load_signals(settings).values())).equals(frame)


def test_an_operation_that_two_signals_ask_is_one_purchase_for_both(settings: Settings) -> None:
    assert signals_of_operations(load_signals(settings).values())["apollo.people/bulk_match"] == "person + email"


def test_a_ledger_without_calls_gives_an_empty_table(settings: Settings) -> None:
    assert calls(Ledger(settings.ledger_location), {}).schema == Calls.polars_schema()


def test_every_attempt_is_a_row_whatever_came_of_it_and_says_nobodys_name(settings: Settings) -> None:
    ledger = Ledger(settings.ledger_location, clock=lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))
    verifier, finder = "email-verifier", "email-finder"
    broken = ProviderError("hunter", verifier, "contract", "no JSON", status=200)
    asyncio.run(buy(ledger, [want("ana@acme.example", provider="hunter", operation=verifier)], Vendor(broken, broken)))
    asyncio.run(buy(ledger, [want("nobody.example", provider="hunter", operation=finder)], Seldom()))
    asyncio.run(buy(ledger, [want("ana@acme.example", provider="hunter", operation=finder)], Vendor(cost=7)))

    signals = load_signals(settings).values()
    frame = journaled(ledger, signals_of_operations(signals), places_of_operations(signals))
    assert frame.schema == JournaledCall.polars_schema()
    told = frame.select("question", "attempt", "about", "operation", "signal", "place", "state", "reason", "uncertain", "cost_usd")
    nothing = Decimal(0)
    assert told.rows() == [
        (1, 1, 1, "hunter.email-verifier", "email", 1, "unknown", "uncertain", True, nothing),
        (1, 2, 1, "hunter.email-verifier", "email", 1, "unknown", "uncertain", True, nothing),
        (1, 3, 1, "hunter.email-verifier", "email", 1, "unknown", "bad_answer", False, nothing),
        (4, 1, 4, "hunter.email-finder", "email", 3, "not_found", "no_result", False, nothing),
        (5, 1, 1, "hunter.email-finder", "email", 3, "found", "", False, Decimal("0.000007")),
    ]
    sums = calls(ledger, {})
    assert frame["uncertain_usd"].sum() == sums["uncertain_usd"].sum() > 0
    assert frame["cost_usd"].sum() == sums["cost_usd"].sum()
    assert frame["call_id"].to_list() == [1, 2, 3, 4, 5]
    assert not frame.write_csv().count("example"), "no row says whom it was about"


def test_a_ledger_without_calls_has_no_attempts(settings: Settings) -> None:
    assert journaled(Ledger(settings.ledger_location), {}, {}).schema == JournaledCall.polars_schema()
