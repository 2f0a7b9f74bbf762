"""HubSpot as a destination: a lead is a contact, found by its e-mail; its brief is a note.

An owner who is already there stays. Only what changed is sent, so a value that somebody edited in HubSpot stays until ours changes. The first time, the
whole contact is upserted; later it is updated, because an upsert by e-mail takes no part of a contact. A note cannot be upserted: after a lost answer it is
looked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from html import escape
from typing import Any

from pydantic import Field

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Rate
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.hubspot.client import MOST, NOTE_TO_CONTACT, HubSpot
from lead_assets.vendors.sending import (
    Allowed,
    Destination,
    DestinationAccess,
    Forgot,
    RoutedLead,
    Sender,
    SendOpening,
    SendRules,
    ToForget,
    slices,
)

OWNER = "hubspot_owner_id"
_BUCKET = "hubspot"
_DOCUMENTED = Rate(190, 10.0)
"""Professional and Enterprise; Free and Starter have 100: set `rate`."""


_OF_A_DEAL = ("dealstage", "hs_is_closed_won", "hs_is_closed", "closedate")


class HubSpotRules(SendRules):
    """`fields`: HubSpot property → the lead's field; no other property is ever written."""

    fields: Allowed = Field(min_length=1)
    owner: bool = True
    """Whether contacts without an owner get ours."""
    notes: bool = True


class HubSpotDestination(Destination):
    name = "hubspot"
    rules = HubSpotRules
    claims = MOST
    deduplicates = True
    tells_opt_outs = True
    tells_outcomes = True

    def to_send(self, leads: Sequence[RoutedLead], rules: HubSpotRules) -> list[ToSend]:
        sent: list[ToSend] = []
        for lead in leads:
            if "email" not in lead.facts:
                continue
            body: dict[str, Any] = {"email": lead.facts["email"], "fields": lead.mapped(rules.fields)}
            if rules.owner and lead.to_owner and (lead.contact.hubspot or lead.contact.email):
                body["owner"] = {"id": lead.contact.hubspot, "email": lead.contact.email}
            told = {**body, "account": lead.account}
            sent.append(
                lead.send(self.name, "contact", told, content=body, owner=lead.owner if lead.to_owner else None, due_by=lead.due_by)
            )
            if rules.notes and lead.to_owner and "brief" in lead.facts:
                # HubSpot keeps every note.
                put = [lead.facts.get("tier"), lead.facts["brief"], lead.facts.get("next_step")]
                sent.append(lead.send(self.name, "note", partial(_note, lead), content=lead.news, put=put, edition=3, after="contact"))
        return sent

    @asynccontextmanager
    async def open(self, opening: SendOpening) -> AsyncIterator[Sender]:
        headers = {"authorization": f"Bearer {opening.key.get_secret_value()}"}
        async with HubSpot(opening.http("hubspot", opening.url, headers)) as client:
            yield _HubSpotSender(client, opening)

    async def opted_out(self, access: DestinationAccess) -> list[tuple[str, str]]:
        async with HubSpot(VendorHttp("hubspot", access.url, access.bearer)) as client:
            unsubscribed = await client.having("hs_email_optout", "true")
            bounced = await client.having("hs_email_hard_bounce_reason_enum")
        return [(email, "unsubscribed") for email in unsubscribed] + [(email, "bounced") for email in bounced]

    async def outcomes(self, access: DestinationAccess) -> list[dict[str, Any]]:
        async with HubSpot(VendorHttp("hubspot", access.url, access.bearer)) as client:
            deals = await client.deals(_OF_A_DEAL)
            emails = await client.emails_of(sorted({contact for _, _, contacts in deals for contact in contacts}))
        return [
            {**properties, "deal id": deal, "associated contact ids": contact, "associated contact email": emails.get(contact)}
            for deal, properties, contacts in sorted(deals, key=lambda each: int(each[0]))
            for contact in contacts
        ]

    async def forget(self, whom: ToForget) -> Forgot:
        async with HubSpot(VendorHttp("hubspot", whom.url, whom.bearer)) as client:
            for person, email in whom.emails.items():
                await client.delete_for_good(email, whom.ids.get(person))
            for person, contact in whom.ids.items():
                if contact and person not in whom.emails:
                    await client.delete_for_good("", contact)
        return Forgot(True)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        if path.endswith("/owners"):
            return {"results": [{"id": "id-of-the-owner", "email": body["email"]}]}
        if path.endswith(("/read", "/search")):
            return {"results": []}
        return {"status": "COMPLETE", "results": [{"id": str(1 + n), **each} for n, each in enumerate(body["inputs"])]}


DESTINATION = HubSpotDestination()


class _NoTurn(Exception):
    """No request may leave within the patience."""


def _note(lead: RoutedLead) -> dict[str, Any]:
    written = lead.facts["briefed_at"]
    lines = [str(lead.facts["brief"]), f"Next: {lead.facts['next_step']}" if "next_step" in lead.facts else ""]
    lines.append(f"Score {lead.facts.get('score')} ({lead.facts.get('tier')}): {'; '.join(lead.facts.get('reasons', []))}")
    return {
        "text": "<br>".join(escape(line) for line in lines if line),
        "at_ms": int(written.timestamp() * 1000) if isinstance(written, datetime) else 0,
    }


