"""Enrichment on demand, in the words of the systems that this one replaces: `/enrich` (lending), `/api/leads/{id}/enrich` (campaigns),
`/api/v1/leads/{id}/enrich|score` (discovery), `/score_lead` (embedding scorer).

Belongs here: what is asked, what it may cost, and the shape of the answer. Does not belong here: enriching (see `enriching`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
import polars as pl
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from lead_assets.estimating.estimate import estimate_leads
from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.access import needs
from lead_assets.service.answers import EnrichedFlat, EnrichedSources, Estimated, Scored, says
from lead_assets.service.enriching import OneLead, stored_lead
from lead_assets.service.finding import no_such_lead
from lead_assets.service.paying import EnrichRefused, MaxSeconds, MaxUsd, as_json, bought, dumped, value_of
from lead_assets.service.receive_api import body_of
from lead_assets.service.receiving import NotStored

_MOST_BYTES = 1 << 20

router = APIRouter(tags=["enrich"])

Writer = Annotated[ServiceKey, Depends(needs("write"))]
_LENDING = {
    "lead_id": "L-1001",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@acme.example",
    "loan_amount_requested": 450000,
    "property_type": "single family",
    "notes": "Third flip this year, needs to close in two weeks",
}
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["lead", "signals", "classification", "score", "routing", "done", "failed"]},
        "data": {"type": "string", "description": "A JSON object"},
    },
    "required": ["event", "data"],
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The steps as they end", "content": {"text/event-stream": {"schema": _EVENT}}}
}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _LENDING}}}
}


@router.post("/enrich", openapi_extra=_BODY, summary="Enrich, classify, score and route one lead", responses=says(EnrichedFlat))
async def enrich_one(request: Request, key: Writer, max_usd: MaxUsd = None, max_seconds: MaxSeconds = 60) -> Response:
    """Any shape of lead. The lead is kept like one that a webhook sent. The answer is flat; what belongs to no flat key is under `enrichment`."""
    body = await body_of(request, _MOST_BYTES)
    found = await request.app.state.desk.remembered(body)
    if found is None:
        leads, found = await received(request, body)
        await bought(request, key, leads, found, max_usd, max_seconds)
    return as_json(flat_answer(found, body))


@router.post("/enrich/stream", openapi_extra=_BODY, responses=_EVENTS, summary="The same, told step by step (server-sent events)")
async def enrich_stream(request: Request, key: Writer, max_usd: MaxUsd = None, max_seconds: MaxSeconds = 60) -> StreamingResponse:
    """Events lead, signals, classification, score, routing as each ends; then done with the answer of /enrich, or failed."""
    body = await body_of(request, _MOST_BYTES)
    leads, found = await received(request, body)
    events: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def told(step: str, row: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(events.put_nowait, (step, row))

    async def work() -> None:
        try:
            await bought(request, key, leads, found, max_usd, max_seconds, told)
            events.put_nowait(("done", flat_answer(found, body)))
        except EnrichRefused as failure:
            events.put_nowait(("failed", failure.said))
        except Exception as error:
            events.put_nowait(("failed", {"error": type(error).__name__}))
            raise
        finally:
            events.put_nowait(None)

    async def stream() -> AsyncIterator[bytes]:
        task = asyncio.create_task(work())
        while (event := await events.get()) is not None:
            yield b"event: " + event[0].encode() + b"\ndata: " + dumped(event[1]) + b"\n\n"
        await asyncio.gather(task, return_exceptions=True)

    return StreamingResponse(stream(), media_type="text/event-stream")


@router.post("/api/leads/{lead_id}/enrich", summary="Enrich a stored lead (campaign pipeline)")
async def enrich_campaign_lead(
    request: Request, lead_id: str, key: Writer, max_usd: MaxUsd = None, max_seconds: MaxSeconds = 60
) -> Response:
    """The raw fields, company_overview, tech_stack, funding, news, linkedin_posts, and enrichment_metadata."""
    found = await stored(request, lead_id, key, max_usd, max_seconds)
    lead, enriched = found.lead or {}, found.enriched or {}
    wanted = ("company_overview", "tech_stack", "funding", "news", "linkedin_posts")
    return as_json(
        {
            **_raw_lead(lead),
            **{name: _signal(found.signals.get(name)) for name in wanted},
            "enrichment_metadata": {
                "enriched_at": _enriched_at(found),
                "signals_found": enriched.get("signals_found", []),
                "signals_missed": enriched.get("signals_missed", []),
                "miss_reasons": json.loads(enriched.get("miss_reasons") or "{}"),
            },
            "enrichment": _enrichment(found),
        }
    )


@router.post("/api/v1/leads/{lead_id}/enrich", summary="Enrich a stored lead (discovery engine)", responses=says(EnrichedSources))
async def enrich_discovered_lead(
    request: Request, lead_id: str, key: Writer, max_usd: MaxUsd = None, max_seconds: MaxSeconds = 60
) -> Response:
    """lead_id, enrichment_results {source: {status, data}}, new_score, contacts_added."""
    found = await stored(request, lead_id, key, max_usd, max_seconds)
    results = {
        name: {"status": row["state"], "reason": row["reason"], "provider": row["provider"], "data": _signal(row)}
        for name, row in found.signals.items()
    }
    return as_json({"lead_id": lead_id, "enrichment_results": results, "new_score": value_of(found.score, "score"), "contacts_added": 0})


@router.post("/api/v1/leads/{lead_id}/estimate", summary="What enriching a stored lead would cost", responses=says(Estimated))
async def estimate_stored_lead(request: Request, lead_id: str, key: Annotated[ServiceKey, Depends(needs("read"))]) -> Response:
    """usd, calls, and rows by provider and operation. Buys nothing; what is in the ledger costs nothing."""
    state = request.app.state
    leads = await asyncio.to_thread(stored_lead, state.warehouse, lead_id)
    if leads.is_empty():
        raise no_such_lead()
    return as_json(await asyncio.to_thread(estimate_leads, state.settings, leads, state.ledger))


@router.post("/api/v1/leads/{lead_id}/score", summary="Score a stored lead", responses=says(Scored))
async def score_stored_lead(request: Request, lead_id: str, key: Writer, max_usd: MaxUsd = None, max_seconds: MaxSeconds = 60) -> Response:
    """lead_id, score, tier, path and the parts that add up to the score."""
    found = await stored(request, lead_id, key, max_usd, max_seconds)
    return as_json({"lead_id": lead_id, **_score(found)})


async def received(request: Request, body: bytes) -> tuple[pl.DataFrame, OneLead]:
    """The lead of a body, once the body is safe. Raises EnrichRefused: 422 if there is none, 409 if it is suppressed; HTTPException 503."""
    state = request.app.state
    leads, found = await state.desk.read(body)
    if found.suppressed is not None:
        raise EnrichRefused(409, {"error": "suppressed", "message": "this person or company must not be processed; nothing was bought"})
    if leads.is_empty():
        detail = [
            {"type": reject["code"], "loc": ["body", *([reject["field"]] if reject["field"] else [])], "msg": reject["reason"]}
            for reject in found.rejects
        ]
        raise EnrichRefused(422, {"detail": detail})
    try:
        await state.receiver.take(body, source="enrich")
    except NotStored:
        raise HTTPException(503, "the lead could not be stored: send it again", {"Retry-After": "5"}) from None
    state.desk.remember(body, leads, found)
    return leads, found


async def stored(request: Request, lead_id: str, key: ServiceKey, max_usd: float | None, max_seconds: float) -> OneLead:
    """A stored lead through the rooms. Raises HTTPException 404, EnrichRefused as `bought`."""
    leads = await asyncio.to_thread(stored_lead, request.app.state.warehouse, lead_id)
    if leads.is_empty():
        raise no_such_lead()
    return await bought(request, key, leads, OneLead(), max_usd, max_seconds)


def flat_answer(found: OneLead, body: bytes | None) -> dict[str, Any]:
    """The lending API's answer. `body`: as it was sent; None for a stored lead, whose payload stands for it."""
    lead, answer = found.lead or {}, found.classification or {}
    names = ("loan_type", "investor_experience", "urgency_score", "outreach_message", "classification_rationale")
    try:
        raw = orjson.loads(body if body is not None else lead.get("payload") or b"null")
    except orjson.JSONDecodeError:
        raw = (body or b"").decode("utf-8", "replace")
    return {
        "lead_id": lead.get("lead_id"),
        "email": lead.get("email_normalized"),
        "first_name": lead.get("name_first"),
        "last_name": lead.get("name_last"),
        **{name: answer.get(name) for name in names},
        "raw": raw,
        "metadata": {
            "enriched_at": answer.get("enriched_at"),
            "model": answer.get("model"),
            "schema_version": answer.get("schema_version"),
            "input_tokens": answer.get("input_tokens"),
            "output_tokens": answer.get("output_tokens"),
        },
        "enrichment": _enrichment(found),
    }


