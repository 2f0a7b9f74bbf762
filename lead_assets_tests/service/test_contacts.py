"""Contacts, searches, changes and pages over HTTP, in the words of the discovery engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lead_assets.contracts import CampaignFunnel, EmailAddress, Lead, Score
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def stored(service: Service) -> Service:
    """Five leads, three of them scored, the first with a verified address."""
    key = [{"campaign_id": "k1", "lead_id": f"K{n}"} for n in range(5)]
    leads = [
        each
        | {
            "email": f"p{n}@acmecapital.com",
            "email_normalized": f"p{n}@acmecapital.com",
            "full_name": f"Pat{n} Doe",
            "name_first": f"Pat{n}",
            "company": f"Acme {n}",
            "country_code": "US" if n % 2 else "DE",
            "received_at": AT + timedelta(hours=n),
        }
        for n, each in enumerate(key)
    ]
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, leads), ["k1"])
    scores = [each | {"score": 10.0 * n, "tier": "hot" if n == 2 else "cold", "path": "route"} for n, each in enumerate(key[:3])]
    warehouse.write(Score, rows(Score, scores), ["k1"])
    email = key[0] | {"state": "found", "email_grade": "valid", "email_from": "own", "provider": "hunter", "as_of": AT, "email_score": 97}
    warehouse.write(EmailAddress, rows(EmailAddress, [email]), ["k1"])
    return service


def pages(service: Service, path: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    client, items, cursor = service.client("read-pii"), [], None
    while True:
        page = client.post(path, json=asked | ({"cursor": cursor} if cursor else {})).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


@pytest.mark.parametrize("sort", ["received_at", "lead_id", "company", "score"])
@pytest.mark.parametrize("descending", [True, False])
def test_a_search_by_pages_has_every_lead_once_in_order(stored: Service, sort: str, descending: bool) -> None:
    found = pages(stored, "/api/v1/leads/search", {"filters": {"campaign_id": "k1"}, "sort": sort, "descending": descending, "limit": 2})
    ids = [item["lead_id"] for item in found]
    # Nothing is known of the score of K3 and K4: they come after the others, or before them.
    expected = [f"K{n}" for n in range(5)] if sort != "score" else ["K3", "K4", "K0", "K1", "K2"]
    assert ids == (expected[::-1] if descending else expected)


def test_a_search_filters_counts_and_is_masked(stored: Service) -> None:
    insider, reader = stored.client("read-pii"), stored.client("read")
    said = insider.post("/api/v1/leads/search", json={"query": "pat1", "filters": {"country_code": ["US", "FR"]}}).json()
    assert ([item["lead_id"] for item in said["items"]], said["total"]) == (["K1"], 1)
    hot = reader.post("/api/v1/leads/search", json={"filters": {"tier": "hot", "min_score": 15}}).json()
    assert [(item["lead_id"], item["full_name"]) for item in hot["items"]] == [("K2", "***")]
    assert reader.post("/api/v1/leads/search", json={"query": "pat1"}).status_code == 403
    assert reader.post("/api/v1/leads/search", json={"filters": {"email": "p1@acmecapital.com"}}).status_code == 403
    assert reader.post("/api/v1/leads/search", json={"filters": {"1=1; --": "x"}}).status_code == 422
    assert insider.post("/api/v1/leads/search", json={"filters": {"tier": "' OR 1=1 --"}}).json()["total"] == 0


def test_a_contact_is_the_person_of_a_lead(stored: Service) -> None:
    insider, writer = stored.client("read-pii"), stored.client("write")
    said = insider.get("/api/v1/contacts/K0").json()
    assert (said["id"], said["email"], said["email_verified"], said["email_source"]) == ("K0", "p0@acmecapital.com", True, "hunter")
    assert said["email_verified_at"].startswith("2026-11-01")
    assert "p0@" not in stored.client("read").get("/api/v1/contacts/K0").text
    listed = insider.get("/api/v1/contacts", params={"campaign_id": "k1", "limit": 3}).json()
    assert ([item["id"] for item in listed["items"]], listed["next_cursor"] is None) == (["K4", "K3", "K2"], False)
    assert insider.post("/api/v1/contacts/search", json={"query": "pat3"}).json()["items"][0]["first_name"] == "Pat3"
    created = writer.post("/api/v1/contacts", json={"email": "new@acmecapital.com"})
    assert (created.status_code, created.json()["leads"]) == (202, 1)
    for change in (writer.put, writer.patch):
        assert change("/api/v1/contacts/K1", json={"title": "CFO"}).json()["lead_id"] == "K1"
    assert insider.get("/api/v1/contacts/nobody").status_code == 404
    assert writer.delete("/api/v1/contacts/K1").status_code == 403


def test_deleting_a_contact_erases_the_person(stored: Service) -> None:
    admin = stored.client("admin")
    assert admin.delete("/api/v1/contacts/K4").json()["proof"]["places_left"] == 0
    assert "p4@" not in admin.get("/api/v1/contacts/K4").text


def test_a_leads_row_says_what_it_became(stored: Service) -> None:
    said = stored.client("read").get("/api/v1/leads/K2").json()
    assert (said["score"], said["tier"], said["enrichment_status"], said["enriched_at"]) == (20.0, "hot", "completed", None)
    assert stored.client("read").get("/api/v1/leads/K3").json()["enrichment_status"] == "pending"


def test_campaigns_by_pages_are_each_there_once(stored: Service) -> None:
    warehouse = warehouse_of(stored.settings)
    funnels = [{"campaign_id": f"k{n}", "leads": n % 3, "cost_usd": f"0.{n}"} for n in range(5)]
    for funnel in funnels:
        warehouse.write(CampaignFunnel, rows(CampaignFunnel, [funnel]), [str(funnel["campaign_id"])])
    reader = stored.client("read")
    for sort in ("campaign_id", "leads", "cost_usd"):
        for descending in (False, True):
            found: list[dict[str, object]] = []
            asked = {"q": "K", "sort": sort, "descending": descending, "limit": 2}
            while True:
                page = reader.get("/api/v1/campaigns", params=asked).json()
                found += page["items"]
                if page["next_cursor"] is None:
                    break
                asked["cursor"] = page["next_cursor"]
            assert [row["campaign_id"] for row in found] == [
                each["campaign_id"]
                for each in sorted(funnels, key=lambda each: (each[sort], each["campaign_id"]), reverse=descending)  # type: ignore[index]
            ]
    assert {row["campaign_id"] for row in reader.get("/api/v1/campaigns?min_leads=2").json()["items"]} == {"k2"}
    assert reader.get("/api/v1/campaigns?cursor=x").status_code == 404
