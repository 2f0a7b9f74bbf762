"""The outbox: intents first, then who sends what, and what became of it, each step one transaction.

Belongs here: the states of entries and their order. Does not belong here: requests (see `lead_assets.delivery.dispatch`), or what is sent (destinations).

A worker holds entries by a lease, and says `depart` before a request leaves. If it dies, what had not departed is free again, and what had is `uncertain`. Of a
destination and a person, one entry is in progress at a time, so that values cannot overtake each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sa

from lead_assets.ledger.database import Tx, from_us, to_us
from lead_assets.ledger.holders import is_gone
from lead_assets.ledger.journal import pack, unpack
from lead_assets.ledger.outbox_model import OPEN, Fate, Mirror, Parcel, Planned, Policy, ToSend, edition, field_hash
from lead_assets.ledger.schema import mirrors, outbox, sends

if TYPE_CHECKING:
    from lead_assets.ledger.database import Database

_UNSENT = ("waiting", "failed", "held", "dead")
"""States in which an entry may still be rewritten: nobody has it."""
_SLOT = ("destination", "campaign_id", "lead_id", "kind")
_SECOND = 1_000_000
Slot = tuple[str, str, str, str]
"""Destination, campaign, lead, kind."""


class _Newest(NamedTuple):
    """What `plan` has to know of the newest entry of a slot."""

    id: int
    destination: str
    campaign_id: str
    lead_id: str
    kind: str
    content: str
    lane: str
    state: str
    reason: str | None
    revision: int


class Outbox:
    """The outbox of a ledger; safe for many threads and processes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def plan(self, intents: Sequence[ToSend], campaigns: Collection[str], destinations: Collection[str]) -> Planned:
        """Store what is to be sent to `destinations` for all leads of `campaigns`. What is already there with the same content is left alone, what has not
        left yet is replaced, and what is no longer wanted is withdrawn. What was sent with a content of another edition is taken to be the same: a new
        release is no reason to send everything again."""
        # Packing takes longest, and most of the time nothing is new: what is the same is neither packed nor written.
        last, latest = self._db.read(lambda tx: (_last_note(tx), _latest(tx, campaigns)))
        slots = [intent.slot for intent in intents]
        differ = [(intent, known) for slot, intent in zip(slots, intents, strict=True) if not _is_same(known := latest.get(slot), intent)]
        told = [
            {"b_id": known.id, "b_was": known.content, "b_content": intent.content}
            for intent, known in differ
            if known is not None and _is_told(known, intent)
        ]
        new = [intent for intent, known in differ if known is None or not _is_told(known, intent)]
        gone = _gone(latest, set(slots), destinations)
        if not differ and not gone:
            return Planned(same=len(intents))
        bodies = {intent.slot: pack(dict(intent.body)) for intent in new}
        leads = {intent.lead_id for intent in new} | {row.lead_id for row in gone}
        concerned = [intent for intent in intents if intent.lead_id in leads]

        def work(tx: Tx) -> Planned:
            if told:
                tx.execute(_TELL, told)
            if _last_note(tx) != last:
                return _plan(tx, intents, bodies, _latest(tx, campaigns), destinations)
            # Nothing was noted meanwhile, so all other leads are as they were read.
            planned = _plan(tx, concerned, bodies, _latest(tx, campaigns, leads), destinations)
            return replace(planned, same=planned.same + len(intents) - len(concerned))

        return self._db.write(work)

    def claim(
        self,
        holder: str,
        destination: str,
        most: int,
        *,
        lease: float = 60.0,
        campaigns: Collection[str] | None = None,
    ) -> list[Parcel]:
        """Up to `most` entries that are due, oldest first, held for `lease` seconds."""
        return self._db.write(lambda tx: claim(tx, holder, destination, most, lease, campaigns))

    def depart(self, parcels: Sequence[Parcel], holder: str, policy: Policy, ref: str | None = None) -> list[Parcel]:
        """Record that requests for these leave now, with a `ref` by which the destination can be asked for them. Returns those that may leave: the caller
        still holds them, and nobody has had enough of us."""
        return self._db.write(lambda tx: depart(tx, parcels, holder, policy, ref))

    def together(self, works: Sequence[Callable[[Tx], Any]]) -> list[Any]:
        """Several of this module's steps in one transaction."""
        return self._db.write(lambda tx: [work(tx) for work in works])

    def next_due(self, destination: str, campaigns: Collection[str] | None) -> float | None:
        """Seconds until the next entry is due, 0 if one is; None if none is."""
        where = [outbox.c.destination == destination, outbox.c.due_at.is_not(None), outbox.c.holder.is_(None), *_ready()]

        def work(tx: Tx) -> float | None:
            own = [_of_campaigns(tx, campaigns)] if campaigns is not None else []
            due = tx.execute(sa.select(sa.func.min(outbox.c.due_at)).where(*where, *own)).scalar()
            return None if due is None else max(0.0, (due - tx.now_us) / _SECOND)

        return self._db.read(work)

    def settle(self, fates: Sequence[tuple[Parcel, Fate]], holder: str, policy: Policy) -> None:
        """Record what became of parcels, and let go of them."""
        self._db.write(lambda tx: settle(tx, fates, holder, policy))

    def renew(self, holder: str, lease: float = 60.0) -> None:
        """Renew all leases of a living holder."""
        statement = sa.update(outbox).where(outbox.c.holder == holder)
        self._db.write(lambda tx: tx.execute(statement.values(lease_until=tx.now_us + int(lease * _SECOND))))

    def release(self, holder: str) -> None:
        """Let go of everything that has not departed."""
        statement = sa.update(outbox).where(outbox.c.holder == holder, outbox.c.state != "sending").values(holder=None, lease_until=None)
        self._db.write(lambda tx: tx.execute(statement))

    def replay(
        self,
        campaigns: Collection[str] | None = None,
        destination: str | None = None,
        reasons: Collection[str] | None = None,
        leads: Collection[str] | None = None,
    ) -> int:
        """Send dead letters again from their first attempt, of some campaigns, leads and reasons or of all. Returns how many."""
        return self._db.write(lambda tx: _replay(tx, campaigns, destination, reasons, leads))

    def due(self, destinations: Collection[str]) -> int:
        """The number of entries that could be sent now, including those whose worker has died."""
        return self._db.read(lambda tx: _due(tx, destinations))

    def by_state(self) -> dict[str, int]:
        """State → the number of entries in it."""
        counted = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
        return self._db.read(lambda tx: dict(tx.raw_rows(counted)))

    def last_sends(self) -> dict[str, int]:
        """Campaign → the newest entry of its history."""
        statement = sa.select(sends.c.campaign_id, sa.func.max(sends.c.id)).group_by(sends.c.campaign_id)
        return self._db.read(lambda tx: dict(tx.raw_rows(statement)))

    def changed_since(self, last: int) -> dict[str, int]:
        """Campaign → the newest entry of its history, for campaigns with one after `last`."""
        newest = sa.select(sends.c.campaign_id, sa.func.max(sends.c.id)).where(sends.c.id > last).group_by(sends.c.campaign_id)
        return self._db.read(lambda tx: dict(tx.raw_rows(newest)))

    def entries(self, campaigns: Collection[str]) -> list[dict[str, Any]]:
        """All entries of the campaigns with their history, oldest first. Without bodies."""
        return self._db.read(lambda tx: _entries(tx, campaigns))

    def columns(
        self, campaigns: Collection[str], of_entries: Sequence[str], of_events: Sequence[str]
    ) -> tuple[list[list[Any]], list[list[Any]]]:
        """These columns of all entries of the campaigns, and of all that happened to them, in any order: for tables of tens of thousands."""
        entries, events = [outbox.c[name] for name in of_entries], [sends.c[name] for name in of_events]
        return self._db.read(
            lambda tx: (
                tx.columns(entries, tx.among(outbox.c.campaign_id, campaigns)),
                tx.columns(events, tx.among(sends.c.campaign_id, campaigns)),
            )
        )

    def latest(self, campaigns: Collection[str]) -> dict[tuple[str, str, str, str], tuple[str, str]]:
        """(destination, campaign, lead, kind) → (content, state) of the newest entry."""
        return self._db.read(lambda tx: {slot: (row.content, row.state) for slot, row in _latest(tx, campaigns).items()})

    def mirrors(self, destination: str, people: Collection[str]) -> dict[str, Mirror]:
        """What the destination has of each person, as far as it told us."""
        return self._db.read(lambda tx: _mirrors(tx, destination, people))

    def forget(self, people: Collection[str]) -> dict[str, int]:
        """Delete everything about people (see `person_hash`): entries, their history, and what destinations have. Returns rows by table."""
        return self._db.write(lambda tx: forget(tx, people))


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
        _note(tx, events)
    for destination, people in written.items():
        _reflect(tx, destination, people)


