"""Finding companies, verifying addresses and comparing leads, in the words of the systems that were replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_assets.contracts import Lead
from lead_assets.ledger.opened import opened_ledger
from lead_assets.lookalike.encoder import FeatureSpec
from lead_assets.lookalike.index import build
from lead_assets.lookalike.index_files import save
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.lookalike.leads import past_leads
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service

SEARCH = {"query": "software", "filters": {"location": "Germany", "employee_count_min": 50, "employee_count_max": 500}, "limit": 3}


def test_a_search_answers_in_the_old_words_and_is_bought_once(service: Service) -> None:
    writer = service.client("write")
    answer = writer.post("/api/v1/discovery/search", json=SEARCH | {"sources": ["apollo", "crunchbase"]})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said.keys() == {"results", "total", "sources_queried", "quota_remaining"}
    assert (len(said["results"]), said["sources_queried"], said["quota_remaining"].keys()) == (3, ["apollo"], {"apollo"})
    names = {"company_name", "domain", "industry", "employee_count", "location", "funding_stage", "ai_adoption_score", "source"}
    assert all(result.keys() == names and 50 <= (result["employee_count"] or 50) <= 500 for result in said["results"])
    with opened_ledger(service.settings) as ledger:
        before = ledger.last_call()
        assert writer.post("/api/v1/discovery/search", json=SEARCH).json()["results"] == said["results"]
        assert ledger.last_call() == before


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"query": None, "filters": {}}, "query"),
        ({"filters": {"employee_count_min": 9, "employee_count_max": 2}}, "filters"),
        ({"filters": {"funding_stage": ["series_zz"]}}, "filters"),
        ({"sources": ["elsewhere"]}, "sources"),
        ({"limit": 0}, "limit"),
    ],
)
def test_a_search_that_cannot_be_is_refused_with_the_field(service: Service, change: dict[str, object], where: str) -> None:
    answer = service.client("write").post("/api/v1/discovery/search", json=SEARCH | change)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", where])


def test_a_search_beyond_the_money_buys_nothing_and_says_why(service: Service) -> None:
    other = SEARCH | {"query": "robots"}
    answer = service.client("write").post("/api/v1/discovery/search?max_usd=0", json=other)
    said = answer.json()
    assert (answer.status_code, said["error"], said["budgets"]) == (
        402,
        "over_budget",
        ["max_usd of this request is $0.00: allow more, or leave it out"],
    )
    with opened_ledger(service.settings) as ledger:
        ledger.set_budget("provider", 0, name="apollo")
        try:
            said = service.client("write").post("/api/v1/discovery/search", json=other).json()
        finally:
            ledger.set_budget("provider", None, name="apollo")
    assert "budget 'provider apollo' per day: raise it with `lead-assets budget set`" in said["message"]
    assert service.client("read").post("/api/v1/discovery/search", json=other).status_code == 403


def test_sources_tell_what_is_left_of_the_plans(service: Service) -> None:
    said = service.client("read").get("/api/v1/discovery/sources").json()["sources"]
    assert (said[0]["name"], said[0]["searches"]) == ("apollo", True)
    assert any(quota["left"] is not None for quota in said[0]["quotas"])


def test_an_address_is_verified_once(service: Service) -> None:
    warehouse = warehouse_of(service.settings)
    found = [{"campaign_id": "v", "lead_id": "V1", "email_normalized": "ada@acmecapital.com"}, {"campaign_id": "v", "lead_id": "V2"}]
    warehouse.write(Lead, rows(Lead, found), ["v"])
    writer = service.client("write")
    said = writer.post("/api/v1/contacts/V1/verify-email").json()
    assert (said["contact_id"], said["email"], said["email_source"]) == ("V1", "ada@acmecapital.com", "hunter")
    assert said["verified"] == (said["status"] == "valid")
    assert said["email_verified_at"] is not None
    with opened_ledger(service.settings) as ledger:
        before = ledger.last_call()
        assert writer.post("/api/v1/contacts/V1/verify-email").json() == said
        assert ledger.last_call() == before
    assert writer.post("/api/v1/contacts/V2/verify-email").status_code == 409
    assert writer.post("/api/v1/contacts/nobody/verify-email").status_code == 404


def test_a_lead_is_compared_once_there_is_an_index(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = service.client("write")
    past = past_leads(200)
    lead = past.drop("email", "is_high_value").row(7, named=True)
    without = writer.post("/score_lead", json=lead)
    assert (without.status_code, "lookalike build" in without.json()["detail"]) == (503, True)
    monkeypatch.setattr(service.settings, "lookalike_index", tmp_path / "index")
    assert writer.post("/score_lead", json=lead).status_code == 503
    save(build(past, FeatureSpec(), id_column="customer_id"), tmp_path / "index")
    said = writer.post("/score_lead", json=lead).json()
    assert {"S_look", "S_novel", "contrast", "nn_all_ids", "nn_high_ids", "is_duplicate"} <= said.keys()
    assert (len(said["nn_all_ids"]), said["nn_all_ids"][0], said["is_duplicate"]) == (20, lead["customer_id"], False)
    known = writer.post("/score_lead", json=lead | {"email": "PERSON7@firm0.example"}).json()
    assert known == {"is_duplicate": True, "reason": "email_exact_match"}
    assert writer.post("/score_lead", json=[lead]).status_code == 422
    assert service.client("read").post("/score_lead", json=lead).status_code == 403
