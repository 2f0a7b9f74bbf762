"""Message Batches: half the price, up to hours of waiting, and nothing submitted twice even if the process is killed.

The vendor has no idempotency keys, so the ledger stores a reference before and after: with the claims, an intent (time, number of
requests), then the batch's id. Whoever takes over a claim with an id fetches that batch; with an intent, it looks among the batches
created since then for the one with its requests, and submits only if there is none.

Belongs here: submitting, finding and fetching batches. Does not belong here: single messages (`client`), claims and money (`lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Reply, Want
from lead_assets.ledger.purchase import Call
from lead_assets.model.client import PROVIDER, open_sdk, parameters, provider_error, reply_of
from lead_assets.model.rulebook import Limits, Prices

if TYPE_CHECKING:
    import anthropic

OPERATION = "anthropic.batches"

T = TypeVar("T")

_INTENT = "intent:"
# Clocks differ: our batch may seem to have been created this long before its intent.
_CLOCKS_DIFFER = timedelta(minutes=10)
_FIRST_POLL = 0.2
# A request from a process that was just killed may still be on its way to the vendor.
_ON_ITS_WAY = 2.0


class BatchClient:
    """Buys wants in batches: `intent` names a purchase's claims, `take_up` submits and fetches, `submit` starts over if a batch was forgotten. Use it with
    `async with`."""

    def __init__(self, settings: Settings, limits: Limits, prices: Prices, otherwise: Call | None = None) -> None:
        """`otherwise` makes single calls when an intent led to no batch, for purchases that cannot wait for one."""
        self.settings = settings
        self.limits = limits
        self.prices = prices
        self.otherwise = otherwise
        self._sdk: anthropic.AsyncAnthropic | None = None
        self._fresh: set[str] = set()
        """Intents of this process for which nothing has been sent yet."""
        self._candidates: dict[str, asyncio.Task[list[str]]] = {}
        self._fetched: dict[str, asyncio.Task[dict[str, Reply]]] = {}

    async def __aenter__(self) -> BatchClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (*self._fetched.values(), *self._candidates.values()):
            task.cancel()
        if self._sdk is not None:
            await self._sdk.close()

    def intent(self, count: int) -> str:
        """The intent for a batch of this many wants, journaled with their claims, so that a process that dies before submitting leaves nothing in doubt."""
        intent = f"{_INTENT}{time.time():.3f}:{count}:{uuid.uuid4().hex[:8]}"
        self._fresh.add(intent)
        return intent

    async def submit(self, wants: Sequence[Want]) -> list[Reply]:
        """Never answers: gives the buyer a new intent for wants whose batch the vendor has forgotten, so that it calls `take_up`."""
        raise ProviderError(PROVIDER, OPERATION, "transient", "to be submitted", vendor_ref=self.intent(len(wants)), sent=False)

    async def take_up(self, wants: Sequence[Want], vendor_ref: str) -> list[Reply | ProviderError]:
        """The replies of a batch, in the order of the wants; waits until it ends. With an intent: submits, and gives the buyer the batch's id."""
        if not vendor_ref.startswith(_INTENT):
            replies = await self._results(vendor_ref)
            return [_of_replay(replies.get(want.key, Reply("unknown", "provider_error")), want) for want in wants]
        batch_id = None
        if vendor_ref in self._fresh:
            self._fresh.discard(vendor_ref)
        else:
            batch_id = await self._find(wants, vendor_ref)
        if batch_id is None:
            if self.otherwise is not None:
                return list(await self.otherwise(wants))
            self._candidates.pop(vendor_ref, None)
            try:
                batch_id = await self._create(wants)
            except ProviderError as error:
                if error.kind == "permanent":  # nothing was started, and retrying would not help
                    return [Reply("unknown", "provider_error")] * len(wants)
                raise
        raise ProviderError(PROVIDER, OPERATION, "transient", "submitted", vendor_ref=batch_id)

    async def _create(self, wants: Sequence[Want]) -> str:
        model = self.settings.anthropic_model
        requests: Any = [{"custom_id": want.key, "params": parameters(want.payload, model, self.limits.calls)} for want in wants]
        try:
            return (await self._open.messages.batches.create(requests=requests)).id
        except Exception as error:
            raise _translated(error) from None

    async def _find(self, wants: Sequence[Want], intent: str) -> str | None:
        """The batch created by a process that died before journaling its id, if there is one."""
        keys = {want.key for want in wants}
        for batch_id in await _once(self._candidates, intent, self._list_candidates):
            if keys & set(await self._results(batch_id)):
                return batch_id
        return None

    async def _list_candidates(self, intent: str) -> list[str]:
        """Batches created since the intent with the same number of requests. Only their results show whose they are."""
        moment, count = _parse(intent)
        await asyncio.sleep(max(0.0, min(_ON_ITS_WAY, moment.timestamp() + _ON_ITS_WAY - time.time())))
        found: list[str] = []
        try:
            async for batch in self._open.messages.batches.list(limit=100):
                if batch.created_at < moment - _CLOCKS_DIFFER:
                    break
                if sum(batch.request_counts.model_dump().values()) == count:
                    found.append(batch.id)
        except Exception as error:
            raise _translated(error) from None
        return found

    async def _results(self, batch_id: str) -> dict[str, Reply]:
        """All replies of a batch by custom id. Fetched once, however many claims depend on it."""
        return await _once(self._fetched, batch_id, self._fetch)

    async def _fetch(self, batch_id: str) -> dict[str, Reply]:
        pause = min(_FIRST_POLL, self.limits.batches.poll_seconds)
        replies: dict[str, Reply] = {}
        try:
            while (batch := await self._open.messages.batches.retrieve(batch_id)).processing_status != "ended":
                await asyncio.sleep(pause)
                pause = min(self.limits.batches.poll_seconds, max(pause * 1.5, 0.01))
            async for line in await self._open.messages.batches.results(batch_id):
                replies[line.custom_id] = self._reply(line.result)
        except Exception as error:
            raise _translated(error) from None
        if len(replies) < sum(batch.request_counts.model_dump().values()):
            raise ProviderError(PROVIDER, OPERATION, "transient", "the results are incomplete")
        return replies

    def _reply(self, result: Any) -> Reply:
        if result.type == "succeeded":
            return reply_of(result.message, self.prices, model=self.settings.anthropic_model, batch=True)
        # Errored, expired and canceled entries are not billed; they are asked again like any unknown.
        return Reply("unknown", "timeout" if result.type == "expired" else "provider_error")

    @property
    def _open(self) -> anthropic.AsyncAnthropic:
        # Opened on first use, because most purchases have no batch to fetch.
        if self._sdk is None:
            self._sdk = open_sdk(self.settings, self.limits.calls)
        return self._sdk


