"""Reading: campaigns, leads with filters and cursor pages, what became of a lead, what a drop became, exports.

Personal data is masked without the scope read-pii, by the same masks as `lead-assets query`. Does not belong here: SQL of the warehouse (see
`lead_assets.stores.warehouse.questions`), the steps of a lead (see `lead_assets.explaining`).
"""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from lead_assets.explaining.explain import explain
from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.access import needs
from lead_assets.service.enriching import literal
from lead_assets.stores.warehouse.questions import ask

router = APIRouter(tags=["read"])

Reader = Annotated[ServiceKey, Depends(needs("read"))]
_PAGE = 50
_SHOWN = (
    "lead_id, campaign_id, received_at, full_name, email_normalized, phone_e164, company, company_domain, title, linkedin_url, website, "
    "country_code, source"
)
_BY = {"received_at": "received_at", "lead_id": "lead_id", "company": "COALESCE(company, '')"}


@router.get("/api/campaigns", summary="All campaigns in the archive")
async def campaigns(request: Request, key: Reader) -> list[dict[str, Any]]:
    """id and name of each."""
    return [{"id": name, "name": name} for name in await asyncio.to_thread(request.app.state.archive.campaigns)]


@router.get("/api/campaigns/{campaign_id}/leads", summary="The leads of a campaign (campaign pipeline)")
async def campaign_leads(request: Request, campaign_id: str, key: Reader, limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000) -> Response:
    """id, campaign_id, name, email, phone, organization, designation, linkedin_url, website, status, type."""
    sql = (
        "SELECT lead_id AS id, campaign_id, full_name AS name, email_normalized AS email, phone_e164 AS phone, company AS organization, "
        f"title AS designation, linkedin_url, website, 'new' AS status, adapter AS type FROM identity.leads WHERE campaign_id = {literal(campaign_id)} "
        f"ORDER BY received_at, lead_id LIMIT {limit}"
    )
    return _json(await _asked(request, key, sql))


