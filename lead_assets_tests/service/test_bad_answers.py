"""What a client is told when the model breaks its contract or a provider is down, and the page of calls."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import polars as pl
import pytest

from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.service.enriching import read_leads, through_together
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.model.test_replay import break_the_model
from lead_assets_tests.service.conftest import Service


def form(number: int) -> dict[str, str]:
    return {"lead_id": f"B-{number}", "first_name": "Bea", "last_name": "Bad", "email": f"bea@bad{number}capital.com", "notes": "two weeks"}


@pytest.mark.slow
def test_a_broken_answer_is_in_quarantine_and_its_id_is_told(service: Service, sandbox: Handle) -> None:
    break_the_model(sandbox)
    try:
        answer = service.client("write").post("/enrich", json=form(1))
        waited = service.client("admin").post("/webhooks/lead?wait=true", json=form(2)).json()
    finally:
        sandbox.clear_faults()
    said = answer.json()
    assert (answer.status_code, said["error"]) == (422, "ai_output_validation_failed")
    assert said["quarantine_id"].endswith("/B-1")
    assert said["detail"][0]["msg"]
    assert (waited["status"], waited["lead_id"], waited["owner"]) == ("success", "B-2", None), "its score is by rules, a person decides"
    settings = service.settings
    with opened_ledger(settings) as ledger:
        read = read_leads([(json.dumps(form(n)).encode(), None) for n in (1, 4)], now=datetime.now(UTC), ledger=ledger, settings=settings)
        found = [one for _, one in read]
        stores = {"archive": archive_of(settings), "warehouse": warehouse_of(settings)}
        through_together(pl.concat([leads for leads, _ in read]), found, ledger=ledger, settings=settings, **stores)
    told = [(one.quarantine is None, one.score is None, one.decision is None) for one in found]
    assert told == [(False, False, True), (True, False, False)], "in quarantine, it keeps nobody who came with it from an owner"


@pytest.mark.slow
def test_a_provider_that_is_down_is_a_missed_signal_with_its_reason(service: Service, sandbox: Handle) -> None:
    sandbox.set_fault("apollo", "status", status=503)
    try:
        answer = service.client("write").post("/enrich?max_seconds=120", json=form(3))
    finally:
        sandbox.clear_faults()
    assert answer.status_code == 200, answer.text
    said = answer.json()["enrichment"]
    assert said["signals"]["organization"]["status"] == "unknown"
    assert said["miss_reasons"]["organization"] == said["signals"]["organization"]["reason"]


def test_the_page_of_calls_fetches_nothing_from_elsewhere(service: Service) -> None:
    page = service.client("read").get("/docs")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == "default-src 'none'"
    assert "POST /webhooks/{source}" in page.text
    assert not re.search(r"(?:src|href)=\"(?!/)", page.text)
    assert service.client().get("/docs").status_code == 401
