"""Claims: the right to make one call, with its price reserved until the answer is journaled.

Belongs here: claim, renew, attach, settle, release, and handling claims whose holder died. Does not belong here: the call (`purchase`).
A key is in `claims` exactly from reservation to journaling, so reserved money always equals the open claims.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lead_assets.ledger import controls, journal, money, pacing, registers
from lead_assets.ledger.allowance import Allowance
from lead_assets.ledger.database import Tx, day_of, one_of, to_us
from lead_assets.ledger.holders import is_gone
from lead_assets.ledger.journal import JournalEntry
from lead_assets.ledger.model import KEPT_OUT, UNSENT, Answer, Claimed, Granted, Intent, Settlement, Want
from lead_assets.ledger.schema import claims

LONGEST_LEASE_US = 300_000_000
"""A lease that lasts longer was given before the clock went back: nobody asks for five minutes."""

Intents = Sequence[tuple[Sequence[Want], Intent]]
"""Groups of wants, one per request, and what is journaled with their claims."""


def claim(
    tx: Tx,
    wants: Sequence[Want],
    holder: str,
    lease: float,
    intents: Intents = (),
    key: bytes | None = None,
    allowance: Allowance | None = None,
) -> Claimed:
    """Claim wants and reserve their prices. Checks the journal again first, because others may have bought them since the caller looked; and the suppressions
    (stored under `key`), because somebody may have opted out since. `allowance`: what the caller may spend, beside all budgets."""
    if not wants:
        return Claimed([], [], {}, {})
    until = tx.now_us + int(lease * 1e6)
    wants = list({want.key: want for want in wants}.values())
    past = journal.histories(tx, [want.key for want in wants])
    held = {row.key: row for row in tx.execute(_claims_of(tx.postgres), {"listed": tx.listed(want.key for want in wants)})}
    _shorten(tx, held.values())
    granted: list[Granted] = []
    busy: list[Want] = []
    answered: dict[str, Answer] = {}
    free: list[Want] = []
    unsent: list[Any] = []
    lapsed: list[Any] = []
    for want in wants:
        row = held.get(want.key)
        fresh = past[want.key].serve(want.lifetimes, tx.now) if want.key in past else None
        if row is None and fresh is not None:
            answered[want.key] = fresh
        elif row is None:
            free.append(want)
        elif row.owner == holder and tx.again:
            granted.append(_granted(want, row.vendor_ref))  # our own claim, from an attempt that was cut off
        elif row.lease_until > tx.now_us and not is_gone(row.owner):
            busy.append(want)
        elif row.vendor_ref == UNSENT:
            unsent.append(row)
            free.append(want)
        elif row.vendor_ref is not None:
            granted.append(Granted(want, row.vendor_ref))
        else:
            lapsed.append(row)
            free.append(want)
    resumed = [grant.want.key for grant in granted if grant.vendor_ref is not None]
    if resumed:
        tx.execute(sa.update(claims).where(tx.among(claims.c.key, resumed)).values(owner=holder, lease_until=until))
    book = _Booking(tx)
    book.drop(unsent)
    book.write_off(lapsed)
    book.close()
    refused = controls.refusals(tx, {want.provider for want in free})
    purse = money.Purse(tx, free)
    turned_away = {want.key: refused[want.provider] for want in free if want.provider in refused}
    turned_away |= dict.fromkeys(registers.kept_out(tx, free, key), KEPT_OUT)
    affordable = []
    for want in free:
        if want.key in turned_away:
            continue
        if (allowance is None or allowance.take(want.price_micros)) and purse.take(want):
            affordable.append(want)
        else:
            turned_away[want.key] = "over_budget"
    refs = _refs(affordable, intents)
    book.reserve(affordable, holder, until, refs)
    book.close()
    controls.begin_probes(tx, {want.provider for want in affordable})
    granted += [_granted(want, refs.get(want.key)) for want in affordable]
    return Claimed(granted, busy, answered, turned_away, frozenset(row.key for row in lapsed), pacing.blocked(tx))


def _shorten(tx: Tx, rows: Iterable[Any]) -> None:
    """Leases from before the clock went back end soon, unless their holder lives and renews them."""
    until = tx.now_us + LONGEST_LEASE_US
    if keys := [row.key for row in rows if row.lease_until > until]:
        tx.execute(sa.update(claims).where(tx.among(claims.c.key, keys)).values(lease_until=until))


def _refs(wants: Sequence[Want], intents: Intents) -> dict[str, str]:
    """What is journaled with each of these claims: an intent includes the number of wants in its request."""
    refs: dict[str, str] = {}
    keys = {want.key for want in wants}
    for asked, intent in intents:
        mine = {want.key for want in asked} & keys
        if mine:
            refs |= dict.fromkeys(mine, intent(len(mine)))
    return refs


def _granted(want: Want, vendor_ref: str | None) -> Granted:
    return Granted(want, None if vendor_ref == UNSENT else vendor_ref, fresh=True)


def renew(tx: Tx, holder: str, lease: float) -> None:
    """Renew the leases of a living holder."""
    tx.execute(sa.update(claims).where(claims.c.owner == holder).values(lease_until=tx.now_us + int(lease * 1e6)))


def attach_ref(tx: Tx, keys: Iterable[str], vendor_ref: str) -> None:
    """Record the vendor's own id for claimed keys, so that whoever takes over after a crash can fetch the work."""
    tx.execute(sa.update(claims).where(tx.among(claims.c.key, keys)).values(vendor_ref=vendor_ref))


