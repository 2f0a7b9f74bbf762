"""One lead on demand gives what the graph gives, within the money that is allowed; reading pages, masks and refuses."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa

from lead_assets.contracts import Lead
from lead_assets.ledger.opened import opened_ledger
from lead_assets.ledger.schema import calls
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service

FORM = {
    "lead_id": "L-1",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@acmecapital.com",
    "loan_amount_requested": 450000,
    "notes": "Third flip this year, has to close in two weeks",
    "source": "lending",
}


@pytest.fixture(scope="module")
def stored(service: Service) -> Service:
    """Three leads in the warehouse."""
    found = [
        {
            "campaign_id": "c1",
            "lead_id": f"L{n}",
            "email_normalized": f"p{n}@acmecapital.com",
            "company": f"Acme {n}",
            "full_name": "O'Neil <b>",
        }
        for n in range(3)
    ]
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, found), ["c1"])
    return service


def test_enrich_answers_flat_and_a_second_time_buys_nothing(service: Service) -> None:
    writer = service.client("write")
    answer = writer.post("/enrich", json=FORM)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    flat = {"lead_id", "email", "first_name", "last_name", "loan_type", "investor_experience", "urgency_score", "outreach_message"}
    assert flat | {"classification_rationale", "raw", "metadata", "enrichment"} == said.keys()
    assert said["raw"] == FORM
    assert said["enrichment"]["routing"]["owner"]
    with opened_ledger(service.settings) as ledger:
        before = ledger.last_call()
        assert before > 0
        assert writer.post("/enrich", json=FORM).json() == said
        assert ledger.last_call() == before


def test_what_is_beyond_max_usd_is_missed_and_says_so(service: Service) -> None:
    with opened_ledger(service.settings) as ledger:
        form = FORM | {"lead_id": "L-2", "email": "eve@othercapital.com"}
        said = service.client("write").post("/enrich?max_usd=0", json=form).json()
        assert "over_budget" in said["enrichment"]["miss_reasons"].values()
        # What other requests of this server still buy is theirs.
        own = sa.select(calls.c.cost_micros).where(calls.c.subject.contains("othercapital"))
        assert sum(row.cost_micros for row in ledger._db.read(lambda tx: tx.rows(own))) == 0


def test_the_steps_are_told_as_they_end(service: Service) -> None:
    text = service.client("write").post("/enrich/stream", json=FORM).text
    steps = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert steps == ["lead", "signals", "classification", "score", "routing", "done"]


def test_what_is_no_lead_is_refused_with_the_field(service: Service) -> None:
    answer = service.client("write").post("/enrich", json={"email": "no-address"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "email"])
    assert service.client("read").post("/enrich", json=FORM).status_code == 403


def test_pages_hold_every_lead_once_and_are_masked_without_the_scope(stored: Service) -> None:
    reader, insider = stored.client("read"), stored.client("read-pii")
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2, "sort": "lead_id", "descending": "false"} | ({"cursor": cursor} if cursor else {})
        page = insider.get("/api/v1/leads", params=query).json()
        seen += [item["lead_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["L0", "L1", "L2"]
    assert insider.get("/api/v1/leads/L1").json()["email_normalized"] == "p1@acmecapital.com"
    assert "p1@" not in reader.get("/api/v1/leads/L1").text
    assert reader.get("/api/v1/leads", params={"q": "p1"}).status_code == 403


@pytest.mark.parametrize("evil", ["' OR 1=1 --", "x'; DROP TABLE identity.leads; --", "../../etc/passwd", "\x00", "<script>"])
def test_sql_and_paths_in_values_find_nothing_and_break_nothing(stored: Service, evil: str) -> None:
    insider = stored.client("read-pii")
    assert insider.get("/api/v1/leads", params={"campaign_id": evil}).json()["items"] == []
    assert insider.get("/api/v1/leads", params={"sort": evil}).status_code == 422
    assert insider.get("/api/v1/leads", params={"cursor": evil}).status_code == 404
    assert len(insider.get("/api/v1/leads").json()["items"]) == 3


def test_a_stored_lead_is_enriched_in_the_words_of_both_systems(stored: Service) -> None:
    writer: httpx.Client = stored.client("write")
    one = writer.post("/api/leads/L1/enrich").json()
    assert (one["id"], one["organization"]) == ("L1", "Acme 1")
    assert {"enriched_at", "signals_found", "signals_missed"} <= one["enrichment_metadata"].keys()
    two = writer.post("/api/v1/leads/L1/enrich").json()
    assert two["enrichment_results"]["company_overview"]["status"] in ("found", "not_found", "unknown")
    assert two["new_score"] == writer.post("/api/v1/leads/L1/score").json()["score"]
    assert writer.post("/api/v1/leads/nobody/enrich").status_code == 404


def test_who_does_not_wait_is_told_and_a_lead_is_no_less_enriched(service: Service) -> None:
    writer, lead = service.client("write"), FORM | {"lead_id": "L-504", "email": "hurry@acmecapital.com"}
    refused = writer.post("/enrich?max_seconds=0.001", json=lead)
    assert (refused.status_code, refused.json()["error"]) == (504, "took_too_long")
    assert writer.post("/enrich?max_seconds=200", json=lead).json()["lead_id"] == "L-504"


def test_a_received_lead_can_be_asked_about_at_once(stored: Service) -> None:
    said = stored.client("webhook").post("/webhooks/lead", json={"email": "new@acmecapital.com"}).json()
    answer = stored.client("read").get(said["status_url"]).json()
    assert (answer["state"], answer["drop_id"]) == ("received", said["drop_id"])
    assert stored.client("read").get("/admin/leads/L1").json()["leads"][0]["lead_id"] == "L1"


ROUTER = {
    "event_id": "evt_w1",
    "email": "wait@acmecapital.com",
    "company": "Acme",
    "full_name": "Wanda Wait",
    "title": "VP Sales",
    "country": "US",
}


def test_a_webhook_that_waits_is_told_the_route_once(service: Service) -> None:
    admin = service.client("admin")
    answer = admin.post("/webhooks/lead?wait=true", json=ROUTER)
    said = answer.json()
    assert answer.status_code == 200, answer.text
    assert said.keys() == {"status", "lead_id", "processing_time", "score", "owner", "path", "crm_id"}
    assert (said["status"], 0 <= said["score"] <= 1, said["path"] in ("route", "nurture", "manual_review")) == ("success", True, True)
    again = admin.post("/webhooks/lead?wait=true", json=ROUTER)
    assert (again.status_code, again.json()["status"], again.json()["lead_id"]) == (200, "duplicate_ignored", said["lead_id"])
    enriched = admin.post("/enrich", json=ROUTER).json()
    assert (enriched["lead_id"], enriched["enrichment"]["routing"]["owner"]) == (said["lead_id"], said["owner"])


def test_without_an_event_id_the_address_is_the_event(service: Service) -> None:
    admin = service.client("admin")
    lead = {"email": "Same@AcmeCapital.com", "full_name": "Sam Same"}
    assert admin.post("/webhooks/lead", json=lead, headers={"Prefer": "wait=30"}).json()["status"] == "success"
    again = admin.post("/webhooks/lead", json=lead | {"email": "same@acmecapital.com"}, headers={"Prefer": "respond-async, wait=30"})
    assert again.json()["status"] == "duplicate_ignored"


def test_waiting_needs_the_scope_that_buys_one_lead_and_enough_time(service: Service) -> None:
    sender, admin = service.client("webhook"), service.client("admin")
    lead = {"email": "patience@acmecapital.com"}
    assert sender.post("/webhooks/lead?wait=true", json=lead).status_code == 403
    assert sender.post("/webhooks/lead", json=lead, headers={"Prefer": "wait=30"}).status_code == 202
    assert admin.post("/webhooks/lead?wait=true", json=[lead, {"email": "two@acmecapital.com"}]).status_code == 202
    assert admin.post("/webhooks/lead?wait=true", json={"email": "hasty@acmecapital.com"}, headers={"Prefer": "wait=0"}).status_code == 202


def test_a_key_buys_no_more_than_its_budget(service: Service) -> None:
    with opened_ledger(service.settings) as ledger:
        poor = ledger.keys.create("poor", ["write"], budget_micros=1)[1]
        answer = service.client().post(
            "/enrich", json=FORM | {"lead_id": "L-poor", "email": "pia@poorcapital.com"}, headers={"Authorization": f"Bearer {poor}"}
        )
        assert "over_budget" in answer.json()["enrichment"]["miss_reasons"].values()
        own = sa.select(calls.c.cost_micros).where(calls.c.subject.contains("poorcapital"))
        assert sum(row.cost_micros for row in ledger._db.read(lambda tx: tx.rows(own))) == 0
