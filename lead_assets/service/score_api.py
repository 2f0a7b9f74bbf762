"""`/score_lead`, in the words of the embedding scorer: how one lead compares with past ones, by a lookalike index that was built before.

Does not belong here: the index and its answer (see `lead_assets.lookalike`).
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from lead_assets.core.settings import Settings
from lead_assets.ledger.keys import ServiceKey
from lead_assets.lookalike.index import LookalikeIndex
from lead_assets.lookalike.index_files import MANIFEST, WrongIndex, load
from lead_assets.lookalike.service import score_lead
from lead_assets.service.access import needs
from lead_assets.service.paying import EnrichRefused, as_json
from lead_assets.service.receive_api import body_of

_MOST_BYTES = 1 << 20
_VARIABLE = "LEAD_ASSETS_LOOKALIKE_INDEX"

router = APIRouter(tags=["enrich"])

_LEAD = {
    "customer_id": "C-1",
    "name": "Ada Lovelace",
    "industry": "SaaS",
    "company_size": 120,
    "country": "US",
    "job_title": "VP Sales",
    "bio": "Grows revenue teams",
    "web_activity_score": 61.5,
    "email_engagement_score": 40,
    "email": "ada@acme.example",
}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _LEAD}}}
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    422: {"description": "The body is no JSON object"},
    503: {"description": "There is no index yet: `message` tells how to build one"},
}


@router.post("/score_lead", openapi_extra=_BODY, responses=_ANSWERS, summary="Compare one lead with past ones (embedding scorer)")
async def score_one(request: Request, key: Annotated[ServiceKey, Depends(needs("write"))]) -> Response:
    """S_look, S_novel, contrast, nn_all_ids, nn_high_ids, is_duplicate, neighbours and index; or is_duplicate and reason, for a known address.

    Nothing is bought or stored. Columns that the index does not have are passed over; what the lead lacks counts as empty.
    """
    body = await body_of(request, _MOST_BYTES)
    try:
        lead = orjson.loads(body)
    except orjson.JSONDecodeError:
        lead = None
    if not isinstance(lead, dict):
        raise EnrichRefused(
            422, {"detail": [{"type": "not_an_object", "loc": ["body"], "msg": "the body has to be one lead as a JSON object"}]}
        )
    try:
        return as_json(await asyncio.to_thread(_scored, request.app.state.settings, lead))
    except (WrongIndex, FileNotFoundError) as error:
        raise HTTPException(503, f"leads cannot be compared: {error}") from None


def _scored(settings: Settings, lead: dict[str, Any]) -> dict[str, Any]:
    folder = settings.lookalike_index
    if folder is None:
        raise FileNotFoundError(f"build an index with `lead-assets lookalike build`, and set {_VARIABLE} to its folder")
    try:
        stamp = (folder / MANIFEST).stat().st_mtime_ns
    except OSError:
        raise FileNotFoundError(f"the folder in {_VARIABLE} has no index: build one there with `lead-assets lookalike build`") from None
    return score_lead(_index(folder, stamp), lead)


@lru_cache(maxsize=1)
def _index(folder: Path, stamp: int) -> LookalikeIndex:
    """The index as it was built at `stamp`, kept in memory until it is built again."""
    return load(folder)