def sending(tx: Tx, keys: Iterable[str]) -> bool:
    """Record that the request for these claims leaves now and may be billed from here on. False if the holder no longer has all of them."""
    keys = list(keys)
    mine = sa.and_(tx.among(claims.c.key, keys), sa.or_(claims.c.vendor_ref.is_(None), claims.c.vendor_ref == UNSENT))
    if tx.execute(sa.select(sa.func.count()).select_from(claims).where(mine)).scalar() != len(keys):
        return False
    tx.execute(sa.update(claims).where(mine).values(vendor_ref=None))
    return True


def left_behind(tx: Tx) -> list[tuple[str, int]]:
    """Campaigns whose vendor was told and whose holder is gone: (campaign, time of its newest such claim in microseconds). The next purchase fetches the
    work by its vendor_ref instead of buying it again."""
    told = sa.and_(claims.c.vendor_ref.is_not(None), claims.c.vendor_ref != UNSENT)
    newest: dict[str, int] = {}
    for row in tx.rows(sa.select(claims.c.campaign_id, claims.c.owner, claims.c.claimed_at, claims.c.lease_until).where(told)):
        if row.lease_until <= tx.now_us or is_gone(row.owner):
            newest[row.campaign_id] = max(newest.get(row.campaign_id, 0), row.claimed_at)
    return sorted(newest.items())


def release(tx: Tx, keys: Iterable[str], holder: str) -> None:
    """Give back claims whose call the vendor cannot have seen, without journaling."""
    book = _Booking(tx)
    book.drop(_held(tx, keys, holder))
    book.close()


def abandon(tx: Tx, keys: Iterable[str], holder: str) -> None:
    """Give up claims whose call may have been billed, and journal them as uncertain."""
    book = _Booking(tx)
    book.write_off(_held(tx, keys, holder))
    book.close()


def park(tx: Tx, keys: Iterable[str], holder: str) -> None:
    """End the leases now, so that the next purchase takes over the claims and fetches the work by its vendor_ref."""
    # In SQL, null is never unequal to anything, so this also leaves out claims without a reference.
    mine = sa.and_(tx.among(claims.c.key, keys), claims.c.owner == holder, claims.c.vendor_ref != UNSENT)
    tx.execute(sa.update(claims).where(mine).values(lease_until=tx.now_us))


def give_up(tx: Tx, holder: str, sent: Iterable[str]) -> None:
    """End all claims of a holder that stops early: park those with a vendor_ref, mark sent ones as uncertain, give back the rest."""
    sent = set(sent)
    rows = list(tx.execute(sa.select(claims).where(claims.c.owner == holder)))
    park(tx, [row.key for row in rows], holder)
    book = _Booking(tx)
    book.write_off([row for row in rows if row.vendor_ref is None and row.key in sent])
    book.drop([row for row in rows if row.vendor_ref == UNSENT or (row.vendor_ref is None and row.key not in sent)])
    book.close()


@dataclass(frozen=True)
class Failure:
    """The cost of a failed attempt that will be retried: `cost_micros` if known, otherwise nothing and `uncertain`."""

    want: Want
    reason: str
    cost_micros: int = 0
    uncertain: bool = False


def again(tx: Tx, failures: Sequence[Failure], holder: str) -> set[str]:
    """Record failed attempts and reserve the price once more. Returns the keys that may be retried; other claims are given back."""
    held = {row.key: row for row in _held(tx, [failure.want.key for failure in failures], holder)}
    mine = [failure for failure in failures if failure.want.key in held]
    book = _Booking(tx)
    for failure in mine:
        if failure.uncertain:
            book.write_off([held[failure.want.key]])
        else:
            book.drop([held[failure.want.key]])
            if failure.cost_micros:
                book.enter(_entry(failure.want, "unknown", failure.reason, failure.cost_micros, tx.now_us, held[failure.want.key].day))
    book.close()
    purse = money.Purse(tx, [failure.want for failure in mine])
    affordable = [failure.want for failure in mine if purse.take(failure.want)]
    until = max((held[failure.want.key].lease_until for failure in mine), default=0)
    book.reserve(affordable, holder, until, {})
    book.close()
    return {want.key for want in affordable}


