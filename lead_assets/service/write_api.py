"""Changing and taking along: leads created, updated and imported (each a drop, so that history is kept), erased, exported; what became of a drop.

Does not belong here: making bodies durable (see `receiving`), erasing (see `lead_assets.privacy`), formats (see `lead_assets.core.table_formats`).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import iterate_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from lead_assets.core.table_formats import fits_a_sheet
from lead_assets.intake.landing import TAKEN_FOLDER
from lead_assets.ledger.keys import ServiceKey
from lead_assets.privacy.forget import NotForgotten, forget
from lead_assets.privacy.lists import read_identifier
from lead_assets.service import exporting
from lead_assets.service.access import needs
from lead_assets.service.answers import Accepted, DropState, says
from lead_assets.service.enriching import literal, stored_lead
from lead_assets.service.finding import no_such_lead
from lead_assets.service.paying import EnrichRefused, as_json
from lead_assets.service.receive_api import MOST_BYTES, answered, body_of, demand_leads, event_id_of, key_of_campaign
from lead_assets.service.receiving import NotStored
from lead_assets.stores.objects import open_objects
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.questions import ask

router = APIRouter(tags=["write"])

Writer = Annotated[ServiceKey, Depends(needs("write"))]
Reader = Annotated[ServiceKey, Depends(needs("read"))]
Admin = Annotated[ServiceKey, Depends(needs("admin"))]
Campaign = Annotated[str | None, Query(description="Campaign for all leads in the body", min_length=1, max_length=200)]

_DROP_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{12}")
_KINDS = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {kind.partition(";")[0]: {} for kind in _KINDS.values()}}
}
_EXAMPLE = {"email": "ada@acme.example", "full_name": "Ada Lovelace", "company": "Acme", "title": "CTO"}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": ["object", "array"]}, "example": _EXAMPLE},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}
CHANGE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object", "minProperties": 1}, "example": {"title": "CTO"}}},
    }
}


@router.post("/api/v1/leads", status_code=202, openapi_extra=BODY, summary="Create a lead", responses=says(Accepted, 202))
@router.post("/api/v1/leads/import", status_code=202, openapi_extra=BODY, summary="Import leads", responses=says(Accepted, 202))
async def create(request: Request, key: Writer, campaign: Campaign = None) -> Response:
    """One lead or many in any known shape, CSV and XLSX too: a drop. 202 once the bytes are durable, with `status_url`; 422 if there is no lead in it."""
    return await created(request, campaign)


@router.put("/api/v1/leads/{lead_id}", status_code=202, openapi_extra=CHANGE, summary="Update a lead", responses=says(Accepted, 202))
@router.patch(
    "/api/v1/leads/{lead_id}", status_code=202, openapi_extra=CHANGE, summary="Change fields of a lead", responses=says(Accepted, 202)
)
async def update(request: Request, lead_id: str, key: Writer) -> Response:
    """The fields to change, as a JSON object. It is a drop with the lead's id: the next run takes the newest values, and what came before is kept."""
    return await updated(request, lead_id)


@router.delete("/api/v1/leads/{lead_id}", summary="Erase the person of a lead")
async def erase(request: Request, lead_id: str, key: Admin) -> Response:
    """Takes the person out of every store and keeps them out. Answers the receipt, which names nobody. 409 while a run is in progress."""
    return await erased(request, lead_id)


async def created(request: Request, campaign: str | None) -> Response:
    """Leads in the request's body, as a drop."""
    demand_leads(request)
    body = await body_of(request, MOST_BYTES)
    return await _dropped(request, body, "api", key_of_campaign(campaign), event_id_of(request, body))


async def updated(request: Request, lead_id: str) -> Response:
    """A change of a stored lead, as a drop."""
    body = await body_of(request, MOST_BYTES)
    try:
        change = orjson.loads(body)
    except orjson.JSONDecodeError:
        change = None
    if not isinstance(change, dict) or not change:
        raise EnrichRefused(
            422, {"detail": [{"type": "not_an_object", "loc": ["body"], "msg": "send the fields to change as a JSON object"}]}
        )
    leads = await asyncio.to_thread(stored_lead, request.app.state.warehouse, lead_id)
    if leads.is_empty():
        raise no_such_lead()
    lead = leads.row(0, named=True)
    known = {name: lead[name] for name in ("email", "phone", "full_name", "company") if lead[name] is not None}
    drop = orjson.dumps(known | change | {"lead_id": lead_id})
    return await _dropped(request, drop, "api", lead["campaign_id"], event_id_of(request, body))


async def erased(request: Request, lead_id: str) -> Response:
    """The person of the newest stored lead with this id, erased: the receipt."""
    leads = await asyncio.to_thread(stored_lead, request.app.state.warehouse, lead_id)
    if leads.is_empty():
        raise no_such_lead()
    return as_json(await erased_person(request, leads.row(0, named=True)))


