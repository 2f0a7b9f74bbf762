"""`/mcp`: the service's reading, explaining, estimating and enriching as tools of the Model Context Protocol (official SDK, streamable HTTP), in the same
process, behind the same keys.

A tool may do what its key may: personal data is masked without read-pii, enriching needs write and stays within the key's budget.
Does not belong here: what the tools do (see `finding`, `lead_assets.explaining`, `lead_assets.estimating`, `enriching`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import FastAPI, Request
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lead_assets.core.unknown_words import UnknownWord
from lead_assets.estimating.estimate import estimate, estimate_leads
from lead_assets.explaining.explain import explain
from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.enrich_api import flat_answer, received, stored
from lead_assets.service.enriching import stored_lead
from lead_assets.service.finding import LeadSearch, page_of_leads
from lead_assets.service.paying import EnrichRefused, bought, dumped

PATH = "/mcp"
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_BUYS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
LeadId = Annotated[str, Field(min_length=1, max_length=200, description="Id of a lead")]
MaxUsd = Annotated[
    float, Field(ge=0, le=1_000, description="Most that this call may buy, in US dollars; what is beyond it is missed as over_budget")
]

A = TypeVar("A")


def tools_of(service: FastAPI) -> MCPServer[Any]:
    """The tools of a service that is running."""
    server: MCPServer[Any] = MCPServer(
        "lead_assets",
        version=service.version,
        log_level="WARNING",
        instructions="Leads of marketing campaigns: find them, explain what is known of one and why, estimate what enriching costs, and enrich. Reading is "
        "free; ask for an estimate before you enrich, and set max_usd.",
    )
    state = service.state

    @server.tool(annotations=_READS)
    async def find_leads(search: LeadSearch, ctx: Context[Any, Any]) -> dict[str, Any]:
        """Find leads by filters, part of a name or company, tier or score: items, total and next_cursor."""
        key = _key(ctx, "read")
        return await _told(lambda: page_of_leads(state.warehouse, search, pii=key.may("read-pii"), counted=True))

    @server.tool(annotations=_READS)
    async def explain_lead(
        asked: Annotated[
            str, Field(min_length=1, max_length=320, description="A lead's id, an e-mail address, or a company's domain or name")
        ],
        ctx: Context[Any, Any],
    ) -> dict[str, Any]:
        """Everything that is known of a lead or company, step by step: what came in, signals with provider and price, classification with evidence, score with
        its parts, routing with the rules that were tried, deliveries, timeline."""
        key = _key(ctx, "read")
        return await _told(lambda: explain(state.settings, asked, pii=key.may("read-pii")))

    @server.tool(annotations=_READS)
    async def estimate_cost(
        ctx: Context[Any, Any],
        lead_id: Annotated[str | None, Field(max_length=200, description="One stored lead")] = None,
        campaigns: Annotated[list[str] | None, Field(max_length=100, description="Or whole campaigns; neither: all of them")] = None,
    ) -> dict[str, Any]:
        """What enriching would cost now, by provider, in calls and US dollars. Buys nothing."""
        _key(ctx, "read")

        def work() -> dict[str, Any]:
            if lead_id is None:
                return estimate(state.settings, campaigns)
            leads = stored_lead(state.warehouse, lead_id)
            if leads.is_empty():
                raise ToolError("there is no such lead: find_leads shows which there are")
            return estimate_leads(state.settings, leads, state.ledger)

        return await _told(work)

    @server.tool(annotations=_BUYS)
    async def enrich_lead(lead_id: LeadId, max_usd: MaxUsd, ctx: Context[Any, Any]) -> dict[str, Any]:
        """Enrich, classify, score and route a stored lead. What the ledger has is free; the rest is bought, within max_usd and the key's budget."""
        key = _key(ctx, "write")
        request = _request(ctx)
        found = await _refusable(stored(request, lead_id, key, max_usd, 60))
        return _plain(flat_answer(found, None))

    @server.tool(annotations=_BUYS)
    async def enrich_new_lead(
        lead: Annotated[
            dict[str, Any], Field(description="A lead in any known shape, such as {email, full_name, company, title, country, notes}")
        ],
        max_usd: MaxUsd,
        ctx: Context[Any, Any],
    ) -> dict[str, Any]:
        """Store a new lead, then enrich, classify, score and route it."""
        key = _key(ctx, "write")
        request, body = _request(ctx), orjson.dumps(lead)

        async def work() -> dict[str, Any]:
            leads, found = await received(request, body)
            await bought(request, key, leads, found, max_usd, 60)
            return flat_answer(found, body)

        return _plain(await _refusable(work()))

    return server


@contextlib.asynccontextmanager
async def running(service: FastAPI) -> AsyncIterator[None]:
    """Answer at `/mcp` while this context is open."""
    server = tools_of(service)
    # The key is in a header, which no other site can make a browser send, so the host's name would say nothing more.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server.streamable_http_app(stateless_http=True, json_response=True, transport_security=unchecked)
    async with server.session_manager.run():
        service.state.mcp = server.session_manager
        yield


def endpoint(service: FastAPI) -> Route:
    """The route of `/mcp`."""
    return Route(PATH, endpoint=_Behind(service), methods=["GET", "POST", "DELETE"], include_in_schema=False)


class _Behind:
    """The endpoint behind a key."""

    def __init__(self, service: FastAPI) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            request.state.mcp_key = await self._service.state.access.demand(request, "read")
        except HTTPException as refused:
            await JSONResponse({"detail": refused.detail}, refused.status_code, refused.headers)(scope, receive, send)
            return
        await self._service.state.mcp.handle_request(scope, receive, send)


def _request(ctx: Context[Any, Any]) -> Request:
    request = ctx.request_context.request
    assert isinstance(request, Request | object)
    return request  # type: ignore[return-value]


def _key(ctx: Context[Any, Any], scope: str) -> ServiceKey:
    """The key of a call. Raises ToolError without the scope."""
    key: ServiceKey = _request(ctx).state.mcp_key
    if not key.may(scope):
        raise ToolError(f"this key lacks the scope '{scope}': ask for one that has it")
    return key


async def _told(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return _plain(await asyncio.to_thread(work))
    except HTTPException as refused:
        raise ToolError(str(refused.detail)) from None
    except (UnknownWord, ValueError) as error:
        raise ToolError(str(error)) from None


async def _refusable(work: Any) -> Any:
    try:
        return await work
    except EnrichRefused as refused:
        raise ToolError(dumped(refused.said).decode()) from None
    except HTTPException as refused:
        raise ToolError(str(refused.detail)) from None


def _plain(said: Any) -> Any:
    return orjson.loads(dumped(said))
