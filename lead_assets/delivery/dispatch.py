"""Drains the outbox: workers take what is due, destinations send it, and every step is journaled before and after.

Belongs here: turns, journaling, what a failure means for an entry, and what must not be sent now (suppressed people, quiet hours, pauses). Does not belong
here: the entries' states (see `lead_assets.ledger.outbox`), requests (see the destinations), or what is to be sent (see `planning`).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import contact_values
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger import Ledger
from lead_assets.ledger import outbox_steps as entries
from lead_assets.ledger.database import Tx
from lead_assets.ledger.holders import new_holder
from lead_assets.ledger.model import Rate
from lead_assets.ledger.outbox_model import Fate, Parcel, Policy
from lead_assets.ledger.pacer import Pacer
from lead_assets.ledger.teller import in_thread
from lead_assets.vendors import destinations
from lead_assets.vendors.sending import Destination, SendOpening, SendRules
from lead_assets.vendors.vendor import Vendor

T = TypeVar("T")

_LEASE = 60.0
_SHUT_AFTER = 900.0
"""Seconds until a destination that refused its key, or whose daily limit is reached, is asked again."""


@dataclass
class Drained:
    """What a drain did, by destination: the states that entries reached, and why a destination was left early."""

    states: dict[str, Counter[str]] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """One row per destination: {destination, confirmed, failed, …, stopped}."""
        names = sorted({*self.states, *self.stopped})
        return [{"destination": name, **self.states.get(name, {}), "stopped": self.stopped.get(name)} for name in names]


def drain(
    ledger: Ledger,
    settings: Settings,
    rules: DeliveryRules,
    *,
    campaigns: Collection[str] | None = None,
    only: Collection[str] | None = None,
    patience: float = 5.0,
) -> Drained:
    """Send what is due: of all campaigns or some, to all destinations that are on or `only` some.

    patience: seconds to wait for a turn, or for the next entry to become due, before the rest is left to the next drain.
    """
    if ledger.buying != "always":
        raise RuntimeError("this run sends nothing: do not drain the outbox in it")
    ledger.bind_world(settings.world)
    return asyncio.run(_drain(ledger, settings, rules, campaigns, only, patience))


def sendable(ledger: Ledger, settings: Settings, rules: DeliveryRules) -> set[str]:
    """The destinations that are on, have their key, and are neither paused nor down: a drain would send to them now."""
    paused, now = ledger.paused(), ledger.now()
    down = {circuit.provider for circuit in ledger.circuits() if circuit.open_until > now}
    return {
        name
        for name, own in rules.active(settings).items()
        if not paused & {name, ""} and name not in down and (_key(name, settings) or not destinations()[name].destination.needs_key(own))
    }


def suppressed(ledger: Ledger, bodies: Sequence[tuple[int, Mapping[str, Any]]]) -> set[int]:
    """Of (number, body) each, the numbers of those about people who are suppressed by now."""
    values = {number: _values(body.get("who") or {}) for number, body in bodies}
    found = ledger.suppressed_among({pair for pairs in values.values() for pair in pairs})
    return {number for number, pairs in values.items() if any(pair in found for pair in pairs)}


def _key(name: str, settings: Settings) -> SecretStr | None:
    return destinations()[name].key(settings)


async def _drain(
    ledger: Ledger,
    settings: Settings,
    rules: DeliveryRules,
    campaigns: Collection[str] | None,
    only: Collection[str] | None,
    patience: float,
) -> Drained:
    active = {name: own for name, own in rules.active(settings).items() if only is None or name in only}
    drained = Drained()
    holder = new_holder()
    journal = _Journal(ledger)
    counters = [_Counter(ledger, settings, rules, name, own, holder, journal, campaigns, patience, drained) for name, own in active.items()]
    renewal = asyncio.create_task(_renew(ledger, holder))
    try:
        async with asyncio.TaskGroup() as group:
            for counter in counters:
                group.create_task(counter.serve())
    except ExceptionGroup as errors:
        # A failed step is told by its error: "3 sub-exceptions" says nothing, and hides from whoever can wait that a database went away.
        raise errors.exceptions[0] from None
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        await journal.finish()
        await in_thread(ledger.outbox.release, holder)
    return drained


async def _renew(ledger: Ledger, holder: str) -> None:
    while True:
        await asyncio.sleep(_LEASE / 3)
        await in_thread(ledger.outbox.renew, holder, _LEASE)


class _Journal:
    """Group commit: steps that workers take at the same time become one transaction, and nobody goes on before it is committed."""

    def __init__(self, ledger: Ledger) -> None:
        self._outbox = ledger.outbox
        self._waiting: list[tuple[Callable[[Tx], Any], asyncio.Future[Any]]] = []
        self._serving: asyncio.Task[None] | None = None

    async def do(self, work: Callable[[Tx], T]) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return await done

    async def finish(self) -> None:
        if self._serving is not None and not self._serving.done():
            await asyncio.wait([self._serving])

    async def _serve(self) -> None:
        while self._waiting:
            steps, self._waiting = self._waiting, []
            try:
                results = await in_thread(self._outbox.together, [work for work, _ in steps])
            except Exception as error:
                for _, done in steps:
                    if not done.done():
                        done.set_exception(error)
                continue
            for (_, done), result in zip(steps, results, strict=True):
                if not done.done():
                    done.set_result(result)


class _Counter:
    """One destination's counter: a `SendDesk` for its sender, and the workers."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        rules: DeliveryRules,
        name: str,
        own: SendRules,
        holder: str,
        journal: _Journal,
        campaigns: Collection[str] | None,
        patience: float,
        drained: Drained,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._rules = rules
        self._name = name
        self._own = own
        self._vendor: Vendor = destinations()[name]
        self._destination: Destination = self._vendor.destination
        self._holder = holder
        self._journal = journal
        self._campaigns = campaigns
        self._patience = patience
        self._drained = drained
        self._policy: Policy = rules.policy
        self._states: Counter[str] = drained.states.setdefault(name, Counter())
        self._shut = False
        self._failed = any(circuit.provider == name for circuit in ledger.circuits())

    async def serve(self) -> None:
        """Send until nothing is due within the patience."""
        url = self._destination.url(self._settings, self._own) or self._vendor.url(self._settings)
        key = self._vendor.key(self._settings)
        if key is None and self._destination.needs_key(self._own):
            self._stop("no_key")
            return
        if await in_thread(self._paused):
            return
        first = await self._take()
        if not first:
            # Mostly nothing is due. Then nothing is opened: to import what makes requests takes a tenth of a second.
            wait = await in_thread(self._ledger.outbox.next_due, self._name, self._campaigns)
            if wait is None or wait > self._patience:
                return
        opening = SendOpening(self._settings, self._own, url, key or SecretStr(""), self)
        give_up = time.monotonic() + self._patience
        async with self._destination.open(opening) as sender:
            while not self._shut:
                works = [self._work(sender.send, first), *(self._work(sender.send) for _ in range(self._destination.workers - 1))]
                worked = await asyncio.gather(*works)
                first = []
                wait = await in_thread(self._ledger.outbox.next_due, self._name, self._campaigns)
                if any(worked):
                    give_up = time.monotonic() + self._patience
                if wait is None or time.monotonic() + wait > give_up:
                    return
                await asyncio.sleep(max(wait, 0.02))

    async def _work(self, send: Callable[[Sequence[Parcel]], Awaitable[None]], parcels: Sequence[Parcel] = ()) -> bool:
        worked = False
        while not self._shut:
            parcels = parcels or await self._take()
            if not parcels:
                return worked
            worked = True
            awake = await self._awake(parcels)
            try:
                if awake:
                    await send(awake)
            except ProviderError as error:
                # What was sent and lost has been settled; this is a question that came before.
                await self.failed(awake, error)
            parcels = ()
        return worked

    async def _take(self) -> list[Parcel]:
        name, most, campaigns, holder = self._name, self._destination.claims, self._campaigns, self._holder
        return await self._journal.do(lambda tx: entries.claim(tx, holder, name, most, _LEASE, campaigns))

    async def _awake(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Those that need not wait until somebody's quiet hours are over."""
        quiet = self._rules.quiet_hours
        if quiet is None:
            return list(parcels)
        now = self._ledger.now()
        wait = {
            parcel.id: quiet.seconds_left(now, self._rules.zone(parcel.owner)) if self._destination.to_people or parcel.reaches else 0.0
            for parcel in parcels
            if parcel.state not in ("sent", "uncertain")
        }
        asleep = [parcel for parcel in parcels if wait.get(parcel.id, 0.0) > 0]
        await self.settle([(parcel, Fate("held", "quiet_hours", retry_after=wait[parcel.id], free=True)) for parcel in asleep])
        return [parcel for parcel in parcels if wait.get(parcel.id, 0.0) <= 0]

    # What a sender works at: see `SendDesk`.

    async def turn(self, bucket: str, rates: Sequence[Rate]) -> bool:
        return not self._shut and await Pacer(self._ledger, rates, max(self._patience, 1.0), asyncio.sleep).wait(bucket)

    async def depart(self, parcels: Sequence[Parcel], ref: str | None = None) -> list[Parcel]:
        banned = await in_thread(suppressed, self._ledger, [(parcel.id, parcel.body) for parcel in parcels])
        free = [parcel for parcel in parcels if parcel.id not in banned]
        await self.settle([(parcel, Fate("held", "suppressed", free=True)) for parcel in parcels if parcel.id in banned])
        return await self._journal.do(lambda tx: entries.depart(tx, free, self._holder, self._policy, ref)) if free else []

    async def settle(self, fates: Sequence[tuple[Parcel, Fate]]) -> None:
        if not fates:
            return
        for _, fate in fates:
            self._states[fate.state] += 1
        if self._failed and any(fate.state in ("confirmed", "sent") for _, fate in fates):
            # It answers: failures count in a row only.
            self._failed = False
            await in_thread(self._ledger.note_success, self._name)
        await self._journal.do(lambda tx: entries.settle(tx, fates, self._holder, self._policy))

    async def owners_seen(self, owners: Sequence[tuple[str, str]]) -> None:
        await in_thread(lambda: self._ledger.note_crm([(account, owner, None) for account, owner in owners], fill=True))

    async def failed(self, parcels: Sequence[Parcel], error: ProviderError, bucket: str | None = None) -> None:
        fate = self._fate(error)
        if error.kind == "rate_limited" and bucket is not None:
            await Pacer(self._ledger, (), 0.0, asyncio.sleep).hold(bucket, error.retry_after or 1.0)
        if error.kind in ("auth", "quota"):
            self._stop(error.reason)
        elif error.kind in ("transient", "contract"):
            self._failed = True
            if await in_thread(self._ledger.note_failure, self._name):
                self._stop("provider_error")
        await self.settle([(parcel, fate) for parcel in parcels])

    def _fate(self, error: ProviderError) -> Fate:
        match error.kind:
            case "permanent" | "suppressed":
                return Fate("dead", error.reason)
            case "auth" | "quota":
                return Fate("failed", error.reason, retry_after=_SHUT_AFTER, free=True)
            case "rate_limited":
                return Fate("failed", error.reason, retry_after=error.retry_after or 1.0, free=True)
            case _:
                lost = error.sent and not self._destination.deduplicates
                return Fate("uncertain" if lost else "failed", error.reason, retry_after=error.retry_after)

    def _paused(self) -> bool:
        paused = self._ledger.paused()
        if self._name in paused or "" in paused:
            self._stop("paused")
            return True
        now = self._ledger.now()
        if any(circuit.provider == self._name and circuit.open_until > now for circuit in self._ledger.circuits()):
            self._stop("provider_error")
            return True
        return False

    def _stop(self, reason: str) -> None:
        self._shut = True
        self._drained.stopped.setdefault(self._name, reason)


def _values(who: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What may be suppressed about somebody."""
    company = [("domain", str(who["company_domain"]))] if who.get("company_domain") else []
    return [*contact_values(who.get("email"), who.get("phone")), *company]