def wake(tx: Tx, held_for: str, reason: str) -> int:
    """Entries that are held for one reason are due again, whoever they are about: if it still holds, `depart` comes to nothing. Returns how many."""
    where = (outbox.c.state == "held", outbox.c.reason == held_for)
    held = tx.raw_rows(sa.select(outbox.c.id, outbox.c.campaign_id).where(*where))
    tx.execute(sa.update(outbox).where(*where).values(state="waiting", reason=reason, due_at=tx.now_us))
    _note(tx, [(number, campaign, "waiting", reason, 0) for number, campaign in held])
    return len(held)


def forget(tx: Tx, people: Collection[str]) -> dict[str, int]:
    """See `Outbox.forget`."""
    mine = sa.select(outbox.c.id).where(tx.among(outbox.c.person, people))
    return {
        "sends": tx.execute(sa.delete(sends).where(sends.c.outbox_id.in_(mine))).rowcount,
        "outbox": tx.execute(sa.delete(outbox).where(tx.among(outbox.c.person, people))).rowcount,
        "mirrors": tx.execute(sa.delete(mirrors).where(tx.among(mirrors.c.person, people))).rowcount,
    }


def _plan(
    tx: Tx,
    intents: Sequence[ToSend],
    bodies: Mapping[Slot, bytes | None],
    latest: Mapping[Slot, _Newest],
    destinations: Collection[str],
) -> Planned:
    """`bodies`: packed, by slot; one that is not there is packed if it is needed after all."""
    number = tx.execute(sa.select(sa.func.max(outbox.c.id))).scalar() or 0
    added, changed, same = [], [], 0
    events: list[tuple[int, str, str, str | None, int]] = []
    wanted = set()
    for intent in intents:
        wanted.add(intent.slot)
        known = latest.get(intent.slot)
        if _is_same(known, intent):
            same += 1
            continue
        revision = known.revision if known else 0
        if known and known.content != intent.content and known.state not in _UNSENT:
            revision += 1
        due = max(tx.now_us, to_us(intent.not_before)) if intent.not_before else tx.now_us
        row = {
            "b_key": _key(intent, revision),
            "b_content": intent.content,
            "b_person": intent.person,
            "b_lane": intent.lane,
            "b_owner": intent.owner,
            "b_body": bodies[intent.slot] if intent.slot in bodies else pack(dict(intent.body)),
            "b_as_of": to_us(intent.as_of),
            "b_due_at": due,
            "b_due_by": to_us(intent.due_by) if intent.due_by else None,
        }
        if known and known.state in _UNSENT:
            changed.append({**row, "b_id": known.id})
            events.append((known.id, intent.campaign_id, "waiting", "changed", 0))
            continue
        number += 1
        added.append(
            {name[2:]: value for name, value in row.items()}
            | dict(zip(_SLOT, intent.slot, strict=True))
            | {"id": number, "state": "waiting", "reason": None, "revision": revision, "attempts": 0, "uncertain": 0}
            | {"reaches": intent.reaches, "after": intent.after, "created_at": tx.now_us}
        )
        events.append((number, intent.campaign_id, "waiting", None, 0))
    if added:
        tx.execute(sa.insert(outbox), added)
    if changed:
        tx.execute(_REWRITE, changed)
    gone = _gone(latest, wanted, destinations)
    if gone:
        tx.execute(_WITHDRAW, [{"b_id": row.id} for row in gone])
        events += [(row.id, row.campaign_id, "held", "withdrawn", 0) for row in gone]
    _note(tx, events)
    return Planned(len(added), len(changed), same, len(gone))