def _enrichment(found: OneLead) -> dict[str, Any]:
    enriched, answer = found.enriched or {}, found.classification or {}
    return {
        "campaign_id": value_of(found.lead, "campaign_id"),
        "signals": {
            name: {"status": row["state"], "reason": row["reason"], "provider": row["provider"]} for name, row in found.signals.items()
        },
        "signals_found": enriched.get("signals_found", []),
        "miss_reasons": json.loads(enriched.get("miss_reasons") or "{}"),
        "classification": json.loads(answer["answer"]) if answer else None,
        "score": _score(found),
        "routing": {name: value_of(found.decision, name) for name in ("owner", "territory", "rule", "reason")},
    }


def _score(found: OneLead) -> dict[str, Any]:
    row = found.score or {}
    said = {name: row.get(name) for name in ("score", "tier", "path", "route_score")}
    return said | {"parts": json.loads(row["parts"]) if row.get("parts") else []}


def _raw_lead(lead: dict[str, Any]) -> dict[str, Any]:
    name = lead.get("full_name") or " ".join(part for part in (lead.get("name_first"), lead.get("name_last")) if part) or None
    return {
        "id": lead.get("lead_id"),
        "campaign_id": lead.get("campaign_id"),
        "name": name,
        "email": lead.get("email_normalized"),
        "phone": lead.get("phone_e164") or lead.get("phone"),
        "organization": lead.get("company"),
        "designation": lead.get("title"),
        "linkedin_url": lead.get("linkedin_url"),
        "website": lead.get("website"),
        "status": lead.get("status") or "enriched",
        "type": lead.get("adapter"),
    }


_OF_EVERY_SIGNAL = frozenset(
    {"campaign_id", "lead_id", "subject", "state", "reason", "provider", "cost_usd", "synthetic", "as_of", "needs", "stale", "call_key"}
)


def _signal(row: dict[str, Any] | None) -> dict[str, Any] | None:
    if row is None or row["state"] != "found":
        return None
    return {name: value for name, value in row.items() if name not in _OF_EVERY_SIGNAL}


def _enriched_at(found: OneLead) -> Any:
    return max((row["as_of"] for row in found.signals.values() if row.get("as_of") is not None), default=None)