def _of_replay(reply: Reply, want: Want) -> Reply:
    """Adds the name of the replay, which a batch's results do not contain but whoever fetches them knows."""
    return reply if want.payload.fix is None or reply.state != "found" else replace(reply, body={**reply.body, "fix": want.payload.fix})


async def _once(tasks: dict[str, asyncio.Task[T]], name: str, work: Callable[[str], Coroutine[Any, Any, T]]) -> T:
    """The result of `work(name)`, started once for all callers; after a failure, the next caller starts it again."""
    task = tasks.get(name)
    if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
        task = tasks[name] = asyncio.create_task(work(name))
    return await asyncio.shield(task)


def _parse(intent: str) -> tuple[datetime, int]:
    moment, count, _ = intent.removeprefix(_INTENT).split(":")
    return datetime.fromtimestamp(float(moment), UTC), int(count)


def _translated(error: Exception) -> ProviderError:
    """Translates network failures for the buyer. A connection cut while results stream is temporary; anything that is not a network failure is
    a bug and is raised unchanged."""
    import anthropic

    if isinstance(error, ProviderError):
        return error
    if isinstance(error, anthropic.AnthropicError | ValueError):
        return provider_error(error, OPERATION)
    if type(error).__module__.split(".")[0] in ("httpx2", "httpcore2"):
        return ProviderError(PROVIDER, OPERATION, "transient", "connection failed")
    raise error
