"""Saved views: names for what an address asks of the leads table, above the table. A key sees its own and the shared ones.

Any key keeps its own views; shared ones are changed with the scope write. Does not belong here: keeping them (see `lead_assets.ledger.views`).
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from lead_assets.ledger.keys import ServiceKey
from lead_assets.ledger.views import NameTaken, NotSaved, SavedView
from lead_assets.service.explorer.asked import asked_in_text, leads_url
from lead_assets.service.explorer.frame import Page, Viewer, form_of, page, sessions_of
from lead_assets.service.explorer.sessions import SESSION

router = APIRouter(prefix="/explorer", route_class=Page, include_in_schema=False)


@router.get("/views")
async def views(request: Request, key: Viewer) -> Response:
    """All views of the key, to be renamed, moved and deleted."""
    return await _shown(request, key)


@router.post("/views")
async def save(request: Request, key: Viewer) -> Response:
    """Keep the list that a form came from, under a name."""
    form = await form_of(request)
    sessions_of(request).check(request, form, SESSION)
    shared = form.get("shared") == "yes"
    _may_change(key, shared=shared)
    asked = asked_in_text(form.get("state", ""), pii=key.may("read-pii"))
    kept, name, replace = asked.kept, form.get("name", ""), form.get("replace") == "yes"
    ledger = request.app.state.ledger
    try:
        await asyncio.to_thread(ledger.views.save, key.key_id, name, kept, shared=shared, replace=replace)
    except NotSaved as error:
        tried = {"name": name[:200], "state": urlencode(kept), "url": asked.url, "shared": shared, "taken": isinstance(error, NameTaken)}
        return await _shown(request, key, 409 if tried["taken"] else 422, said=str(error), tried=tried)
    return RedirectResponse(asked.url, 303)


@router.post("/views/{view_id}")
async def change(request: Request, view_id: str, key: Viewer) -> Response:
    """Rename, move or delete a view."""
    form = await form_of(request)
    sessions_of(request).check(request, form, SESSION)
    kept = request.app.state.ledger.views
    view = next((each for each in await views_of(request, key) if each.view_id == view_id), None)
    what = form.get("what", "")
    if view is None:
        if what == "delete":  # a second click: it is gone, as was asked
            return RedirectResponse("/explorer/views", 303)
        raise HTTPException(404, "There is no such view: it was deleted, or belongs to another key.")
    _may_change(key, shared=view.shared)
    if what == "rename":
        try:
            await asyncio.to_thread(kept.rename, view_id, form.get("name", ""))
        except NotSaved as error:
            return await _shown(request, key, 409 if isinstance(error, NameTaken) else 422, said=str(error))
    elif what == "delete":
        await asyncio.to_thread(kept.delete, [view_id])
    elif what in ("earlier", "later"):
        await asyncio.to_thread(kept.move, view_id, -1 if what == "earlier" else 1)
    else:
        raise HTTPException(422, "A view can be renamed, moved and deleted.")
    return RedirectResponse("/explorer/views", 303)


async def views_of(request: Request, key: ServiceKey) -> list[SavedView]:
    """Its own views, and the shared ones. What somebody searched for may name a person, so others' searches are for read-pii."""
    every = await asyncio.to_thread(request.app.state.ledger.views.listed, key.key_id)
    return [view for view in every if view.key_id == key.key_id or "q" not in view.state or key.may("read-pii")]


def tabs(kept: list[SavedView]) -> list[dict[str, Any]]:
    """name, url, state and shared of views, for a template."""
    return [
        {"id": view.view_id, "name": view.name, "url": leads_url(view.state), "state": dict(view.state), "shared": view.shared}
        for view in kept
    ]


async def _shown(request: Request, key: ServiceKey, status: int = 200, **more: Any) -> Response:
    listed = await views_of(request, key)
    token = sessions_of(request).token(request.cookies.get(SESSION, ""))
    return page(request, "views.html", status, views=tabs(listed), may_share=key.may("write"), token=token, **more)


def _may_change(key: ServiceKey, *, shared: bool) -> None:
    if shared and not key.may("write"):
        raise HTTPException(403, "A shared view is everybody's: saving or changing one needs a key with the scope write.")
