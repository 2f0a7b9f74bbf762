"""How a purchase is made: look up, claim, pace, call, settle; retry temporary failures, split failing batches, wait for what others are buying.

Belongs here: the order of these steps and what each failure means. Does not belong here: the transactions (`claims`), a vendor's wire format
(`lead_assets.vendors`). The ledger runs in threads, so that calls continue while a transaction waits for its turn.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.crew import Crew
from lead_assets.ledger.holders import new_holder
from lead_assets.ledger.model import Answer, History, Intent, Rate, Reply, Settlement, Want, missed
from lead_assets.ledger.pacer import Pacer
from lead_assets.ledger.purchase import Call, Purchase, Retry, TakeUp
from lead_assets.ledger.teller import Teller, in_thread

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

_REASONS = {
    "transient": "provider_error",
    "rate_limited": "rate_limited",
    "permanent": "provider_error",
    "auth": "auth",
    "quota": "quota",
    "suppressed": "suppressed",
    "contract": "bad_answer",
}
_OWN_REASONS = frozenset({*_REASONS.values(), "timeout", "skipped", "no_result", "no_subject", "no_key"})

_MOST_REFS = 6
"""How many new ids a vendor may give for the same work before we leave it for later: an intent and a batch make two."""


@dataclass(frozen=True)
class _Failed:
    """Wants that failed in the same way: the error, its cost per want, and what was tried. `singly`: each want failed on its own, not the request."""

    error: ProviderError
    wants: list[Want]
    costs: list[int]
    attempt: int = 1
    latency: int = 0
    vendor_ref: str | None = None
    begun: int = 0
    forgotten: bool = False
    singly: bool = False


@dataclass
class Buyer:
    """One purchase in progress."""

    ledger: Ledger
    call: Call
    batch_size: int
    concurrency: int
    rates: Sequence[Rate]
    bucket: str | None
    take_up: TakeUp | None
    intent: Intent | None
    prepare: Callable[[], Awaitable[None]] | None
    retry: Retry
    lease: float
    patience: float
    sleep: Callable[[float], Awaitable[None]]
    holder: str = field(default_factory=new_holder)

    def __post_init__(self) -> None:
        self._result = Purchase()
        self._histories: Mapping[str, History] = {}
        self._busy: list[Want] = []
        self._sent: set[str] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._stopped: dict[str, str] = {}
        self._teller = Teller(self.ledger, self.holder, self.lease)
        self._pacer = Pacer(self.ledger, self.rates, self.retry.patience, self.sleep)

    async def run(self, wants: Sequence[Want], known: Mapping[str, History] | None = None) -> Purchase:
        unique = {want.key: want for want in reversed(wants)}
        self._histories = await in_thread(self.ledger.histories, list(unique)) if known is None else known
        now = self.ledger.now()
        missing = []
        for key, want in unique.items():
            history = self._histories.get(key)
            served = history.serve(want.lifetimes, now) if history else None
            if served is None:
                missing.append(want)
            else:
                self._hit(want, served)
        if missing:
            if self.prepare is not None:
                await self.prepare()
            # In the order requested: if the budget runs out midway, the first ones are served.
            await self._buy(missing[::-1])
        self._result.missed = dict(Counter(a.reason or "unknown" for a in self._result.answers.values() if a.state != "found"))
        return self._result

    async def _buy(self, wants: Sequence[Want]) -> None:
        heartbeat = asyncio.create_task(self._heartbeat())
        try:
            await self._work(self._batches(wants))
            await self._wait_for_others()
            await asyncio.gather(*self._settling)
        except BaseException:
            await self._teller.finish()
            await asyncio.gather(*self._settling, return_exceptions=True)
            await in_thread(self.ledger.give_up, self.holder, list(self._sent))
            raise
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self.lease / 3)
            await in_thread(self.ledger.renew, self.holder, self.lease)

    def _batches(self, wants: Iterable[Want]) -> list[list[Want]]:
        kinds: defaultdict[tuple[str, str], list[Want]] = defaultdict(list)
        for want in wants:
            kinds[want.provider, want.operation].append(want)
        size = self.batch_size
        return [same[start : start + size] for same in kinds.values() for start in range(0, len(same), size)]

    async def _work(self, batches: Iterable[list[Want]]) -> None:
        await Crew(self._batch, batches, self.concurrency).run()

    async def _wait_for_others(self) -> None:
        pause, waited = 0.01, 0.0
        while self._busy:
            waiting, self._busy = self._busy, []
            if waited > self.patience:
                self._miss(waiting, "timeout")
                return
            await self.sleep(pause)
            waited += pause
            pause = min(pause * 1.6, 1.0)
            await self._work(self._batches(waiting))

    async def _batch(self, wants: list[Want]) -> None:
        provider = wants[0].provider
        if provider in self._stopped:
            self._miss(wants, self._stopped[provider])
            return
        claimed = await self._teller.claim(wants, self.intent)
        for want in wants:
            self._result.spent[want.campaign_id].uncertain += want.key in claimed.uncertain
            if want.key in claimed.answered:
                self._hit(want, claimed.answered[want.key])
        self._busy.extend(claimed.busy)
        for want in wants:
            if want.key in claimed.refused:
                self._miss([want], claimed.refused[want.key])
        begun: defaultdict[tuple[str | None, bool], list[Want]] = defaultdict(list)
        for grant in claimed.granted:
            begun[grant.vendor_ref, grant.fresh].append(grant.want)
        unblocked = not self.rates and self._bucket(wants) not in claimed.blocked
        for (vendor_ref, fresh), granted in begun.items():
            if vendor_ref is not None and self.take_up is None:
                # Nobody can fetch it, so it is as lost as a call without an id.
                lost = ProviderError(provider, wants[0].operation, "permanent", "uncertain")
                granted = await self._book_failure(_Failed(lost, granted, [0] * len(granted)), uncertain=True)
                vendor_ref = None
            await self._attempt(granted, vendor_ref, unblocked=unblocked, fresh=fresh)

    async def _attempt(
        self,
        wants: list[Want],
        vendor_ref: str | None = None,
        *,
        unblocked: bool = False,
        fresh: bool = False,
        begun: int = 0,
        forgotten: bool = False,
    ) -> None:
        """Call (or fetch, by the vendor's id) until there is an answer or another attempt makes no sense.

        `unblocked`: the bucket was free a moment ago. `fresh`: the id is an intent that has not been acted on. `begun`: how many ids the vendor
        has given for this work. `forgotten`: the vendor no longer knew one of them.
        """
        provider, attempt = (wants[0].provider if wants else ""), 0
        while wants:
            attempt += 1
            if not (unblocked or await self._pacer.wait(self._bucket(wants))):
                await self._leave(wants, None if fresh else vendor_ref, "rate_limited")
                return
            unblocked = False
            if provider in self._stopped:
                await self._leave(wants, None if fresh else vendor_ref, self._stopped[provider])
                return
            fresh = False
            if vendor_ref is None:
                self._sent.update(want.key for want in wants)
            started = time.perf_counter()
            try:
                replies = await self._request(wants, vendor_ref)
                failed = self._settle_replies(wants, replies, _milliseconds_since(started))
            except ProviderError as error:
                costs = _shares(error.cost_micros, len(wants))
                failed = [_Failed(error, wants, costs, attempt, _milliseconds_since(started), vendor_ref, begun, forgotten)]
            else:
                failed = [replace(each, attempt=attempt, vendor_ref=vendor_ref, begun=begun, forgotten=forgotten) for each in failed]
            wants = []
            if failed:
                # Retries are sent without a new claim, so first commit what was settled with them.
                await asyncio.gather(*self._settling)
            for each in failed:
                wants += await self._after(each)

    async def _request(self, wants: list[Want], vendor_ref: str | None) -> Sequence[Reply | ProviderError]:
        if vendor_ref is not None and self.take_up is not None:
            replies = await self.take_up(wants, vendor_ref)
        else:
            replies = await self.call(wants)
        if len(replies) != len(wants):
            raise ProviderError(wants[0].provider, wants[0].operation, "contract", "bad_answer", status=200)
        return replies

    def _settle_replies(self, wants: list[Want], replies: Sequence[Reply | ProviderError], latency: int) -> list[_Failed]:
        """Settle the answered wants. Returns those that failed on their own, grouped by failure."""
        answered = [(want, reply) for want, reply in zip(wants, replies, strict=True) if isinstance(reply, Reply)]
        if answered:
            self._settle([want for want, _ in answered], [reply for _, reply in answered], latency)
        failed: dict[tuple[Any, ...], _Failed] = {}
        for want, error in zip(wants, replies, strict=True):
            if isinstance(error, ProviderError):
                alike = (error.kind, error.reason, error.status, error.retry_after, error.vendor_ref, error.sent)
                group = failed.setdefault(alike, _Failed(error, [], [], latency=latency, singly=True))
                group.wants.append(want)
                group.costs.append(error.cost_micros)
        return list(failed.values())

    async def _after(self, failed: _Failed) -> list[Want]:
        """Handle failures. Returns the wants to retry in the same way."""
        error, wants, vendor_ref = failed.error, failed.wants, failed.vendor_ref
        provider, reason = wants[0].provider, _reason(error)
        if error.vendor_ref is not None and error.vendor_ref != vendor_ref and self.take_up is not None:
            await in_thread(self.ledger.attach_ref, [want.key for want in wants], error.vendor_ref)
            if error.kind == "rate_limited":
                await self._pacer.hold(self._bucket(wants), max(self.retry.delay(failed.attempt), error.retry_after or 0.0))
            if failed.begun >= _MOST_REFS:
                await self._leave(wants, error.vendor_ref, "timeout")
            else:
                await self._attempt(wants, error.vendor_ref, begun=failed.begun + 1, forgotten=failed.forgotten)
            return []
        if error.kind in ("auth", "quota"):
            self._stopped[provider] = reason
            await self._leave(wants, vendor_ref, reason)
            return []
        if error.kind == "permanent" and vendor_ref is not None:
            # The vendor has forgotten the work. Start it again, but only once: a vendor that keeps forgetting would make us pay endlessly.
            if failed.forgotten:
                self._settle(wants, [Reply("unknown", reason)] * len(wants), failed.latency, uncertain=True)
            else:
                await self._attempt(await self._book_failure(failed, uncertain=True), forgotten=True)
            return []
        if error.kind in ("permanent", "suppressed"):
            if len(wants) > 1 and not failed.singly:
                # One bad subject fails the whole batch: halve it until the bad one is alone.
                wants = await self._book_failure(failed)
                middle = (len(wants) + 1) // 2
                await self._attempt(wants[:middle], forgotten=failed.forgotten)
                await self._attempt(wants[middle:], forgotten=failed.forgotten)
                return []
            # A person's opt-out is an answer, not an error, so it is not asked again minutes later.
            state: Any = "not_found" if error.kind == "suppressed" else "unknown"
            self._settle(wants, [Reply(state, reason, cost_micros=cost) for cost in failed.costs], failed.latency)
            return []
        circuit_open = error.kind == "transient" and await self._note(error, provider)
        most = 2 if error.kind == "contract" else self.retry.attempts
        delay = max(self.retry.delay(failed.attempt), error.retry_after or 0.0)
        if error.kind == "rate_limited":
            await self._pacer.hold(self._bucket(wants), delay)
        # Sent, but not answered or answered with garbage: nobody knows whether it was billed.
        uncertain = vendor_ref is None and error.sent and not any(failed.costs) and (error.status is None or error.status < 400)
        if failed.attempt >= most or circuit_open or delay > self.retry.patience:
            if vendor_ref is not None or not error.sent:
                await self._leave(wants, vendor_ref, "timeout" if vendor_ref is not None else reason)
            else:
                replies = [Reply("unknown", reason, cost_micros=cost) for cost in failed.costs]
                self._settle(wants, replies, failed.latency, uncertain=uncertain)
            return []
        wants = await self._book_failure(failed, uncertain=uncertain)
        self._sent.difference_update(want.key for want in wants)
        if error.kind != "rate_limited":  # rate limits wait for the bucket, together with all its other users
            await self.sleep(delay)
        return wants

    async def _note(self, error: ProviderError, provider: str) -> bool:
        """Count a failure of the provider. True if its circuit is now open."""
        return await in_thread(functools.partial(self.ledger.note_failure, provider, counts=not error.counted))

    def _settle(self, wants: list[Want], replies: Sequence[Reply], latency: int, *, uncertain: bool = False) -> None:
        """Journal the answers without waiting: the worker's next claim is in the same transaction or a later one, and its next request
        leaves only after that commits."""
        now = self.ledger.now()
        settlements = [Settlement(want, reply, now, latency, uncertain) for want, reply in zip(wants, replies, strict=True)]
        task = asyncio.create_task(self._keep(self._teller.settle(settlements), wants, latency, uncertain))
        self._settling.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task: asyncio.Task[None]) -> None:
        # A failed one is kept, and raises where all are awaited.
        if not task.cancelled() and task.exception() is None:
            self._settling.discard(task)

    async def _keep(self, settled: asyncio.Future[list[Answer]], wants: list[Want], latency: int, uncertain: bool) -> None:
        answers = await settled
        self._sent.difference_update(want.key for want in wants)
        result = self._result
        result.latencies_ms.append(latency)
        for campaign in {want.campaign_id for want in wants}:
            result.spent[campaign].latencies_ms.append(latency)
        for want, answer in zip(wants, answers, strict=True):
            spent = result.spent[want.campaign_id]
            spent.cost_micros += answer.cost_micros
            spent.uncertain += uncertain
            older = self._older(want)
            if answer.state == "unknown" and older is not None:
                result.answers[want.key] = older
            else:
                result.answers[want.key] = answer
                spent.bought += answer.state != "unknown"

    async def _book_failure(self, failed: _Failed, *, uncertain: bool = False) -> list[Want]:
        """Record a request that will be retried. Returns the wants whose budget allows it."""
        wants = failed.wants
        if not (uncertain or any(failed.costs)):
            return wants
        from lead_assets.ledger.claims import Failure

        reason = "uncertain" if uncertain else _reason(failed.error)
        failures = [Failure(want, reason, cost, uncertain) for want, cost in zip(wants, failed.costs, strict=True)]
        allowed = await in_thread(self.ledger.again, failures, self.holder)
        self._sent.difference_update(want.key for want in wants)
        for want, cost in zip(wants, failed.costs, strict=True):
            spent = self._result.spent[want.campaign_id]
            spent.cost_micros += cost
            spent.uncertain += uncertain
        self._miss([want for want in wants if want.key not in allowed], "over_budget")
        return [want for want in wants if want.key in allowed]

    async def _leave(self, wants: list[Want], vendor_ref: str | None, reason: str) -> None:
        """Give claims back without journaling: the next purchase asks at once (or fetches, if the vendor is already working on it)."""
        keys = [want.key for want in wants]
        await in_thread(self.ledger.release if vendor_ref is None else self.ledger.park, keys, self.holder)
        self._sent.difference_update(keys)
        self._miss(wants, reason)

    def _bucket(self, wants: list[Want]) -> str:
        return self.bucket or wants[0].provider

    def _hit(self, want: Want, answer: Answer) -> None:
        self._result.answers[want.key] = answer
        self._result.spent[want.campaign_id].hits += 1

    def _miss(self, wants: Iterable[Want], reason: str) -> None:
        for want in wants:
            self._result.answers[want.key] = self._older(want) or missed(want, reason)

    def _older(self, want: Want) -> Answer | None:
        history = self._histories.get(want.key)
        return replace(history.known, stale=True) if history and history.known else None


def _reason(error: ProviderError) -> str:
    return error.reason if error.reason in _OWN_REASONS else _REASONS[error.kind]


def _shares(total: int, count: int) -> list[int]:
    """Split an amount in micro-dollars evenly, without losing any."""
    each, rest = divmod(total, count)
    return [each + (number < rest) for number in range(count)]


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
