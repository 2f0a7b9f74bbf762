"""The batches of a purchase that are in progress at once.

Belongs here: how many there are, and that one which the vendor is still working on makes room for another. Does not belong here: what is done with a batch
(see `buyer`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar

from lead_assets.ledger.model import Want

_MOST_WAITING = 10
"""Batches, for each that may be in progress at once, that wait for the vendor to finish. Each is a claim that a crash leaves uncertain."""


class Crew:
    """Works on batches, at most `size` at once."""

    def __init__(self, work: Callable[[list[Want]], Awaitable[None]], batches: Iterable[list[Want]], size: int) -> None:
        self._work = work
        self._queue = deque(batches)
        self._size = size
        self._active = self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Returns when all is done. The first failure cancels what is in progress, waits for it, and is raised."""
        outer = _crew.set(self)
        try:
            self._fill()
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                self._tasks -= done
        except BaseException:
            self._queue.clear()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            raise
        finally:
            _crew.reset(outer)

    def _fill(self) -> None:
        while self._queue and self._active < self._size:
            self._active += 1
            self._tasks.add(asyncio.create_task(self._one(self._queue.popleft())))

    async def _one(self, batch: list[Want]) -> None:
        try:
            await self._work(batch)
        finally:
            self._active -= 1
        self._fill()

    async def make_room(self, seconds: float) -> None:
        if self._waiting >= _MOST_WAITING * self._size:
            await asyncio.sleep(seconds)
            return
        self._waiting += 1
        self._active -= 1
        self._fill()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._active += 1
            self._waiting -= 1


_crew: ContextVar[Crew | None] = ContextVar("crew", default=None)


async def wait_for_vendor(seconds: float) -> None:
    """Wait while a vendor works on what it was asked. In a purchase another batch is asked for meanwhile."""
    crew = _crew.get()
    if crew is None:
        await asyncio.sleep(seconds)
    else:
        await crew.make_room(seconds)
