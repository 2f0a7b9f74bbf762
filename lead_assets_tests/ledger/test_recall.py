"""Ledgers that do not buy: what they serve, what they say about the rest, and that they leave no trace."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lead_assets.ledger import Ledger, WorldError, recall
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.test_purchase import buy_with, transient
from lead_assets_tests.ledger.vendor import Vendor, want, wants


def test_a_closed_ledger_serves_answers_of_any_age_and_buys_nothing(timed: Ledger, clock: Clock) -> None:
    buy_with(timed, clock, wants(3), Vendor())
    clock.pass_by(timedelta(days=2000))
    vendor = Vendor()
    result = buy_with(timed.recall_only(), clock, wants(5), vendor)
    assert (result.hits, result.bought, result.cost_micros, result.missed, vendor.requests) == (3, 0, 0, {"not_bought": 2}, [])
    assert result.stale == 0
    # Nothing of it stands in the way of buying.
    assert buy_with(timed, clock, wants(5), vendor).bought == 5


def test_what_a_closed_ledger_says_does_not_depend_on_when_it_is_asked(timed: Ledger, clock: Clock) -> None:
    """Stale means that a newer answer was tried for and could not be had, and that stands in the journal."""
    renewed, kept = want("renewed.example"), want("kept.example")
    buy_with(timed, clock, [renewed, kept], Vendor())
    clock.pass_by(timedelta(days=91))
    in_the_run = buy_with(timed, clock, [renewed], Vendor(*[transient()] * 4)).answers[renewed.key]
    assert in_the_run.stale
    said = []
    for days in (0, 1, 1000):
        clock.pass_by(timedelta(days=days))
        answers = recall(timed.recall_only(), [renewed, kept]).answers
        said.append([(answers[one.key].stale, answers[one.key].answered_at, answers[one.key].body) for one in (renewed, kept)])
    assert said[0] == said[1] == said[2]
    assert [stale for stale, _, _ in said[0]] == [True, False]


def test_a_closed_ledger_says_why_the_vendor_had_no_answer(timed: Ledger, clock: Clock) -> None:
    thing = want("acme.example")
    asked = buy_with(timed, clock, [thing], Vendor(*[transient()] * 4)).answers[thing.key]
    clock.pass_by(timedelta(days=1))
    recalled = recall(timed.recall_only(), [thing]).answers[thing.key]
    assert (recalled.state, recalled.reason, recalled.answered_at) == (asked.state, asked.reason, asked.answered_at)


def test_a_rehearsal_notes_what_a_purchase_would_buy(timed: Ledger, clock: Clock) -> None:
    buy_with(timed, clock, wants(2), Vendor())
    clock.pass_by(timedelta(days=91))
    buy_with(timed, clock, wants(4)[2:], Vendor())
    rehearsal = timed.rehearsal()
    result = buy_with(rehearsal, clock, wants(6), Vendor())
    # Two are out of date, two fresh, two new.
    assert [one.subject for one in rehearsal.wished] == ["c0.example", "c1.example", "c4.example", "c5.example"]
    assert (result.hits, result.stale, result.missed) == (2, 2, {"not_bought": 2})
    assert timed.wished == []


def test_a_ledger_that_does_not_buy_writes_nothing_and_cannot_be_made_to(ledger: Ledger) -> None:
    for view in (ledger.recall_only(), ledger.rehearsal()):
        view.bind_world("live")
        assert ledger.world() is None
        with pytest.raises(RuntimeError, match="buys nothing"):
            view.claim(wants(1), "somebody")
    ledger.bind_world("sandbox")
    with pytest.raises(WorldError):
        ledger.recall_only().bind_world("live")
