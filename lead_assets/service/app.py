"""Puts the service together: stores, keys, receiver, routes, and what every request gets (an id, figures, an entry in the audit log, safe headers)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import ledger_of
from lead_assets.privacy.forget import Busy
from lead_assets.service import (
    contacts_api,
    discovery_api,
    enrich_api,
    lead_api,
    mcp_api,
    paying,
    queues_api,
    receive_api,
    score_api,
    tracing,
    write_api,
)
from lead_assets.service.access import Access, needs
from lead_assets.service.answers import Health, says
from lead_assets.service.describing import described, operation_id
from lead_assets.service.desk import ServiceDesk
from lead_assets.service.explorer import acting, pages, selecting, trying, viewing
from lead_assets.service.explorer.listing import Listing
from lead_assets.service.explorer.sessions import SignedIn
from lead_assets.service.jobs import Jobs, OpensDagster
from lead_assets.service.metrics import Metrics
from lead_assets.service.receiving import Receiver
from lead_assets.service.reference import reference_page
from lead_assets.service.router_base import below_router, is_below_router
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_READ = [Depends(needs("read"))]


def build_app(settings: Settings, busy: Busy = tuple, instance: OpensDagster | None = None) -> FastAPI:
    """The ASGI application. Its receiver works from startup to shutdown. `busy`: ids of runs in progress, which an erasure waits for;
    `instance` opens Dagster's instance, whose runs are told as jobs."""

    @contextlib.asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        ledger = ledger_of(settings)
        ledger.open()
        app.state.settings, app.state.ledger, app.state.busy = settings, ledger, busy
        app.state.archive, app.state.warehouse = archive_of(settings), warehouse_of(settings)
        await asyncio.to_thread(app.state.warehouse.prepare)
        app.state.listing = Listing(app.state.warehouse) if isinstance(app.state.warehouse, DuckDBWarehouse) else None
        app.state.access = Access(ledger)
        app.state.jobs = Jobs(settings, instance)
        app.state.desk = ServiceDesk(settings, ledger, app.state.archive, app.state.warehouse)
        app.state.receiver = Receiver(settings, ledger)
        tasks = [asyncio.create_task(app.state.receiver.work()), asyncio.create_task(app.state.access.write_uses())]
        try:
            async with mcp_api.running(app):
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if app.state.listing is not None:
                await asyncio.to_thread(app.state.listing.close)
            app.state.desk.close()
            ledger.close()
            await asyncio.to_thread(tracing.flush, app)

    app = FastAPI(
        title="lead_assets",
        version=metadata.version("lead-assets"),
        description="Receives leads; enriches, scores, shows and changes single leads. Send a key as `Authorization: Bearer`.",
        lifespan=running,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=operation_id,
    )
    app.state.metrics = Metrics()
    app.state.sessions = SignedIn(lambda: app.state.ledger)
    app.state.begun = selecting.Begun()
    app.add_middleware(_EveryRequest, service=app)
    app.add_exception_handler(HTTPException, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(paying.EnrichRefused, paying.refused_with_body)
    rooms = (
        receive_api,
        enrich_api,
        score_api,
        discovery_api,
        contacts_api,
        write_api,
        lead_api,
        queues_api,
        pages,
        acting,
        selecting,
        viewing,
        trying,
    )
    routers = [*(room.router for room in rooms), pages.last]
    for router in routers:
        app.include_router(router)
    app.router.routes.append(mcp_api.endpoint(app))
    _add_own_routes(app)
    app.state.routes = [route for router in (*routers, app.router) for route in router.routes if isinstance(route, Route)]
    app.openapi = lambda: described(app)  # type: ignore[method-assign]
    tracing.trace(app)
    return app


def _add_own_routes(app: FastAPI) -> None:
    @app.get("/health", tags=["service"], summary="Whether the process is alive", responses=says(Health))
    @app.get("/api/health", tags=["service"], include_in_schema=False)
    async def health(request: Request) -> dict[str, Any]:
        """Open to everybody, and says nothing of any lead. `/ready` asks the stores. `/router/health` says healthy."""
        services = {"receiver": "ok" if app.state.receiver.is_open else "closing"}
        return {
            "status": "healthy" if is_below_router(request.scope) else "ok",
            "timestamp": datetime.now(UTC).isoformat(),
            "version": app.version,
            "services": services,
        }

    @app.get("/ready", tags=["service"], dependencies=_READ, summary="Whether the stores answer")
    async def ready() -> JSONResponse:
        services = {
            "ledger": await _answers(app.state.ledger.world),
            "archive": await _answers(app.state.archive.campaigns),
            "receiver": "ok" if app.state.receiver.is_open else "closing",
        }
        is_ready = all(said == "ok" for said in services.values())
        return JSONResponse({"status": "ready" if is_ready else "not_ready", "services": services}, 200 if is_ready else 503)

    @app.get(
        "/metrics", tags=["service"], dependencies=_READ, summary="Figures in Prometheus' text format", response_class=PlainTextResponse
    )
    async def metrics() -> Response:
        return Response(app.state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/openapi.json", include_in_schema=False, dependencies=_READ)
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False, dependencies=_READ)
    async def docs() -> Response:
        return HTMLResponse(reference_page(app.openapi()), headers={"Content-Security-Policy": "default-src 'none'"})


async def _answers(question: Any) -> str:
    try:
        async with asyncio.timeout(2):
            await asyncio.to_thread(question)
    except Exception as error:
        return f"does not answer ({type(error).__name__})"
    return "ok"


async def _refused(request: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request.app, request.url.path))
    return JSONResponse({"detail": error.detail}, error.status_code, headers=headers)


def _methods(app: FastAPI, path: str) -> list[str]:
    """The methods of all routes of a path; Starlette tells those of the first one that fits."""
    fitting: list[Route] = [route for route in app.state.routes if route.path_regex.match(path)]
    nearest = min((route.path for route in fitting), key=lambda known: known.count("{"), default="")
    return sorted({method for route in fitting if route.path == nearest for method in route.methods or ()})


class _EveryRequest:
    """X-Request-ID, safe headers, figures and the audit log."""

    def __init__(self, app: ASGIApp, service: FastAPI) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        scope = below_router(scope)
        # Not secret, and without a call of the system, for which other threads would be waited.
        request_id = given if _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [
                    (b"x-request-id", request_id.encode("latin-1")),
                    (b"x-content-type-options", b"nosniff"),
                ]
                if all(name != b"cache-control" for name, _ in message.get("headers", ())):
                    extra.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        try:
            if receive_api.is_plain(scope):
                await receive_api.received_plainly(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            state = self._service.state
            state.metrics.asked(scope["method"], route, status, time.perf_counter() - began)
            key_id = scope.get("state", {}).get("key_id")
            if key_id is not None:
                about = (scope.get("path_params") or {}).get("lead_id")
                state.access.note(key_id, f"{scope['method']} {route}", status, about)
