"""Runs the service with uvicorn until it is interrupted."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import uvicorn

from lead_assets.core.settings import Settings
from lead_assets.privacy.forget import Busy
from lead_assets.service.app import build_app
from lead_assets.service.jobs import OpensDagster
from lead_assets.service.patience import PatientHttp
from lead_assets.service.warming import warm

_CONNECTIONS = 20_000
"""Connections above this are answered 503 at once."""


def serve(
    settings: Settings, host: str, port: int, announce: Callable[[str], None], busy: Busy = tuple, instance: OpensDagster | None = None
) -> None:
    """`announce` is called with the URL once connections are accepted, so that port 0 can be used."""
    # Threads that compute give way sooner to the one that answers.
    sys.setswitchinterval(0.001)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=4096) as listening:
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        app = build_app(settings, busy, instance)
        # uvicorn's access log has query strings; the audit log has keys and routes.
        config = uvicorn.Config(
            app,
            http=PatientHttp,
            ws="none",
            access_log=False,
            log_level="warning",
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=30,
            server_header=False,
        )

        def started() -> None:
            announce(url)
            asyncio.get_running_loop().run_in_executor(None, warm, settings, app.state.ledger)

        _Announcing(config, started).run(sockets=[listening])


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()
