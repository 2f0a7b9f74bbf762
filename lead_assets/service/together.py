"""Does at once what several requests want at the same time: while one group is being worked on, the next gathers.

Does not belong here: what is done (whoever makes a `Together` says it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Together(Generic[A, B]):
    """`work` takes the wants of a group (at most `most`) and gives an answer or an exception for each. A group that takes longer than `patience` seconds waits
    for somebody else, such as a vendor: then the next one begins beside it, up to `groups` at once. `gather`: how long a group that could begin waits for
    others, in seconds, because requests that come together do not come in the same instant; after a want that came alone, nobody waits."""

    def __init__(
        self,
        work: Callable[[Sequence[A]], Sequence[B | Exception]],
        name: str,
        *,
        most: int,
        groups: int = 1,
        patience: float = 0.0,
        gather: float = 0.0,
    ) -> None:
        self._work = work
        self._most, self._groups, self._patience, self._gather = most, groups, patience, gather
        self._gathering: asyncio.TimerHandle | None = None
        self._came_alone = False
        self._threads = ThreadPoolExecutor(groups, name)
        self._waiting: list[tuple[A, asyncio.Future[B]]] = []
        self._running: dict[asyncio.Task[None], float] = {}

    async def do(self, want: A) -> B:
        """The answer to one want. The work goes on if nobody waits for it any more."""
        answer: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._waiting.append((want, answer))
        self._begin()
        return await answer

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        if not self._waiting or self._gathering is not None or len(self._running) >= self._groups:
            return
        loop = asyncio.get_running_loop()
        if self._running and (early := max(self._running.values()) + self._patience - loop.time()) > 0:
            loop.call_later(early, self._begin)
        elif self._gather and not self._came_alone and len(self._waiting) < self._most:
            self._gathering = loop.call_later(self._gather, self._gathered)
        else:
            self._start(loop)

    def _gathered(self) -> None:
        self._gathering = None
        if self._waiting:
            self._start(asyncio.get_running_loop())

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        self._came_alone = len(group) == 1
        task = loop.create_task(self._group(group))
        self._running[task] = loop.time()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._begin()

    async def _group(self, group: Sequence[tuple[A, asyncio.Future[B]]]) -> None:
        answers: Sequence[B | Exception]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._threads, self._work, [want for want, _ in group])
        except Exception as error:
            answers = [error] * len(group)
        for (_, future), answer in zip(group, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
