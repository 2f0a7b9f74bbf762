"""What waits for somebody, and doing it again: rejects, quarantine, dead letters with replay; `/admin/retry/{id}`; jobs and the Dagster runs that they are.

Does not belong here: doing it (see `retrying`, `jobs`).
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from lead_assets.core.unknown_words import UnknownWord
from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.access import needs
from lead_assets.service.answers import Job, PageOf, ReplayedSends, Retried, says
from lead_assets.service.finding import PAGE, newest_lead
from lead_assets.service.jobs import JOB_ID
from lead_assets.service.paying import MaxSeconds, MaxUsd, as_json, within
from lead_assets.service.retrying import retry
from lead_assets.service.spending import paid
from lead_assets.stores.opened import campaigns_of
from lead_assets.stores.warehouse.questions import ask

router = APIRouter(tags=["queues"])

Reader = Annotated[ServiceKey, Depends(needs("read"))]
Admin = Annotated[ServiceKey, Depends(needs("admin"))]
Limit = Annotated[int, Query(ge=1, le=1_000)]
Page = Annotated[int, Query(ge=1, le=10_000, description="Number of the page, from 1")]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^-\x00-\x1f][^\x00-\x1f]*$")]
_QUEUES = {
    "rejects": ("intake.rejected_payloads", "received_at DESC, campaign_id, drop_sha256, position, part"),
    "quarantine": ("classification.quarantine", "quarantined_at DESC, campaign_id, lead_id"),
    "dead-letters": ("delivery.dead_letters", "died_at DESC, campaign_id, lead_id, destination, kind"),
}


class Replay(BaseModel):
    """What to do again. Empty lists: everything."""

    campaigns: list[Word] = Field(default=[], max_length=100)
    codes: list[Word] = Field(default=[], max_length=20, description="Only what is there for these reasons")
    stage: Literal["classification", "summaries"] = Field("classification", description="Of the quarantine: leads or briefs")
    destination: Word | None = Field(None, description="Of the dead letters: only this destination")
    fix: Word | None = Field(None, description="Name of a fix made elsewhere: sends again what an earlier replay already sent")

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"campaigns": ["q3-lending"], "codes": ["placeholder"]}]})


@router.get("/admin/rejects", summary="Payloads that were rejected, newest first", responses=says(PageOf))
async def rejects(request: Request, key: Reader, limit: Limit = PAGE, page: Page = 1) -> Response:
    """Why, and in which drop. Their text needs read-pii."""
    return await _queue(request, key, "rejects", limit, page)


@router.get("/admin/quarantine", summary="Model answers that broke their contract, newest first", responses=says(PageOf))
async def quarantine(request: Request, key: Reader, limit: Limit = PAGE, page: Page = 1) -> Response:
    """Which lead, what was wrong, and the answer, which needs read-pii."""
    return await _queue(request, key, "quarantine", limit, page)


@router.get("/admin/dead-letters", summary="Deliveries that were given up, newest first", responses=says(PageOf))
async def dead_letters(request: Request, key: Reader, limit: Limit = PAGE, page: Page = 1) -> Response:
    """Which lead, to which destination, and why."""
    return await _queue(request, key, "dead-letters", limit, page)


@router.post("/admin/rejects/replay", status_code=202, summary="Read campaigns' payloads again", responses=says(Job, 202))
async def replay_rejects(request: Request, key: Admin, asked: Replay) -> Response:
    """A job that reads the archive's bytes again by today's shapes and makes what follows from new leads. What was read before stays as it is."""
    arguments = await _campaigns(request, asked)
    return await _begun(request, "run", *(arguments or ["--all"]))


@router.post("/admin/quarantine/replay", status_code=202, summary="Ask the model again", responses=says(Job, 202))
async def replay_quarantine(request: Request, key: Admin, asked: Replay) -> Response:
    """A job: `lead-assets replay`. Each answer is asked for again once per fix, and its campaign made again."""
    arguments = await _campaigns(request, asked)
    for code in asked.codes:
        arguments += ["--code", code]
    if asked.fix is not None:
        arguments += ["--fix", asked.fix]
    return await _begun(request, "replay", "--stage", asked.stage, *arguments)


@router.post("/admin/dead-letters/replay", summary="Send dead letters again", responses=says(ReplayedSends))
async def replay_dead_letters(request: Request, key: Admin, asked: Replay) -> Response:
    """`replayed`: how many are due again. The next drain of the outbox sends them."""
    await _campaigns(request, asked)
    outbox = request.app.state.ledger.outbox
    count = await asyncio.to_thread(outbox.replay, asked.campaigns or None, asked.destination, asked.codes or None)
    return as_json({"replayed": count})


@router.post("/admin/retry/{lead_id}", summary="Do again what failed of a lead", responses=says(Retried))
async def retry_lead(
    request: Request,
    lead_id: str,
    key: Admin,
    max_usd: MaxUsd = None,
    max_seconds: MaxSeconds = 60,
    fix: Annotated[str | None, Query(max_length=200, description="Name of a fix made elsewhere")] = None,
) -> Response:
    """`status` (retried, or nothing_failed), dead_letters, quarantined, accepted, signals, and the job that makes the lead's campaign again. Each exactly
    once: a second retry finds nothing that failed."""
    state = request.app.state
    lead = await asyncio.to_thread(newest_lead, state.warehouse, lead_id, "campaign_id", pii=True)
    campaign = lead["campaign_id"]

    def work() -> dict[str, Any]:
        stores = {"settings": state.settings, "archive": state.archive, "warehouse": state.warehouse}
        return paid(state.ledger, key, max_usd, lambda ledger: retry(campaign, lead_id, ledger=ledger, fix=fix, **stores))

    done = await within(max_seconds, work)
    has_done = bool(done["dead_letters"] or done["quarantined"] or done["signals"])
    said = {"status": "retried" if has_done else "nothing_failed", "lead_id": lead_id, "campaign_id": campaign, **done}
    if has_done:
        job = await asyncio.to_thread(state.jobs.begin, "run", "--campaign", campaign)
        said |= {"job_id": job["job_id"], "status_url": f"/api/v1/jobs/{job['job_id']}"}
    return as_json(said)


@router.get("/api/v1/jobs", summary="Enrichment jobs, newest first", responses=says(PageOf))
async def jobs(
    request: Request,
    key: Reader,
    limit: Annotated[int, Query(ge=1, le=200)] = PAGE,
    campaign_id: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Each Dagster run: job_id (the run's id), kind, status (pending, running, completed or failed), campaigns, sources (its assets), started_at and
    completed_at."""
    return as_json({"items": await asyncio.to_thread(request.app.state.jobs.listed, limit, campaign_id)})


