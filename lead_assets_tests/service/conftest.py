"""One real server per module, on loopback, with a key of every scope."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.service.app import build_app
from lead_assets.service.jobs import OpensDagster


@dataclass(frozen=True)
class Service:
    """A running service. `client(scope)` calls it with a key of this scope only."""

    url: str
    settings: Settings
    keys: dict[str, str]

    def client(self, scope: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[scope]}"} if scope else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sandbox_of_module: Handle) -> Iterator[Service]:
    yield from serving(Settings(home=tmp_path_factory.mktemp("service") / "home", sandbox_url=sandbox_of_module.url))


def serving(settings: Settings, instance: OpensDagster | None = None) -> Iterator[Service]:
    with opened_ledger(settings) as ledger:
        keys = {scope: ledger.keys.create(scope, [scope])[1] for scope in ("webhook", "read", "read-pii", "write", "admin")}
    server = uvicorn.Server(uvicorn.Config(build_app(settings, instance=instance), port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)  # whoever only asks keeps Python's lock, and the service starts fifty times as slowly
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Service(f"http://127.0.0.1:{port}", settings, keys)
    server.should_exit = True
    thread.join(20)


def landed(settings: Settings) -> list[Path]:
    """Files that wait in the landing zone."""
    return sorted(path for path in Path(settings.landing_location).rglob("*.ndjson") if path.is_file())
