"""The pages and their URLs. Everything that a page shows is escaped by its template; the address says everything about what is shown.

Does not belong here: SQL (see `reading`), who may look (see `sessions`).
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from starlette.exceptions import HTTPException

from lead_assets.contracts import TABLES
from lead_assets.contracts.base import OUTSIDE
from lead_assets.core.unknown_words import UnknownWord
from lead_assets.explaining.explain import explain_lead
from lead_assets.kit import columns
from lead_assets.service.explorer import choosing, drawing, reading
from lead_assets.service.explorer.acting import act_url, actions_for
from lead_assets.service.explorer.asked import asked_in
from lead_assets.service.explorer.frame import MOST_TEXT, Page, Viewer, csv_of, form_of, page, sessions_of, static_file
from lead_assets.service.explorer.selecting import actions_on_several
from lead_assets.service.explorer.sessions import FORM, SESSION, set_cookie
from lead_assets.service.explorer.viewing import tabs, views_of

_MOST_PAGE = 10_000
_ASSETS = {"style.css": "text/css", "htmx.min.js": "text/javascript", "ticks.js": "text/javascript", "icon.svg": "image/svg+xml"}
_MADE = {
    "signals": "signals/enriched_leads",
    "classification": "classification/classifications",
    "score": "scoring/scores",
    "routing": "routing/decisions",
    "deliveries": "delivery/deliveries",
}
"""Part of a lead's page → the asset that made it."""
router = APIRouter(prefix="/explorer", route_class=Page, include_in_schema=False)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """The style sheet and htmx. Their addresses change with their content, so a browser keeps them."""
    if name not in _ASSETS:
        raise HTTPException(404, "There is no such file.")
    return FileResponse(static_file(name), media_type=_ASSETS[name], headers={"Cache-Control": "public, max-age=31536000, immutable"})


@router.get("/sign-in")
async def sign_in(request: Request) -> Response:
    return _sign_in(request, 200)


@router.post("/sign-in")
async def signed_in(request: Request) -> Response:
    form = await form_of(request)
    sessions = sessions_of(request)
    sessions.check(request, form, FORM)
    text = form.get("key", "").strip()
    key = await request.app.state.access.valid(text) if text else None
    if key is None:
        return _sign_in(request, 401, "No valid key: check that all of it was pasted, or ask for a new one.")
    if not key.may("read"):
        return _sign_in(request, 403, "This key may not read: ask for one with the scope read.")
    request.state.key_id = key.key_id
    sessions.end(request.cookies.get(SESSION, ""))
    if request.app.state.listing is not None:
        await asyncio.to_thread(request.app.state.listing.is_fresh)  # people look at the list sooner or later
    response = RedirectResponse(_own(form.get("next", "")), 303)
    set_cookie(request, response, SESSION, sessions.begin(key))
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    sessions = sessions_of(request)
    sessions.check(request, await form_of(request), SESSION)
    sessions.end(request.cookies.get(SESSION, ""))
    response = RedirectResponse("/explorer/sign-in", 303)
    response.delete_cookie(SESSION, path="/explorer")
    return response


@router.get("")
@router.get("/")
async def campaigns(request: Request, key: Viewer) -> Response:
    """Campaigns, each with its funnel."""
    return page(request, "campaigns.html", rows=await asyncio.to_thread(reading.campaigns, request.app.state.warehouse))


