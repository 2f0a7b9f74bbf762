"""What can be done from the pages: first a page that says what would happen and what it costs, with a form; then the form's answer.

Each is a page of its own, which works without script; a lead's page shows it in place. Belongs here: what a form asks, and which scope it needs.
Does not belong here: the work (in the rooms), or its answers over HTTP for programs (see `lead_assets.service.write_api` and its neighbours).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from lead_assets.contracts import Lead
from lead_assets.estimating.estimate import estimate, price_of
from lead_assets.identity.deciding import NotDecided, merge, unmerge
from lead_assets.ledger.assignments_model import Move
from lead_assets.ledger.keys import ServiceKey
from lead_assets.routing.stored import chosen_again
from lead_assets.service import write_api
from lead_assets.service.enriching import OneLead, literal
from lead_assets.service.explorer import reading
from lead_assets.service.explorer.frame import MOST_TEXT, Page, Viewer, form_of, lead_url, page, sessions_of
from lead_assets.service.explorer.sessions import SESSION
from lead_assets.service.jobs import JOB_ID
from lead_assets.service.paying import EnrichRefused, bought
from lead_assets.stores.warehouse.base import PartitionMissing

router = APIRouter(prefix="/explorer", route_class=Page, include_in_schema=False)

_ENRICH_SECONDS = 120
_ESTIMATED = 5_000
"""Leads of a campaign whose price is worked out before a run: more take longer than anybody waits for a page."""
_GIVEN = ("enrich", "reroute", "retry", "merge", "unmerge", "forget")
_NEEDS = {name: "admin" if name == "forget" else "write" for name in _GIVEN}
"""Action on a lead → the scope that it needs."""


@router.get("/act/{what}")
async def ask_first(request: Request, what: str, key: Viewer, campaign: str = "", id: str = "") -> Response:
    """What an action on a lead would do, and its form."""
    _allowed(what, key)
    lead = await _lead(request, campaign, id)
    given = await _WORKED_OUT[what](request, lead)
    return _form(request, what, lead, given)


@router.post("/act/{what}")
async def act(request: Request, what: str, key: Viewer) -> Response:
    """The action."""
    form = await form_of(request)
    sessions_of(request).check(request, form, SESSION)
    _allowed(what, key)
    lead = await _lead(request, form.get("campaign", ""), form.get("id", ""))
    try:
        return await _DONE[what](request, key, lead, form)
    except NotDecided as error:
        return _form(request, what, lead, await _WORKED_OUT[what](request, lead), 409, str(error))
    except EnrichRefused as error:
        said = error.said.get("message") or "; ".join(each.get("msg", "") for each in error.said.get("detail", ()))
        return _form(request, what, lead, await _WORKED_OUT[what](request, lead), error.status_code, said)
    except HTTPException as error:
        if error.status_code in (403, 404):
            raise
        return _form(request, what, lead, await _WORKED_OUT[what](request, lead), error.status_code, str(error.detail))


@router.get("/replay")
async def ask_before_replay(request: Request, key: Viewer, which: str = "", campaign: str = "", reason: str = "", to: str = "") -> Response:
    """What a replay of a queue would send again."""
    demand_scope(key, "write")
    given = _replayed(which, campaign, reason, to)
    count = await asyncio.to_thread(reading.queued, request.app.state.warehouse, which, given)
    if not count:
        raise HTTPException(404, "Nothing in this queue is of this kind any more.")
    return page(request, "replay.html", which=which, given=given, count=count, title=reading.QUEUES[which][2], token=_token(request))


@router.post("/replay")
async def replay(request: Request, key: Viewer) -> Response:
    """Reads, asks or sends again what a queue has."""
    form = await form_of(request)
    sessions_of(request).check(request, form, SESSION)
    demand_scope(key, "write")
    refuse_key_with_budget(key)
    which = form.get("which", "")
    given = _replayed(which, form.get("campaign", ""), form.get("reason", ""), form.get("to", ""))
    of = ("--campaign", given["campaign"])
    if which == "rejects":
        return await _begun(request, "run", *of)
    if which == "quarantine":
        return await _begun(request, "replay", *of, "--code", given["reason"])
    outbox = request.app.state.ledger.outbox
    await asyncio.to_thread(outbox.replay, [given["campaign"]], given["to"], [given["reason"]])
    return await _begun(request, "deliver", *of, "--to", given["to"])


@router.get("/jobs/{job_id}")
async def job(request: Request, job_id: str, key: Viewer) -> Response:
    """What became of a command that was started from here."""
    state = request.app.state
    found = await asyncio.to_thread(state.jobs.told, job_id) if JOB_ID.fullmatch(job_id) else None
    if found is None or "arguments" not in found:
        raise HTTPException(404, "There is no such job: only the newest are kept; the runs of others are in Dagster.")
    return page(request, "job.html", job=found, ui=state.settings.ui_url.rstrip("/"))


async def _begun(request: Request, kind: str, *arguments: str) -> Response:
    job = await asyncio.to_thread(request.app.state.jobs.begin, kind, *arguments)
    return RedirectResponse(f"/explorer/jobs/{job['job_id']}", 303)


def _allowed(what: str, key: ServiceKey) -> None:
    if what not in _NEEDS:
        raise HTTPException(404, "There is no such action.")
    demand_scope(key, _NEEDS[what])


def demand_scope(key: ServiceKey, scope: str) -> None:
    """Raises HTTPException 403."""
    if not key.may(scope):
        raise HTTPException(403, f"This needs a key with the scope {scope}: sign in with another one, or ask somebody who has it.")


def refuse_key_with_budget(key: ServiceKey) -> None:
    """Raises HTTPException 403: a run spends what is everybody's."""
    if key.budget_micros is not None:
        raise HTTPException(
            403, "This starts a run, which spends the home's budgets, and this key has a budget of its own: use another key."
        )


