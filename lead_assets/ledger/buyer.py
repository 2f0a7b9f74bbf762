"""How a purchase is made: look, claim, pace, call, settle; retry what may pass, split what cannot, wait for what others buy.

Belongs here: the order of these steps and what each failure means. Does not belong here: the transactions (`claims`), a vendor's wire format
(`lead_assets.providers`). The ledger is called in threads, so that the calls under way go on while a transaction waits for its turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from lead_assets.ledger.model import Answer, History, Rate, Reply, Settlement, Want
from lead_assets.ledger.owners import new_owner
from lead_assets.ledger.purchase import Call, Purchase, Resume, Retry
from lead_assets.providers.errors import ProviderError

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

T = TypeVar("T")

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

_LOOK_AHEAD = 0.02
"""Seconds before a slot is due at which the vendor's "too fast" is looked for once more: about the time that takes."""
_LATE_SLOTS = 20
"""Slots in a row that may be missed before one is used late: on a machine so busy the next would be missed, too."""


@dataclass
class Buyer:
    """One purchase under way."""

    ledger: Ledger
    call: Call
    batch_size: int
    concurrency: int
    rates: Sequence[Rate]
    bucket: str | None
    resume: Resume | None
    retry: Retry
    lease: float
    patience: float
    sleep: Callable[[float], Awaitable[None]]
    owner: str = field(default_factory=new_owner)

    def __post_init__(self) -> None:
        self._result = Purchase()
        self._histories: dict[str, History] = {}
        self._busy: list[Want] = []
        self._sent: set[str] = set()
        self._stopped: dict[str, str] = {}

    async def run(self, wants: Sequence[Want]) -> Purchase:
        unique = {want.key: want for want in reversed(wants)}
        self._histories = await _in_thread(self.ledger.histories, list(unique))
        now = self.ledger.now()
        missing = []
        for key, want in unique.items():
            history = self._histories.get(key)
            served = history.serve(want.lifetimes, now) if history else None
            if served is None:
                missing.append(want)
            else:
                self._hit(served)
        if missing:
            # In the order they were asked for: under a budget that ends midway the first are served.
            await self._buy(missing[::-1])
        self._result.missed = dict(Counter(a.reason or "unknown" for a in self._result.answers.values() if a.state != "found"))
        return self._result

    async def _buy(self, wants: Sequence[Want]) -> None:
        heartbeat = asyncio.create_task(self._heartbeat())
        try:
            await self._work(self._batches(wants))
            await self._wait_for_others()
        except BaseException:
            await _in_thread(self.ledger.give_up, self.owner, list(self._sent))
            raise
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self.lease / 3)
            await _in_thread(self.ledger.renew, self.owner, self.lease)

    def _batches(self, wants: Iterable[Want]) -> list[list[Want]]:
        kinds: defaultdict[tuple[str, str], list[Want]] = defaultdict(list)
        for want in wants:
            kinds[want.provider, want.operation].append(want)
        size = self.batch_size
        return [same[start : start + size] for same in kinds.values() for start in range(0, len(same), size)]

    async def _work(self, batches: Iterable[list[Want]]) -> None:
        queue = deque(batches)

        async def worker() -> None:
            while queue:
                await self._batch(queue.popleft())

        workers = [asyncio.create_task(worker()) for _ in range(min(self.concurrency, len(queue)))]
        try:
            await asyncio.gather(*workers)
        except BaseException:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            raise

    async def _wait_for_others(self) -> None:
        pause, waited = 0.05, 0.0
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
        claimed = await _in_thread(self.ledger.claim, wants, self.owner, self.lease)
        self._result.uncertain += claimed.uncertain
        for answer in claimed.answered.values():
            self._hit(answer)
        self._busy.extend(claimed.busy)
        for want in wants:
            if want.key in claimed.refused:
                self._miss([want], claimed.refused[want.key])
        begun: defaultdict[str | None, list[Want]] = defaultdict(list)
        for grant in claimed.granted:
            begun[grant.vendor_ref].append(grant.want)
        for vendor_ref, granted in begun.items():
            if vendor_ref is not None and self.resume is None:
                # Nobody can fetch it: it is as lost as a call without an id.
                granted = await self._book_failure(granted, "uncertain", uncertain=True)
                vendor_ref = None
            await self._attempt(granted, vendor_ref)

    async def _attempt(self, wants: list[Want], vendor_ref: str | None = None) -> None:
        """Call (or fetch, by the vendor's id) until there is an answer or no sense in trying again."""
        provider, attempt = (wants[0].provider if wants else ""), 0
        while wants:
            attempt += 1
            if not await self._pace(wants):
                await self._leave(wants, vendor_ref, "rate_limited")
                return
            if provider in self._stopped:
                await self._leave(wants, vendor_ref, self._stopped[provider])
                return
            if vendor_ref is None:
                self._sent.update(want.key for want in wants)
            started = time.perf_counter()
            try:
                replies = await self._request(wants, vendor_ref)
            except ProviderError as error:
                latency = _milliseconds_since(started)
                if error.vendor_ref is not None and error.vendor_ref != vendor_ref and self.resume is not None:
                    vendor_ref, attempt = error.vendor_ref, 0
                    await _in_thread(self.ledger.attach_ref, [want.key for want in wants], vendor_ref)
                    continue
                wants = await self._after(error, wants, vendor_ref, attempt, latency)
                if vendor_ref is not None and error.kind == "permanent":
                    vendor_ref, attempt = None, 0  # the vendor has forgotten the work
            else:
                await self._settle(wants, replies, _milliseconds_since(started))
                return

    async def _request(self, wants: list[Want], vendor_ref: str | None) -> Sequence[Reply]:
        if vendor_ref is not None and self.resume is not None:
            replies = await self.resume(wants, vendor_ref)
        else:
            replies = await self.call(wants)
        if len(replies) != len(wants):
            raise ProviderError(wants[0].provider, wants[0].operation, "contract", "bad_answer", status=200)
        return replies

    async def _after(self, error: ProviderError, wants: list[Want], vendor_ref: str | None, attempt: int, latency: int) -> list[Want]:
        """Deal with a failed request. Returns the wants that are to be tried again."""
        provider, reason = wants[0].provider, _reason(error)
        if error.kind in ("auth", "quota"):
            self._stopped[provider] = reason
            await self._leave(wants, vendor_ref, reason)
            return []
        if error.kind in ("permanent", "suppressed"):
            if vendor_ref is not None and error.kind == "permanent":
                return await self._book_failure(wants, "uncertain", uncertain=True)
            if len(wants) > 1:
                # One bad subject spoils a batch: halve until it stands alone.
                wants = await self._book_failure(wants, reason, cost_micros=error.cost_micros)
                middle = (len(wants) + 1) // 2
                await self._attempt(wants[:middle])
                await self._attempt(wants[middle:])
                return []
            # A person who asked the vendor not to be processed is an answer, and no error: it is not asked again in minutes.
            state: Any = "not_found" if error.kind == "suppressed" else "unknown"
            await self._settle(wants, [Reply(state, reason, cost_micros=error.cost_micros)], latency)
            return []
        circuit_open = error.kind == "transient" and await _in_thread(self.ledger.note_failure, provider)
        most = 2 if error.kind == "contract" else self.retry.attempts
        delay = max(self.retry.delay(attempt), error.retry_after or 0.0)
        if error.kind == "rate_limited":
            until = self.ledger.now() + timedelta(seconds=delay)
            await _in_thread(self.ledger.penalise, self._bucket(wants), until)
        # Sent and never answered, or answered by something that is no answer: nobody knows if it was billed.
        uncertain = vendor_ref is None and error.sent and not error.cost_micros and (error.status is None or error.status < 400)
        if attempt >= most or circuit_open or delay > self.retry.patience:
            if vendor_ref is not None or not error.sent:
                await self._leave(wants, vendor_ref, "timeout" if vendor_ref is not None else reason)
            else:
                replies = [Reply("unknown", reason, cost_micros=cost) for cost in _shares(error.cost_micros, len(wants))]
                await self._settle(wants, replies, latency, uncertain=uncertain)
            return []
        if uncertain or error.cost_micros:
            wants = await self._book_failure(wants, reason, cost_micros=error.cost_micros, uncertain=uncertain)
        self._sent.difference_update(want.key for want in wants)
        if error.kind != "rate_limited":  # that one waits for its bucket, with all others who use it
            await self.sleep(delay)
        return wants

    async def _settle(self, wants: list[Want], replies: Sequence[Reply], latency: int, *, uncertain: bool = False) -> None:
        now = self.ledger.now()
        settlements = [Settlement(want, reply, now, latency, uncertain) for want, reply in zip(wants, replies, strict=True)]
        answers = await _in_thread(self.ledger.settle, settlements, self.owner)
        self._sent.difference_update(want.key for want in wants)
        result = self._result
        result.uncertain += len(wants) if uncertain else 0
        result.latencies_ms.append(latency)
        for want, answer in zip(wants, answers, strict=True):
            result.cost_micros += answer.cost_micros
            older = self._older(want)
            if answer.state == "unknown" and older is not None:
                result.answers[want.key] = older
            else:
                result.answers[want.key] = answer
                result.bought += answer.state != "unknown"

    async def _book_failure(self, wants: list[Want], reason: str, *, cost_micros: int = 0, uncertain: bool = False) -> list[Want]:
        """Book a request that is to be made again. Returns the wants for which the budget allows it."""
        if not (cost_micros or uncertain):
            return wants
        from lead_assets.ledger.claims import Failure

        costs = _shares(cost_micros, len(wants))
        failures = [Failure(want, reason, cost, uncertain) for want, cost in zip(wants, costs, strict=True)]
        allowed = await _in_thread(self.ledger.again, failures, self.owner)
        self._sent.difference_update(want.key for want in wants)
        self._result.cost_micros += cost_micros
        self._result.uncertain += len(wants) if uncertain else 0
        self._miss([want for want in wants if want.key not in allowed], "over_budget")
        return [want for want in wants if want.key in allowed]

    async def _leave(self, wants: list[Want], vendor_ref: str | None, reason: str) -> None:
        """Give claims back. Nothing is journaled: the next purchase asks (or, for work under way at the vendor, fetches) at once."""
        keys = [want.key for want in wants]
        await _in_thread(self.ledger.release if vendor_ref is None else self.ledger.park, keys, self.owner)
        self._sent.difference_update(keys)
        self._miss(wants, reason)

    async def _pace(self, wants: list[Want]) -> bool:
        """Wait for the rate windows. False if that would take longer than anybody should wait."""
        bucket = self._bucket(wants)
        if not self.rates:
            return await self._unblocked(bucket)
        tolerance = min(rate.tolerance for rate in self.rates)
        for _ in range(_LATE_SLOTS):
            due = await _in_thread(self.ledger.reserve_slots, bucket, self.rates, 1, self.retry.patience)
            if due is None:
                return False
            await self._sleep_until(due - timedelta(seconds=_LOOK_AHEAD))
            # Somebody may have been told "too fast" while we slept.
            if not await self._unblocked(bucket):
                return False
            await self._sleep_until(due)
            if (self.ledger.now() - due).total_seconds() <= tolerance:
                return True
        return True

    async def _unblocked(self, bucket: str) -> bool:
        while (wait := await _in_thread(self.ledger.blocked_for, bucket)) > 0:
            if wait > self.retry.patience:
                return False
            await self.sleep(wait)
        return True

    async def _sleep_until(self, moment: datetime) -> None:
        wait = (moment - self.ledger.now()).total_seconds()
        if wait > 0:
            await self.sleep(wait)

    def _bucket(self, wants: list[Want]) -> str:
        return self.bucket or wants[0].provider

    def _hit(self, answer: Answer) -> None:
        self._result.answers[answer.key] = answer
        self._result.hits += 1

    def _miss(self, wants: Iterable[Want], reason: str) -> None:
        for want in wants:
            self._result.answers[want.key] = self._older(want) or Answer(
                key=want.key,
                state="unknown",
                reason=reason,
                body=None,
                provider=want.provider,
                operation=want.operation,
                subject=want.subject,
                cost_micros=0,
                answered_at=None,
                campaign_id=want.campaign_id,
            )

    def _older(self, want: Want) -> Answer | None:
        history = self._histories.get(want.key)
        return replace(history.known, stale=True) if history and history.known else None


async def _in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run a transaction in a thread. If we are cancelled meanwhile, its end is waited for: half known is worse than late."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _reason(error: ProviderError) -> str:
    return error.reason if error.reason in _OWN_REASONS else _REASONS[error.kind]


def _shares(total: int, count: int) -> list[int]:
    """Split micro-dollars evenly and exactly."""
    each, rest = divmod(total, count)
    return [each + (number < rest) for number in range(count)]


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