@router.get("/leads")
async def leads(request: Request, key: Viewer) -> Response:
    """The table of leads."""
    state, pii = request.app.state, key.may("read-pii")
    words = dict(request.query_params)
    if more := words.get("add"):
        words["columns"] = f"{words.get('columns', '')},{more}"
    asked = asked_in(words, pii=pii)
    wanted, columns, kept = asked.wanted, asked.columns, asked.kept
    found = await asyncio.to_thread(reading.leads, state.warehouse, wanted, pii=pii, listing=state.listing)
    names, tiers = await asyncio.to_thread(reading.filters_of, state.warehouse, state.listing)
    views = await views_of(request, key)
    links = {"first": "?" + urlencode(kept), "next": "?" + urlencode({**kept, "after": found.following}) if found.following else ""}
    if found.facets:
        links["file"] = "/explorer/leads.csv?" + urlencode(kept)
    edited = words.get("edit", "")[:MOST_TEXT]
    about: dict[str, Any] = {"found": found, "wanted": wanted, "links": links, "kept": kept, "names": names, "tiers": tiers, "pii": pii}
    about |= {"columns": columns, "choices": choosing.choices(), "edited": edited, "sorts": reading.SORTS}
    several, refused = actions_on_several(key)
    about |= {"several": several, "refused": refused, "most_in_a_file": reading.MOST_IN_A_FILE}
    about |= {"views": tabs(views), "may_share": key.may("write"), "token": sessions_of(request).token(request.cookies.get(SESSION, ""))}
    if edited:
        about["offered"] = choosing.offered(columns, pii=pii)
    response = page(request, "leads.html", **about)
    if request.headers.get("hx-request"):  # empty filters do not belong into the address
        response.headers["HX-Push-Url"] = asked.url
    return response


@router.get("/leads.csv")
async def leads_file(request: Request, key: Viewer) -> Response:
    """The leads of the list as a file."""
    state, pii = request.app.state, key.may("read-pii")
    if state.listing is None or not state.listing.is_ready:
        raise HTTPException(404, "The list cannot be had as a file here, or not yet: use `GET /api/v1/leads/export`.")
    asked = asked_in(request.query_params, pii=pii)
    columns = asked.wanted.columns if asked.columns.is_own else ()
    data = await asyncio.to_thread(reading.leads_file, state.warehouse, state.listing, asked.wanted, columns, pii=pii)
    return csv_of(data)


@router.get("/lead")
async def lead(request: Request, key: Viewer, campaign: str = "", id: str = "") -> Response:
    """Everything of one lead."""
    request.scope["path_params"]["lead_id"] = id[:MOST_TEXT]  # for the audit log
    state, pii = request.app.state, key.may("read-pii")
    stores = (state.settings, state.warehouse, state.ledger)
    found = await asyncio.to_thread(explain_lead, *stores, campaign, id, pii=pii) if campaign and id else None
    if found is None:
        kept = await asyncio.to_thread(reading.kept_instead, state.warehouse, campaign, id)
        if kept is not None:
            return RedirectResponse("/explorer/lead?" + urlencode({"campaign": campaign, "id": kept}), 303)
        raise HTTPException(404, "Nothing is known of this lead. It may be on its way, rejected, or erased.")
    similar, cluster = await asyncio.gather(
        asyncio.to_thread(reading.similar_accounts, state.warehouse, campaign, found.told["account_key"] or ""),
        asyncio.to_thread(reading.cluster, state.warehouse, state.ledger, campaign, id, pii=pii),
    )
    quotes = _quotes(found.told["class"].get("evidence"))
    ui = state.settings.ui_url.rstrip("/")
    made = {part: f"{ui}/assets/{asset}?" + urlencode({"view": "partitions", "partition": campaign}) for part, asset in _MADE.items()}
    return page(
        request,
        "lead.html",
        lead=found.told,
        row=found.lead,
        tried=found.tried,
        duplicates=found.duplicates,
        values=reading.signal_values(found.enriched),
        quotes=quotes,
        notes=reading.marked(found.lead.get("notes") or "", quotes),
        similar=similar,
        cluster=cluster,
        made=made,
        run=f"{ui}/runs?" + urlencode({"q[0]": f"partition:{campaign}"}),
        actions=[(name, act_url(name, campaign, id), may) for name, may in actions_for(key)] if found.lead else [],
        pii=pii,
    )


