"""Salesforce as a destination: a lead is a record, found by an external id that holds our id of the person.

Only changed fields are sent, and what is blank is left out. The owner is written only when the record is new to us, so that who changed it in Salesforce wins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import Field

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.salesforce.client import MOST, Salesforce
from lead_assets.vendors.sending import Allowed, Destination, Forgot, RoutedLead, Sender, SendOpening, SendRules, ToForget, slices

_BUCKET = "salesforce"
_LATER = ("UNABLE_TO_LOCK_ROW", "REQUEST_RUNNING_TOO_LONG", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT")
OWNER = "OwnerId"


class SalesforceRules(SendRules):
    """`fields`: field of the object → the lead's field. An upsert that creates a Lead needs LastName and Company."""

    instance_url: str | None = Field(None, pattern=r"^https://")
    sobject: str = Field("Lead", pattern=r"^\w+$")
    external_id: str = Field("Lead_Assets_Id__c", pattern=r"^\w+$")
    fields: Allowed = Field(min_length=1)
    owner: bool = True


class SalesforceDestination(Destination):
    name = "salesforce"
    rules = SalesforceRules
    claims = MOST
    deduplicates = True
    address = "instance_url"

    def url(self, settings: Any, rules: SalesforceRules) -> str | None:
        return rules.instance_url if settings.world == "live" else None

    def to_send(self, leads: Sequence[RoutedLead], rules: SalesforceRules) -> list[ToSend]:
        sent = []
        for lead in leads:
            body: dict[str, Any] = {"fields": lead.mapped(rules.fields), "id": lead.person}
            if rules.owner and lead.to_owner and lead.contact.salesforce:
                body["owner"] = lead.contact.salesforce
            sent.append(lead.send(self.name, "record", body, owner=lead.owner if lead.to_owner else None, due_by=lead.due_by))
        return sent

    @asynccontextmanager
    async def open(self, opening: SendOpening) -> AsyncIterator[Sender]:
        headers = {"authorization": f"Bearer {opening.key.get_secret_value()}"}
        async with Salesforce(opening.http("salesforce", opening.url, headers)) as client:
            yield _SalesforceSender(client, opening)

    async def forget(self, whom: ToForget) -> Forgot:
        async with Salesforce(VendorHttp("salesforce", whom.url, whom.bearer)) as client:
            for person in whom.persons:
                await client.delete(whom.rules.sobject, whom.rules.external_id, person)
        return Forgot(True)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return [{"id": f"00Q{n:015d}", "success": True, "errors": [], "created": True} for n in range(len(body["records"]))]


DESTINATION = SalesforceDestination()


class _SalesforceSender:
    def __init__(self, client: Salesforce, opening: SendOpening) -> None:
        self._client = client
        self._desk = opening.desk
        self._rules: SalesforceRules = opening.rules
        self._rates = [self._rules.rate.rate] if self._rules.rate else []

    async def send(self, parcels: Sequence[Parcel]) -> None:
        changed = {parcel.id: self._changed(parcel) for parcel in parcels}
        same = [parcel for parcel in parcels if not changed[parcel.id]]
        if same:
            await self._desk.settle([(parcel, Fate("confirmed", "unchanged", free=True)) for parcel in same])
        due = [parcel for parcel in parcels if changed[parcel.id]]
        if not due:
            return
        if not await self._desk.turn(_BUCKET, self._rates):
            await self._desk.settle([(parcel, Fate("waiting", "paced", retry_after=5, free=True)) for parcel in due])
            return
        going = await self._desk.depart(due)
        if going:
            await self._ask(going, changed)

    def _changed(self, parcel: Parcel) -> dict[str, Any]:
        fields = dict(parcel.body["fields"])
        if parcel.body.get("owner") and parcel.mirror.vendor_id is None:
            fields[OWNER] = parcel.body["owner"]
        return parcel.changed(fields)

    async def _ask(self, going: Sequence[Parcel], changed: dict[int, dict[str, Any]]) -> None:
        records = [{**changed[parcel.id], self._rules.external_id: parcel.body["id"]} for parcel in going]
        try:
            results = await self._client.upsert(self._rules.sobject, self._rules.external_id, records)
        except ProviderError as error:
            if error.kind != "permanent" or len(going) == 1:
                await self._desk.failed(going, error, _BUCKET)
                return
            for half in slices(going, (len(going) + 1) // 2):
                await self._ask(half, changed)
            return
        await self._desk.settle([(parcel, _fate(result, changed[parcel.id])) for parcel, result in zip(going, results, strict=True)])


def _fate(result: dict[str, Any], wrote: dict[str, Any]) -> Fate:
    if result.get("success") is True:
        return Fate("confirmed", wrote=wrote, vendor_id=str(result.get("id")))
    code = str(next((each.get("statusCode") for each in result.get("errors") or ()), "refused"))
    if code == "ENTITY_IS_DELETED":
        return Fate("failed", "record_gone", retry_after=0, forget=True)
    return Fate("failed" if code in _LATER else "dead", code.lower()[:60])
