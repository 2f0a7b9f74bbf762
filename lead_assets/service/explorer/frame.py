"""What all pages share: the route whose errors are pages, who looks, forms, templates, and the headers that keep a page to itself.

Does not belong here: any page (see `pages`, `acting`, `trying`), who may look (see `sessions`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import jinja2
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.explorer.sessions import SESSION, SignedIn, SignedOut
from lead_assets.service.receive_api import body_of

HERE = Path(__file__).parent
MOST_TEXT = 200
_MOST_FORM_BYTES = 256 << 10
_MOST_BOXES = 2_500
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_log = logging.getLogger(__name__)


class Page(APIRoute):
    """A route whose errors are pages too, and which sends to the sign-in whoever is not signed in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handler(request)
            except SignedOut:
                back = request.url.path + (f"?{request.url.query}" if request.url.query else "") if request.method == "GET" else "/explorer"
                response = RedirectResponse("/explorer/sign-in?" + urlencode({"next": back}), 303)
                if request.headers.get("hx-request"):  # a part of a page must not become a sign-in form
                    response = Response(status_code=204, headers={"HX-Redirect": "/explorer/sign-in"})
            except HTTPException as error:
                response = page(request, "error.html", error.status_code, said=error.detail, status=error.status_code)
            except (RequestValidationError, ValueError) as error:
                _log.info("explorer: %s: %s", request.url.path, type(error).__name__)
                response = page(request, "error.html", 422, said="This address asks for something that does not exist.", status=422)
            except Exception as error:
                _log.exception("explorer: %s", type(error).__name__)
                response = page(request, "error.html", 500, said="The page could not be made; the log says why. Try again.", status=500)
            response.headers.update(_HEADERS)
            return response

        return handled


async def _signed_in(request: Request) -> ServiceKey:
    key = await sessions_of(request).key_of(request)
    request.state.viewer = key
    return key


Viewer = Annotated[ServiceKey, Depends(_signed_in)]


def sessions_of(request: Request) -> SignedIn:
    sessions: SignedIn = request.app.state.sessions
    return sessions


async def form_of(request: Request) -> dict[str, str]:
    """What a form says, a value for each name."""
    body = await body_of(request, _MOST_FORM_BYTES)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20))


async def lists_of(request: Request) -> dict[str, list[str]]:
    """The same with every value of each name: boxes that are ticked."""
    body = await body_of(request, _MOST_FORM_BYTES)
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_BOXES):
        found.setdefault(name, []).append(value)
    return found


def page(request: Request, template: str, status_code: int = 200, **given: Any) -> HTMLResponse:
    viewer = getattr(request.state, "viewer", None)
    cookie = request.cookies.get(SESSION, "")
    common = {"viewer": viewer, "sign_out_token": sessions_of(request).token(cookie) if viewer else "", "path": request.url.path}
    return HTMLResponse(_TEMPLATES.get_template(template).render(common | given), status_code)


def csv_of(data: bytes) -> Response:
    """A file of leads."""
    return Response(data, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="leads.csv"'})


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


def _span(minutes: float | None) -> str:
    """A number of minutes, in the unit that a person would say it in."""
    if minutes is None:
        return ""
    for size, unit in ((1_440, "d"), (60, "h")):
        if minutes >= 2 * size:
            return f"{minutes / size:,.0f} {unit}"
    return f"{minutes:.0f} min"


def lead_url(campaign: str, lead: str) -> str:
    return "/explorer/lead?" + urlencode({"campaign": campaign, "id": lead})


@functools.cache
def static_url(name: str) -> str:
    """The address of a file of `static`, which changes with its content."""
    data = static_file(name).read_bytes()
    return f"/explorer/static/{name}?v={hashlib.sha256(data).hexdigest()[:12]}"


def static_file(name: str) -> Path:
    return HERE / ("vendored" if name == "htmx.min.js" else "") / name


_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True, auto_reload=False
)
_TEMPLATES.filters |= {
    "shown": _shown,
    "usd": _usd,
    "pretty": _json,
    "moment": _moment,
    "query": urlencode,
    "span": _span,
    "combined": lambda one, other: {**one, **other},
    "without": lambda one, name: {key: value for key, value in one.items() if key != name},
}
_TEMPLATES.tests["datetime"] = lambda value: isinstance(value, datetime)
_TEMPLATES.globals |= {"lead_url": lead_url, "static_url": static_url}