def _token(request: Request) -> str:
    return sessions_of(request).token(request.cookies.get(SESSION, ""))


def _form(request: Request, what: str, lead: pl.DataFrame, given: dict[str, Any], status: int = 200, said: str = "") -> Response:
    row = lead.row(0, named=True)
    campaign, lead_id = row["campaign_id"], row["lead_id"]
    common = {
        "what": what,
        "campaign": campaign,
        "id": lead_id,
        "back": lead_url(campaign, lead_id),
        "token": _token(request),
        "said": said,
    }
    return page(request, f"act_{what}.html", status, **common, **given)


def _result(request: Request, lead: pl.DataFrame, title: str, told: str, **more: Any) -> Response:
    row = lead.row(0, named=True)
    back = lead_url(row["campaign_id"], row["lead_id"])
    return page(request, "act_done.html", title=title, told=told, back=back, campaign=row["campaign_id"], id=row["lead_id"], **more)


async def _lead(request: Request, campaign: str, lead_id: str) -> pl.DataFrame:
    """The lead, as a frame of contracts.Lead. Raises HTTPException 404."""
    request.scope["path_params"]["lead_id"] = lead_id[:MOST_TEXT]  # for the audit log
    sql = f"SELECT * FROM identity.leads WHERE campaign_id = {literal(campaign)} AND lead_id = {literal(lead_id)}"
    try:
        found = await asyncio.to_thread(request.app.state.warehouse.query, sql, [Lead], [campaign])
    except (PartitionMissing, ValueError):
        found = Lead.empty()
    if found.is_empty():
        raise HTTPException(404, "There is no such lead in identity.leads: it may be on its way, a duplicate, suppressed, or erased.")
    schema = Lead.polars_schema()
    return found.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


async def _price(request: Request, lead: pl.DataFrame) -> dict[str, Any]:
    state = request.app.state
    return {"price": await asyncio.to_thread(price_of, state.settings, state.ledger, lead)}


async def _enrich(request: Request, key: ServiceKey, lead: pl.DataFrame, form: dict[str, str]) -> Response:
    try:
        most = float(form.get("max_usd", ""))
    except ValueError:
        most = -1.0
    if not 0 <= most <= 1_000:
        raise HTTPException(422, "Say how many dollars it may cost at most, from 0 to 1000.")
    found = await bought(request, key, lead, OneLead(), most, _ENRICH_SECONDS)
    return _result(
        request, lead, "Enriched", "What was bought is in the ledger; the tables show it after the campaign's next run.", found=found
    )


async def _rerouted(request: Request, lead: pl.DataFrame, move: Move | None = None) -> dict[str, Any]:
    state, row = request.app.state, lead.row(0, named=True)

    def work() -> dict[str, Any]:
        routed = state.ledger.routed([row["campaign_id"]]).filter(pl.col("lead_id") == row["lead_id"])
        if routed.is_empty():
            return {"owner": None, "moves": []}
        why = move or Move("reroute", "", "")
        moves = chosen_again(state.settings, state.warehouse, state.ledger, routed, [row["campaign_id"]], why, dry_run=move is None)
        now = routed.row(0, named=True)
        return {"owner": now["owner"], "is_open": now["closed_at"] is None, "moves": moves}

    return await asyncio.to_thread(work)