@router.get("/api/v1/jobs/{job_id}", summary="What became of a job", responses=says(Job))
async def job(request: Request, job_id: str, key: Reader) -> Response:
    """A job that a replay or retry began, with `run_ids` and `runs`, its Dagster runs; or one run."""
    told = await asyncio.to_thread(request.app.state.jobs.told, job_id) if JOB_ID.fullmatch(job_id) else None
    if told is None:
        raise HTTPException(404, "there is no such job: its id is in the answer that began it")
    return as_json(told)


async def _queue(request: Request, key: ServiceKey, name: str, limit: int, page: int) -> Response:
    table, order = _QUEUES[name]
    sql = f"SELECT * FROM {table} ORDER BY {order} LIMIT {limit + 1} OFFSET {(page - 1) * limit}"
    found = await asyncio.to_thread(ask, request.app.state.warehouse, sql, pii=key.may("read-pii"))
    return as_json({"items": found.head(limit).to_dicts(), "next_page": page + 1 if found.height > limit else None})


async def _campaigns(request: Request, asked: Replay) -> list[str]:
    """Options that name the campaigns. Raises HTTPException 404 for one that does not exist."""
    try:
        known = await asyncio.to_thread(campaigns_of, request.app.state.settings, asked.campaigns or None)
    except (UnknownWord, ValueError) as error:
        raise HTTPException(404, str(error)) from None
    return [word for campaign in (known if asked.campaigns else []) for word in ("--campaign", campaign)]


async def _begun(request: Request, kind: str, *arguments: str) -> Response:
    job = await asyncio.to_thread(request.app.state.jobs.begin, kind, *arguments)
    response = as_json({**job, "status_url": f"/api/v1/jobs/{job['job_id']}"})
    response.status_code = 202
    return response