@router.get("/api/v1/leads", summary="Leads, filtered, sorted, by pages")
async def leads(
    request: Request,
    key: Reader,
    sort: Literal["received_at", "lead_id", "company"] = "received_at",
    descending: bool = True,
    limit: Annotated[int, Query(ge=1, le=1_000)] = _PAGE,
    cursor: Annotated[str | None, Query(max_length=2_000, description="next_cursor of the page before")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of a name, company, address or lead id")] = None,
    campaign_id: Annotated[str | None, Query(max_length=200)] = None,
    company_domain: Annotated[str | None, Query(max_length=200)] = None,
    country_code: Annotated[str | None, Query(max_length=2)] = None,
    source: Annotated[str | None, Query(max_length=200)] = None,
    seniority: Annotated[str | None, Query(max_length=50)] = None,
    department: Annotated[str | None, Query(max_length=50)] = None,
    adapter: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """`items` and `next_cursor`, which is null on the last page. A page stays the same page while leads arrive."""
    given = {
        "campaign_id": campaign_id,
        "company_domain": company_domain,
        "country_code": country_code,
        "source": source,
        "seniority": seniority,
        "department": department,
        "adapter": adapter,
    }
    where = [f"{name} = {literal(value)}" for name, value in given.items() if value is not None]
    if q:
        if not key.may("read-pii"):
            raise HTTPException(403, "searching names and addresses needs the scope read-pii: filter by another column, or use such a key")
        text = literal(q.lower())
        columns = ("full_name", "company", "email_normalized", "lead_id")
        where.append("(" + " OR ".join(f"STRPOS(LOWER({name}), {text}) > 0" for name in columns) + ")")
    by, order, sign = _BY[sort], "DESC" if descending else "ASC", "<" if descending else ">"
    if cursor is not None:
        value, campaign, lead_id = _unpacked(cursor)
        typed = f"CAST({literal(value)} AS TIMESTAMPTZ)" if sort == "received_at" else literal(value)
        where.append(f"({by}, campaign_id, lead_id) {sign} ({typed}, {literal(campaign)}, {literal(lead_id)})")
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    sql = f"SELECT {_SHOWN} FROM identity.leads{condition} ORDER BY {by} {order}, campaign_id {order}, lead_id {order} LIMIT {limit + 1}"
    rows = await _asked(request, key, sql)
    page, more = rows[:limit], len(rows) > limit
    last = page[-1] if more else None
    following = _packed(last[sort] if sort != "company" else last["company"] or "", last["campaign_id"], last["lead_id"]) if last else None
    return _json({"items": page, "next_cursor": following})


@router.get("/api/v1/leads/{lead_id}", summary="What is known of a lead")
async def one_lead(request: Request, lead_id: str, key: Reader) -> Response:
    """Its row of identity.leads."""
    rows = await _asked(request, key, f"SELECT * FROM identity.leads WHERE lead_id = {literal(lead_id)} ORDER BY received_at DESC LIMIT 1")
    if not rows:
        raise HTTPException(404, "there is no such lead in identity.leads: it may still be on its way, a duplicate, or erased")
    return _json(rows[0])


@router.get("/admin/leads/{lead_id}", summary="A lead's state and timeline")
async def lead_state(request: Request, lead_id: str, key: Reader) -> Response:
    """`state`: received (durable, not yet landed or made), or the last step that it reached; `leads`: everything that `lead-assets explain` tells."""
    state = request.app.state
    told = await asyncio.to_thread(explain, state.settings, lead_id, pii=key.may("read-pii"))
    drop_id = state.receiver.pending.get(lead_id)
    if not told["leads"] and drop_id is None:
        raise HTTPException(404, "nothing is known of this lead: check its id; it may be a duplicate under another id, rejected, or erased")
    return _json({"lead_id": lead_id, "state": _reached(told), "drop_id": drop_id, **told})


@router.get("/admin/rejects", summary="Payloads that were rejected, newest first")
async def rejects(request: Request, key: Reader, limit: Annotated[int, Query(ge=1, le=1_000)] = _PAGE) -> Response:
    """Why, and in which drop. Their text needs read-pii."""
    return _json({"items": await _asked(request, key, f"SELECT * FROM intake.rejected_payloads ORDER BY received_at DESC LIMIT {limit}")})


@router.get("/admin/quarantine", summary="Model answers that broke their contract, newest first")
async def quarantine(request: Request, key: Reader, limit: Annotated[int, Query(ge=1, le=1_000)] = _PAGE) -> Response:
    """`lead-assets replay` sends them again after a fix."""
    return _json(
        {"items": await _asked(request, key, f"SELECT * FROM classification.quarantine ORDER BY quarantined_at DESC LIMIT {limit}")}
    )


def _reached(told: dict[str, Any]) -> str:
    if not told["leads"]:
        return "received"
    lead = told["leads"][0]
    steps = (("delivered", "deliveries"), ("routed", "routing"), ("scored", "score"), ("classified", "class"), ("enriched", "signals"))
    return next((name for name, part in steps if lead.get(part)), "read")


async def _asked(request: Request, key: ServiceKey, sql: str) -> list[dict[str, Any]]:
    found = await asyncio.to_thread(ask, request.app.state.warehouse, sql, pii=key.may("read-pii"))
    return found.to_dicts()


def _packed(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode()


def _unpacked(cursor: str) -> tuple[str, str, str]:
    try:
        value, campaign, lead_id = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        return str(value), str(campaign), str(lead_id)
    except (ValueError, TypeError):
        raise HTTPException(422, "the cursor is not one of this list: start again without it") from None


def _json(said: Any) -> Response:
    return Response(
        orjson.dumps(said, default=lambda value: float(value) if hasattr(value, "as_tuple") else str(value)), media_type="application/json"
    )
