"""The life of a pipe0 run, from the starting request to its end, so that a process that dies on the way leaves as little as possible in doubt.

pipe0 has no idempotency keys and cannot list runs: a run whose id is lost is lost. So we start it with a request that answers at once, with the id, and
tell the ledger before (from now on it may be billed) and after (fetch it by this id).

Belongs here: these notes, polling for the end of a run, and the pace pipe0 asks for. Does not belong here: what is asked and what the answer means
(see `source`), requests and their errors (see `lead_assets.vendors.pipe0.client`), claims and retries (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Rate
from lead_assets.ledger.teller import in_thread
from lead_assets.vendors.pipe0.client import Pipe0, PipesRun
from lead_assets.vendors.turns import Turns


class Runs:
    """Starts runs and waits for them to end, in the event loop it is entered in.

    `first_look`: seconds before a run is first polled, until we know how long runs take here.
    """

    # pipe0 does not refuse requests that come too fast: its headers say when to slow down and when to stop and wait.
    SLOW_SECONDS = 0.5
    STOP_SECONDS = 5.0
    # pipe0 recommends polling every 1 to 3 seconds.
    LONGEST_PAUSE = 3.0
    PATIENCE = 200.0

    def __init__(
        self, client: Pipe0, turns: Turns, *, bucket: str, rates: Sequence[Rate], first_look: float, patience: float = PATIENCE
    ) -> None:
        self._client = client
        self._turns = turns
        self._ledger = turns.ledger
        self._bucket = bucket
        self._rates = rates
        self._first_look = first_look
        self._patience = patience
        self._usual = first_look
        # One request at a time: a request is short and a run takes seconds, and if the process dies only one request is in doubt.
        self._beginning = asyncio.Lock()
        self._ends: dict[str, asyncio.Task[PipesRun]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._ends.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, pipes: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> PipesRun:
        """Run pipes over records for the claims of these keys. Raises ProviderError; if it has a `vendor_ref`, the run has started and continues."""
        operation = "+".join(str(pipe["pipe_id"]) for pipe in pipes)
        async with self._beginning:
            begun = await self._begin(pipes, records, keys, operation)
        if begun.pace.must_stop or begun.pace.should_slow_down:
            await self._turns.hold(self._bucket, self.STOP_SECONDS if begun.pace.must_stop else self.SLOW_SECONDS)
        return begun if begun.response.ended else await self.end(begun.response.id, operation, first=self._usual)

    async def _begin(
        self, pipes: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]], keys: Sequence[str], operation: str
    ) -> PipesRun:
        if not await in_thread(self._ledger.sending, keys):
            # Their buyer has given up, or was silent so long that another took over.
            raise ProviderError("pipe0", operation, "transient", "timeout", sent=False)
        try:
            begun = await self._client.run(pipes, records)
        except ProviderError as error:
            # Refused, so nothing was started. A 5xx may come from something in between, while pipe0 started and billed the run.
            if not error.sent or (error.vendor_ref is None and error.status is not None and 400 <= error.status < 500):
                await in_thread(self._ledger.not_sent, keys)
            raise
        await in_thread(self._ledger.attach_ref, keys, begun.response.id)
        return begun

    async def end(self, run_id: str, operation: str, *, first: float = 0.0) -> PipesRun:
        """The finished run, polled after `first` seconds and then less and less often. However many wait for it, only one polls."""
        looking = self._ends.get(run_id)
        began = looking is None
        if looking is None:
            looking = self._ends[run_id] = asyncio.create_task(self._look(run_id, operation, first))
            looking.add_done_callback(lambda _: self._ends.pop(run_id, None))
        try:
            return await asyncio.shield(looking)
        except ProviderError as error:
            raise (error if began else error.for_another()) from None

    async def _look(self, run_id: str, operation: str, first: float) -> PipesRun:
        clock = asyncio.get_running_loop().time
        began, pause, looks = clock(), first, 0
        while True:
            await asyncio.sleep(pause)
            await self._turns.turn(self._bucket, self._rates)
            run = await self._client.check(run_id, operation)
            looks += 1
            waited = clock() - began
            if run.response.ended:
                if first:
                    # The end may be seen up to one pause late: poll a little sooner the next time, as long as one poll is enough.
                    self._usual = waited if looks > 1 else max(self._first_look / 5, first * 0.8)
                return run
            if waited > self._patience:
                raise ProviderError("pipe0", operation, "transient", "timeout", vendor_ref=run_id)
            pause = min(self.LONGEST_PAUSE, pause * 1.5) if looks > 1 else min(self.LONGEST_PAUSE, max(self._first_look, first / 2))
