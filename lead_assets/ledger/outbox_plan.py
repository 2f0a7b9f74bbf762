"""What is to be sent, stored: new entries, entries that are replaced before they left, and those that nobody wants any more.

Does not belong here: who sends them, and what became of them (see `outbox_steps`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from lead_assets.ledger.database import Tx, to_us
from lead_assets.ledger.journal import pack
from lead_assets.ledger.outbox_model import Planned, ToSend, edition, is_told
from lead_assets.ledger.outbox_notes import SLOT, UNSENT, Slot, bound, note
from lead_assets.ledger.schema import outbox


class Newest(NamedTuple):
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
    left: str | None = None
    """Of an entry that has not left: the content of what left before it, if something did."""


_COLUMNS = [outbox.c[name] for name in Newest._fields if name != "left"]


def latest_of(tx: Tx, campaigns: Collection[str], leads: Collection[str] | None = None) -> dict[Slot, Newest]:
    """The newest entry of each slot of the campaigns, or of some of their leads."""
    where = [tx.among(outbox.c.campaign_id, campaigns)] + ([tx.among(outbox.c.lead_id, leads)] if leads is not None else [])
    columns = tx.columns(_COLUMNS, *where)
    found: dict[Slot, Newest] = {}
    # By id, which comes first.
    for row in sorted(zip(*columns, strict=True)):
        entry = Newest(*row)
        before = found.get(row[1:5]) if entry.revision and entry.state in UNSENT else None
        if before is not None:
            entry = entry._replace(left=before.left if before.state in UNSENT else before.content)
        found[row[1:5]] = entry
    return found


def planned_of(
    tx: Tx,
    intents: Sequence[ToSend],
    bodies: Mapping[Slot, bytes | None],
    latest: Mapping[Slot, Newest],
    destinations: Collection[str],
) -> Planned:
    """`bodies`: packed, by slot; one that is not there is packed if it is needed after all."""
    number = tx.execute(sa.select(sa.func.max(outbox.c.id))).scalar() or 0
    added, changed, same = [], [], 0
    events: list[tuple[int, str, str, str | None, int]] = []
    wanted = set()
    undone = []
    for intent in intents:
        wanted.add(intent.slot)
        known = latest.get(intent.slot)
        if is_same(known, intent):
            same += 1
            continue
        if known and _is_undone(known, intent):
            undone.append(known)
            continue
        revision = known.revision if known else 0
        if known and known.content != intent.content and known.state not in UNSENT:
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
        if known and known.state in UNSENT:
            changed.append({**row, "b_id": known.id})
            events.append((known.id, intent.campaign_id, "waiting", "changed", 0))
            continue
        number += 1
        added.append(
            {name[2:]: value for name, value in row.items()}
            | dict(zip(SLOT, intent.slot, strict=True))
            | {"id": number, "state": "waiting", "reason": None, "revision": revision, "attempts": 0, "uncertain": 0}
            | {"reaches": intent.reaches, "after": intent.after, "created_at": tx.now_us}
        )
        events.append((number, intent.campaign_id, "waiting", None, 0))
    if added:
        tx.execute(sa.insert(outbox), added)
    if changed:
        tx.execute(_REWRITE, changed)
    gone = gone_of(latest, wanted, destinations) + undone
    if gone:
        tx.execute(_WITHDRAW, [{"b_id": row.id} for row in gone])
        events += [(row.id, row.campaign_id, "held", "withdrawn", 0) for row in gone]
    note(tx, events)
    return Planned(len(added), len(changed), same, len(gone))


def is_same(known: Newest | None, intent: ToSend) -> bool:
    """Whether what is to be sent is there, and not withdrawn. What has been sent stays as it was put and in its lane; what has not takes the new ones. A change
    that was undone before it left is the same as what left before, once it is withdrawn."""
    if known is None:
        return False
    withdrawn = known.state == "held" and known.reason == "withdrawn"
    if _is_undone(known, intent):
        return withdrawn
    if withdrawn:
        return False
    if known.state in UNSENT:
        return known.content == intent.content and known.lane == intent.lane
    return is_told(known.content, intent.content)


def _is_undone(known: Newest, intent: ToSend) -> bool:
    """Whether the entry is a change that has not left, and what is to be sent is what left before it."""
    return known.left is not None and is_told(known.left, intent.content)


def is_incomparable(known: Newest, intent: ToSend) -> bool:
    """Whether it was sent with a content that cannot be compared with this one."""
    return known.state not in UNSENT and edition(known.content) != edition(intent.content)


def gone_of(latest: Mapping[Slot, Newest], wanted: Collection[Slot], destinations: Collection[str]) -> list[Newest]:
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


# Whoever holds a rewritten entry has the old body: `depart` then says no.
_WITHDRAW = (
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("b_id"))
    .values(state="held", reason="withdrawn", due_at=None, holder=None, lease_until=None)
)
TELL = sa.update(outbox).where(outbox.c.id == sa.bindparam("b_id"), outbox.c.content == sa.bindparam("b_was")).values(**bound("content"))
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
        **bound("key", "content", "person", "lane", "owner", "body", "as_of", "due_at", "due_by"),
    )
)
