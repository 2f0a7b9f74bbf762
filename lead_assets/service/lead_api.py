"""Reading: campaigns, leads with filters and cursor pages, what became of a lead, what a drop became, exports.

Personal data is masked without the scope read-pii, by the same masks as `lead-assets query`. Does not belong here: SQL of the warehouse (see
`lead_assets.stores.warehouse.questions`), the steps of a lead (see `lead_assets.explaining`).
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from lead_assets.explaining.explain import explain
from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.access import needs
from lead_assets.service.answers import PageOf, says
from lead_assets.service.enriching import literal
from lead_assets.service.finding import (
    PAGE,
    CampaignSort,
    LeadFilters,
    LeadSearch,
    SortBy,
    newest_lead,
    page_of_campaigns,
    page_of_leads,
    rows_of,
)
from lead_assets.service.paying import as_json
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.questions import ask

router = APIRouter(tags=["read"])

Reader = Annotated[ServiceKey, Depends(needs("read"))]


@router.get("/api/campaigns", summary="All campaigns in the archive")
async def campaigns(request: Request, key: Reader) -> list[dict[str, Any]]:
    """id and name of each."""
    return [{"id": name, "name": name} for name in await asyncio.to_thread(request.app.state.archive.campaigns)]


@router.get("/api/campaigns/{campaign_id}/leads", summary="The leads of a campaign (campaign pipeline)")
async def campaign_leads(request: Request, campaign_id: str, key: Reader, limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000) -> Response:
    """id, campaign_id, name, email, phone, organization, designation, linkedin_url, website, status, type."""
    sql = (
        "SELECT l.lead_id AS id, l.campaign_id, l.full_name AS name, l.email_normalized AS email, l.phone_e164 AS phone, l.company AS organization, "
        "l.title AS designation, l.linkedin_url, l.website, COALESCE(l.status, CASE WHEN s.lead_id IS NULL THEN 'new' ELSE 'enriched' END) AS status, "
        "l.adapter AS type FROM identity.leads AS l LEFT JOIN scoring.scores AS s ON s.campaign_id = l.campaign_id AND s.lead_id = l.lead_id "
        f"WHERE l.campaign_id = {literal(campaign_id)} ORDER BY l.received_at, l.lead_id LIMIT {limit}"
    )
    return as_json(await _asked(request, key, sql))


@router.get("/api/v1/campaigns", summary="Campaigns with their funnel, filtered, sorted, by pages", responses=says(PageOf))
async def campaigns_by_pages(
    request: Request,
    key: Reader,
    q: Annotated[str | None, Query(max_length=200, description="Part of the campaign's key")] = None,
    min_leads: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    sort: CampaignSort = "campaign_id",
    descending: bool = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = PAGE,
    cursor: Annotated[str | None, Query(max_length=2_000, description="next_cursor of the page before")] = None,
) -> Response:
    """`items`: campaign_id, received, rejected, duplicate, suppressed, leads, enriched, classified, quarantined, scored, routed, routed_fallback, hot,
    cost_usd; null before the campaign's first run. `next_cursor` is null on the last page."""
    state = request.app.state

    def found() -> dict[str, Any]:
        known = state.archive.campaigns()
        return page_of_campaigns(
            state.warehouse, known, part=q, min_leads=min_leads, sort=sort, descending=descending, limit=limit, cursor=cursor
        )

    return as_json(await asyncio.to_thread(found))


