"""Waiting for slots on machines that wake up late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from lead_assets.ledger import Ledger, Rate
from lead_assets.ledger.pacer import Pacer
from lead_assets_tests.ledger.conftest import Clock


def used(ledger: Ledger, clock: Clock, rate: Rate, count: int, late: Callable[[int], float]) -> list[float]:
    """When that many slots were used, in seconds; the n-th sleep lasts `late(n)` seconds longer than it should."""

    async def oversleep(seconds: float) -> None:
        await clock.sleep(seconds + late(len(clock.slept)))

    async def work() -> list[float]:
        pacer = Pacer(ledger, [rate], 60.0, oversleep)
        began, moments = clock.time, []
        for _ in range(count):
            assert await pacer.wait("pipe0")
            moments.append((clock.time - began).total_seconds())
        return moments

    return asyncio.run(work())


@pytest.mark.parametrize("rate", [Rate(1, 1.0), Rate(4, 1.0), Rate(20, 60.0, burst=10)])
def test_a_slot_that_is_missed_is_given_up_and_no_window_is_crowded(timed: Ledger, clock: Clock, rate: Rate) -> None:
    sent = used(timed, clock, rate, 25, lambda number: 0.9 * rate.interval if number % 3 == 0 else 0.0)
    assert max(sum(begin <= moment < begin + rate.per for moment in sent) for begin in sent) <= rate.limit


def test_no_slot_is_used_before_it_is_due(timed: Ledger, clock: Clock) -> None:
    rate = Rate(10, 1.0)
    sent = used(timed, clock, rate, 5, lambda _: 0.0)
    assert sent == pytest.approx([number * rate.interval for number in range(5)], abs=1e-4)


@pytest.mark.parametrize(("patience", "waited"), [(60.0, True), (59.9, False)])
def test_a_pause_as_long_as_patience_is_waited_for_without_a_rate_too(timed: Ledger, clock: Clock, patience: float, waited: bool) -> None:
    began = clock.time
    timed.penalise("pipe0", began + timedelta(seconds=60))
    assert asyncio.run(Pacer(timed, [], patience, clock.sleep).wait("pipe0")) is waited
    assert clock.time - began == timedelta(seconds=60 if waited else 0)


def test_a_slot_that_is_further_away_than_patience_is_not_waited_for(timed: Ledger, clock: Clock) -> None:
    pacer = Pacer(timed, [Rate(1, 60.0)], 5.0, clock.sleep)

    async def twice() -> list[bool]:
        return [await pacer.wait("pipe0"), await pacer.wait("pipe0")]

    began = clock.time
    assert asyncio.run(twice()) == [True, False]
    assert clock.time == began


def test_a_slot_used_a_little_late_is_used(timed: Ledger, clock: Clock) -> None:
    rate = Rate(1, 1.0)
    sent = used(timed, clock, rate, 3, lambda _: rate.tolerance / 2)
    # Asleep twice for each slot: until just before it is due, and until it is.
    assert sent[1] - sent[0] < rate.interval + rate.tolerance
    assert sent[2] - sent[1] < rate.interval + rate.tolerance


def test_who_waits_exactly_as_long_as_it_takes_gets_the_slot(timed: Ledger, clock: Clock) -> None:
    timed.penalise("pipe0", clock.time + timedelta(seconds=60))
    assert timed.reserve_slots("pipe0", [Rate(1, 1.0)], most=59.9) is None
    assert timed.reserve_slots("pipe0", [Rate(1, 1.0)], most=60.0) == clock.time + timedelta(seconds=60)


def test_a_shorter_pause_does_not_end_a_longer_one(timed: Ledger, clock: Clock) -> None:
    for seconds, blocked in [(60, 60.0), (5, 60.0), (90, 90.0)]:
        timed.penalise("pipe0", clock.time + timedelta(seconds=seconds))
        assert timed.blocked_for("pipe0") == blocked
    assert timed.blocked_for("apollo") == 0.0
    clock.pass_by(timedelta(seconds=90))
    assert timed.blocked_for("pipe0") == 0.0
    clock.pass_by(timedelta(seconds=1))
    assert timed.blocked_for("pipe0") == 0.0


def test_a_pause_is_over_when_its_time_is_up_and_every_window_keeps_its_own_pace(timed: Ledger, clock: Clock) -> None:
    began = clock.time
    quick, slow = Rate(10, 1.0), Rate(2, 60.0, burst=2)
    due = [timed.reserve_slots("pipe0", [quick, slow]) for _ in range(3)]
    seconds = [(moment - began).total_seconds() for moment in due if moment]
    # The second at the quick window's pace; the third when the slow one has room again.
    assert seconds == pytest.approx([0.0, quick.interval, slow.interval], abs=1e-4)
    timed.penalise("apollo", began)
    assert timed.reserve_slots("apollo", [quick]) == began


def test_a_machine_that_is_always_late_gets_through_in_the_end(timed: Ledger, clock: Clock) -> None:
    rate = Rate(10, 1.0)
    assert len(used(timed, clock, rate, 2, lambda _: 2 * rate.interval)) == 2


def test_who_was_told_too_fast_while_another_slept_is_waited_for(timed: Ledger, clock: Clock) -> None:
    """The block is longer than anybody's patience: the slot is not used."""
    pacer = Pacer(timed, [Rate(1, 10.0)], 60.0, clock.sleep)

    async def sleep_and_be_told(seconds: float) -> None:
        timed.penalise("pipe0", clock.time + timedelta(minutes=5))
        await clock.sleep(seconds)

    async def work() -> list[bool]:
        first = await pacer.wait("pipe0")
        return [first, await Pacer(timed, [Rate(1, 10.0)], 60.0, sleep_and_be_told).wait("pipe0")]

    assert asyncio.run(work()) == [True, False]
