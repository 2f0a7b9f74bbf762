"""What the ledger's words mean: who is gone, what a missed answer costs, what a declared rate is."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from pydantic import ValidationError

from lead_assets.contracts import canonical_json
from lead_assets.contracts.signals import State
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger, Reply, buy
from lead_assets.ledger.claims import settle
from lead_assets.ledger.declared import DeclaredLifetimes, DeclaredRate
from lead_assets.ledger.figures import money
from lead_assets.ledger.holders import is_gone, new_holder
from lead_assets.ledger.model import AnswerKeys, Lifetimes, Rate, Settlement, Spent, Want, missed
from lead_assets.ledger.opened import opened_ledger
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.vendor import Vendor, want, wants


@pytest.fixture(scope="module")
def ended() -> str:
    """The holder of a process of this machine that has ended."""
    code = "from lead_assets.ledger.holders import new_holder; print(new_holder())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("subject", ["acme.com", 'a "quoted" one', "Zoë\n", "\ud800", ""])
@pytest.mark.parametrize("parameters", [{}, {"b": 1, "a": [None, "x"]}, {"large": 2**70}, {1: "a number"}, {"lone": "\udfff"}])
def test_keys_are_those_of_wants(subject: str, parameters: dict[str, object]) -> None:
    lifetimes = Lifetimes(timedelta(1), timedelta(1))
    one = Want("vendor", "vendor.operation", subject, 0, "spring", lifetimes, parameters)
    what = ["vendor.operation", subject, parameters]
    try:
        said = orjson.dumps(what, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        said = canonical_json(what).encode("utf-8", "surrogatepass")
    assert one.key == AnswerKeys("vendor.operation", parameters).of(subject) == hashlib.sha256(said).hexdigest()[:32]


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
    assert (answer.bought, answer.stale, answer.campaign_id) == (False, False, "spring")


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
    assert DeclaredRate.model_validate({"limit": 1, "per": "2s", "burst": 1}).rate() == Rate(1, 2.0, burst=1)
    for wrong in ({"limit": 0}, {"limit": 1, "burst": 0}):
        with pytest.raises(ValidationError):
            DeclaredRate.model_validate({"per": "2s", **wrong})
    expected = Lifetimes(timedelta(days=90), timedelta(days=30), timedelta(minutes=5))
    assert DeclaredLifetimes.model_validate({"found": "90d", "not_found": "30d"}).lifetimes() == expected


def test_a_ledger_is_opened_where_no_home_is_yet(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a" / "home")
    for _ in range(2):
        with opened_ledger(settings) as ledger:
            assert ledger.paused() == set()


def test_parking_ends_the_leases_of_ones_own_claims_that_have_a_reference_and_no_other(timed: Ledger, clock: Clock) -> None:
    mine, bare, theirs = wants(3)
    timed.claim([mine, bare], "me:1:a", lease=600.0)
    timed.claim([theirs], "they:1:a", lease=600.0)
    timed.attach_ref([mine.key, theirs.key], "run-1")
    timed.park([mine.key, bare.key, theirs.key], "me:1:a")
    clock.pass_by(timedelta(seconds=1))
    claimed = timed.claim([mine, bare, theirs], "other:1:a")
    assert [(grant.want, grant.vendor_ref) for grant in claimed.granted] == [(mine, "run-1")]
    assert claimed.busy == [bare, theirs]


def test_work_that_is_taken_over_by_its_reference_is_ones_own_and_ends_with_its_answer(timed: Ledger, clock: Clock) -> None:
    timed.set_budget("total", 50_000, period="all")
    begun = want("acme.example")
    timed.claim([begun], "old:1:a", lease=5.0)
    timed.attach_ref([begun.key], "run-1")
    clock.pass_by(timedelta(seconds=10))
    assert [grant.vendor_ref for grant in timed.claim([begun], "new:1:a", lease=60.0).granted] == ["run-1"]
    assert timed.claim([begun], "third:1:a").busy == [begun]
    timed.settle([Settlement(begun, Reply("found", body={}, cost_micros=10_000), clock.time)], "new:1:a")
    [budget] = timed.budgets()
    assert (budget.spent_micros, budget.reserved_micros, budget.free_micros) == (10_000, 0, 40_000)


@pytest.mark.parametrize("state", ["found", "unknown"])
def test_an_answer_of_a_transaction_whose_end_nobody_saw_is_journaled_once(timed: Ledger, clock: Clock, state: State) -> None:
    one, other = wants(2)
    timed.claim([one, other], "me:1:a")
    answers = [Settlement(each, Reply(state, "no_result", body={}, cost_micros=7), clock.time) for each in (one, other)]
    timed.settle(answers[:1], "me:1:a")
    timed._db._once(lambda tx: settle(tx, answers, [b"{}", b"{}"], "me:1:a"), write=True, again=True)
    assert timed.costs(["state"]).select("answers", "usd").rows() == [(2, Decimal("0.000014"))]


def test_the_tokens_of_answers_add_up(timed: Ledger, clock: Clock) -> None:
    timed.claim(wants(2), "me:1:a")
    replies = [Reply("found", body={}, input_tokens=100, output_tokens=10), Reply("found", body={}, input_tokens=5, output_tokens=1)]
    timed.settle([Settlement(each, reply, clock.time) for each, reply in zip(wants(2), replies, strict=True)], "me:1:a")
    assert timed.costs(["provider"]).select("input_tokens", "output_tokens").rows() == [(105, 11)]
    answers = timed.answers([each.key for each in wants(2)])
    assert [(answers[each.key].input_tokens, answers[each.key].output_tokens) for each in wants(2)] == [(100, 10), (5, 1)]


def test_others_are_waited_for_as_long_as_patience_lasts(timed: Ledger, clock: Clock) -> None:
    timed.claim(wants(1), "another-machine:1:a", lease=600.0)
    began = clock.time
    result = asyncio.run(buy(timed, wants(2), Vendor(), patience=5.0, sleep=clock.sleep))
    assert (result.bought, result.missed) == (1, {"timeout": 1})
    assert timedelta(seconds=5) <= clock.time - began < timedelta(seconds=8)