async def erased_person(request: Request, lead: dict[str, Any]) -> dict[str, Any]:
    """The person of a lead (a row of identity.leads), erased: the receipt. Raises HTTPException 409 and 503."""
    state = request.app.state
    text = lead["email_normalized"] or lead["phone_e164"]
    asked = read_identifier(text) if text else None
    if asked is None:
        raise HTTPException(409, "this lead has neither an e-mail address nor a phone by which its person can be found")
    theirs = await asyncio.to_thread(_leads_of, state.warehouse, lead)
    # An open journal cannot be rewritten under its writer.
    if not await state.receiver.land_what_came():
        raise HTTPException(503, "what was received lately is not landed yet: repeat the request", {"Retry-After": "5"})
    try:
        receipt = await asyncio.shield(asyncio.to_thread(forget, state.settings, state.ledger, asked, busy=state.busy))
    except NotForgotten as error:
        raise HTTPException(409, str(error)) from None
    state.desk.forget()
    for each in theirs:
        state.receiver.pending.pop(each, None)
    return receipt


@router.get("/api/v1/leads/export", responses=_FILE, summary="All leads as a file")
async def export(
    request: Request,
    key: Reader,
    file_format: Annotated[Literal["csv", "json", "xlsx", "parquet"], Query(alias="format")] = "csv",
    campaign_id: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Rows of identity.leads by campaign and id, masked without read-pii. In CSV and XLSX, text that a spreadsheet would run as a formula gets an
    apostrophe. The file is streamed: neither it nor the leads are ever in memory together."""
    warehouse, pii = request.app.state.warehouse, key.may("read-pii")
    if file_format == "xlsx":
        try:
            fits_a_sheet(await asyncio.to_thread(exporting.count, warehouse, campaign_id))
        except ValueError as error:
            raise HTTPException(413, str(error)) from None
    parts = exporting.exported(warehouse, file_format, campaign_id, pii=pii)
    # A generator in a thread: each part is made while the one before is sent.
    return StreamingResponse(
        iterate_in_threadpool(parts),
        media_type=_KINDS[file_format],
        headers={"Content-Disposition": f'attachment; filename="leads.{file_format}"'},
    )


@router.get("/admin/drops/{drop_id}", summary="What became of a drop", responses=says(DropState))
async def drop_state(request: Request, drop_id: str, key: Reader) -> Response:
    """`state`: receiving (durable, not yet in the landing zone), landed, taken (in the archive) or read; then `leads`, `rejected`, and the first `lead_ids`."""
    if not _DROP_ID.fullmatch(drop_id):
        raise HTTPException(404, "there is no such drop: its id is in the answer to the request that sent it")
    said = await asyncio.to_thread(_drop, request, drop_id)
    if said is None:
        raise HTTPException(404, "nothing is known of this drop: check its id, or ask again once the runs of its campaigns have ended")
    return as_json(said)


def _leads_of(warehouse: Warehouse, lead: dict[str, Any]) -> list[str]:
    """The ids of all leads with a lead's address or number."""
    same = [f"{name} = {literal(lead[name])}" for name in ("email_normalized", "phone_e164") if lead[name]]
    return ask(warehouse, f"SELECT lead_id FROM identity.leads WHERE {' OR '.join(same)}", pii=True)["lead_id"].to_list()


async def _dropped(request: Request, body: bytes, source: str, campaign: str | None, event_id: str | None) -> Response:
    state = request.app.state
    try:
        taken = await state.receiver.take(body, source=source, event_id=event_id, campaign=campaign)
    except NotStored:
        raise HTTPException(503, "the body could not be stored: send it again", {"Retry-After": "5"}) from None
    state.metrics.received(taken)
    status, said = answered(taken)
    return Response(orjson.dumps(said), status, media_type="application/json")


def _drop(request: Request, drop_id: str) -> dict[str, Any] | None:
    state = request.app.state
    text = literal(f"{drop_id}-")
    counts = {
        name: ask(state.warehouse, f"SELECT COUNT(*) AS n FROM {table} WHERE STRPOS(drop_name, {text}) > 0", pii=True)["n"][0]
        for name, table in (("leads", "intake.raw_leads"), ("rejected", "intake.rejected_payloads"))
    }
    sql = f"SELECT DISTINCT lead_id FROM intake.raw_leads WHERE STRPOS(drop_name, {text}) > 0 ORDER BY lead_id LIMIT 100"
    ids = ask(state.warehouse, sql, pii=True)["lead_id"].to_list()
    where = "read" if any(counts.values()) else _place(state.settings.home / "receiving", state.settings.landing_location, drop_id)
    return None if where is None else {"drop_id": drop_id, "state": where, **counts, "lead_ids": ids}


def _place(journals: Path, landing_location: str, drop_id: str) -> str | None:
    if (journals / f"{drop_id}.open").exists():
        return "receiving"
    landing = open_objects(landing_location)
    day = f"{drop_id[:4]}-{drop_id[4:6]}-{drop_id[6:8]}"
    for state, folder in (("landed", f"dt={day}/"), ("taken", TAKEN_FOLDER)):
        if any(drop_id in name for name in landing.names(folder)):
            return state
    return None
