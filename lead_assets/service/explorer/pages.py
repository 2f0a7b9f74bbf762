"""The pages and their URLs. Everything that a page shows is escaped by its template; the address says everything about what is shown.

Does not belong here: SQL (see `reading`), who may look (see `sessions`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import jinja2
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from lead_assets.explaining.explain import explain
from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.explorer import reading
from lead_assets.service.explorer.sessions import FORM, SESSION, SignedIn, SignedOut, set_cookie
from lead_assets.service.receive_api import body_of

_HERE = Path(__file__).parent
_MOST_FORM_BYTES = 16 << 10
_MOST_TEXT = 200
_MOST_PAGE = 10_000
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_log = logging.getLogger(__name__)


class _Page(APIRoute):
    """A route whose errors are pages too, and which sends to the sign-in whoever is not signed in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handler(request)
            except SignedOut:
                back = request.url.path + (f"?{request.url.query}" if request.url.query else "") if request.method == "GET" else "/explorer"
                response = RedirectResponse("/explorer/sign-in?" + urlencode({"next": back}), 303)
            except HTTPException as error:
                response = _page(request, "error.html", error.status_code, said=error.detail, status=error.status_code)
            except (RequestValidationError, ValueError) as error:
                _log.info("explorer: %s: %s", request.url.path, type(error).__name__)
                response = _page(request, "error.html", 422, said="This address asks for something that does not exist.", status=422)
            except Exception as error:
                _log.exception("explorer: %s", type(error).__name__)
                response = _page(request, "error.html", 500, said="The page could not be made; the log says why. Try again.", status=500)
            response.headers.update(_HEADERS)
            return response

        return handled


router = APIRouter(prefix="/explorer", route_class=_Page, include_in_schema=False)


async def _signed_in(request: Request) -> ServiceKey:
    key = await _sessions(request).key_of(request)
    request.state.viewer = key
    return key


Viewer = Annotated[ServiceKey, Depends(_signed_in)]


@router.get("/style.css")
async def style() -> Response:
    return FileResponse(_HERE / "style.css", media_type="text/css")


@router.get("/sign-in")
async def sign_in(request: Request) -> Response:
    return _sign_in(request, 200)


@router.post("/sign-in")
async def signed_in(request: Request) -> Response:
    form = await _form(request)
    sessions = _sessions(request)
    sessions.check(request, form, FORM)
    text = form.get("key", "").strip()
    key = await request.app.state.access.valid(text) if text else None
    if key is None:
        return _sign_in(request, 401, "No valid key: check that all of it was pasted, or ask for a new one.")
    if not key.may("read"):
        return _sign_in(request, 403, "This key may not read: ask for one with the scope read.")
    request.state.key_id = key.key_id
    sessions.end(request.cookies.get(SESSION, ""))
    response = RedirectResponse(_own(form.get("next", "")), 303)
    set_cookie(request, response, SESSION, sessions.begin(key))
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    sessions = _sessions(request)
    sessions.check(request, await _form(request), SESSION)
    sessions.end(request.cookies.get(SESSION, ""))
    response = RedirectResponse("/explorer/sign-in", 303)
    response.delete_cookie(SESSION, path="/explorer")
    return response


@router.get("")
@router.get("/")
async def campaigns(request: Request, key: Viewer) -> Response:
    """Campaigns, each with its funnel."""
    return _page(request, "campaigns.html", rows=await asyncio.to_thread(reading.campaigns, request.app.state.warehouse))


@router.get("/leads")
async def leads(request: Request, key: Viewer) -> Response:
    """The table of leads."""
    asked = {name: value[:_MOST_TEXT] for name, value in request.query_params.items() if name != "after"}
    values = {name: asked.get(name, "").strip() for name in reading.FILTERS}
    values["country"] = values["country"].upper()
    sort = asked.get("sort", "received")
    search = asked.get("q", "").strip()
    wanted = reading.LeadsWanted(
        values, search, sort if sort in reading.SORTS else "received", request.query_params.get("after", "")[:2_000]
    )
    state, pii = request.app.state, key.may("read-pii")
    page, funnel, tiers = await asyncio.gather(
        asyncio.to_thread(reading.leads, state.warehouse, wanted, pii=pii),
        asyncio.to_thread(reading.campaigns, state.warehouse),
        asyncio.to_thread(reading.tiers, state.warehouse),
    )
    kept = {
        name: value
        for name, value in {**values, "q": search, "sort": wanted.sort}.items()
        if value and (name, value) != ("sort", "received")
    }
    links = {"first": "?" + urlencode(kept), "next": "?" + urlencode({**kept, "after": page.following}) if page.following else ""}
    names = [row["campaign_id"] for row in funnel]
    return _page(request, "leads.html", page=page, wanted=wanted, links=links, names=names, tiers=tiers, sorts=reading.SORTS, pii=pii)


