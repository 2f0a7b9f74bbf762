"""Finding companies and verifying addresses, in the words of the discovery engine: `/api/v1/discovery/search|sources`,
`/api/v1/contacts/{id}/verify-email`.

Belongs here: what is asked, what it may cost, and the shape of the answer. Does not belong here: searching (see `lead_assets.discovery`), or the
verification itself (see `lead_assets.signals`).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from lead_assets.core.settings import Settings
from lead_assets.discovery.companies import describe
from lead_assets.discovery.drop import campaign_of
from lead_assets.discovery.rules import load_discovery_rules
from lead_assets.discovery.search import PROVIDER, SearchOverBudget, credit_usd, search
from lead_assets.ledger.keys import ServiceKey
from lead_assets.ledger.ledger import Ledger
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.service.access import needs
from lead_assets.service.answers import FoundCompanies, Verified, says
from lead_assets.service.enriching import stored_lead
from lead_assets.service.paying import EnrichRefused, MaxSeconds, MaxUsd, as_json, over_budget, within
from lead_assets.service.spending import budgets_below, paid
from lead_assets.signals.engine import collect_all
from lead_assets.signals.signal import load_signals
from lead_assets.vendors import load_vendors
from lead_assets.vendors.apollo.search import company_filters
from lead_assets.vendors.questions import own_address
from lead_assets.vendors.quotas import quotas

router = APIRouter(prefix="/api/v1", tags=["discovery"])

Writer = Annotated[ServiceKey, Depends(needs("write"))]
_Text = Annotated[str, Field(min_length=1, max_length=200)]


class CompanyFilters(BaseModel):
    """What the companies have in common."""

    location: _Text | list[_Text] | None = None
    industry: list[_Text] = Field(default=[], max_length=50)
    employee_count_min: int | None = Field(None, ge=0, le=10_000_000)
    employee_count_max: int | None = Field(None, ge=1, le=10_000_000)
    funding_stage: list[_Text] = Field(default=[], max_length=20)


class CompanySearch(BaseModel):
    """A search; it needs a query or a filter."""

    query: str | None = Field(None, max_length=500)
    filters: CompanyFilters = CompanyFilters()
    sources: list[_Text] = Field(default=[], max_length=20, description="Where to search; empty: everywhere. Unknown ones are passed over")
    limit: int = Field(20, ge=1, le=100)

    model_config = {
        "json_schema_extra": {
            "examples": [
                {"query": "software", "filters": {"location": "Germany", "employee_count_min": 50, "employee_count_max": 500}, "limit": 10}
            ]
        }
    }


@router.post("/discovery/search", summary="Search for companies", responses=says(FoundCompanies))
async def search_companies(
    request: Request, key: Writer, asked: CompanySearch, max_usd: MaxUsd = None, max_seconds: MaxSeconds = 60
) -> Response:
    """results, total, sources_queried and quota_remaining. A search that was bought is free while it is fresh. Files no leads: `lead-assets discover` does.
    402 over_budget names the budgets that are too small."""
    state = request.app.state
    filters = _filters(asked)
    if asked.sources and PROVIDER not in {source.lower() for source in asked.sources}:
        raise _wrong("sources", f"none of these can be searched: use {PROVIDER}, or leave sources out")
    if load_vendors()[PROVIDER].key(state.settings) is None:
        raise HTTPException(503, "no source can be searched: set APOLLO_API_KEY")

    def work() -> dict[str, Any]:
        return paid(state.ledger, key, max_usd, lambda ledger: _searched(filters, asked.limit, ledger, state.settings))

    try:
        return as_json(await within(max_seconds, work))
    except SearchOverBudget as short:
        too_small = await asyncio.to_thread(budgets_below, state.ledger, key, max_usd, campaign_of(filters), PROVIDER, short.price_micros)
        raise over_budget(short.price_micros, too_small) from None
    except ValueError as error:
        raise EnrichRefused(502, {"detail": {"error": "upstream_api_error", "message": str(error)}}) from None


@router.get("/discovery/sources", dependencies=[Depends(needs("read"))], summary="Where can be searched, and what is left of the plans")
async def sources(request: Request) -> Response:
    """`sources`: name, searches (whether companies can be searched there) and quotas (quota, used, limit, left, resets_on, reason). Asking is free."""
    told = await asyncio.to_thread(quotas, request.app.state.settings)
    names = [PROVIDER, *sorted({row["provider"] for row in told} - {PROVIDER})]
    return as_json(
        {
            "sources": [
                {
                    "name": name,
                    "searches": name == PROVIDER,
                    "quotas": [
                        {part: value for part, value in row.items() if part != "provider"} for row in told if row["provider"] == name
                    ],
                }
                for name in names
            ]
        }
    )


@router.post("/contacts/{contact_id}/verify-email", summary="Verify the e-mail address of a stored lead", responses=says(Verified))
async def verify_email(request: Request, contact_id: str, key: Writer, max_usd: MaxUsd = None, max_seconds: MaxSeconds = 60) -> Response:
    """contact_id, email, status (valid, probable, accept_all, invalid or unknown), verified, score (0 to 100), email_verified_at, email_source, and the
    reason if nobody answered. An answer that was bought is free while it is fresh."""
    state = request.app.state
    leads = await asyncio.to_thread(stored_lead, state.warehouse, contact_id)
    if leads.is_empty():
        raise HTTPException(404, "there is no such contact in identity.leads: it may still be on its way, a duplicate, or erased")
    if leads["email_normalized"][0] is None:
        raise HTTPException(409, "this contact has no e-mail address")
    email = load_signals(state.settings).get("email")
    if email is None or not (own := tuple(source for source in email.active_sources if source.ask is own_address)):
        raise HTTPException(503, "rules/signals.yaml verifies no addresses: enable a source of the signal email that asks own_address")
    signal = replace(email, sources=own)

    def work() -> dict[str, Any]:
        def bought(ledger: Ledger) -> dict[str, Any]:
            return collect_all([signal], leads, ledger=ledger, settings=state.settings)[signal.name].frame.row(0, named=True)

        return paid(state.ledger, key, max_usd, bought)

    row = await within(max_seconds, work)
    return as_json(
        {
            "contact_id": contact_id,
            "email": leads["email_normalized"][0],
            "status": row["email_grade"] or "unknown",
            "verified": row["email_grade"] == "valid",
            "score": row["email_score"],
            "email_verified_at": row["as_of"],
            "email_source": row["provider"],
            "reason": row["reason"],
        }
    )


def _filters(asked: CompanySearch) -> dict[str, list[str]]:
    given = asked.filters
    low, high = given.employee_count_min, given.employee_count_max
    if low is not None and high is not None and low > high:
        raise _wrong("filters", "employee_count_min is above employee_count_max")
    span = None if low is None and high is None else (low, high)
    locations = [given.location] if isinstance(given.location, str) else given.location or []
    # The old engine writes series_a.
    funding = [stage.replace("_", " ").replace("-", " ") for stage in given.funding_stage]
    if not ((asked.query or "").strip() or locations or given.industry or span or funding):
        raise _wrong("query", "a search needs a query or a filter")
    try:
        return company_filters(query=asked.query, locations=locations, industries=given.industry, employees=span, funding=funding)
    except ValueError as error:
        raise _wrong("filters", str(error)) from None


def _wrong(name: str, why: str) -> EnrichRefused:
    return EnrichRefused(422, {"detail": [{"type": "value_error", "loc": ["body", name], "msg": why}]})


def _searched(filters: dict[str, list[str]], limit: int, ledger: Ledger, settings: Settings) -> dict[str, Any]:
    campaign = campaign_of(filters)
    found = search(
        filters,
        limit=limit,
        people=0,
        campaign_id=campaign,
        credit_usd=credit_usd(settings),
        rules=load_discovery_rules(settings).search,
        ledger=ledger,
        settings=settings,
    )
    adoption = load_scoring_rules(settings).company.adoption
    rows = describe(found.companies, campaign_id=campaign, now=ledger.now(), rules=adoption, ledger=ledger, settings=settings)
    left = [row["left"] for row in quotas(settings) if row["provider"] == PROVIDER and row["left"] is not None]
    return {
        "results": [_result(row) for row in rows],
        "total": found.total,
        "sources_queried": [PROVIDER],
        # The quota that ends first.
        "quota_remaining": {PROVIDER: min(left, default=None)},
    }


def _result(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "company_name": row["name"],
        "domain": row["domain"],
        "industry": row["industry"],
        "employee_count": row["employees"],
        "location": ", ".join(part for part in (row["city"], row["state"], row["country"]) if part) or None,
        "funding_stage": row["funding_stage"],
        "ai_adoption_score": row["ai_adoption_score"],
        "source": PROVIDER,
    }