async def _reroute(request: Request, key: ServiceKey, lead: pl.DataFrame, form: dict[str, str]) -> Response:
    done = await _rerouted(request, lead, Move("reroute", key.name, form.get("why", "").strip()[:MOST_TEXT] or "asked in the explorer"))
    moved = next(iter(done["moves"]), None)
    told = "It keeps its owner: the rules in force choose the same one." if moved is None else f"From {moved.before} to {moved.after}."
    return _result(request, lead, "Routed again", told + " The tables show it after the campaign's next run." * (moved is not None))


async def _missing(request: Request, lead: pl.DataFrame) -> dict[str, Any]:
    """What a run of the lead's campaign would buy."""
    state, campaign = request.app.state, lead["campaign_id"][0]
    counted = await asyncio.to_thread(reading.size_of, state.warehouse, campaign)
    if counted > _ESTIMATED:
        return {"price": None, "leads": counted}
    try:
        return {"price": await asyncio.to_thread(estimate, state.settings, [campaign]), "leads": counted}
    except ValueError:
        return {"price": None, "leads": counted}


async def _retry(request: Request, key: ServiceKey, lead: pl.DataFrame, form: dict[str, str]) -> Response:
    refuse_key_with_budget(key)
    return await _begun(request, "run", "--campaign", lead["campaign_id"][0])


async def _who(request: Request, lead: pl.DataFrame) -> dict[str, Any]:
    state, row = request.app.state, lead.row(0, named=True)
    viewer: ServiceKey = request.state.viewer
    ids = (row["campaign_id"], row["lead_id"])
    cluster = await asyncio.to_thread(reading.cluster, state.warehouse, state.ledger, *ids, pii=viewer.may("read-pii"))
    known = {each["member"] for each in cluster.members}
    maybe = [f"{row['campaign_id']}/{other}" for other in row["possible_duplicates"] or ()]
    return {"cluster": cluster, "member": "/".join(ids), "maybe": [each for each in maybe if each not in known]}


async def _merge(request: Request, key: ServiceKey, lead: pl.DataFrame, form: dict[str, str]) -> Response:
    other = form.get("other", "").strip()[: 2 * MOST_TEXT]
    await asyncio.to_thread(merge, request.app.state.ledger, "/".join(lead.select("campaign_id", "lead_id").row(0)), other)
    return _result(request, lead, "Merged", f"It is the same person as {other} from the next run on, for good.")


async def _unmerge(request: Request, key: ServiceKey, lead: pl.DataFrame, form: dict[str, str]) -> Response:
    told = await asyncio.to_thread(unmerge, request.app.state.ledger, "/".join(lead.select("campaign_id", "lead_id").row(0)))
    return _result(request, lead, "Taken apart", f"It is nobody else's lead from the next run on, for good ({told['apart']} decisions).")


async def _person(request: Request, lead: pl.DataFrame) -> dict[str, Any]:
    row = lead.row(0, named=True)
    return {"known_by": [name for name in ("email_normalized", "phone_e164") if row[name]]}


async def _forget(request: Request, key: ServiceKey, lead: pl.DataFrame, form: dict[str, str]) -> Response:
    if form.get("sure") != "yes":
        raise HTTPException(422, "Tick the box: this cannot be undone.")
    receipt = await write_api.erased_person(request, lead.row(0, named=True))
    if request.app.state.listing is not None:
        await asyncio.to_thread(request.app.state.listing.refresh)
    return page(request, "act_forgotten.html", receipt=receipt)


def _replayed(which: str, campaign: str, reason: str, to: str) -> dict[str, str]:
    given = {"campaign": campaign[:MOST_TEXT], "reason": reason[:MOST_TEXT]} | ({"to": to[:MOST_TEXT]} if which == "dead-letters" else {})
    if which not in reading.QUEUES or not all(given.values()):
        raise HTTPException(404, "There is no such queue.")
    return given


_WORKED_OUT = {"enrich": _price, "reroute": _rerouted, "retry": _missing, "merge": _who, "unmerge": _who, "forget": _person}
_DONE = {"enrich": _enrich, "reroute": _reroute, "retry": _retry, "merge": _merge, "unmerge": _unmerge, "forget": _forget}


def actions_for(key: ServiceKey) -> Sequence[tuple[str, bool]]:
    """Actions on a lead, and whether the key may take each."""
    return [(name, key.may(_NEEDS[name])) for name in _GIVEN]


def act_url(what: str, campaign: str, lead: str) -> str:
    return f"/explorer/act/{what}?" + urlencode({"campaign": campaign, "id": lead})
