"""HubSpot's CRM over HTTP: contacts read, upserted and updated in batches, notes, owners.

Belongs here: HubSpot's wire format and status codes. Does not belong here: which values are sent (see `destination`).
https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/batch/upsert-contacts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lead_assets.core.errors import ProviderError
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, failure, json_object, problem, retry_after

MOST = 100
"""Records per batch."""
MOST_SEARCHED = 200
MOST_LINKED = 500
"""Associations per page."""
NOTE_TO_CONTACT = 202
"""HubSpot's own type of the association from a note to its contact."""

KINDS: Kinds = {
    401: ("auth", "auth"),
    403: ("auth", "missing_scope"),
    404: ("permanent", "not_found"),
    408: ("transient", "timeout"),
    409: ("transient", "conflict"),
    423: ("transient", "provider_error"),
    429: ("rate_limited", "rate_limited"),
    477: ("transient", "provider_error"),
}


def _after(page: Mapping[str, Any]) -> str | None:
    """Where the next page begins; None on the last."""
    return ((page.get("paging") or {}).get("next") or {}).get("after")


class HubSpot(VendorClient):
    """HubSpot's API; use with `async with`."""

    async def read(self, emails: Sequence[str], properties: Sequence[str]) -> dict[str, dict[str, Any]]:
        """E-mail (lower case) → the contact's record, for those that exist."""
        inputs = [{"id": email} for email in emails]
        body = {"idProperty": "email", "properties": ["email", *properties], "inputs": inputs}
        told = await self._post("contacts/batch/read", "/crm/v3/objects/contacts/batch/read", body)
        return {
            str(each["properties"].get("email")).lower(): each
            for each in told.get("results", ())
            if isinstance(each.get("properties"), dict)
        }

    async def upsert(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """`inputs`: {id, idProperty, properties, objectWriteTraceId} each. Returns {results, errors}, also of a 207."""
        return await self._post("contacts/batch/upsert", "/crm/v3/objects/contacts/batch/upsert", {"inputs": list(inputs)})

    async def update(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Like `upsert`, for contacts that exist: what is not given stays as it is."""
        return await self._post("contacts/batch/update", "/crm/v3/objects/contacts/batch/update", {"inputs": list(inputs)})

    async def notes(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Create notes: {properties, associations, objectWriteTraceId} each."""
        return await self._post("notes/batch/create", "/crm/v3/objects/notes/batch/create", {"inputs": list(inputs)})

    async def has_note(self, contact: str, at_ms: int) -> bool:
        """Whether the contact has a note with this time."""
        filters = [
            {"propertyName": "associations.contact", "operator": "EQ", "value": contact},
            {"propertyName": "hs_timestamp", "operator": "EQ", "value": str(at_ms)},
        ]
        body = {"filterGroups": [{"filters": filters}], "properties": ["hs_timestamp"], "limit": 1}
        told = await self._post("notes/search", "/crm/v3/objects/notes/search", body)
        return bool(told.get("results"))

    async def having(self, name: str, value: str | None = None) -> list[str]:
        """The e-mail addresses of all contacts with a property, or with this value of it. By id, because a search ends at 10,000 results.
        https://developers.hubspot.com/docs/api-reference/legacy/crm/search-the-crm"""
        wanted = (
            {"propertyName": name, "operator": "HAS_PROPERTY"}
            if value is None
            else {"propertyName": name, "operator": "EQ", "value": value}
        )
        found: list[str] = []
        last = "0"
        while True:
            body = {
                "filterGroups": [{"filters": [wanted, {"propertyName": "hs_object_id", "operator": "GT", "value": last}]}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": ["email"],
                "limit": MOST_SEARCHED,
            }
            page = (await self._post("contacts/search", "/crm/v3/objects/contacts/search", body)).get("results") or []
            found += [str(each["properties"]["email"]) for each in page if (each.get("properties") or {}).get("email")]
            if len(page) < MOST_SEARCHED:
                return found
            last = str(page[-1]["id"])

    async def deals(self, properties: Sequence[str]) -> list[tuple[str, dict[str, str | None], list[str]]]:
        """(id, properties, ids of its contacts) of each deal that is not archived.
        https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/deals/get-deals"""
        found: list[tuple[str, dict[str, str | None], list[str]]] = []
        asked: dict[str, Any] = {"limit": MOST, "properties": ",".join(properties), "associations": "contacts", "archived": "false"}
        while True:
            told = self._checked("deals", await self._http.request("deals", "GET", "/crm/v3/objects/deals", params=asked))
            for each in told.get("results") or ():
                said = each.get("properties") or {}
                contacts = (each.get("associations") or {}).get("contacts") or {}
                named = [str(contact["id"]) for contact in contacts.get("results") or ()]
                if _after(contacts):
                    named += await self._contacts_of(str(each["id"]))
                # A contact is named once for each label of the association.
                ids = list(dict.fromkeys(named))
                found.append((str(each["id"]), {name: said.get(name) for name in properties}, ids))
            asked["after"] = _after(told)
            if not asked["after"]:
                return found

    async def _contacts_of(self, deal: str) -> list[str]:
        """The ids of all contacts of a deal that has more than are listed with it.
        https://developers.hubspot.com/docs/api-reference/crm-associations-v4/basic/get-crm-v4-objects-objectType-objectId-associations-toObjectType"""
        found: list[str] = []
        asked: dict[str, Any] = {"limit": MOST_LINKED}
        while True:
            path = f"/crm/v4/objects/deals/{deal}/associations/contacts"
            told = self._checked("deals/contacts", await self._http.request("deals/contacts", "GET", path, params=asked))
            found += [str(each["toObjectId"]) for each in told.get("results") or ()]
            asked["after"] = _after(told)
            if not asked["after"]:
                return found

    async def emails_of(self, contacts: Sequence[str]) -> dict[str, str]:
        """Id of a contact → its e-mail address, for those that have one."""
        found: dict[str, str] = {}
        for start in range(0, len(contacts), MOST):
            body = {"properties": ["email"], "inputs": [{"id": each} for each in contacts[start : start + MOST]]}
            told = await self._post("contacts/batch/read", "/crm/v3/objects/contacts/batch/read", body)
            found |= {
                str(each["id"]): str(each["properties"]["email"]) for each in told.get("results", ()) if each["properties"].get("email")
            }
        return found

    async def owner(self, email: str) -> str | None:
        """The id of the owner with this address, if there is one who is not archived."""
        answer = await self._http.request("owners", "GET", "/crm/v3/owners", params={"email": email, "limit": 100, "archived": "false"})
        told = self._checked("owners", answer)
        return next((str(each["id"]) for each in told.get("results", ()) if str(each.get("email")).lower() == email.lower()), None)

    async def delete_for_good(self, email: str, vendor_id: str | None) -> None:
        """Delete a contact and what belongs to it, as the GDPR asks; an address that HubSpot does not have is blocked there.
        https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/gdpr/gdpr-delete-contact"""
        body = {"objectId": vendor_id} if vendor_id else {"objectId": email, "idProperty": "email"}
        answer = await self._http.request("contacts/gdpr-delete", "POST", "/crm/v3/objects/contacts/gdpr-delete", json=body)
        if answer.status >= 300:
            raise self._failure("contacts/gdpr-delete", answer)

    async def _post(self, operation: str, path: str, body: Any) -> dict[str, Any]:
        return self._checked(operation, await self._http.request(operation, "POST", path, json=body))

    def _checked(self, operation: str, answer: HttpAnswer) -> dict[str, Any]:
        if answer.status >= 300:
            raise self._failure(operation, answer)
        return json_object("hubspot", operation, answer)

    def _failure(self, operation: str, answer: HttpAnswer) -> ProviderError:
        # The daily limit ends at midnight of the account; asking again in a minute would only count against it.
        if answer.status == 429 and problem(answer).get("policyName") == "DAILY":
            return ProviderError("hubspot", operation, "quota", "daily_limit", status=429)
        error = failure("hubspot", operation, answer, KINDS)
        if error.kind == "rate_limited" and error.retry_after is None:
            error.retry_after = (retry_after(answer, "x-hubspot-ratelimit-interval-milliseconds") or 10_000) / 1000
        return error
