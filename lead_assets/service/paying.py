"""What one request may buy: the money and the time that it and its key allow, and the refusals that tell why it was not all.

Does not belong here: the steps of a lead (see `enriching`), or the shapes of answers (see `enrich_api` and the like).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import orjson
import polars as pl
from fastapi import Query, Request, Response
from starlette.exceptions import HTTPException

from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.enriching import OneLead, Told, through_the_rooms
from lead_assets.service.spending import paid

MaxUsd = Annotated[
    float | None, Query(ge=0, le=1_000, description="Most that this request may buy; signals beyond it are missed as over_budget")
]
MaxSeconds = Annotated[float, Query(gt=0, le=600, description="How long to wait; what is bought later is in the ledger all the same")]

A = TypeVar("A")


class EnrichRefused(HTTPException):
    """A refusal with a body of its own."""

    def __init__(self, status: int, said: dict[str, Any]) -> None:
        super().__init__(status)
        self.said = said


def refused_with_body(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, EnrichRefused)
    return Response(dumped(failure.said), failure.status_code, media_type="application/json")


async def bought(
    request: Request,
    key: ServiceKey,
    leads: pl.DataFrame,
    found: OneLead,
    max_usd: float | None,
    max_seconds: float,
    told: Told | None = None,
) -> OneLead:
    """The lead through the rooms, within the request's and the key's money. Raises EnrichRefused: 504, or 422 for an answer in quarantine."""
    state = request.app.state
    if told is None:
        await _in_time(max_seconds, state.desk.through(key, leads, found, max_usd))
        return _judged(found)

    def work() -> OneLead:
        return paid(
            state.ledger,
            key,
            max_usd,
            lambda ledger: through_the_rooms(
                leads, found, ledger=ledger, settings=state.settings, archive=state.archive, warehouse=state.warehouse, told=told
            ),
        )

    await within(max_seconds, work)
    return _judged(found)


def _judged(found: OneLead) -> OneLead:
    if found.quarantine is not None:
        bad = found.quarantine
        raise EnrichRefused(
            422,
            {
                "error": "ai_output_validation_failed",
                "detail": [{"type": bad["code"], "msg": bad["reason"]}],
                "message": "the model's answer broke its contract; it is in quarantine and can be replayed after a fix",
                "quarantine_id": f"{bad['campaign_id']}/{bad['lead_id']}",
            },
        )
    return found


async def within(seconds: float, work: Callable[[], A]) -> A:
    """The result of work in a thread, which goes on if nobody waits any more. Raises EnrichRefused 504 after `seconds`."""
    return await _in_time(seconds, asyncio.to_thread(work))


async def _in_time(seconds: float, work: Coroutine[Any, Any, A]) -> A:
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(work)
    except TimeoutError:
        said = f"it takes longer than {seconds:g} s; what is bought meanwhile is in the ledger, so asking again costs nothing more"
        raise EnrichRefused(504, {"error": "took_too_long", "message": said}) from None


def over_budget(price_micros: int, budgets: list[str]) -> EnrichRefused:
    """402 for a call that answers nothing unless it buys; what is missed of a lead for the same reason says over_budget, too."""
    named = "; ".join(budgets) or "another request has just reserved what was left of one"
    said = f"it costs up to ${price_micros / 1_000_000:.2f}, and nothing was bought: {named}"
    return EnrichRefused(402, {"error": "over_budget", "message": said, "budgets": budgets, "price_usd": price_micros / 1_000_000})


def routed(found: OneLead, seconds: float) -> dict[str, Any]:
    """The lead router's answer."""
    return {
        "status": "success",
        "lead_id": value_of(found.lead, "lead_id"),
        "processing_time": round(seconds, 3),
        "score": value_of(found.score, "route_score"),
        "owner": value_of(found.decision, "owner"),
        "path": value_of(found.score, "path"),
        "crm_id": None,
    }


def value_of(row: dict[str, Any] | None, name: str) -> Any:
    return row.get(name) if row else None


def as_json(said: Any) -> Response:
    return Response(dumped(said), media_type="application/json")


def dumped(said: Any) -> bytes:
    return orjson.dumps(said, default=lambda value: float(value) if hasattr(value, "as_tuple") else str(value))
