"""Leads that come together are answered as each alone, and an answer is kept only while nothing that it was made from changes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from lead_assets.core.suppressing import value_hash
from lead_assets.ledger.model import LOOKALIKE_INDEX
from lead_assets.ledger.opened import opened_ledger
from lead_assets.service import desk, warming
from lead_assets.service.enriching import read_lead, through_the_rooms
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.service.conftest import Service

pytestmark = pytest.mark.slow


def lead(number: int) -> dict[str, str]:
    return {"email": f"d{number}@desk{number}capital.com", "full_name": f"Dee Desk{number}", "title": "CTO", "country": "US"}


def judged(answer: dict[str, Any]) -> dict[str, Any]:
    enrichment = answer["enrichment"]
    return {name: enrichment[name] for name in ("signals", "miss_reasons", "classification", "score", "routing")}


def test_leads_that_come_together_are_answered_as_each_alone(service: Service) -> None:
    writer = service.client("write")

    def send(number: int) -> dict[str, Any]:
        answer = writer.post("/enrich?max_seconds=200", json=lead(number), timeout=200)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(send, range(6)))
        together = list(threads.map(send, range(6)))
    settings = service.settings
    with opened_ledger(settings) as ledger:
        for number, answer in enumerate(together):
            leads, found = read_lead(
                json.dumps(lead(number)).encode(), campaign=None, now=datetime.now(UTC), ledger=ledger, settings=settings
            )
            stores = {"archive": archive_of(settings), "warehouse": warehouse_of(settings)}
            alone = through_the_rooms(leads, found, ledger=ledger, settings=settings, **stores)
            assert answer["lead_id"] == (alone.lead or {})["lead_id"]
            assert answer["enrichment"]["score"]["score"] == (alone.score or {})["score"]
            assert answer["enrichment"]["routing"]["owner"] == (alone.decision or {})["owner"]
            assert answer["enrichment"]["miss_reasons"] == json.loads((alone.enriched or {})["miss_reasons"])


def test_an_answer_is_kept_until_what_it_was_made_from_changes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[int] = []
    through = desk.through_together

    def counted(leads: Any, found: Any, **stores: Any) -> None:
        worked.append(leads.height)
        through(leads, found, **stores)

    monkeypatch.setattr(desk, "through_together", counted)
    writer = service.client("write")
    first, second, third = (writer.post("/enrich?max_seconds=200", json=lead(9), timeout=200).json() for _ in range(3))
    assert worked == [1, 1], "what was bought for the first answer is in the ledger for the second, which is kept"
    assert judged(first) == judged(second) == judged(third)
    assert second == third
    with opened_ledger(service.settings) as ledger:
        ledger.pins.use(LOOKALIKE_INDEX, "", "a test")
        assert judged(writer.post("/enrich?max_seconds=200", json=lead(9), timeout=200).json()) == judged(third)
        assert worked == [1, 1, 1]
        ledger.suppress("email", value_hash(lead(9)["email"]), "a test")
    assert writer.post("/enrich", json=lead(9)).status_code == 409


def test_what_is_read_ahead_leaves_no_trace(service: Service) -> None:
    with opened_ledger(service.settings) as ledger:
        before = ledger.last_call()
        warming.warm(service.settings, ledger)
        assert ledger.last_call() == before
    assert service.client("read-pii").get("/api/v1/leads", params={"q": "acme.example"}).json()["items"] == []
