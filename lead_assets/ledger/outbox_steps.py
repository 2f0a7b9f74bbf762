"""The steps of an entry's way out, each within a transaction: claim, depart, settle, and what wakes, replays or forgets it.

A worker holds entries by a lease, and says `depart` before a request leaves. If it dies, what had not departed is free again, and what had is `uncertain`. Of a
destination and a person, one entry is in progress at a time, so that values cannot overtake each other.
Does not belong here: which entries there are (see `outbox_plan`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from lead_assets.ledger.claims import LONGEST_LEASE_US
from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.holders import is_gone
from lead_assets.ledger.journal import unpack
from lead_assets.ledger.outbox_model import OPEN, Fate, Mirror, Parcel, Policy, field_hash
from lead_assets.ledger.outbox_notes import SECOND, SLOT, bound, note
from lead_assets.ledger.schema import mirrors, outbox, sends


def claim(
    tx: Tx,
    holder: str,
    destination: str,
    most: int,
    lease: float,
    campaigns: Collection[str] | None,
) -> list[Parcel]:
    """See `Outbox.claim`."""
    _reclaim(tx)
    # Not `IS NULL`: SQLite would look up all that nobody holds and sort them, instead of taking the first of those that are due.
    free = sa.func.coalesce(outbox.c.holder, "") == ""
    where = [*ready(), outbox.c.due_at <= tx.now_us, free, outbox.c.destination == destination]
    if campaigns is not None:
        where.append(of_campaigns(tx, campaigns))
    rows = tx.rows(sa.select(outbox).where(*where).order_by(outbox.c.due_at, outbox.c.id).limit(most))
    chosen: dict[str, Any] = {}
    for row in rows:
        chosen.setdefault(row.person, row)
    if not chosen:
        return []
    picked = tx.among(outbox.c.id, [row.id for row in chosen.values()])
    tx.execute(sa.update(outbox).where(picked).values(holder=holder, lease_until=tx.now_us + int(lease * SECOND)))
    known = mirrors_of(tx, destination, list(chosen))
    return [_parcel(row, known.get(row.person, Mirror())) for row in chosen.values()]


def depart(tx: Tx, parcels: Sequence[Parcel], holder: str, policy: Policy, ref: str | None = None) -> list[Parcel]:
    """See `Outbox.depart`."""
    statement = sa.select(outbox.c.id).where(tx.among(outbox.c.id, [parcel.id for parcel in parcels]), outbox.c.holder == holder)
    mine = {row[0] for row in tx.raw_rows(statement)}
    capped = _capped(tx, [parcel for parcel in parcels if parcel.id in mine and parcel.reaches and not parcel.attempts], policy)
    going = [parcel for parcel in parcels if parcel.id in mine and parcel.id not in capped]
    _held(tx, capped, "capped")
    if going:
        values = {
            "state": "sending",
            "attempts": outbox.c.attempts + 1,
            "first_sent_at": sa.func.coalesce(outbox.c.first_sent_at, tx.now_us),
        }
        if ref is not None:
            values["vendor_ref"] = ref
        tx.execute(sa.update(outbox).where(tx.among(outbox.c.id, [parcel.id for parcel in going])).values(**values))
    return [replace(parcel, attempts=parcel.attempts + 1, vendor_ref=ref or parcel.vendor_ref) for parcel in going]


def settle(tx: Tx, fates: Sequence[tuple[Parcel, Fate]], holder: str, policy: Policy) -> None:
    """See `Outbox.settle`. If somebody else has the entry by now, only a confirmation still counts: it is a fact."""
    if not fates:
        return
    columns = (outbox.c.id, outbox.c.holder, outbox.c.state, outbox.c.uncertain, outbox.c.attempts)
    ids = [parcel.id for parcel, _ in fates]
    current = {row[0]: row for row in tx.raw_rows(sa.select(*columns).where(tx.among(outbox.c.id, ids)))}
    rows, events = [], []
    written: dict[str, dict[str, list[tuple[Parcel, Fate]]]] = {}
    for parcel, fate in fates:
        if parcel.id not in current:
            continue  # forgotten meanwhile
        _, has, state, uncertain, attempts = current[parcel.id]
        if has != holder and not (fate.state == "confirmed" and state != "confirmed"):
            continue
        row = _settled(tx, fate, state, uncertain, attempts, policy) | {
            "b_id": parcel.id,
            "b_ref": parcel.vendor_ref if fate.vendor_ref is None else fate.vendor_ref,
        }
        rows.append(row)
        if not (fate.free and fate.state in ("waiting", "failed")):
            events.append((parcel.id, parcel.campaign_id, row["b_state"], row["b_reason"], row["b_attempts"]))
        if fate.wrote or fate.vendor_id or fate.forget:
            written.setdefault(parcel.destination, {}).setdefault(parcel.person, []).append((parcel, fate))
    if rows:
        done = [row for row in rows if row["b_confirmed"] is not None]
        tx.execute(_SETTLE, rows)
        if done:
            tx.execute(_EMPTY, [{"b_id": row["b_id"]} for row in done])
        note(tx, events)
    for destination, people in written.items():
        _reflect(tx, destination, people)


def wake(tx: Tx, held_for: str, reason: str) -> int:
    """Entries that are held for one reason are due again, whoever they are about: if it still holds, `depart` comes to nothing. Returns how many."""
    where = (outbox.c.state == "held", outbox.c.reason == held_for)
    held = tx.raw_rows(sa.select(outbox.c.id, outbox.c.campaign_id).where(*where))
    tx.execute(sa.update(outbox).where(*where).values(state="waiting", reason=reason, due_at=tx.now_us))
    note(tx, [(number, campaign, "waiting", reason, 0) for number, campaign in held])
    return len(held)


def forget(tx: Tx, people: Collection[str]) -> dict[str, int]:
    """See `Outbox.forget`."""
    mine = sa.select(outbox.c.id).where(tx.among(outbox.c.person, people))
    return {
        "sends": tx.execute(sa.delete(sends).where(sends.c.outbox_id.in_(mine))).rowcount,
        "outbox": tx.execute(sa.delete(outbox).where(tx.among(outbox.c.person, people))).rowcount,
        "mirrors": tx.execute(sa.delete(mirrors).where(tx.among(mirrors.c.person, people))).rowcount,
    }


def replay(
    tx: Tx,
    campaigns: Collection[str] | None,
    destination: str | None,
    reasons: Collection[str] | None,
    leads: Collection[str] | None,
) -> int:
    where = [outbox.c.state == "dead"]
    if campaigns is not None:
        where.append(tx.among(outbox.c.campaign_id, campaigns))
    if destination is not None:
        where.append(outbox.c.destination == destination)
    if reasons is not None:
        where.append(tx.among(outbox.c.reason, reasons))
    if leads is not None:
        where.append(tx.among(outbox.c.lead_id, leads))
    dead = tx.raw_rows(sa.select(outbox.c.id, outbox.c.campaign_id).where(*where))
    tx.execute(sa.update(outbox).where(*where).values(state="waiting", reason="replayed", attempts=0, due_at=tx.now_us))
    note(tx, [(number, campaign, "waiting", "replayed", 0) for number, campaign in dead])
    return len(dead)


def due(tx: Tx, destinations: Collection[str]) -> int:
    free = sa.or_(outbox.c.holder.is_(None), outbox.c.lease_until < tx.now_us)
    where = (tx.among(outbox.c.destination, destinations), outbox.c.due_at <= tx.now_us, free, *ready())
    return int(tx.execute(sa.select(sa.func.count()).select_from(outbox).where(*where)).scalar_one())


def ready() -> list[sa.ColumnElement[bool]]:
    """Nothing has to come first: no older send of the lead, no other of the person that is in progress, no other kind."""
    older, busy, before = outbox.alias(), outbox.alias(), outbox.alias()
    same_lead = [outbox.c[name] == older.c[name] for name in SLOT]
    first = [outbox.c[name] == before.c[name] for name in SLOT[:3]]
    return [
        ~sa.exists().where(*same_lead, older.c.id < outbox.c.id, older.c.state.in_(OPEN)),
        ~sa.exists().where(
            busy.c.destination == outbox.c.destination,
            busy.c.person == outbox.c.person,
            busy.c.holder.is_not(None),
            busy.c.id != outbox.c.id,
        ),
        sa.or_(outbox.c.after.is_(None), sa.exists().where(*first, before.c.kind == outbox.c.after, before.c.state == "confirmed")),
    ]


def of_campaigns(tx: Tx, campaigns: Collection[str]) -> sa.ColumnElement[bool]:
    """Not the column alone: SQLite would go through all of the campaigns' entries, instead of those that are due."""
    return tx.among(sa.func.coalesce(outbox.c.campaign_id, ""), campaigns)


