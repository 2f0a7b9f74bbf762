"""What the ledger's words mean: who is gone, what a missed answer costs, what a declared rate is."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.ledger.declared import DeclaredLifetimes, DeclaredRate
from lead_assets.ledger.figures import money
from lead_assets.ledger.holders import is_gone, new_holder
from lead_assets.ledger.model import Lifetimes, Rate, Spent, missed
from lead_assets.ledger.opened import opened_ledger
from lead_assets_tests.ledger.vendor import want, wants


@pytest.fixture(scope="module")
def ended() -> str:
    """The holder of a process of this machine that has ended."""
    code = "from lead_assets.ledger.holders import new_holder; print(new_holder())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_only_a_process_of_this_machine_that_has_ended_is_gone(ended: str) -> None:
    machine, pid, purchase = ended.split(":")
    assert is_gone(ended)
    assert not is_gone(new_holder())
    assert not is_gone(f"another-machine:{pid}:{purchase}")
    # Of another user, who may not be signalled; no process at all; a name of before.
    assert not is_gone(f"{machine}:1:{purchase}")
    assert not is_gone(f"{machine}:x:{purchase}")
    assert not is_gone("somebody")


def test_holders_of_one_process_differ_by_purchase_alone() -> None:
    one, other = new_holder().split(":"), new_holder().split(":")
    assert one[:2] == other[:2] == [one[0], str(os.getpid())]
    assert one[2] != other[2]


def test_a_claim_is_taken_over_at_once_from_a_process_that_has_ended_and_not_from_a_living_one(ledger: Ledger, ended: str) -> None:
    theirs, ours = wants(3)[:2], wants(3)
    ledger.claim(theirs[:1], ended, lease=600.0)
    ledger.claim(theirs[1:], new_holder(), lease=600.0)
    claimed = ledger.claim(ours, new_holder())
    assert [grant.want for grant in claimed.granted] == [ours[0], ours[2]]
    assert (claimed.busy, claimed.uncertain) == ([ours[1]], {ours[0].key})


def test_an_answer_for_which_nobody_was_asked_costs_nothing() -> None:
    answer = missed(want("acme.example", price=7), "over_budget")
    assert (answer.state, answer.reason, answer.body, answer.answered_at) == ("unknown", "over_budget", None, None)
    assert (answer.cost_micros, answer.input_tokens, answer.output_tokens, answer.latency_ms) == (0, 0, 0, 0)
    assert (answer.bought, answer.stale, answer.campaign_id, answer.provider) == (False, False, "spring", "pipe0")


def test_what_a_purchase_cost_is_told_in_calls_dollars_and_milliseconds() -> None:
    told = money(Spent(hits=3, bought=2, cost_micros=1_500_000, uncertain=1, latencies_ms=[*range(100, 0, -1)]))
    assert told == {
        "calls_saved": 3,
        "calls_bought": 2,
        "cost_usd": 1.5,
        "uncertain_calls": 1,
        "latency_p50_ms": 51,
        "latency_p95_ms": 96,
    }
    assert [money(Spent(latencies_ms=each))["latency_p95_ms"] for each in ([], [7], [8, 7])] == [0, 7, 8]


def test_a_rate_and_lifetimes_that_say_no_more_than_they_must() -> None:
    """One request at a time; an unknown is asked again after five minutes."""
    assert DeclaredRate.model_validate({"limit": 10, "per": "60s"}).rate() == Rate(10, 60.0, burst=1)
    assert DeclaredRate.model_validate({"limit": 10, "per": "2s", "burst": 4}).rate() == Rate(10, 2.0, burst=4)
    expected = Lifetimes(timedelta(days=90), timedelta(days=30), timedelta(minutes=5))
    assert DeclaredLifetimes.model_validate({"found": "90d", "not_found": "30d"}).lifetimes() == expected


def test_a_ledger_is_opened_where_no_home_is_yet(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a" / "home")
    for _ in range(2):
        with opened_ledger(settings) as ledger:
            assert ledger.paused() == set()
