"""How many batches of a purchase are under way at once, and who makes room."""

from __future__ import annotations

import asyncio

import pytest

from lead_assets.ledger.crew import Crew, wait_for_vendor
from lead_assets.ledger.model import Want
from lead_assets_tests.ledger.vendor import want


def batches(count: int) -> list[list[Want]]:
    return [[want(str(number))] for number in range(count)]


def test_as_many_batches_are_under_way_as_are_allowed_and_no_more() -> None:
    under_way = most = done = 0

    async def work(batch: list[Want]) -> None:
        nonlocal under_way, most, done
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done += 1

    asyncio.run(Crew(work, batches(20), 3).run())
    assert (most, done) == (3, 20)


def test_a_batch_that_the_vendor_is_still_working_on_makes_room_for_the_next() -> None:
    seen: list[str] = []

    async def work(batch: list[Want]) -> None:
        subject = batch[0].subject
        seen.append(f"{subject} begins")
        if subject == "0":
            while len(seen) < 3:  # for ever, if nobody else began
                await wait_for_vendor(0.001)
        seen.append(f"{subject} ends")

    asyncio.run(asyncio.wait_for(Crew(work, batches(2), 1).run(), 10))
    assert seen[:3] == ["0 begins", "1 begins", "1 ends"]


def test_a_vendor_that_finishes_nothing_is_not_asked_for_everything() -> None:
    begun = 0

    async def work(batch: list[Want]) -> None:
        nonlocal begun
        begun += 1
        while True:
            await wait_for_vendor(0.001)

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(Crew(work, batches(500), 2).run(), 0.3))
    assert begun == 22, "two under way, and ten times as many that wait"


def test_a_failure_ends_what_is_under_way_before_it_is_raised() -> None:
    ended: list[str] = []

    async def work(batch: list[Want]) -> None:
        if batch[0].subject == "1":
            raise RuntimeError("broken")
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.001)  # as a claim that is given back takes a moment
            ended.append(batch[0].subject)

    async def ended_when_it_is_raised() -> list[str]:
        with pytest.raises(RuntimeError, match="broken"):
            await Crew(work, batches(50), 4).run()
        return sorted(ended)

    assert asyncio.run(ended_when_it_is_raised()) == ["0", "2", "3"]