def _is_same(known: _Newest | None, intent: ToSend) -> bool:
    """Whether what is to be sent is there with this content, and not withdrawn. What has been sent stays in its lane; what has not takes the new one."""
    if known is None or known.content != intent.content or (known.state == "held" and known.reason == "withdrawn"):
        return False
    return known.lane == intent.lane or known.state not in _UNSENT


def _is_told(known: _Newest, intent: ToSend) -> bool:
    """Whether it was sent with a content that cannot be compared with this one."""
    return known.state not in _UNSENT and edition(known.content) != edition(intent.content)


def _gone(latest: Mapping[Slot, _Newest], wanted: Collection[Slot], destinations: Collection[str]) -> list[_Newest]:
    """What has not left and is no longer wanted."""
    return [
        row
        for slot, row in latest.items()
        if slot not in wanted and slot[0] in destinations and row.state in ("waiting", "failed", "held") and row.reason != "withdrawn"
    ]


def _key(intent: ToSend, revision: int) -> str:
    """The idempotency key: person, destination and content; the lead, kind and revision keep apart what is sent again on purpose."""
    said = "\n".join((intent.person, *intent.slot, intent.content, str(revision)))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _latest(tx: Tx, campaigns: Collection[str], leads: Collection[str] | None = None) -> dict[Slot, _Newest]:
    """The newest entry of each slot of the campaigns, or of some of their leads."""
    where = [tx.among(outbox.c.campaign_id, campaigns)] + ([tx.among(outbox.c.lead_id, leads)] if leads is not None else [])
    columns = tx.columns([outbox.c[name] for name in _Newest._fields], *where)
    # By id, which comes first.
    return {row[1:5]: _Newest._make(row) for row in sorted(zip(*columns, strict=True))}


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
    where = [*_ready(), outbox.c.due_at <= tx.now_us, free, outbox.c.destination == destination]
    if campaigns is not None:
        where.append(_of_campaigns(tx, campaigns))
    rows = tx.rows(sa.select(outbox).where(*where).order_by(outbox.c.due_at, outbox.c.id).limit(most))
    chosen: dict[str, Any] = {}
    for row in rows:
        chosen.setdefault(row.person, row)
    if not chosen:
        return []
    picked = tx.among(outbox.c.id, [row.id for row in chosen.values()])
    tx.execute(sa.update(outbox).where(picked).values(holder=holder, lease_until=tx.now_us + int(lease * _SECOND)))
    known = _mirrors(tx, destination, list(chosen))
    return [_parcel(row, known.get(row.person, Mirror())) for row in chosen.values()]