@router.get("/dashboard")
async def dashboard(request: Request, key: Viewer) -> Response:
    """Funnel, throughput, money, coverage, governance, time to first touch and incidents of all campaigns."""
    state = request.app.state
    of_tables = (
        *(reading.campaigns, reading.spend, reading.governance, reading.throughput),
        *(reading.coverage, reading.first_touch),
    )
    rows, spend, governance, hours, coverage, touches = await asyncio.gather(
        *(asyncio.to_thread(each, state.warehouse) for each in of_tables)
    )
    queued, budgets, incidents = await asyncio.gather(
        asyncio.to_thread(reading.queue_sizes, state.warehouse),
        asyncio.to_thread(state.ledger.budgets),
        asyncio.to_thread(state.ledger.open_incidents),
    )
    steps = ("received", "leads", "enriched", "classified", "scored", "routed")
    return page(
        request,
        "dashboard.html",
        funnel={name: sum(row[name] or 0 for row in rows) for name in steps},
        spend=spend,
        governance=governance,
        hours=hours,
        coverage=coverage,
        touches=touches,
        queued=queued,
        budgets=[each.as_row() for each in budgets],
        incidents=incidents,
        ui=state.settings.ui_url.rstrip("/"),
    )


@router.get("/queues")
async def queues(request: Request, key: Viewer, which: str = "rejects", number: Annotated[int, Query(alias="page")] = 1) -> Response:
    """What waits for somebody: rejects, quarantine, dead letters."""
    if which not in reading.QUEUES or not 1 <= number <= _MOST_PAGE:
        raise HTTPException(404, "There is no such queue.")
    warehouse = request.app.state.warehouse
    sizes, kinds, (rows, more) = await asyncio.gather(
        asyncio.to_thread(reading.queue_sizes, warehouse),
        asyncio.to_thread(reading.queue_kinds, warehouse, which),
        asyncio.to_thread(reading.queue, warehouse, which, number, pii=key.may("read-pii")),
    )
    about: dict[str, Any] = {"which": which, "queues": reading.QUEUES, "sizes": sizes, "may": key.may("write")}
    return page(request, "queues.html", rows=rows, kinds=kinds, number=number, more=more, **about)


@router.get("/lineage")
async def lineage(request: Request, key: Viewer, column: str = "routing.decisions.owner") -> Response:
    """What a column is made from, and what is made from it, drawn."""
    try:
        name = columns.known_column(column.strip()[:MOST_TEXT])
    except UnknownWord as error:
        return page(request, "lineage.html", 404, column=column[:MOST_TEXT], tables=TABLES, said=str(error))
    links = columns.upstream(name), columns.downstream(name)
    table = TABLES.get(name.rpartition(".")[0])
    spec = next((each for each in table.columns() if each.name == name.rpartition(".")[2]), None) if table is not None else None
    asset = f"{request.app.state.settings.ui_url.rstrip('/')}/assets/{table.table.replace('.', '/')}" if table is not None else ""
    drawn = drawing.draw(name, *links)
    about: dict[str, Any] = {
        "description": spec.description if spec is not None else OUTSIDE.get(name, ""),
        "asset": asset,
        "outside": OUTSIDE,
    }
    return page(request, "lineage.html", column=name, tables=TABLES, drawn=drawn, sizes=drawing, up=links[0], down=links[1], **about)


def _sign_in(request: Request, status: int, said: str = "") -> Response:
    cookie = request.cookies.get(FORM) or sessions_of(request).begin_form()
    back = _own(request.query_params.get("next", ""))
    response = page(request, "sign_in.html", status, said=said, token=sessions_of(request).token(cookie), back=back)
    set_cookie(request, response, FORM, cookie)
    return response


def _own(address: str) -> str:
    """The address if it is one of our pages, otherwise the first page."""
    return address if address.split("?")[0].split("#")[0] in _PAGES else "/explorer"


_PAGES = {f"/explorer{name}" for name in ("", "/leads", "/lead", "/dashboard", "/queues", "/what-if", "/lineage", "/views")}


def _quotes(evidence: Any) -> list[str]:
    """The words that back a classification, however the profile keeps them: a list, or by field."""
    if isinstance(evidence, str):
        return [evidence]
    if isinstance(evidence, dict):
        return [quote for each in evidence.values() for quote in _quotes(each)]
    return [quote for each in evidence for quote in _quotes(each)] if isinstance(evidence, list) else []


last = APIRouter(prefix="/explorer", route_class=Page, include_in_schema=False)
"""What no other page is: included after all of them."""


@last.get("/{rest:path}")
async def nothing(request: Request, rest: str, key: Viewer) -> Response:
    raise HTTPException(404, "There is no such page.")