@router.get("/lead")
async def lead(request: Request, key: Viewer, campaign: str = "", id: str = "") -> Response:
    """Everything of one lead."""
    request.scope["path_params"]["lead_id"] = id[:_MOST_TEXT]  # for the audit log
    state, pii = request.app.state, key.may("read-pii")
    told = await asyncio.to_thread(explain, state.settings, id, pii=pii, campaign=campaign) if campaign and id else {"leads": []}
    found = next((each for each in told["leads"] if (each["campaign_id"], each["lead_id"]) == (campaign, id)), None)
    if found is None:
        kept = await asyncio.to_thread(reading.kept_instead, state.warehouse, campaign, id)
        if kept is not None:
            return RedirectResponse("/explorer/lead?" + urlencode({"campaign": campaign, "id": kept}), 303)
        raise HTTPException(404, "Nothing is known of this lead. It may be on its way, rejected, or erased.")
    row = await asyncio.to_thread(reading.lead_row, state.warehouse, campaign, id, pii=pii)
    values = await asyncio.to_thread(reading.signal_values, state.warehouse, campaign, id, pii=pii)
    quotes = _quotes(found["class"].get("evidence"))
    evidence = reading.marked(row.get("notes") or "", quotes)
    return _page(request, "lead.html", lead=found, row=row, values=values, quotes=quotes, notes=evidence, pii=pii)


@router.get("/dashboard")
async def dashboard(request: Request, key: Viewer) -> Response:
    """Funnel, money, incidents and governance of all campaigns."""
    state = request.app.state
    rows, spend, governance, budgets, incidents = await asyncio.gather(
        asyncio.to_thread(reading.campaigns, state.warehouse),
        asyncio.to_thread(reading.spend, state.warehouse),
        asyncio.to_thread(reading.governance, state.warehouse),
        asyncio.to_thread(state.ledger.budgets),
        asyncio.to_thread(state.ledger.open_incidents),
    )
    steps = ("received", "leads", "enriched", "classified", "scored", "routed")
    funnel = {name: sum(row[name] or 0 for row in rows) for name in steps}
    budget = [each.as_row() for each in budgets]
    return _page(request, "dashboard.html", funnel=funnel, spend=spend, governance=governance, budgets=budget, incidents=incidents)


@router.get("/queues")
async def queues(request: Request, key: Viewer, which: str = "rejects", page: int = 1) -> Response:
    """What waits for somebody: rejects, quarantine, dead letters."""
    if which not in reading.QUEUES or not 1 <= page <= _MOST_PAGE:
        raise HTTPException(404, "There is no such queue.")
    warehouse = request.app.state.warehouse
    sizes = await asyncio.to_thread(reading.queue_sizes, warehouse)
    rows, more = await asyncio.to_thread(reading.queue, warehouse, which, page, pii=key.may("read-pii"))
    return _page(request, "queues.html", which=which, queues=reading.QUEUES, sizes=sizes, rows=rows, number=page, more=more)


@router.get("/{rest:path}")
async def nothing(request: Request, rest: str, key: Viewer) -> Response:
    raise HTTPException(404, "There is no such page.")


def _sessions(request: Request) -> SignedIn:
    sessions: SignedIn = request.app.state.sessions
    return sessions


def _sign_in(request: Request, status: int, said: str = "") -> Response:
    cookie = request.cookies.get(FORM) or _sessions(request).begin_form()
    back = _own(request.query_params.get("next", ""))
    response = _page(request, "sign_in.html", status, said=said, token=_sessions(request).token(cookie), back=back)
    set_cookie(request, response, FORM, cookie)
    return response


def _own(address: str) -> str:
    """The address if it is one of our pages, otherwise the first page."""
    return address if address.split("?")[0].split("#")[0] in _PAGES else "/explorer"


_PAGES = {"/explorer", "/explorer/leads", "/explorer/lead", "/explorer/dashboard", "/explorer/queues"}


async def _form(request: Request) -> dict[str, str]:
    body = await body_of(request, _MOST_FORM_BYTES)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20))


def _page(request: Request, template: str, status_code: int = 200, **given: Any) -> HTMLResponse:
    viewer = getattr(request.state, "viewer", None)
    cookie = request.cookies.get(SESSION, "")
    common = {"viewer": viewer, "sign_out_token": _sessions(request).token(cookie) if viewer else "", "path": request.url.path}
    return HTMLResponse(_templates.get_template(template).render(common | given), status_code)


def _quotes(evidence: Any) -> list[str]:
    """The words that back a classification, however the profile keeps them: a list, or by field."""
    if isinstance(evidence, str):
        return [evidence]
    if isinstance(evidence, dict):
        return [quote for each in evidence.values() for quote in _quotes(each)]
    return [quote for each in evidence for quote in _quotes(each)] if isinstance(evidence, list) else []


def _shown(value: Any) -> str:
    """A value of a table as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:,.10g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _json(value: Any) -> str:
    """JSON text, indented; what is no JSON as it is."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, TypeError):
        return _shown(value)


def _usd(value: Any) -> str:
    return "" if value is None else f"${value:,.2f}" if value == 0 or abs(value) >= Decimal("0.995") else f"${value:,.4f}"


def _moment(value: date | datetime | None) -> str:
    """What <time datetime> says."""
    return "" if value is None else value.isoformat()


def _lead_url(campaign: str, lead: str) -> str:
    return "/explorer/lead?" + urlencode({"campaign": campaign, "id": lead})


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True, auto_reload=False
)
_templates.filters |= {"shown": _shown, "usd": _usd, "pretty": _json, "moment": _moment, "query": urlencode}
_templates.globals |= {"lead_url": _lead_url}