def _of_campaigns(tx: Tx, campaigns: Collection[str]) -> sa.ColumnElement[bool]:
    """Not the column alone: SQLite would go through all of the campaigns' entries, instead of those that are due."""
    return tx.among(sa.func.coalesce(outbox.c.campaign_id, ""), campaigns)


def _ready() -> list[sa.ColumnElement[bool]]:
    """Nothing has to come first: no older send of the lead, no other of the person that is in progress, no other kind."""
    older, busy, before = outbox.alias(), outbox.alias(), outbox.alias()
    same_lead = [outbox.c[name] == older.c[name] for name in _SLOT]
    first = [outbox.c[name] == before.c[name] for name in _SLOT[:3]]
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
        _note(tx, [(number, campaign, "uncertain", "worker_lost", attempts) for number, campaign, attempts in lost])


def _capped(tx: Tx, parcels: Sequence[Parcel], policy: Policy) -> dict[int, tuple[str, int]]:
    """Entry → (campaign, when its person may hear from us again), for those who have had enough."""
    if policy.most_per_person is None or not parcels:
        return {}
    span = int(timedelta(days=policy.person_days).total_seconds() * _SECOND)
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
        _note(tx, [(number, campaign, "held", reason, 0) for number, (campaign, _) in entries.items()])


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
        due = tx.now_us + int(wait * _SECOND)
    elif after == "sent":
        due = tx.now_us + int((fate.retry_after or 1.0) * _SECOND)
    elif after == "held" and fate.retry_after is not None:
        due = tx.now_us + int(fate.retry_after * _SECOND)
    confirmed = tx.now_us if after == "confirmed" else None
    values = {"state": after, "reason": reason, "uncertain": uncertain, "attempts": attempts, "due_at": due, "confirmed": confirmed}
    return {f"b_{name}": value for name, value in values.items()}