def _parcel(row: Any, mirror: Mirror) -> Parcel:
    return Parcel(
        id=row.id,
        key=row.key,
        destination=row.destination,
        kind=row.kind,
        campaign_id=row.campaign_id,
        lead_id=row.lead_id,
        person=row.person,
        body=unpack(row.body) or {},
        lane=row.lane,
        owner=row.owner,
        reaches=bool(row.reaches),
        as_of_us=row.as_of,
        state=row.state,
        attempts=row.attempts,
        uncertain=row.uncertain,
        first_sent_at=from_us(row.first_sent_at) if row.first_sent_at is not None else None,
        vendor_ref=row.vendor_ref,
        mirror=mirror,
    )


def _reclaim(tx: Tx) -> None:
    """Free what dead workers held. What had departed is uncertain, and looked after at once."""
    longest = tx.now_us + LONGEST_LEASE_US
    tx.execute(sa.update(outbox).where(outbox.c.holder.is_not(None), outbox.c.lease_until > longest).values(lease_until=longest))
    holding = tx.rows(
        sa.select(outbox.c.holder, sa.func.min(outbox.c.lease_until)).where(outbox.c.holder.is_not(None)).group_by(outbox.c.holder)
    )
    gone = [holder for holder, until in holding if until < tx.now_us or is_gone(holder)]
    for holder in gone:
        over = [outbox.c.holder == holder] if is_gone(holder) else [outbox.c.holder == holder, outbox.c.lease_until < tx.now_us]
        columns = (outbox.c.id, outbox.c.campaign_id, outbox.c.attempts)
        lost = tx.raw_rows(sa.select(*columns).where(*over, outbox.c.state == "sending"))
        values = {"state": "uncertain", "reason": "worker_lost", "uncertain": outbox.c.uncertain + 1, "due_at": tx.now_us}
        tx.execute(sa.update(outbox).where(*over, outbox.c.state == "sending").values(**values, holder=None, lease_until=None))
        tx.execute(sa.update(outbox).where(*over).values(holder=None, lease_until=None))
        note(tx, [(number, campaign, "uncertain", "worker_lost", attempts) for number, campaign, attempts in lost])


