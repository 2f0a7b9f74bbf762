"""A killed receiver loses and doubles nothing that it had accepted; who was received and erased is gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lead_assets.contracts import RawLead
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.conftest import Command
from lead_assets_tests.service.conftest import landed, serving

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def process(settings: Settings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`lead-assets serve` as a user starts it, and its URL."""
    environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home), "LEAD_ASSETS_SANDBOX_URL": str(settings.sandbox_url)}
    command = [str(Path(sys.executable).parent / "lead-assets"), "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        command, env=environment, cwd=settings.home.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        try:
            yield started, json.loads(started.stdout.readline())["url"]
        finally:
            started.kill()


def test_what_a_killed_receiver_accepted_is_landed_once(settings: Settings, command: Command) -> None:
    with opened_ledger(settings) as ledger:
        key = ledger.keys.create("sender", ["webhook"])[1]
    accepted: list[str] = []
    for number in range(3):
        with process(settings) as (started, url), httpx.Client(base_url=url, headers={"X-API-Key": key}) as sender:
            # Before, while and after the first journal is landed.
            until = time.monotonic() + 0.4 * (number + 1)
            while time.monotonic() < until:
                email = f"p{len(accepted)}@k{number}.example"
                answer = sender.post("/webhooks/lead?campaign=killed", json={"event_id": email, "email": email, "full_name": "Pat Doe"})
                assert answer.status_code == 202
                accepted.append(email)
            started.send_signal(signal.SIGKILL)
            started.wait()
    with process(settings) as (started, url):
        again = httpx.post(f"{url}/webhooks/lead", json={"event_id": accepted[0], "email": accepted[0]}, headers={"X-API-Key": key})
        for _ in range(200):
            if not list((settings.home / "receiving").glob("*.open")):
                break
            time.sleep(0.05)
        started.send_signal(signal.SIGTERM)
        started.wait()
    assert again.json()["status"] == "duplicate_ignored"
    assert len(accepted) > 10
    files = landed(settings)
    assert Counter(json.loads(line)["email"] for path in files for line in path.read_text().splitlines()) == Counter(accepted)
    command("ingest", *map(str, files), "--campaign", "killed", "--json").answer()
    command("run", "--all", "--select", "group:intake", "--json", sandbox_url=settings.sandbox_url).answer()
    assert Counter(warehouse_of(settings).read(RawLead)["email"]) == Counter(accepted)


def test_a_service_that_is_stopped_by_hand_says_nothing_of_leaks(settings: Settings) -> None:
    with process(settings) as (started, url):
        assert httpx.get(f"{url}/health").status_code == 200
        started.send_signal(signal.SIGINT)
        assert "leaked" not in started.communicate(timeout=60)[1]


def test_who_was_received_and_erased_is_not_found(settings: Settings, command: Command) -> None:
    lead = {"email": "gone@acmecapital.com", "full_name": "Gona Gone", "company": "Acme", "country": "US"}
    with contextlib.closing(serving(settings)) as started:
        service = next(started)
        said = service.client("webhook").post("/webhooks/lead?campaign=c1", json=lead).json()
        service.client("webhook").post("/webhooks/lead?campaign=c1", json=lead | {"email": "stays@acmecapital.com"})
        until = time.monotonic() + 20
        while not all(any(name in path.read_bytes() for path in landed(settings)) for name in (b"gone@", b"stays@")):
            assert time.monotonic() < until
            time.sleep(0.05)
        command("ingest", *map(str, landed(settings)), "--campaign", "c1", "--json").answer()
        for path in landed(settings):
            path.unlink()
        command("run", "--all", "--json", sandbox_url=settings.sandbox_url).answer()
        admin, address = service.client("admin"), f"/api/v1/leads/{said['lead_id']}"
        assert admin.get(address).json()["email_normalized"] == lead["email"]
        receipt = admin.delete(address)
        assert (receipt.status_code, receipt.json()["proof"]["places_left"]) == (200, 0), receipt.text
        assert admin.get(address).status_code == 404
        assert admin.get(said["status_url"]).status_code == 404
        assert admin.post(f"{address}/score").status_code == 404
        assert [item["email_normalized"] for item in admin.get("/api/v1/leads").json()["items"]] == ["stays@acmecapital.com"]
        assert "gone@" not in admin.get("/api/v1/leads/export").text
        assert admin.post("/enrich", json=lead).status_code == 409
        assert "gone@" not in json.dumps([page.text for page in (admin.get("/admin/rejects"), admin.get("/admin/quarantine"))])
