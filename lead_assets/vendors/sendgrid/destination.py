"""SendGrid as a destination: leads that are nurtured join a list, with the date on which they come back.

Its answer to contacts is a job's id: they are confirmed when the job has ended. A job says how many contacts it refused, not which: they are sent again in
halves until the refused one is alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from pydantic import Field

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.sendgrid.client import MOST_BYTES, MOST_CONTACTS, SendGrid
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
    in_text,
    slices,
)

_BUCKET = "sendgrid"
_HALVES = "halves:"
_FIRST_LOOK, _LAST_LOOK = 0.1, 30.0
"""Seconds until a job is looked at, doubled each time: a small one is done at once, and a large one, which takes minutes, is left to the outbox's sensor."""
_LISTS = {"bounces": "bounced", "unsubscribes": "unsubscribed", "spam_reports": "reported as spam", "invalid_emails": "invalid address"}
_OWN = ("first_name", "last_name", "city", "state_province_region", "postal_code", "country", "address_line_1", "address_line_2")
"""Fields of a contact that are not custom."""


class SendGridRules(SendRules):
    """`fields`: SendGrid's reserved field, or the id of a custom one (e1_T), → the lead's field."""

    lists: tuple[str, ...] = Field(min_length=1)
    fields: Allowed = {}
    revisit_field: str | None = None
    """Id of the custom date field that says when the lead comes back."""


class SendGridDestination(Destination):
    name = "sendgrid"
    rules = SendGridRules
    claims = 5_000
    workers = 1
    tells_opt_outs = True
    deduplicates = True

    def to_send(self, leads: Sequence[RoutedLead], rules: SendGridRules) -> list[ToSend]:
        sent = []
        for lead in leads:
            if lead.path != "nurture" or "email" not in lead.facts:
                continue
            contact: dict[str, Any] = {"email": str(lead.facts["email"]).lower()}
            custom: dict[str, str] = {}
            for theirs, ours in rules.fields.items():
                if ours in lead.facts:
                    text = in_text(lead.facts[ours])
                    if theirs in _OWN:
                        contact[theirs] = text[:50]
                    else:
                        custom[theirs] = text
            if rules.revisit_field:
                custom[rules.revisit_field] = lead.revisit_at.strftime("%m/%d/%Y")
            body = {"contact": {**contact, **({"custom_fields": custom} if custom else {})}, "lists": list(rules.lists)}
            sent.append(lead.send(self.name, "nurture", body, reaches=True))
        return sent

    @asynccontextmanager
    async def open(self, opening: SendOpening) -> AsyncIterator[Sender]:
        headers = {"authorization": f"Bearer {opening.key.get_secret_value()}"}
        async with SendGrid(opening.http("sendgrid", opening.url, headers)) as client:
            yield _SendGridSender(client, opening)

    async def opted_out(self, access: DestinationAccess) -> list[tuple[str, str]]:
        async with SendGrid(VendorHttp("sendgrid", access.url, access.bearer)) as client:
            return [(email, why) for listed, why in _LISTS.items() for email in await client.suppressed(listed)]

    async def forget(self, whom: ToForget) -> Forgot:
        async with SendGrid(VendorHttp("sendgrid", whom.url, whom.bearer)) as client:
            ids = await client.ids(sorted(whom.emails.values()))
            if ids:
                await client.delete(ids)
        return Forgot(True)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return {"job_id": "dry-run"} if method == "PUT" else {"id": "dry-run", "status": "completed", "results": {"errored_count": 0}}


DESTINATION = SendGridDestination()


class _SendGridSender:
    def __init__(self, client: SendGrid, opening: SendOpening) -> None:
        self._client = client
        self._desk = opening.desk
        self._rates = [opening.rules.rate.rate] if opening.rules.rate else []
        self._looks: Counter[str] = Counter()

    async def send(self, parcels: Sequence[Parcel]) -> None:
        jobs: defaultdict[str, list[Parcel]] = defaultdict(list)
        fresh: defaultdict[tuple[int, tuple[str, ...]], list[Parcel]] = defaultdict(list)
        for parcel in parcels:
            if parcel.state == "sent" and parcel.vendor_ref:
                jobs[parcel.vendor_ref].append(parcel)
            else:
                halves = parcel.vendor_ref if (parcel.vendor_ref or "").startswith(_HALVES) else None
                # Campaigns that were planned before the rules changed have other lists.
                fresh[int(halves.removeprefix(_HALVES)) if halves else MOST_CONTACTS, tuple(parcel.body["lists"])].append(parcel)
        for job, those in jobs.items():
            await self._look(job, those)
        for (most, _), those in fresh.items():
            for some in slices(those, most):
                for fitting in _fitting(some):
                    await self._upsert(fitting)

    async def _upsert(self, parcels: Sequence[Parcel]) -> None:
        if not await self._desk.turn(_BUCKET, self._rates):
            await self._desk.settle([(parcel, Fate("waiting", "paced", retry_after=5, free=True)) for parcel in parcels])
            return
        going = await self._desk.depart(parcels)
        if not going:
            return
        try:
            job = await self._client.upsert(going[0].body["lists"], [parcel.body["contact"] for parcel in going])
        except ProviderError as error:
            if error.kind == "permanent" and len(going) > 1:
                await self._halve(going)
            else:
                await self._desk.failed(going, error, _BUCKET)
            return
        await self._desk.settle([(parcel, Fate("sent", vendor_ref=job, retry_after=_FIRST_LOOK)) for parcel in going])

    async def _look(self, job: str, parcels: Sequence[Parcel]) -> None:
        try:
            status, refused = await self._client.job(job)
        except ProviderError as error:
            if error.kind == "permanent":
                # The job is unknown; upserting again does no harm.
                await self._desk.settle([(parcel, Fate("failed", "job_lost", vendor_ref="")) for parcel in parcels])
            else:
                # Nothing was sent, so nothing is uncertain: look again.
                wait = error.retry_after or 30.0
                await self._desk.settle([(parcel, Fate("sent", error.reason, vendor_ref=job, retry_after=wait)) for parcel in parcels])
            return
        if status == "pending":
            self._looks[job] += 1
            wait = min(_FIRST_LOOK * 2 ** self._looks[job], _LAST_LOOK)
            await self._desk.settle([(parcel, Fate("sent", vendor_ref=job, retry_after=wait)) for parcel in parcels])
        elif status == "completed" or (status == "errored" and not refused):
            await self._desk.settle([(parcel, Fate("confirmed")) for parcel in parcels])
        elif status == "errored" and len(parcels) > 1:
            await self._halve(parcels)
        elif status == "errored":
            await self._desk.settle([(parcel, Fate("dead", "refused")) for parcel in parcels])
        else:
            await self._desk.settle([(parcel, Fate("failed", "job_failed", vendor_ref="")) for parcel in parcels])

    async def _halve(self, parcels: Sequence[Parcel]) -> None:
        ref = f"{_HALVES}{(len(parcels) + 1) // 2}"
        await self._desk.settle(
            [(parcel, Fate("waiting", "refused_together", retry_after=0, vendor_ref=ref, free=True)) for parcel in parcels]
        )


def _fitting(parcels: Sequence[Parcel]) -> list[list[Parcel]]:
    """Requests below the size limit."""
    made: list[list[Parcel]] = [[]]
    size = 0
    for parcel in parcels:
        each = len(orjson.dumps(parcel.body["contact"])) + 1
        if made[-1] and size + each > MOST_BYTES - 1_000:
            made.append([])
            size = 0
        made[-1].append(parcel)
        size += each
    return [group for group in made if group]
