"""What-if routing: the routing file in a box, to be changed on a copy and tried on the leads that were routed. Nothing is kept.

Does not belong here: replaying (see `lead_assets.routing.what_if`).
"""

from __future__ import annotations

import asyncio
import difflib

from fastapi import APIRouter, Request, Response

from lead_assets.core.declared import source_of
from lead_assets.core.document import RulesError, read_document
from lead_assets.core.settings import Settings
from lead_assets.routing.stored import tried
from lead_assets.routing.table import ROUTING
from lead_assets.service.explorer import reading
from lead_assets.service.explorer.frame import Page, Viewer, form_of, page, sessions_of
from lead_assets.service.explorer.sessions import SESSION

router = APIRouter(prefix="/explorer", route_class=Page, include_in_schema=False)

_NAME = "your copy"
_MOST_LINES = 200
"""Lines of the comparison that are shown."""


@router.get("/what-if")
async def what_if(request: Request, key: Viewer) -> Response:
    """The routing file in force, to be changed."""
    return await _shown(request, await asyncio.to_thread(_in_force, request.app.state.settings), "")


@router.post("/what-if")
async def tried_on_history(request: Request, key: Viewer) -> Response:
    """What the copy would have done with the leads that were routed."""
    form = await form_of(request)
    sessions_of(request).check(request, form, SESSION)
    state = request.app.state
    text = form.get("rules", "").replace("\r\n", "\n")
    campaign = form.get("campaign", "")
    try:
        table = ROUTING.parse(read_document(text, _NAME))
    except RulesError as error:
        return await _shown(request, text, campaign, status=422, faults=error.faults)
    answer = await asyncio.to_thread(tried, state.settings, state.warehouse, state.ledger, table, [campaign] if campaign else None)
    return await _shown(request, text, campaign, answer=answer)


async def _shown(request: Request, text: str, campaign: str, *, status: int = 200, **more: object) -> Response:
    state = request.app.state
    names = [row["campaign_id"] for row in await asyncio.to_thread(reading.campaigns, state.warehouse)]
    token = sessions_of(request).token(request.cookies.get(SESSION, ""))
    changes = await asyncio.to_thread(_changes, state.settings, text)
    return page(request, "what_if.html", status, rules=text, campaign=campaign, names=names, token=token, changes=changes, **more)


def _in_force(settings: Settings) -> str:
    source = source_of(ROUTING.name, settings)
    if source.text is not None:
        return source.text
    return source.path.read_text(encoding="utf-8-sig") if source.path is not None else ""


def _changes(settings: Settings, text: str) -> list[str]:
    compared = difflib.unified_diff(_in_force(settings).splitlines(), text.splitlines(), "in force", _NAME, lineterm="", n=1)
    return list(compared)[:_MOST_LINES]