class _HubSpotSender:
    def __init__(self, client: HubSpot, opening: SendOpening) -> None:
        self._client = client
        self._desk = opening.desk
        rules: HubSpotRules = opening.rules
        self._rates = [rules.rate.rate] if rules.rate else [] if opening.settings.world == "sandbox" else [_DOCUMENTED]
        self._owners: dict[str, str | None] = {}

    async def send(self, parcels: Sequence[Parcel]) -> None:
        contacts = [parcel for parcel in parcels if parcel.kind == "contact"]
        notes = [parcel for parcel in parcels if parcel.kind == "note"]
        if contacts:
            await self._contacts(contacts)
        if notes:
            await self._notes(notes)

    async def _contacts(self, parcels: list[Parcel]) -> None:
        try:
            values, reasons = await self._values(parcels)
        except _NoTurn:
            await self._later(parcels)
            return
        changed = {parcel.id: parcel.changed(values[parcel.id]) for parcel in parcels}
        same = [parcel for parcel in parcels if not changed[parcel.id]]
        if same:
            # Nothing to write is no request, and no attempt.
            await self._desk.settle([(parcel, Fate("confirmed", reasons.get(parcel.id, "unchanged"), free=True)) for parcel in same])
        new = [parcel for parcel in parcels if changed[parcel.id] and parcel.mirror.vendor_id is None]
        known = [parcel for parcel in parcels if changed[parcel.id] and parcel.mirror.vendor_id is not None]
        if new:
            whole = {parcel.id: values[parcel.id] for parcel in new}
            await self._write("upsert", new, whole, reasons)
        if known:
            await self._write("update", known, changed, reasons)

    async def _values(self, parcels: Sequence[Parcel]) -> tuple[dict[int, dict[str, str]], dict[int, str]]:
        """Each contact's values, with the owner where it may be set, and a word on those whose owner in HubSpot stays."""
        values = {parcel.id: {"email": str(parcel.body["email"]), **parcel.body["fields"]} for parcel in parcels}
        reasons: dict[int, str] = {}
        wanted: dict[int, str] = {}
        for parcel in parcels:
            owner = await self._owner(parcel.body.get("owner"))
            if owner is not None and not parcel.mirror.has(OWNER, owner):
                wanted[parcel.id] = owner
            elif parcel.body.get("owner") and owner is None:
                reasons[parcel.id] = "owner_unknown"
        if wanted:
            there = await self._there([parcel for parcel in parcels if parcel.id in wanted])
            seen: list[tuple[str, str]] = []
            for parcel in parcels:
                if parcel.id in wanted:
                    has = there.get(str(parcel.body["email"]).lower())
                    if has and has != wanted[parcel.id] and not parcel.mirror.has(OWNER, has):
                        reasons[parcel.id] = "owner_kept"
                        if parcel.body.get("account"):  # what was planned by an older version has none
                            seen.append((str(parcel.body["account"]), self._as_we_know(has)))
                    else:
                        values[parcel.id][OWNER] = wanted[parcel.id]
            if seen:
                await self._desk.owners_seen(seen)
        return values, reasons

    async def _owner(self, told: Any) -> str | None:
        if not told:
            return None
        if told.get("id"):
            return str(told["id"])
        email = str(told["email"])
        if email not in self._owners:
            await self._turn()
            self._owners[email] = await self._client.owner(email)
        return self._owners[email]

    def _as_we_know(self, owner: str) -> str:
        """The address by which we asked for this owner; else the id, which routing.yaml may have."""
        return next((email for email, number in self._owners.items() if number == owner), owner)

    async def _there(self, parcels: Sequence[Parcel]) -> dict[str, str]:
        """E-mail → the owner it has in HubSpot."""
        await self._turn()
        found = await self._client.read([str(parcel.body["email"]) for parcel in parcels], [OWNER])
        return {email: str(record["properties"][OWNER]) for email, record in found.items() if record["properties"].get(OWNER)}

    async def _write(self, how: str, parcels: Sequence[Parcel], values: dict[int, dict[str, Any]], reasons: dict[int, str]) -> None:
        if not await self._turns(parcels):
            return
        going = await self._desk.depart(parcels)
        if not going:
            return
        await self._ask(how, going, values, reasons)

    async def _ask(self, how: str, going: Sequence[Parcel], values: dict[int, dict[str, Any]], reasons: dict[int, str]) -> None:
        inputs = [
            {"idProperty": "email", "id": parcel.body["email"], "objectWriteTraceId": parcel.key, "properties": values[parcel.id]}
            for parcel in going
        ]
        try:
            told = await (self._client.upsert(inputs) if how == "upsert" else self._client.update(inputs))
        except ProviderError as error:
            if error.kind != "permanent" or len(going) == 1:
                await self._desk.failed(going, error, _BUCKET)
                return
            # One bad record is refused with its whole batch: find it by halves.
            for half in slices(going, (len(going) + 1) // 2):
                if await self._turns(half):
                    await self._ask(how, half, values, reasons)
            return
        await self._desk.settle([(parcel, _fate(parcel, told, values[parcel.id], reasons.get(parcel.id))) for parcel in going])

    async def _notes(self, parcels: Sequence[Parcel]) -> None:
        fresh = []
        for parcel in parcels:
            if parcel.mirror.vendor_id is None:
                await self._desk.settle([(parcel, Fate("failed", "no_contact"))])
                continue
            try:
                found = bool(parcel.uncertain) and await self._noted(parcel)
            except _NoTurn:
                await self._later([parcel])
                continue
            except ProviderError as error:
                if error.kind not in ("transient", "contract"):
                    raise
                # Alone: of fifty that are looked for, one in five failing, no round would ever end.
                await self._desk.failed([parcel], error, _BUCKET)
                continue
            if found:
                await self._desk.settle([(parcel, Fate("confirmed", "found"))])
            else:
                fresh.append(parcel)
        if not fresh or not await self._turns(fresh):
            return
        going = await self._desk.depart(fresh)
        if not going:
            return
        inputs = [
            {
                "objectWriteTraceId": parcel.key,
                "properties": {"hs_timestamp": str(parcel.body["at_ms"]), "hs_note_body": parcel.body["text"]},
                "associations": [
                    {
                        "to": {"id": parcel.mirror.vendor_id},
                        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_CONTACT}],
                    }
                ],
            }
            for parcel in going
        ]
        try:
            told = await self._client.notes(inputs)
        except ProviderError as error:
            # The answer was lost, and a note cannot be upserted: look for it before it is sent again.
            if error.sent and error.kind in ("transient", "contract"):
                await self._desk.settle([(parcel, Fate("uncertain", error.reason)) for parcel in going])
            else:
                await self._desk.failed(going, error, _BUCKET)
            return
        if not told.get("errors") and len(told.get("results") or ()) == len(going):
            await self._desk.settle([(parcel, Fate("confirmed")) for parcel in going])
        else:
            await self._desk.settle([(parcel, _fate(parcel, told, {}, None)) for parcel in going])

    async def _noted(self, parcel: Parcel) -> bool:
        await self._turn()
        return await self._client.has_note(str(parcel.mirror.vendor_id), int(parcel.body["at_ms"]))

    async def _turns(self, parcels: Sequence[Parcel]) -> bool:
        """Wait for the turn of a request about these; False if there is none now, and they wait."""
        if await self._desk.turn(_BUCKET, self._rates):
            return True
        await self._later(parcels)
        return False

    async def _turn(self) -> None:
        """Wait for the turn of a question. Raises _NoTurn."""
        if not await self._desk.turn(_BUCKET, self._rates):
            raise _NoTurn

    async def _later(self, parcels: Sequence[Parcel]) -> None:
        await self._desk.settle([(parcel, Fate("waiting", "paced", retry_after=5, free=True)) for parcel in parcels])


