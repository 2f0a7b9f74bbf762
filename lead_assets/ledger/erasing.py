"""Takes one person out of the ledger: whom calls were about, what was answered, who has them as an account. What was paid stays, so costs do not change.

Does not belong here: who the person is, or which answers name them (see `lead_assets.privacy`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.journal import pack_text, unpack_text
from lead_assets.ledger.outbox_model import Sent
from lead_assets.ledger.schema import (
    assignments,
    calls,
    claims,
    crm_accounts,
    heads,
    identities,
    identity_decisions,
    key_uses,
    mirrors,
    outbox,
    owner_changes,
    received_events,
    routed_leads,
    saved_views,
    sends,
)

FORGOTTEN = "forgotten"
"""Stands in place of a subject or a lead."""


@dataclass(frozen=True)
class CallInFull:
    """A call as far as it may concern somebody. `text`: its answer as JSON text, empty if there is none."""

    id: int
    provider: str
    operation: str
    subject: str
    campaign_id: str
    answered_at: datetime
    vendor_ref: str | None
    text: bytes

    @property
    def told(self) -> bytes:
        """All of it that may name somebody."""
        return b"\0".join((self.subject.encode("utf-8", "surrogatepass"), (self.vendor_ref or "").encode(), self.text))


@dataclass(frozen=True)
class Erasure:
    """What is to go. `whole`: ids of calls about the person; `rewritten`: for calls that only mention them, id → (subject, answer's text); `leads`: (campaign,
    lead id); `accounts`: account keys that are the person's alone; `persons`: what the outbox calls them; `views`: ids of
    saved views that name them."""

    whole: Sequence[int] = ()
    rewritten: Mapping[int, tuple[str, bytes]] = field(default_factory=dict)
    subjects: Sequence[str] = ()
    leads: Sequence[tuple[str, str]] = ()
    accounts: Sequence[str] = ()
    persons: Sequence[str] = ()
    views: Sequence[str] = ()


def in_full(tx: Tx, after: int, count: int) -> list[CallInFull]:
    """The next calls by id."""
    columns = (
        calls.c.id,
        calls.c.provider,
        calls.c.operation,
        calls.c.subject,
        calls.c.campaign_id,
        calls.c.answered_at,
        calls.c.vendor_ref,
    )
    statement = sa.select(*columns, calls.c.body).where(calls.c.id > after).order_by(calls.c.id).limit(count)
    return [
        CallInFull(number, provider, operation, subject, campaign, from_us(answered), vendor_ref, unpack_text(body))
        for number, provider, operation, subject, campaign, answered, vendor_ref, body in tx.raw_rows(statement)
    ]


def erase(tx: Tx, erasure: Erasure) -> dict[str, int]:
    """Take it out in one transaction. Returns the number of rows by table."""
    if not tx.postgres:
        tx.connection.exec_driver_sql("PRAGMA secure_delete = ON")
    done = {"calls": _erase_calls(tx, erasure)}
    done["claims"] = tx.execute(sa.update(claims).where(tx.among(claims.c.subject, erasure.subjects)).values(subject=FORGOTTEN)).rowcount
    done["assignments"] = tx.execute(sa.delete(assignments).where(tx.among(assignments.c.account_key, erasure.accounts))).rowcount
    for campaign, lead in erasure.leads:
        mine = sa.and_(assignments.c.campaign_id == campaign, assignments.c.lead_id == lead)
        done["assignments"] += tx.execute(sa.update(assignments).where(mine).values(lead_id=FORGOTTEN)).rowcount
    done["routed_leads"] = tx.execute(sa.delete(routed_leads).where(tx.among(routed_leads.c.account_key, erasure.accounts))).rowcount
    for table in (crm_accounts, owner_changes):
        done[table.name] = tx.execute(sa.delete(table).where(tx.among(table.c.account_key, erasure.accounts))).rowcount
    for campaign, lead in erasure.leads:
        for table in (routed_leads, owner_changes):
            mine = sa.and_(table.c.campaign_id == campaign, table.c.lead_id == lead)
            done[table.name] += tx.execute(sa.delete(table).where(mine)).rowcount
    theirs = [row[0] for row in tx.rows(sa.select(outbox.c.id).where(tx.among(outbox.c.person, erasure.persons)))]
    for campaign, lead in erasure.leads:
        mine = sa.and_(outbox.c.campaign_id == campaign, outbox.c.lead_id == lead)
        theirs += [row[0] for row in tx.rows(sa.select(outbox.c.id).where(mine))]
    done["outbox"] = tx.execute(sa.delete(outbox).where(tx.among(outbox.c.id, set(theirs)))).rowcount
    tx.execute(sa.delete(sends).where(tx.among(sends.c.outbox_id, set(theirs))))
    members = [f"{campaign}/{lead}" for campaign, lead in erasure.leads]
    of_person = sa.and_(identities.c.kind == "person", tx.among(identities.c.member, members))
    done["identities"] = tx.execute(sa.delete(identities).where(of_person)).rowcount
    of_account = sa.and_(identities.c.kind == "account", tx.among(identities.c.member, erasure.accounts))
    done["identities"] += tx.execute(sa.delete(identities).where(of_account)).rowcount
    of_pair = sa.or_(tx.among(identity_decisions.c.one, members), tx.among(identity_decisions.c.other, members))
    tx.execute(sa.delete(identity_decisions).where(identity_decisions.c.kind == "person", of_pair))
    ids = {lead for _, lead in erasure.leads}
    # The audit log and the events know no campaign: a namesake of the lead in another one loses its id there, too.
    done["key_uses"] = tx.execute(sa.update(key_uses).where(tx.among(key_uses.c.about, ids)).values(about=FORGOTTEN)).rowcount
    of_lead = tx.among(received_events.c.lead_id, ids)
    done["received_events"] = tx.execute(sa.update(received_events).where(of_lead).values(lead_id=None)).rowcount
    done["saved_views"] = tx.execute(sa.delete(saved_views).where(tx.among(saved_views.c.view_id, erasure.views))).rowcount
    done["mirrors"] = tx.execute(sa.delete(mirrors).where(tx.among(mirrors.c.person, erasure.persons))).rowcount
    return done


def sent_about(tx: Tx, persons: Iterable[str], leads: Iterable[tuple[str, str]]) -> list[Sent]:
    """What has left about somebody, oldest first: about the persons, and about leads, (campaign, lead id) each."""
    names = (*Sent.__dataclass_fields__, "id")
    statement = sa.select(*(outbox.c[name] for name in names)).where(outbox.c.first_sent_at.is_not(None))
    found = {row[-1]: Sent(*row[:-1]) for row in tx.raw_rows(statement.where(tx.among(outbox.c.person, persons)))}
    for campaign, lead in leads:
        mine = (outbox.c.campaign_id == campaign, outbox.c.lead_id == lead)
        found |= {row[-1]: Sent(*row[:-1]) for row in tx.raw_rows(statement.where(*mine))}
    return [found[number] for number in sorted(found)]


def ids_at_destinations(tx: Tx, persons: Iterable[str]) -> list[tuple[str, str, str | None]]:
    """(destination, person, its own id of them) where a destination is known to have somebody."""
    statement = sa.select(mirrors.c.destination, mirrors.c.person, mirrors.c.vendor_id).where(tx.among(mirrors.c.person, persons))
    return sorted(tx.raw_rows(statement))


def _erase_calls(tx: Tx, erasure: Erasure) -> int:
    whole = list(erasure.whole)
    if whole:
        # Numbers in place of texts: attempts at one question, and calls about one person, can still be counted.
        rows = tx.rows(sa.select(calls.c.id, calls.c.key, calls.c.subject).where(tx.among(calls.c.id, whole)).order_by(calls.c.id))
        keys: dict[str, int] = {}
        subjects: dict[str, int] = {}
        new = [
            {
                "at": number,
                "new_key": f"{FORGOTTEN}:{keys.setdefault(key, number)}",
                "new_subject": f"{FORGOTTEN}:{subjects.setdefault(subject, number)}",
            }
            for number, key, subject in rows
        ]
        tx.execute(sa.delete(heads).where(tx.among(heads.c.key, keys)))
        statement = sa.update(calls).where(calls.c.id == sa.bindparam("at"))
        values: dict[str, Any] = {"key": sa.bindparam("new_key"), "subject": sa.bindparam("new_subject"), "body": None, "vendor_ref": None}
        tx.execute(statement.values(**values), new)
    for number, (subject, text) in erasure.rewritten.items():
        tx.execute(sa.update(calls).where(calls.c.id == number).values(subject=subject, body=pack_text(text) if text else None))
    return len(whole) + len(erasure.rewritten)