@router.get("/api/v1/leads", summary="Leads, filtered, sorted, by pages", responses=says(PageOf))
async def leads(
    request: Request,
    key: Reader,
    sort: SortBy = "received_at",
    descending: bool = True,
    limit: Annotated[int, Query(ge=1, le=1_000)] = PAGE,
    cursor: Annotated[str | None, Query(max_length=2_000, description="next_cursor of the page before")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of a name, company, address or lead id; needs read-pii")] = None,
    campaign_id: Annotated[str | None, Query(max_length=200)] = None,
    company_domain: Annotated[str | None, Query(max_length=200)] = None,
    country_code: Annotated[str | None, Query(max_length=2)] = None,
    source: Annotated[str | None, Query(max_length=200)] = None,
    seniority: Annotated[str | None, Query(max_length=50)] = None,
    department: Annotated[str | None, Query(max_length=50)] = None,
    adapter: Annotated[str | None, Query(max_length=100)] = None,
    tier: Annotated[str | None, Query(max_length=10)] = None,
    owner: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """`items` and `next_cursor`, which is null on the last page. A page stays the same page while leads arrive."""
    filters = LeadFilters(
        campaign_id=campaign_id,
        company_domain=company_domain,
        country_code=country_code,
        source=source,
        seniority=seniority,
        department=department,
        adapter=adapter,
        tier=tier,
        owner=owner,
    )
    wanted = LeadSearch(query=q or None, filters=filters, sort=sort, descending=descending, limit=limit, cursor=cursor)
    return as_json(await asyncio.to_thread(page_of_leads, request.app.state.warehouse, wanted, pii=key.may("read-pii")))


@router.post("/api/v1/leads/search", summary="Search leads", responses=says(PageOf))
async def search(request: Request, key: Reader, wanted: LeadSearch) -> Response:
    """`items`, `total` and `next_cursor`. Filters take one value or several."""
    return as_json(await asyncio.to_thread(page_of_leads, request.app.state.warehouse, wanted, pii=key.may("read-pii"), counted=True))


@router.get("/api/v1/leads/{lead_id}", summary="What is known of a lead")
async def one_lead(request: Request, lead_id: str, key: Reader) -> Response:
    """Its row of identity.leads, and what it became: score, tier, path, owner, enriched_at and enrichment_status (pending or completed)."""
    return as_json(await asyncio.to_thread(_told, request.app.state.warehouse, lead_id, key.may("read-pii")))


@router.get("/admin/leads/{lead_id}", summary="A lead's state and timeline")
async def lead_state(request: Request, lead_id: str, key: Reader) -> Response:
    """`state`: received (durable, not yet landed or made), or the last step that it reached; `leads`: everything that `lead-assets explain` tells."""
    state = request.app.state
    told = await asyncio.to_thread(explain, state.settings, lead_id, pii=key.may("read-pii"))
    drop_id = state.receiver.pending.get(lead_id)
    if not told["leads"] and drop_id is None:
        raise HTTPException(404, "nothing is known of this lead: check its id; it may be a duplicate under another id, rejected, or erased")
    return as_json({"lead_id": lead_id, "state": _reached(told), "drop_id": drop_id, **told})


def _reached(told: dict[str, Any]) -> str:
    if not told["leads"]:
        return "received"
    lead = told["leads"][0]
    steps = (("delivered", "deliveries"), ("routed", "routing"), ("scored", "score"), ("classified", "class"), ("enriched", "signals"))
    return next((name for name, part in steps if lead.get(part)), "read")


async def _asked(request: Request, key: ServiceKey, sql: str) -> list[dict[str, Any]]:
    found = await asyncio.to_thread(ask, request.app.state.warehouse, sql, pii=key.may("read-pii"))
    return found.to_dicts()


def _told(warehouse: Warehouse, lead_id: str, pii: bool) -> dict[str, Any]:
    row = newest_lead(warehouse, lead_id, pii=pii)
    ids = [(row["campaign_id"], lead_id)]
    for columns, table in (
        ("score, tier, path", "scoring.scores"),
        ("owner", "routing.decisions"),
        ("enriched_at", "classification.classifications"),
    ):
        found = rows_of(warehouse, ids, f"campaign_id, lead_id, {columns}", pii=pii, table=table)
        row |= {name: found[0][name] if found else None for name in columns.split(", ")}
    return row | {"enrichment_status": "pending" if row["score"] is None else "completed"}