_LATER = ("RATE_LIMITS", "CONFLICT", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE")
"""Categories of a single record's error that may pass."""


def _fate(parcel: Parcel, told: dict[str, Any], wrote: dict[str, Any], reason: str | None) -> Fate:
    """What a 200 or 207 says of one record: by our trace id; without one, a contact is known by its id there or its e-mail."""
    for each in told.get("results") or ():
        if _is_about(each, parcel):
            # A contact's id is kept; a note's is not the contact's.
            contact = str(each["id"]) if parcel.kind == "contact" and each.get("id") else None
            return Fate("confirmed", reason, wrote=wrote, vendor_id=contact)
    for each in told.get("errors") or ():
        context = each.get("context") or {}
        named = [str(value) for values in context.values() for value in (values if isinstance(values, list) else [values])]
        if parcel.key in named or (parcel.kind == "contact" and _own(parcel) in [name.lower() for name in named]):
            category = str(each.get("category"))
            if category == "OBJECT_NOT_FOUND":
                return Fate("failed", "contact_gone", retry_after=0, forget=True)
            code = str(each.get("subCategory") or category).rpartition(".")[2].lower()
            return Fate("failed" if category in _LATER else "dead", code)
    # A contact can be sent again; a note is looked for first.
    return Fate("failed" if parcel.kind == "contact" else "uncertain", "not_in_answer")


def _is_about(record: dict[str, Any], parcel: Parcel) -> bool:
    if record.get("objectWriteTraceId"):
        return bool(record["objectWriteTraceId"] == parcel.key)
    # The answer to an update has the properties that were written, so often no e-mail.
    email = str((record.get("properties") or {}).get("email")).lower()
    return parcel.kind == "contact" and (str(record.get("id")) == parcel.mirror.vendor_id or email == _own(parcel))


def _own(parcel: Parcel) -> str:
    return str(parcel.body["email"]).lower()