def settle(tx: Tx, settlements: Sequence[Settlement], bodies: Sequence[bytes | None], holder: str) -> None:
    """Journal answers, settle their prices against the reservations and drop the claims.

    An answer is journaled even if another holder has taken over its claim in the meantime: it was paid for.
    """
    if tx.again:
        done = journal.already_written(tx, [(s.want.key, to_us(s.answered_at)) for s in settlements])
        pairs = [(s, b) for s, b in zip(settlements, bodies, strict=True) if s.want.key not in done]
        settlements, bodies = [s for s, _ in pairs], [b for _, b in pairs]
    if not settlements:
        return
    held = {row.key: row for row in _held(tx, [s.want.key for s in settlements], holder)}
    book = _Booking(tx)
    for settlement, body in zip(settlements, bodies, strict=True):
        want, reply, answered_us = settlement.want, settlement.reply, to_us(settlement.answered_at)
        row = held.get(want.key)
        # Taking over a claim returns its reservation, so a late answer counts against the day on which it arrives.
        day = row.day if row is not None else day_of(answered_us)
        if settlement.uncertain:
            book.enter(_entry(want, "unknown", "uncertain", want.price_micros, answered_us, day, uncertain=True))
        book.enter(
            JournalEntry(
                key=want.key,
                state=reply.state,
                reason=reply.reason,
                provider=want.provider,
                operation=want.operation,
                subject=want.subject,
                campaign_id=want.campaign_id,
                cost_micros=reply.cost_micros,
                answered_us=answered_us,
                day=day,
                vendor_ref=reply.vendor_ref or _reference(row),
                input_tokens=reply.input_tokens,
                output_tokens=reply.output_tokens,
                latency_ms=settlement.latency_ms,
                body=body,
            )
        )
    book.drop(held.values())
    book.close()
    controls.close_circuits(tx, {s.want.provider for s in settlements if s.reply.state != "unknown"})


class _Booking:
    """Collects one transaction's changes to claims, journal, usage and spending, and writes each table once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._usage = money.UsageChanges()
        self._entries: list[JournalEntry] = []
        self._dropped: list[str] = []

    def reserve(self, wants: Sequence[Want], holder: str, until: int, refs: Mapping[str, str]) -> None:
        tx = self._tx
        for want in wants:
            self._usage.add(want.provider, want.campaign_id, tx.day, reserved=want.price_micros)
        rows = [
            {
                "key": want.key,
                "provider": want.provider,
                "operation": want.operation,
                "subject": want.subject,
                "campaign_id": want.campaign_id,
                "price_micros": want.price_micros,
                "day": tx.day,
                "owner": holder,
                "claimed_at": tx.now_us,
                "lease_until": until,
                "vendor_ref": refs.get(want.key),
            }
            for want in wants
        ]
        if rows:
            tx.execute(_INSERT, rows)

    def drop(self, rows: Iterable[Any]) -> None:
        for row in rows:
            self._dropped.append(row.key)
            self._usage.add(row.provider, row.campaign_id, row.day, reserved=-row.price_micros)

    def write_off(self, rows: Iterable[Any]) -> None:
        """Mark these claims' calls as possibly billed, with their answers lost."""
        rows = list(rows)
        self.drop(rows)
        for row in rows:
            self.enter(
                JournalEntry(
                    key=row.key,
                    state="unknown",
                    reason="uncertain",
                    provider=row.provider,
                    operation=row.operation,
                    subject=row.subject,
                    campaign_id=row.campaign_id,
                    cost_micros=row.price_micros,
                    answered_us=self._tx.now_us,
                    day=row.day,
                    uncertain=True,
                    vendor_ref=row.vendor_ref,
                )
            )

    def enter(self, entry: JournalEntry) -> None:
        self._entries.append(entry)
        amounts = {"uncertain": entry.cost_micros} if entry.uncertain else {"spent": entry.cost_micros}
        self._usage.add(entry.provider, entry.campaign_id, entry.day, **amounts)

    def close(self) -> None:
        if self._dropped:
            self._tx.execute(_dropping(self._tx.postgres), {"listed": self._tx.listed(self._dropped)})
        journal.write(self._tx, self._entries)
        money.book(self._tx, self._entries)
        self._usage.write(self._tx)
        self._entries, self._dropped = [], []


def _entry(want: Want, state: Any, reason: str, cost_micros: int, answered_us: int, day: str, *, uncertain: bool = False) -> JournalEntry:
    return JournalEntry(
        key=want.key,
        state=state,
        reason=reason,
        provider=want.provider,
        operation=want.operation,
        subject=want.subject,
        campaign_id=want.campaign_id,
        cost_micros=cost_micros,
        answered_us=answered_us,
        day=day,
        uncertain=uncertain,
    )


def _reference(row: Any) -> str | None:
    """The vendor's id held by a claim."""
    return row.vendor_ref if row is not None and row.vendor_ref != UNSENT else None


def _held(tx: Tx, keys: Iterable[str], holder: str) -> list[Any]:
    return [row for row in tx.execute(_claims_of(tx.postgres), {"listed": tx.listed(keys)}) if row.owner == holder]


@functools.cache
def _claims_of(postgres: bool) -> Any:
    return sa.select(claims).where(one_of(claims.c.key, postgres))


@functools.cache
def _dropping(postgres: bool) -> Any:
    return sa.delete(claims).where(one_of(claims.c.key, postgres))


_INSERT = sa.insert(claims)
