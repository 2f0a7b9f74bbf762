"""What is left of the plans, and keeping within the vendors' windows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Rate
from lead_assets.signals.signal import load_signals
from lead_assets.vendors.apollo.client import Window
from lead_assets.vendors.apollo.source import Windows
from lead_assets.vendors.quotas import quotas
from lead_assets.vendors.turns import Turns
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import at_companies, frame, lead


def left(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(row["provider"], row["quota"]): row["left"] for row in rows}


def test_what_is_left_goes_down_with_what_is_bought(room: Room) -> None:
    before = left(quotas(room.settings))
    room.collect(at_companies(["company0.example"]), room.signal("organization"))
    room.collect(frame([lead(1, email_normalized="ada.moreau@company0.example")]), room.signal("email"))
    rows = quotas(room.settings)
    after = left(rows)
    assert before["apollo", "lead_credit"] - after["apollo", "lead_credit"] == room.sandbox.billed("apollo") > 0
    assert before["hunter", "verifications"] - after["hunter", "verifications"] == room.sandbox.billed("hunter") == 1
    assert ("apollo", "api/v1/people/match per minute") in after
    assert {row["resets_on"] for row in rows if row["quota"] in ("credits", "lead_credit")} == {"2026-12-01"}
    assert {row["reason"] for row in rows} == {None}


def test_who_cannot_be_asked_says_why(room: Room, tmp_path: Path) -> None:
    assert [row["reason"] for row in quotas(Settings(home=tmp_path))] == ["no_key", "no_key"]
    room.sandbox.set_fault("apollo", "status", status=403)
    room.sandbox.set_fault("hunter", "html")
    assert {row["provider"]: row["reason"] for row in quotas(room.settings)} == {"hunter": "bad_answer", "apollo": "auth"}


class Noting(Turns):
    """Holds nothing, and notes what it was asked to hold."""

    def __init__(self) -> None:
        self.held: list[tuple[str, int]] = []

    async def hold(self, bucket: str, seconds: float) -> None:
        self.held.append((bucket, round(seconds)))


@pytest.mark.parametrize(
    ("seen", "held"),
    [
        ([Window(60, 5, 1)], []),
        ([Window(60, 200, 0)], [("apollo.search", 60)]),
        ([Window(60, 1, 0), Window(3600, 1, 99)], [("apollo.search", 60)]),
        # Seen to open in this process: it closes an hour later. Else only the vendor knows, and says so when it refuses.
        ([Window(3600, 1, 1), Window(3600, 2, 0)], [("apollo.search", 3600)]),
        ([Window(3600, 400, 0), Window(86400, 900, 0)], []),
    ],
)
def test_an_endpoint_whose_window_is_used_up_is_left_alone_until_it_closes(seen: list[Window], held: list[tuple[str, int]]) -> None:
    turns = Noting()
    windows = Windows(turns, {"search": "apollo.search"})
    for each in seen:
        asyncio.run(windows.watch("search", [each]))
    assert turns.held == held
    asyncio.run(windows.watch("health", seen))
    assert turns.held == held


def test_an_endpoint_that_is_used_up_does_not_stop_the_others(room: Room) -> None:
    room.sandbox.set_fault("apollo", "status", status=429, headers={"retry-after": "3600"}, operation="mixed_people/api_search")
    leads = at_companies(["company0.example", "company1.example"])
    assert set(room.collect(leads, room.signal("contacts")).frame["reason"]) == {"rate_limited"}
    assert len(room.sandbox.requests("apollo")) <= 2
    assert "rate_limited" not in room.collect(leads, room.signal("organization")).frame["reason"].to_list()
    assert room.ledger.blocked_for("apollo.mixed_people/api_search") > 3000
    assert room.ledger.blocked_for("apollo.organizations/bulk_enrich") == 0


def test_the_vendors_limits_are_the_declared_ones(tmp_path: Path) -> None:
    signals = load_signals(Settings(home=tmp_path))
    terms = {source.ledger_operation: source.terms for signal in signals.values() for source in signal.sources}

    def limits(operation: str) -> list[tuple[int, float]]:
        return [(rate.limit, rate.per) for rate in terms[operation].rates]

    assert limits("hunter.email-verifier") == [(10, 1), (300, 60)]
    assert limits("hunter.email-finder") == [(15, 1), (500, 60)]
    assert limits("apollo.mixed_people/api_search") == [(200, 60), (6000, 3600), (50000, 86400)]
    assert terms["apollo.organizations/bulk_enrich"].bucket == "apollo.organizations/bulk_enrich"
    assert {terms[f"pipe0.{name}"].bucket for name in ("company:overview@2", "company:techstack:builtwith@1")} == {"pipe0"}
    assert all(isinstance(rate, Rate) for each in terms.values() for rate in each.rates)
