"""Many threads, many processes, and processes that die: nothing is bought twice, nothing overspent, nothing lost."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from lead_assets.ledger import Ledger, Reply, Want, buy, purchase
from lead_assets.ledger.claims import claim, settle
from lead_assets.ledger.database import from_us
from lead_assets.ledger.holders import new_holder
from lead_assets.ledger.model import Settlement
from lead_assets.ledger.schema import claims
from lead_assets_tests.ledger.books import assert_books_agree
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.killed import Killed, killed
from lead_assets_tests.ledger.vendor import Vendor, want, wants
from lead_assets_tests.ledger.worker import assign


class Workers:
    """Processes that begin together."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, task: str, count: int) -> None:
        command = [sys.executable, "-m", "lead_assets_tests.ledger.worker", task, self.url, str(self.folder)]
        self.processes += [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        wait_for(lambda: len(list(self.folder.glob("ready-*"))) == len(self.processes))

    def go(self) -> None:
        (self.folder / "go").touch()

    def results(self) -> list[Any]:
        outputs = [process.communicate(timeout=60)[0] for process in self.processes]
        assert [process.returncode for process in self.processes] == [0] * len(self.processes)
        return [json.loads(output) for output in outputs]

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def workers(url: str, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(url, tmp_path)
    yield started
    started.kill()


def wait_for(condition: Any) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "a worker never came so far"
        time.sleep(0.01)


def test_eight_threads_and_another_process_buy_each_subject_once(ledger: Ledger, workers: Workers) -> None:
    vendor = Vendor(delay=0.02)
    workers.start("share", 1)
    workers.go()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: purchase(ledger, wants(50), vendor, batch_size=7), range(8)))
    asked = Counter(vendor.asked)
    for other in workers.results():
        asked.update(other["asked"])
        assert other["found"] == 50
    assert asked == Counter({one.subject: 1 for one in wants(50)})
    assert all({answer.state for answer in result.answers.values()} == {"found"} for result in results)
    assert ledger.billed() == {"calls": 50, "usd": Decimal("0.5"), "uncertain_calls": 0}
    assert_books_agree(ledger)


def test_a_budget_is_spent_to_the_last_call_and_never_beyond(ledger: Ledger) -> None:
    ledger.set_budget("campaign", 330_000, name="spring", period="all")
    ledger.set_budget("total", 500_000)
    ledger.set_budget("provider", 120_000, name="apollo")
    vendor = Vendor(delay=0.005)

    def one(number: int) -> Counter[str]:
        things = [
            want(f"c{number}-{n}", campaign="spring" if n % 2 else "fall", provider="apollo" if n > 15 else "pipe0") for n in range(20)
        ]
        result = purchase(ledger, things, vendor, batch_size=3)
        assert set(result.missed) <= {"over_budget"}
        return Counter((thing.campaign_id, thing.provider) for thing in things if result.answers[thing.key].bought)  # type: ignore[misc]

    with ThreadPoolExecutor(8) as pool:
        bought: Counter[Any] = sum(pool.map(one, range(8)), Counter())
    # 160 wants at 10,000: 50 in all, at most 33 of spring's, at most 12 of Apollo's.
    assert bought.total() == 50
    assert sum(count for (campaign, _), count in bought.items() if campaign == "spring") <= 33
    assert sum(count for (_, provider), count in bought.items() if provider == "apollo") <= 12
    assert {(budget.scope, budget.free_micros >= 0) for budget in ledger.budgets()} == {
        ("total", True),
        ("campaign", True),
        ("provider", True),
    }
    assert [budget.free_micros for budget in ledger.budgets() if budget.scope == "total"] == [0]
    assert_books_agree(ledger)


def test_a_budget_set_late_counts_what_was_spent_before_and_a_new_day_is_free(timed: Ledger, clock: Clock) -> None:
    asyncio.run(buy(timed, wants(5), Vendor()))
    timed.set_budget("total", 60_000)
    assert asyncio.run(buy(timed, wants(10), Vendor())).missed == {"over_budget": 4}
    clock.pass_by(timedelta(days=1))
    assert asyncio.run(buy(timed, wants(10), Vendor())).bought == 4
    timed.set_budget("total", None)
    assert timed.budgets() == []


def test_a_call_that_costs_less_than_its_price_gives_the_rest_back(ledger: Ledger) -> None:
    ledger.set_budget("total", 100_000)
    assert purchase(ledger, wants(10), Vendor(cost=4_000)).bought == 10
    [budget] = ledger.budgets()
    assert (budget.spent_micros, budget.reserved_micros, budget.free_micros) == (40_000, 0, 60_000)


def test_killed_between_call_and_journal_the_call_is_counted_uncertain_and_made_again(ledger: Ledger, workers: Workers) -> None:
    workers.start("hang", 1)
    workers.go()
    wait_for((workers.folder / "calling").exists)
    workers.kill()
    # On the same machine nobody waits for the lease of a process that is plainly gone.
    result = asyncio.run(buy(ledger, wants(3), Vendor(), patience=5))
    assert (result.bought, result.uncertain) == (3, 3)
    assert ledger.billed() == {"calls": 3, "usd": result.cost_usd, "uncertain_calls": 3}
    assert_books_agree(ledger)