def _reflect(tx: Tx, destination: str, people: Mapping[str, Sequence[tuple[Parcel, Fate]]]) -> None:
    known = _mirrors(tx, destination, list(people))
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


def _mirrors(tx: Tx, destination: str, people: Collection[str]) -> dict[str, Mirror]:
    columns = (mirrors.c.person, mirrors.c.fields, mirrors.c.vendor_id)
    where = (mirrors.c.destination == destination, tx.among(mirrors.c.person, people))
    return {
        person: Mirror({name: (digest, moment) for name, (digest, moment) in orjson.loads(fields or b"{}").items()}, vendor_id)
        for person, fields, vendor_id in tx.raw_rows(sa.select(*columns).where(*where))
    }


def _replay(
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
    _note(tx, [(number, campaign, "waiting", "replayed", 0) for number, campaign in dead])
    return len(dead)


def _due(tx: Tx, destinations: Collection[str]) -> int:
    free = sa.or_(outbox.c.holder.is_(None), outbox.c.lease_until < tx.now_us)
    where = (tx.among(outbox.c.destination, destinations), outbox.c.due_at <= tx.now_us, free, *_ready())
    return int(tx.execute(sa.select(sa.func.count()).select_from(outbox).where(*where)).scalar_one())


_ENTRY = (
    *("id", *_SLOT, "key", "person", "owner", "reaches", "state", "reason", "revision", "attempts", "uncertain", "created_at"),
    *("due_at", "due_by", "first_sent_at", "confirmed_at", "vendor_ref"),
)


def _entries(tx: Tx, campaigns: Collection[str]) -> list[dict[str, Any]]:
    rows = tx.raw_rows(
        sa.select(*(outbox.c[name] for name in _ENTRY)).where(tx.among(outbox.c.campaign_id, campaigns)).order_by(outbox.c.id)
    )
    told: dict[int, list[tuple[int, str, str | None, int]]] = {}
    events = sa.select(sends.c.outbox_id, sends.c.at, sends.c.state, sends.c.reason, sends.c.attempt)
    for number, *event in tx.raw_rows(events.where(tx.among(sends.c.campaign_id, campaigns)).order_by(sends.c.id)):
        told.setdefault(number, []).append((event[0], event[1], event[2], event[3]))
    return [{**dict(zip(_ENTRY, row, strict=True)), "history": told.get(row[0], [])} for row in rows]


def _note(tx: Tx, events: Iterable[tuple[int, str, str, str | None, int]]) -> None:
    events = list(events)
    if events:
        last = _last_note(tx)
        names = ("outbox_id", "campaign_id", "state", "reason", "attempt")
        rows = [dict(zip(names, event, strict=True)) | {"id": last + n, "at": tx.now_us} for n, event in enumerate(events, 1)]
        tx.execute(sa.insert(sends), rows)


def _last_note(tx: Tx) -> int:
    return tx.execute(sa.select(sa.func.max(sends.c.id))).scalar() or 0


def _bound(*names: str) -> dict[str, Any]:
    return {name: sa.bindparam(f"b_{name}") for name in names}


_SETTLE = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"))
    .values(
        **_bound("state", "reason", "uncertain", "attempts", "due_at"),
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
    .values(state="held", holder=None, lease_until=None, **_bound("reason", "due_at"))
)
# Whoever holds a rewritten entry has the old body: `depart` then says no.
_WITHDRAW = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"))
    .values(state="held", reason="withdrawn", due_at=None, holder=None, lease_until=None)
)
_TELL = sa.update(outbox).where(outbox.c.id == sa.bindparam("b_id"), outbox.c.content == sa.bindparam("b_was")).values(**_bound("content"))
_REWRITE = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"))
    .values(
        state="waiting",
        reason=None,
        attempts=0,
        # It names what was sent with the old content.
        vendor_ref=None,
        holder=None,
        lease_until=None,
        **_bound("key", "content", "person", "lane", "owner", "body", "as_of", "due_at", "due_by"),
    )
)
