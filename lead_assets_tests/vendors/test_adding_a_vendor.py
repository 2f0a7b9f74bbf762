"""A vendor is a folder: one that is put there is asked, paid, limited and examined like any other, and no other line changes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lead_assets import vendors
from lead_assets.cli import money
from lead_assets.cli.doctor import examine
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.signals.assets import signal_assets
from lead_assets.signals.engine import collect
from lead_assets.signals.signal import load_signals
from lead_assets.vendors import load_vendors
from lead_assets.vendors.quotas import quotas
from lead_assets_tests.signals.leads import at_companies

# A whole vendor, as the next one would be written.
FOLDER = {
    "__init__.py": """
from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(package=__name__, live_url="{url}", key_variable="ACME_API_KEY", without="nobody reads the news")
""",
    "client.py": """
from lead_assets.vendors.http import VendorHttp, failure, json_object


class Acme(VendorHttp):
    def __init__(self, url, key, **options):
        super().__init__("acme", url, {"authorization": key.get_secret_value()}, **options)

    async def get(self, operation, **params):
        answer = await self.request(operation, "GET", "/" + operation, params=params)
        if answer.status >= 300:
            raise failure("acme", operation, answer, {})
        return json_object("acme", operation, answer)
""",
    "source.py": """
from contextlib import asynccontextmanager

from lead_assets.ledger.model import Reply
from lead_assets.vendors.acme.client import Acme


@asynccontextmanager
async def open_source(opening):
    async with Acme(opening.url, opening.key, connections=opening.connections) as client:
        yield Source(client)


class Source:
    def __init__(self, client):
        self.client = client

    async def call(self, kind, offer, wants):
        bodies = [await self.client.get(offer.operation, domain=want.subject) for want in wants]
        return [
            Reply("found", None, body, want.price_micros) if body.get("headline") else Reply("not_found", "no_result")
            for want, body in zip(wants, bodies, strict=True)
        ]
""",
    "parsers.py": """
def headline(body):
    return {"news_summary": body["headline"]}


PARSERS = {"acme_headline": headline}
""",
    "quotas.py": """
from lead_assets.vendors.acme.client import Acme
from lead_assets.vendors.quotas import row


async def quotas(url, key):
    async with Acme(url, key) as client:
        left = await client.get("left")
    return [row("acme", "calls", left=left["calls"])]
""",
}
RULES = """
providers:
  acme: {credit_usd: 0.10, batch_size: 1, concurrency: 2}
signals:
  news:
    subject: company_domain
    lifetimes: {found: 7d, not_found: 3d}
    sources: [{provider: acme, operation: headlines, parser: acme_headline, credits: 2, billing: on_success}]
"""


@dataclass
class Acme:
    """A vendor on loopback."""

    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    there = Acme()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.asked.append((self.path, self.headers["authorization"]))
            said: dict[str, Any] = {"calls": 42} if self.path == "/left" else {"headline": f"News of {self.path.partition('=')[2]}"}
            data = json.dumps({} if "quiet" in self.path else said).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there.url = f"http://127.0.0.1:{server.server_address[1]}"
    folder = tmp_path / "more" / "acme"
    folder.mkdir(parents=True)
    for name, text in FOLDER.items():
        (folder / name).write_text(text.replace("{url}", there.url))
    monkeypatch.setattr(vendors, "__path__", [*vendors.__path__, str(folder.parent)])
    monkeypatch.setenv("ACME_API_KEY", "sk-acme")
    load_vendors.cache_clear()
    yield there
    load_vendors.cache_clear()
    for name in [name for name in sys.modules if name.startswith("lead_assets.vendors.acme")]:
        del sys.modules[name]
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "signals.yaml").write_text(RULES)
    return Settings(home=tmp_path / "home", rules_dir=tmp_path / "rules")


def test_a_new_folder_is_a_vendor(acme: Acme, settings: Settings) -> None:
    settings.home.mkdir()
    ledger = Ledger(settings.ledger_location)
    leads = at_companies(["a.example", "quiet.example", "a.example"])
    table = collect(load_signals(settings)["news"], leads, ledger=ledger, settings=settings).frame
    ledger.close()
    assert table["news_summary"].to_list() == ["News of a.example", None, "News of a.example"]
    assert table["provider"].to_list() == ["acme"] * 3
    assert sorted(acme.asked) == [(f"/headlines?domain={name}.example", "sk-acme") for name in ("a", "quiet")]

    assert [row["left"] for row in quotas(settings) if row["provider"] == "acme"] == [42]
    (spent,) = money.costs(settings, by=("provider", "signal"))["rows"]
    assert (spent["provider"], spent["signal"], spent["usd"]) == ("acme", "news", Decimal("0.20"))
    assert money.parse_scope("provider:acme") == ("provider", "acme")
    checks = {check["name"]: check["detail"] for check in examine(settings)["checks"]}
    assert checks["key: acme"] == "present"
    assert [each.op.name for each in signal_assets(settings)] == ["signals__acme", "signals__enriched_leads"]


def test_without_its_key_a_new_vendor_is_not_asked(acme: Acme, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_API_KEY")
    settings.home.mkdir()
    ledger = Ledger(settings.ledger_location)
    table = collect(load_signals(settings)["news"], at_companies(["a.example"]), ledger=ledger, settings=settings).frame
    ledger.close()
    assert (table["reason"].item(), acme.asked) == ("no_key", [])
    assert {row["reason"] for row in quotas(settings) if row["provider"] == "acme"} == {"no_key"}
    checks = {check["name"]: check["detail"] for check in examine(settings)["checks"]}
    assert checks["key: acme"] == "absent: nobody reads the news"


def test_a_vendor_that_is_not_there_is_refused_by_name(settings: Settings) -> None:
    with pytest.raises(ValueError, match="no vendor 'acme': use one of apollo, hunter, pipe0, or put its folder"):
        load_signals(settings)


def test_the_vendors_folders_load_no_client() -> None:
    """Every run knows the vendors; a client is loaded by a run that buys."""
    seen = (
        "import sys; from lead_assets.vendors import all_parsers; all_parsers(); print([m for m in sys.modules if m.endswith('.client')])"
    )
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    loaded = [name for name in ast.literal_eval(done.stdout) if name.startswith("lead_assets")]
    assert loaded == []
