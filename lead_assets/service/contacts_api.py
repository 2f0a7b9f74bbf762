"""Contacts, in the words of the discovery engine: the person of each lead, with their address and whether it was verified.

A contact has the id of its lead: creating and changing one is a drop, deleting one erases the person. Does not belong here: finding (see `finding`),
drops and erasures (see `write_api`), verifying (see `discovery_api`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.access import needs
from lead_assets.service.answers import Accepted, PageOf, says
from lead_assets.service.finding import PAGE, LeadFilters, LeadSearch, SortBy, newest_lead, page_of_leads, rows_of
from lead_assets.service.paying import as_json
from lead_assets.service.write_api import BODY, CHANGE, Admin, Campaign, Writer, created, erased, updated
from lead_assets.stores.warehouse.base import Warehouse

router = APIRouter(prefix="/api/v1/contacts", tags=["contacts"])

Reader = Annotated[ServiceKey, Depends(needs("read"))]
_OF_LEAD = {
    "lead_id": "id",
    "campaign_id": "campaign_id",
    "name_first": "first_name",
    "name_last": "last_name",
    "full_name": "full_name",
    "email_normalized": "email",
    "phone_e164": "phone",
    "title": "title",
    "seniority": "seniority",
    "department": "department",
    "linkedin_url": "linkedin_url",
    "company": "company_name",
    "company_domain": "company_domain",
    "received_at": "created_at",
}


@router.get("", summary="Contacts, filtered, sorted, by pages", responses=says(PageOf))
async def contacts(
    request: Request,
    key: Reader,
    sort: SortBy = "received_at",
    descending: bool = True,
    limit: Annotated[int, Query(ge=1, le=1_000)] = PAGE,
    cursor: Annotated[str | None, Query(max_length=2_000, description="next_cursor of the page before")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of a name, company, address or id; needs read-pii")] = None,
    campaign_id: Annotated[str | None, Query(max_length=200)] = None,
    company_domain: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """`items` and `next_cursor`, which is null on the last page."""
    filters = LeadFilters(campaign_id=campaign_id, company_domain=company_domain)
    wanted = LeadSearch(query=q or None, filters=filters, sort=sort, descending=descending, limit=limit, cursor=cursor)
    return await _found(request, key, wanted)


@router.post("/search", summary="Search contacts", responses=says(PageOf))
async def search(request: Request, key: Reader, wanted: LeadSearch) -> Response:
    """`items`, `total` and `next_cursor`, with the filters of leads."""
    return await _found(request, key, wanted, counted=True)


@router.post("", status_code=202, openapi_extra=BODY, summary="Create a contact", responses=says(Accepted, 202))
async def create(request: Request, key: Writer, campaign: Campaign = None) -> Response:
    """As a lead is created: a drop. 202 once the bytes are durable, with `status_url`."""
    return await created(request, campaign)


@router.get("/{contact_id}", summary="What is known of a contact")
async def contact(request: Request, contact_id: str, key: Reader) -> Response:
    """Name, address, position and company; `email_verified`, `email_verified_at`, `email_source` and `email_score`, if its address was verified."""
    return as_json(await asyncio.to_thread(_one, request.app.state.warehouse, contact_id, key.may("read-pii")))


@router.put("/{contact_id}", status_code=202, openapi_extra=CHANGE, summary="Update a contact", responses=says(Accepted, 202))
@router.patch("/{contact_id}", status_code=202, openapi_extra=CHANGE, summary="Change fields of a contact", responses=says(Accepted, 202))
async def update(request: Request, contact_id: str, key: Writer) -> Response:
    """The fields to change, as a JSON object: a drop with the lead's id, so that history is kept."""
    return await updated(request, contact_id)


@router.delete("/{contact_id}", summary="Erase a contact")
async def erase(request: Request, contact_id: str, key: Admin) -> Response:
    """Takes the person out of every store and keeps them out. Answers the receipt, which names nobody."""
    return await erased(request, contact_id)


async def _found(request: Request, key: ServiceKey, wanted: LeadSearch, *, counted: bool = False) -> Response:
    warehouse, pii = request.app.state.warehouse, key.may("read-pii")

    def work() -> dict[str, Any]:
        page = page_of_leads(warehouse, wanted, pii=pii, counted=counted)
        return page | {"items": _contacts(warehouse, [(row["campaign_id"], row["lead_id"]) for row in page["items"]], pii)}

    return as_json(await asyncio.to_thread(work))


def _one(warehouse: Warehouse, contact_id: str, pii: bool) -> dict[str, Any]:
    row = newest_lead(warehouse, contact_id, "campaign_id, lead_id", pii=pii)
    return _contacts(warehouse, [(row["campaign_id"], contact_id)], pii)[0]


def _contacts(warehouse: Warehouse, ids: Sequence[tuple[str, str]], pii: bool) -> list[dict[str, Any]]:
    leads = rows_of(warehouse, ids, ", ".join(_OF_LEAD), pii=pii)
    columns = "campaign_id, lead_id, state, email_grade, email_score, email_from, provider, as_of"
    verified = {
        (row["campaign_id"], row["lead_id"]): row
        for row in rows_of(warehouse, ids, columns, pii=pii, table="signals.email")
        if row["state"] == "found" and row["email_from"] == "own"
    }
    contacts = []
    for lead in leads:
        email = verified.get((lead["campaign_id"], lead["lead_id"]), {})
        contacts.append(
            {shown: lead[name] for name, shown in _OF_LEAD.items()}
            | {
                "lead_id": lead["lead_id"],
                "email_status": email.get("email_grade") or "unknown",
                "email_verified": email.get("email_grade") == "valid",
                "email_score": email.get("email_score"),
                "email_verified_at": email.get("as_of"),
                "email_source": email.get("provider"),
            }
        )
    return contacts