def _capped(tx: Tx, parcels: Sequence[Parcel], policy: Policy) -> dict[int, tuple[str, int]]:
    """Entry → (campaign, when its person may hear from us again), for those who have had enough."""
    if policy.most_per_person is None or not parcels:
        return {}
    span = int(timedelta(days=policy.person_days).total_seconds() * SECOND)
    reached = sa.select(outbox.c.person, outbox.c.first_sent_at).where(
        tx.among(outbox.c.person, {parcel.person for parcel in parcels}),
        outbox.c.reaches,
        outbox.c.first_sent_at > tx.now_us - span,
        outbox.c.state.in_(("sending", "sent", "confirmed", "uncertain")),
    )
    times: dict[str, list[int]] = {}
    for person, moment in tx.raw_rows(reached.order_by(outbox.c.first_sent_at)):
        times.setdefault(person, []).append(moment)
    full = {person: each[-policy.most_per_person] + span for person, each in times.items() if len(each) >= policy.most_per_person}
    return {parcel.id: (parcel.campaign_id, full[parcel.person]) for parcel in parcels if parcel.person in full}


def _held(tx: Tx, entries: Mapping[int, tuple[str, int]], reason: str) -> None:
    if entries:
        tx.execute(_HOLD, [{"b_id": number, "b_reason": reason, "b_due_at": until} for number, (_, until) in entries.items()])
        note(tx, [(number, campaign, "held", reason, 0) for number, (campaign, _) in entries.items()])


