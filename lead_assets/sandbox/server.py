"""The sandbox's process: all services plus its own control endpoints, on one loopback port.

Belongs here: putting services together and running them as a process. Does not belong here: the services' answers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from lead_assets.sandbox import READY_LINE
from lead_assets.sandbox.anthropic.service import AnthropicService
from lead_assets.sandbox.apollo.service import ApolloService
from lead_assets.sandbox.aturiya.service import AturiyaService, read_campaigns
from lead_assets.sandbox.faults import Faults, InjectedFault
from lead_assets.sandbox.hubspot.service import HubSpotService
from lead_assets.sandbox.hunter.service import HunterService
from lead_assets.sandbox.meter import Meter
from lead_assets.sandbox.pipe0.service import Pipe0Service
from lead_assets.sandbox.salesforce.service import SalesforceService
from lead_assets.sandbox.segment.service import SegmentService
from lead_assets.sandbox.sendgrid.service import SendGridService
from lead_assets.sandbox.service import Service, answer
from lead_assets.sandbox.slack.service import SlackService
from lead_assets.sandbox.webhook.service import WebhookService

SERVICES: tuple[type[Service], ...] = (
    Pipe0Service,
    AnthropicService,
    ApolloService,
    HunterService,
    HubSpotService,
    SlackService,
    SegmentService,
    SendGridService,
    SalesforceService,
    WebhookService,
)


class Connections:
    """Open connections by client address. Needed to cut one, which the server's interface does not offer."""

    def __init__(self) -> None:
        self._transports: dict[Any, asyncio.Transport] = {}

    def hang_up(self, request: Request) -> None:
        assert request.client is not None
        transport = self._transports.get((request.client.host, request.client.port))
        if transport is not None:
            transport.abort()

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's own HTTP protocol, which registers its connections here."""
        transports = self._transports

        class Registered(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
            def connection_made(self, transport: asyncio.Transport) -> None:
                super().connection_made(transport)
                transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.client, None)
                super().connection_lost(exc)

        return Registered


def application(connections: Connections, campaigns: Path | None = None) -> Starlette:
    """All services and the control endpoints."""
    meter, faults = Meter(), Faults()
    services: list[Service] = [kind(meter, faults, connections.hang_up) for kind in SERVICES]
    services.append(AturiyaService(meter, faults, connections.hang_up, read_campaigns(campaigns)))

    async def show_meter(request: Request) -> Response:
        return answer(meter.report())

    async def show_subjects(request: Request) -> Response:
        return answer(meter.subjects(request.query_params["service"]))

    async def show_requests(request: Request) -> Response:
        service = request.query_params["service"]
        return answer({service: meter.requests(service)})

    async def show_state(request: Request) -> Response:
        return answer(next((service.state() for service in services if service.name == request.query_params["service"]), {}))

    async def set_fault(request: Request) -> Response:
        try:
            faults.add(InjectedFault.model_validate_json(await request.body()))
        except ValidationError as error:
            return answer({"errors": [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]}, 400)
        return answer({"faults": faults.listed()})

    async def show_faults(request: Request) -> Response:
        return answer({"faults": faults.listed()})

    async def clear_faults(request: Request) -> Response:
        faults.clear()
        return answer({"faults": []})

    async def reset(request: Request) -> Response:
        meter.reset()
        faults.clear()
        for service in services:
            service.reset()
        return answer({})

    steering = [
        Route("/_meter", show_meter),
        Route("/_meter/subjects", show_subjects),
        Route("/_requests", show_requests),
        Route("/_state", show_state),
        Route("/_faults", set_fault, methods=["POST"]),
        Route("/_faults", show_faults, methods=["GET"]),
        Route("/_faults", clear_faults, methods=["DELETE"]),
        Route("/_reset", reset, methods=["POST"]),
    ]
    return Starlette(routes=[*steering, *(route for service in services for route in [*service.routes(), service.unknown_path()])])


def serve(
    port: int = 0, campaigns: Path | None = None, *, until_stdin_closes: bool = False, announce: Callable[[str], str] = READY_LINE.__add__
) -> None:
    """Serve on 127.0.0.1 until interrupted. Prints one line on stdout as soon as it accepts connections: `announce` applied to the URL."""
    connections = Connections()
    app = application(connections, campaigns)
    listener = _listen(port)
    if until_stdin_closes:
        threading.Thread(target=_exit_with_parent, daemon=True).start()
    print(announce(f"http://127.0.0.1:{listener.getsockname()[1]}"), flush=True)  # the kernel queues connections from here on
    config = uvicorn.Config(
        app,
        http=connections.protocol(),
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        # Longer than any client keeps an idle connection, because a race between the two would look like a fault.
        timeout_keep_alive=300,
        timeout_graceful_shutdown=1,
        backlog=2048,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    # Name the protocol: only then does asyncio turn off Nagle's algorithm, which would delay every small answer by 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2048)
    return listener


def _exit_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