def test_killed_with_the_vendors_id_journaled_the_work_is_fetched_and_not_sent_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def begun(batch: Sequence[Want]) -> list[Reply]:
        ledger.attach_ref([one.key for one in batch], "batch-1")
        raise Killed

    with killed(ledger, monkeypatch):
        purchase(ledger, wants(3), begun)
    vendor = Vendor()

    async def take_up(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        assert vendor_ref == "batch-1"
        return [vendor.reply(one) for one in batch]

    result = asyncio.run(buy(ledger, wants(3), vendor, take_up=take_up, patience=5))
    assert (result.bought, result.uncertain, vendor.requests) == (3, 0, [])
    assert ledger.billed()["uncertain_calls"] == 0
    assert_books_agree(ledger)


def test_a_clock_that_goes_back_keeps_neither_a_claim_nor_a_circuit_for_a_day(timed: Ledger, clock: Clock) -> None:
    timed.claim(wants(1), "another-machine:1:a")
    for _ in range(8):
        timed.note_failure("pipe0")
    assert [circuit.open_until > clock.time for circuit in timed.circuits()] == [True]
    clock.pass_by(timedelta(days=-1))
    assert [circuit.open_until <= clock.time for circuit in timed.circuits()] == [True]
    timed.note_success("pipe0")
    assert len(timed.claim(wants(1), "me:1:b").busy) == 1, "its holder may live"
    clock.pass_by(timedelta(minutes=5))
    assert len(timed.claim(wants(1), "me:1:b").granted) == 1


def test_the_lease_of_a_silent_machine_is_waited_for_and_then_taken_over(timed: Ledger, clock: Clock) -> None:
    claimed = timed.claim(wants(2), "another-machine:1:a", lease=30.0)
    assert len(claimed.granted) == 2
    began = clock.time
    result = asyncio.run(buy(timed, wants(3), Vendor(), sleep=clock.sleep))
    assert (result.bought, result.uncertain) == (3, 2)
    assert timedelta(seconds=30) <= clock.time - began < timedelta(seconds=33)
    # The first owner wakes up with its answer after all: that was paid for, too.
    assert timed.claim(wants(2), "another-machine:1:a").answered.keys() == {one.key for one in wants(2)}
    assert_books_agree(timed)


def test_a_living_owner_keeps_its_claim_however_long_the_vendor_takes(timed: Ledger, clock: Clock) -> None:
    lease = timedelta(seconds=0.15)
    answered = asyncio.Event()

    async def slow(batch: Sequence[Want]) -> list[Reply]:
        await answered.wait()
        return [Reply("found", body={}) for _ in batch]

    def lease_until() -> list[datetime]:
        return [from_us(until) for (until,) in timed._db.read(lambda tx: tx.rows(sa.select(claims.c.lease_until)))]

    async def both() -> None:
        first = asyncio.create_task(buy(timed, wants(1), slow, lease=lease.total_seconds()))
        while not lease_until():
            await asyncio.sleep(0.005)
        for _ in range(4):
            clock.pass_by(lease * 0.8)
            while lease_until() != [clock.time + lease]:  # it lives: it says so in time, again and again
                await asyncio.sleep(0.005)
            assert timed.claim(wants(1), "another-machine:1:a").busy == wants(1)
        answered.set()
        assert (await first).bought == 1

    asyncio.run(both())


def test_a_purchase_that_is_cancelled_gives_back_what_it_did_not_send(ledger: Ledger) -> None:
    async def cancelled() -> None:
        vendor = Vendor(delay=30)
        task = asyncio.create_task(buy(ledger, wants(20), vendor, batch_size=5, concurrency=2))
        while len(vendor.requests) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert ledger.billed()["uncertain_calls"] == 10  # two batches were in flight
    assert purchase(ledger, wants(20), Vendor()).bought == 20
    assert_books_agree(ledger)


def test_the_first_owner_of_an_account_stays_its_owner(ledger: Ledger, workers: Workers) -> None:
    workers.start("assign", 1)
    workers.go()
    ours = assign(ledger, workers.folder)
    owners = [ours, *workers.results()]
    assert owners[0] == owners[1]
    assert len(owners[0]) == 40
    again = ledger.assigned(owners[0])
    assert {key: assignment.owner for key, assignment in again.items()} == owners[0]
    assert all(assignment.assigned_at.tzinfo is not None for assignment in again.values())


def test_a_transaction_whose_end_nobody_saw_is_not_done_twice(ledger: Ledger) -> None:
    owner, thing = new_holder(), want("acme.example")
    ledger.claim([thing], owner)
    cut_off = ledger._db._once(lambda tx: claim(tx, [thing], owner, 60.0), write=True, again=True)
    assert [grant.want for grant in cut_off.granted] == [thing]
    settlement = Settlement(thing, Reply("found", body={}, cost_micros=7), ledger.now())
    ledger.settle([settlement], owner)
    ledger._db._once(lambda tx: settle(tx, [settlement], [b"{}"], owner), write=True, again=True)
    assert ledger.billed() == {"calls": 1, "usd": Decimal("0.000007"), "uncertain_calls": 0}
    assert_books_agree(ledger)


def test_a_database_that_drops_every_connection_again_and_again_loses_nothing(postgres_url: str) -> None:
    ledger = Ledger(postgres_url).open()
    vendor = Vendor(delay=0.01)
    done = threading.Event()
    dropped = 0

    def disturb() -> None:
        nonlocal dropped
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            while not done.wait(0.06):
                dropped += len(connection.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall())

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        result = purchase(ledger, wants(120), vendor, batch_size=10)
    finally:
        done.set()
        disturber.join()
    assert dropped > 0
    assert result.bought == 120
    assert set(vendor.asked.values()) == {1}
    assert ledger.billed() == {"calls": 120, "usd": result.cost_usd, "uncertain_calls": 0}
    assert_books_agree(ledger)
    ledger.close()
