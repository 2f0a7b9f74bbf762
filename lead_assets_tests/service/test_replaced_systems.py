"""A client of each of the five systems that this one replaces sends what it always sent, with a key, and finds what it looks for.

What they send and expect is written down in the design's SERVICE_CONTRACTS; here it stands call by call, in their words.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_assets.contracts import Lead
from lead_assets.lookalike.encoder import FeatureSpec
from lead_assets.lookalike.index import build
from lead_assets.lookalike.index_files import save
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.lookalike.leads import past_leads
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service

pytestmark = pytest.mark.slow

_RAW = {"id", "campaign_id", "name", "email", "phone", "organization", "designation", "linkedin_url", "website", "status", "type"}


@pytest.fixture(scope="module")
def stored(service: Service) -> Service:
    """Two leads in the warehouse."""
    found = [
        {
            "campaign_id": "q4",
            "lead_id": f"L{n}",
            "email_normalized": f"p{n}@acmecapital.com",
            "company": "Acme",
            "full_name": f"Pat Doe {n}",
        }
        for n in range(2)
    ]
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, found), ["q4"])
    return service


def test_the_lending_form(service: Service) -> None:
    form = {
        "lead_id": "L-7001",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@acmecapital.com",
        "submitted_at": "2026-11-20T10:00:00Z",
        "phone": "+1 512 555 0142",
        "property_address": "12 Elm St",
        "property_city": "Austin",
        "property_state": "TX",
        "property_type": "single family",
        "loan_amount_requested": 450000,
        "purchase_price": 500000,
        "estimated_arv": 700000,
        "notes": "Third flip this year, has to close in two weeks",
        "source": "web",
        "utm_campaign": "q4",
    }
    client = service.client("write")
    health = client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    answer = client.post("/enrich", json=form, headers={"X-Request-ID": "req-7001"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "req-7001"), answer.text
    said = answer.json()
    flat = {"lead_id", "email", "first_name", "last_name", "loan_type", "investor_experience", "urgency_score", "outreach_message"}
    assert said.keys() == flat | {"classification_rationale", "raw", "metadata", "enrichment"}
    assert said["metadata"].keys() == {"enriched_at", "model", "schema_version", "input_tokens", "output_tokens"}
    assert (said["lead_id"], said["first_name"], said["email"], said["raw"]) == ("L-7001", "Ada", "ada@acmecapital.com", form)
    assert said["loan_type"]
    refused = client.post("/enrich", json={"notes": "no form"})
    assert refused.status_code == 422
    assert all(fault.keys() >= {"type", "loc", "msg"} for fault in refused.json()["detail"])
    assert len(client.get("/health").headers["x-request-id"]) >= 16


def test_the_campaign_pipeline(stored: Service) -> None:
    client = stored.client("admin")
    client.post("/webhooks/lead?campaign=q4", json={"email": "one@acmecapital.com"})
    assert client.get("/api/health").json()["status"] == "ok"
    assert isinstance(client.get("/api/campaigns").json(), list)
    found = client.get("/api/campaigns/q4/leads").json()
    assert [(lead.keys(), lead["id"], lead["status"]) for lead in found] == [(_RAW, "L0", "new"), (_RAW, "L1", "new")]
    said = client.post("/api/leads/L0/enrich").json()
    assert said.keys() >= _RAW | {"company_overview", "tech_stack", "funding", "news", "linkedin_posts", "enrichment_metadata"}
    assert said["enrichment_metadata"].keys() >= {"enriched_at", "signals_found", "signals_missed"}
    assert (said["id"], said["name"], said["organization"]) == ("L0", "Pat Doe 0", "Acme")


def test_the_lead_router(service: Service) -> None:
    client = service.client("admin")
    lead = {
        "email": "wanda@acmecapital.com",
        "company": "Acme",
        "full_name": "Wanda Wait",
        "title": "VP Sales",
        "source": "web",
        "country": "US",
        "event_id": "evt_7",
    }
    said = client.post("/webhooks/lead", json=lead, params={"wait": "true"}).json()
    assert said.keys() == {"status", "lead_id", "processing_time", "score", "owner", "path", "crm_id"}
    assert (said["status"], said["path"] in ("route", "nurture", "manual_review"), 0 <= said["score"] <= 1) == ("success", True, True)
    again = client.post("/webhooks/lead", json=lead, params={"wait": "true"})
    assert (again.status_code, again.json()["status"], again.json().keys() >= {"status", "message"}) == (200, "duplicate_ignored", True)
    health = client.get("/router/health").json()
    assert (health["status"], health.keys() >= {"timestamp", "version", "services"}) == ("healthy", True)
    below = client.post("/router/webhooks/lead", json=lead | {"email": "will@acmecapital.com", "event_id": "evt_8"}).json()
    assert (below["status"], below.keys()) == ("success", said.keys()), "below its own base URL, the router's client need not ask to wait"
    assert client.post("/router/webhooks/lead", json=lead).json()["status"] == "duplicate_ignored"
    assert client.get(f"/router/admin/leads/{said['lead_id']}").status_code == 200
    state = client.get(f"/admin/leads/{said['lead_id']}").json()
    assert (state["lead_id"], state["state"]) == (said["lead_id"], "received")
    assert client.get("/metrics").text.startswith("# HELP ")
    assert "lead_assets_received_leads_total" in client.get("/metrics").text


def test_the_discovery_engine(stored: Service) -> None:
    client = stored.client("admin")
    assert client.get("/api/v1/leads", params={"campaign_id": "q4", "limit": 1}).json()["items"][0]["campaign_id"] == "q4"
    assert client.post("/api/v1/leads", json={"email": "new@acmecapital.com", "company": "Acme"}).status_code == 202
    assert client.get("/api/v1/leads/L1").json()["lead_id"] == "L1"
    assert client.put("/api/v1/leads/L1", json={"title": "CTO"}).status_code == 202
    assert client.post("/api/v1/leads/search", json={"query": "Pat", "filters": {"campaign_id": "q4"}}).json()["total"] == 2
    said = client.post("/api/v1/leads/L1/enrich").json()
    assert said.keys() == {"lead_id", "enrichment_results", "new_score", "contacts_added"}
    assert all("status" in result and "data" in result for result in said["enrichment_results"].values())
    assert client.post("/api/v1/leads/L1/score").json()["score"] == said["new_score"]
    assert client.post("/api/v1/leads/import", json=[{"email": "a@acmecapital.com"}, {"email": "b@acmecapital.com"}]).json()["leads"] == 2
    assert "L1" in client.get("/api/v1/leads/export", params={"format": "csv", "campaign_id": "q4"}).text
    assert client.get("/api/v1/contacts").json()["items"]
    assert client.get("/api/v1/contacts/L1").json()["email"] == "p1@acmecapital.com"
    assert client.put("/api/v1/contacts/L1", json={"title": "CFO"}).status_code == 202
    assert client.post("/api/v1/contacts/search", json={"query": "Pat"}).json()["total"] == 2
    assert client.post("/api/v1/contacts", json={"email": "c@acmecapital.com"}).status_code == 202
    verified = client.post("/api/v1/contacts/L1/verify-email").json()
    assert verified.keys() >= {"email_verified_at", "email_source", "status"}
    search = {
        "query": "software",
        "filters": {
            "location": "Germany",
            "industry": ["SaaS"],
            "employee_count_min": 50,
            "employee_count_max": 500,
            "funding_stage": ["series_a"],
        },
        "sources": ["apollo", "hunter"],
        "limit": 5,
    }
    found = client.post("/api/v1/discovery/search", json=search).json()
    assert found.keys() == {"results", "total", "sources_queried", "quota_remaining"}
    names = {"company_name", "domain", "industry", "employee_count", "location", "funding_stage", "ai_adoption_score", "source"}
    assert all(result.keys() == names for result in found["results"])
    assert client.get("/api/v1/discovery/sources").json()["sources"]
    for kind in ("leads", "contacts"):
        assert client.delete(f"/api/v1/{kind}/nobody").status_code == 404


def test_the_embedding_scorer(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = service.client("write")
    past = past_leads(200)
    save(build(past, FeatureSpec(), id_column="customer_id"), tmp_path / "index")
    monkeypatch.setattr(service.settings, "lookalike_index", tmp_path / "index")
    assert client.get("/health").json()["status"] == "ok"
    lead = {
        "customer_id": "C-1",
        "name": "Ada Lovelace",
        "industry": "SaaS",
        "company_size": 120,
        "country": "US",
        "job_title": "VP Sales",
        "bio": "Grows revenue teams",
        "web_activity_score": 61.5,
        "email_engagement_score": 40,
        "email": "nobody@acmecapital.com",
    }
    said = client.post("/score_lead", json=lead).json()
    assert said.keys() >= {"S_look", "S_novel", "contrast", "nn_all_ids", "nn_high_ids", "is_duplicate"}
    assert (len(said["nn_all_ids"]), len(said["nn_high_ids"]), said["is_duplicate"]) == (20, 20, False)
    assert said["contrast"] == pytest.approx(said["S_look"] - (1 - said["S_novel"]), abs=1e-6)
    known = client.post("/score_lead", json=lead | {"email": past["email"][3]}).json()
    assert known == {"is_duplicate": True, "reason": "email_exact_match"}