def _settled(tx: Tx, fate: Fate, state: str, uncertain: int, attempts: int, policy: Policy) -> dict[str, Any]:
    """The new values of an entry's row."""
    after = fate.state
    attempts = attempts - 1 if fate.free and state == "sending" else attempts
    reason, due = fate.reason, None
    if after in ("failed", "uncertain") and not fate.free and attempts > len(policy.after):
        after = "dead"
    if fate.state == "uncertain":
        uncertain += 1
    if after in ("failed", "uncertain", "waiting"):
        wait = fate.retry_after if fate.retry_after is not None else policy.after[min(max(attempts, 1), len(policy.after)) - 1]
        due = tx.now_us + int(wait * SECOND)
    elif after == "sent":
        due = tx.now_us + int((fate.retry_after or 1.0) * SECOND)
    elif after == "held" and fate.retry_after is not None:
        due = tx.now_us + int(fate.retry_after * SECOND)
    confirmed = tx.now_us if after == "confirmed" else None
    values = {"state": after, "reason": reason, "uncertain": uncertain, "attempts": attempts, "due_at": due, "confirmed": confirmed}
    return {f"b_{name}": value for name, value in values.items()}


def _reflect(tx: Tx, destination: str, people: Mapping[str, Sequence[tuple[Parcel, Fate]]]) -> None:
    known = mirrors_of(tx, destination, list(people))
    rows = []
    for person, told in people.items():
        mirror = known.get(person, Mirror())
        for parcel, fate in told:
            fields = {} if fate.forget else dict(mirror.fields)
            fields |= {name: (field_hash(value), max(parcel.as_of_us, fields.get(name, ("", 0))[1])) for name, value in fate.wrote.items()}
            mirror = Mirror(fields, fate.vendor_id or (None if fate.forget else mirror.vendor_id))
        packed = orjson.dumps(dict(mirror.fields))
        rows.append(
            {"destination": destination, "person": person, "fields": packed, "vendor_id": mirror.vendor_id, "updated_at": tx.now_us}
        )
    statement = tx.insert(mirrors)
    updates = {name: statement.excluded[name] for name in ("fields", "vendor_id", "updated_at")}
    tx.execute(statement.on_conflict_do_update(index_elements=["destination", "person"], set_=updates), rows)


def mirrors_of(tx: Tx, destination: str, people: Collection[str]) -> dict[str, Mirror]:
    columns = (mirrors.c.person, mirrors.c.fields, mirrors.c.vendor_id)
    where = (mirrors.c.destination == destination, tx.among(mirrors.c.person, people))
    return {
        person: Mirror({name: (digest, moment) for name, (digest, moment) in orjson.loads(fields or b"{}").items()}, vendor_id)
        for person, fields, vendor_id in tx.raw_rows(sa.select(*columns).where(*where))
    }


_SETTLE = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"))
    .values(
        **bound("state", "reason", "uncertain", "attempts", "due_at"),
        vendor_ref=sa.bindparam("b_ref"),
        confirmed_at=sa.bindparam("b_confirmed"),
        holder=None,
        lease_until=None,
    )
)
_EMPTY = sa.update(outbox).where(outbox.c.id == sa.bindparam("b_id")).values(body=None)
_HOLD = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"))
    .values(state="held", holder=None, lease_until=None, **bound("reason", "due_at"))
)
