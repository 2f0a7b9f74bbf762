"""What is journaled with a claim before there is a vendor's id, so that a process that dies before it sends leaves nothing in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lead_assets.core.errors import ProviderError
from lead_assets.ledger import Ledger, Reply, Want, buy
from lead_assets.ledger.model import UNSENT
from lead_assets.ledger.schema import claims
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.killed import die_here, killed
from lead_assets_tests.ledger.test_many import assert_books_agree
from lead_assets_tests.ledger.vendor import Vendor, wants


class Batches:
    """A vendor of batches: an intent is submitted, its batch fetched."""

    def __init__(self, error: ProviderError | None = None) -> None:
        self.error = error
        self.intents: list[str] = []
        self.submitted: dict[str, list[str]] = {}

    def intent(self, count: int) -> str:
        self.intents.append(f"intent:{count}:{len(self.intents)}")
        return self.intents[-1]

    async def take_up(self, batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        if self.error is not None:
            raise self.error
        if vendor_ref.startswith("intent:"):
            self.submitted[vendor_ref] = [one.subject for one in batch]
            raise ProviderError("pipe0", "overview", "transient", "submitted", vendor_ref=f"batch of {vendor_ref}")
        return [Reply("found", body={}, cost_micros=10_000) for _ in batch]

    def buy(self, ledger: Ledger, things: Sequence[Want], **options: Any) -> Any:
        return asyncio.run(buy(ledger, things, die_here, take_up=self.take_up, intent=self.intent, **options))


def buy_unsent(ledger: Ledger, vendor: Any, **options: Any) -> Any:
    return asyncio.run(buy(ledger, wants(3), vendor, intent=lambda _: UNSENT, **options))


@pytest.mark.parametrize(("sent", "taken", "uncertain"), [(False, False, 0), (True, True, 3), (True, False, 0)])
def test_only_a_call_that_left_is_in_doubt(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, sent: bool, taken: bool, uncertain: int
) -> None:
    """`taken`: it did not come back as refused."""
    vendor = Vendor()

    async def until_it_dies(batch: Sequence[Want]) -> None:
        if sent:
            assert ledger.sending([one.key for one in batch])
            if not taken:
                ledger.not_sent([one.key for one in batch])
        await die_here()

    with killed(ledger, monkeypatch):
        buy_unsent(ledger, until_it_dies)
    result = buy_unsent(ledger, vendor)
    assert (result.bought, result.uncertain, len(vendor.requests)) == (3, uncertain, 1)
    assert ledger.billed()["uncertain_calls"] == uncertain
    assert {answer.vendor_ref for answer in ledger.answers(result.answers).values()} == {None}
    assert_books_agree(ledger)


def test_a_request_must_not_leave_for_a_claim_that_is_gone(ledger: Ledger) -> None:
    asked = wants(3)
    keys = [one.key for one in asked]
    claimed = ledger.exchange([], asked, "me", intents=[(asked, lambda _: UNSENT)])[1]
    assert [(grant.vendor_ref, grant.fresh) for grant in claimed.granted] == [(None, True)] * 3
    ledger.release(keys[:1], "me")
    assert not ledger.sending(keys)
    # And the others are as they were: nothing of theirs left.
    ledger.give_up("me", keys)
    assert ledger.billed()["uncertain_calls"] == 0
    assert buy_unsent(ledger, Vendor()).bought == 3
    assert_books_agree(ledger)


def test_a_purchase_that_is_cancelled_owes_nothing_for_what_did_not_leave(ledger: Ledger) -> None:
    async def cancelled() -> None:
        vendor = Vendor(delay=30)
        task = asyncio.create_task(buy(ledger, wants(3), vendor, intent=lambda _: UNSENT))
        while not vendor.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert ledger.billed()["uncertain_calls"] == 0
    assert buy_unsent(ledger, Vendor()).bought == 3
    assert_books_agree(ledger)


def test_an_intent_is_journaled_with_the_claims_and_knows_how_many_they_are(ledger: Ledger) -> None:
    ledger.set_budget("total", 50_000)  # for five of seven
    batches = Batches()
    result = batches.buy(ledger, wants(7), batch_size=4, concurrency=1)
    assert (result.bought, result.missed) == (5, {"over_budget": 2})
    assert [len(subjects) for subjects in batches.submitted.values()] == [int(intent.split(":")[1]) for intent in batches.submitted]
    assert sorted(len(subjects) for subjects in batches.submitted.values()) == [1, 4]
    journaled = ledger.answers(key for key, answer in result.answers.items() if answer.bought)
    assert {answer.vendor_ref for answer in journaled.values()} == {f"batch of {intent}" for intent in batches.intents}
    assert_books_agree(ledger)


def test_who_dies_with_an_intent_leaves_it_to_the_next_and_nothing_in_doubt(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = Batches()
    with killed(ledger, monkeypatch, batches, "take_up", die_here):
        batches.buy(ledger, wants(3))
    result = batches.buy(ledger, wants(3))
    # The intent of the dead is taken up, and no new one made.
    assert (list(batches.submitted), len(batches.intents)) == (["intent:3:0"], 1)
    assert (result.bought, result.uncertain, ledger.billed()["uncertain_calls"]) == (3, 0, 0)
    assert_books_agree(ledger)


def test_an_intent_of_which_nothing_came_is_given_back_and_holds_no_money(timed: Ledger, clock: Clock) -> None:
    timed.penalise("pipe0", clock.time + timedelta(hours=1))
    batches = Batches()
    assert batches.buy(timed, wants(3), sleep=clock.sleep).missed == {"rate_limited": 3}
    assert batches.submitted == {}
    timed.set_budget("total", 30_000)
    assert [budget.reserved_micros for budget in timed.budgets()] == [0]
    clock.pass_by(timedelta(hours=1))
    assert batches.buy(timed, wants(3), sleep=clock.sleep).bought == 3


def test_what_takes_its_time_is_done_before_anything_is_claimed_and_only_if_there_is_something_to_buy(ledger: Ledger) -> None:
    held: list[int] = []

    async def prepare() -> None:
        held.append(ledger._db.read(lambda tx: len(tx.rows(sa.select(claims.c.key)))))

    for _ in range(2):
        assert asyncio.run(buy(ledger, wants(3), Vendor(), prepare=prepare)).subjects == 3
    assert held == [0]
