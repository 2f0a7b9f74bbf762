"""Aturiya, Apollo, Hunter, HubSpot, Slack, Segment and SendGrid: wire format, refusals, and what is billed or kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lead_assets.sandbox import Handle, start
from lead_assets.sandbox.world import Company, company
from lead_assets_tests.sandbox.asking import client, run

_APOLLO, _HUNTER = "/apollo/api/v1", "/hunter/v2"


def _companies(count: int = 30) -> list[Company]:
    return [company(f"vendor-test-{i}.example") for i in range(count)]


# --- every vendor ---

_ROUTES = {
    "pipe0": ("POST", "/pipe0/v1/pipes/run/sync", 401, "unauthorized"),
    "anthropic": ("POST", "/anthropic/v1/messages", 401, "authentication_error"),
    "aturiya": ("GET", "/aturiya/users/u/agents/sdr/a/campaigns", 401, "Not authenticated"),
    "apollo": ("GET", f"{_APOLLO}/organizations/enrich?domain=a.example", 401, "Invalid API key"),
    "hunter": ("GET", f"{_HUNTER}/account", 401, "errors"),
    "hubspot": ("GET", "/hubspot/crm/v3/owners", 401, "INVALID_AUTHENTICATION"),
    "slack": ("POST", "/slack/api/auth.test", 200, '"ok":false'),
    "segment": ("POST", "/segment/v1/batch", 401, "write key"),
    "sendgrid": ("PUT", "/sendgrid/v3/marketing/contacts", 401, "authorization grant"),
}


@pytest.mark.parametrize("service", _ROUTES)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer invalid"}, {"x-api-key": "invalid"}])
def test_a_missing_or_refused_credential_gets_the_vendors_own_answer(sandbox: Handle, service: str, headers: dict[str, str]) -> None:
    method, path, status, words = _ROUTES[service]
    refused = httpx2.request(method, sandbox.url + path, headers=headers, json=None if method == "GET" else {}, trust_env=False)
    assert refused.status_code == status
    assert words in refused.text
    assert sandbox.billed(service) == 0
    if service == "apollo":
        assert refused.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("service", _ROUTES)
def test_an_unknown_path_is_the_vendors_404(sandbox: Handle, service: str) -> None:
    prefix = {"apollo": _APOLLO, "hunter": _HUNTER}.get(service, f"/{service}")
    with client(sandbox) as http:
        assert http.get(f"{prefix}/no/such/path", auth=("key", "") if service == "segment" else None).status_code == 404


# --- Aturiya ---


def test_campaigns_are_listed_and_their_leads_paged(sandbox: Handle) -> None:
    base = "/aturiya/users/anyone/agents/sdr/any"
    with client(sandbox) as http:
        for campaign in http.get(f"{base}/campaigns").json()["data"]:
            leads, page = [], 1
            while True:
                body = http.get(f"{base}/leads", params={"campaign_id": campaign["id"], "page": page, "per_page": 3}).json()
                leads += body["data"]
                assert body["pagination"]["page"] == page
                if not body["pagination"]["has_next_page"]:
                    break
                page += 1
            assert page == body["pagination"]["total_pages"] > 1
            assert len({lead["lead_id"] for lead in leads}) == len(leads) == campaign["total_leads"]
            assert {lead["campaign_id"] for lead in leads} == {campaign["id"]}
        assert http.get(f"{base}/leads", params={"campaign_id": "nobody"}).status_code == 404
        assert http.get(f"{base}/leads", params={"page": "0"}).status_code == 422


def test_another_file_of_campaigns_is_served(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"campaigns": [{"id": 7, "name": "Own", "leads": [{"lead_id": "x", "campaign_id": 7}]}]}), "utf-8")
    with start(campaigns=path) as own, client(own) as http:
        assert http.get("/aturiya/users/u/agents/sdr/a/campaigns").json()["data"] == [{"id": 7, "name": "Own", "total_leads": 1}]
        assert http.get("/aturiya/users/u/agents/sdr/a/leads?campaign_id=7").json()["data"] == [{"lead_id": "x", "campaign_id": 7}]


# --- Apollo ---


def test_apollo_agrees_with_pipe0_about_a_company(sandbox: Handle) -> None:
    checked = 0
    with client(sandbox) as http:
        for facts in _companies():
            pipes = ("company:overview@2", "company:funding:leadmagic@1", "company:techstack:builtwith@1")
            fields = run(http, facts.domain, pipes=pipes).json()["records"][facts.domain]["fields"]
            organization = http.get(f"{_APOLLO}/organizations/enrich", params={"domain": facts.domain}).json()["organization"]
            if organization is None or fields["headcount"]["value"] is None or fields["technology_list"]["value"] is None:
                continue
            low, _, high = fields["headcount"]["value"].rstrip("+").partition("-")
            assert int(low) <= organization["estimated_num_employees"] <= int(high or 10**9)
            assert fields["company_industry"]["value"].lower() == organization["industry"]
            assert (fields["funding_total_usd"]["value"] or None) == organization["total_funding"]
            assert fields["technology_list"]["value"] == organization["technology_names"]
            checked += 1
    assert checked > 15


def test_apollo_bills_what_it_finds_and_bulk_keeps_the_order(sandbox: Handle) -> None:
    domains = [facts.domain for facts in _companies(10)]
    with client(sandbox) as http:
        bulk = http.post(f"{_APOLLO}/organizations/bulk_enrich", params={"domains[]": domains}).json()
        named = http.post(f"{_APOLLO}/organizations/bulk_enrich", json={"details": [{"domain": domain} for domain in domains]}).json()
        too_many = http.post(f"{_APOLLO}/organizations/bulk_enrich", json={"details": [{"domain": "a.example"}] * 11})
        missing = http.get(f"{_APOLLO}/organizations/enrich")
    assert bulk == named
    assert [each and each["primary_domain"] for each in bulk["organizations"]] == [
        domain if each else None for domain, each in zip(domains, bulk["organizations"], strict=True)
    ]
    assert bulk["credits_consumed"] == bulk["unique_enriched_records"] == 10 - bulk["missing_records"] > 0
    assert sandbox.billed("apollo") == 2 * bulk["credits_consumed"]
    assert (too_many.status_code, too_many.json()["error_code"]) == (400, "RECORD_LIMIT_EXCEEDED")
    assert (missing.status_code, missing.json()) == (422, {"error": "Required parameter 'domain' missing"})


def test_people_are_matched_by_what_is_known_of_them(sandbox: Handle) -> None:
    people = [facts.people[0] for facts in _companies(8)]
    details = [{"email": each.email, "first_name": each.first_name, "last_name": each.last_name} for each in people]
    with client(sandbox) as http:
        bulk = http.post(f"{_APOLLO}/people/bulk_match", json={"details": details}).json()
        single = [http.post(f"{_APOLLO}/people/match", params=each).json()["person"] for each in details]
        by_id = http.post(f"{_APOLLO}/people/match", params={"id": next(each["id"] for each in single if each)}).json()["person"]
        nobody = http.post(f"{_APOLLO}/people/match", params={"email": "someone@gmail.com"}).json()
    assert bulk["matches"] == single
    assert by_id in single
    assert bulk["missing_records"] == single.count(None)
    for who, match in zip(people, single, strict=True):
        assert match is None or (match["name"], match["email"], match["title"]) == (who.name, who.email, who.title)
    assert nobody["person"] is None
    assert bulk["status"] == "success"


def test_a_search_finds_companies_and_people_to_enrich(sandbox: Handle) -> None:
    filters = {"organization_num_employees_ranges": ["50,500"], "organization_locations": ["United States"]}
    with client(sandbox) as http:
        found = http.post(
            f"{_APOLLO}/mixed_companies/search", json={**filters, "q_organization_keyword_tags": ["software"], "per_page": 5}
        ).json()
        people = http.post(f"{_APOLLO}/mixed_people/api_search", params={"organization_ids[]": found["organizations"][0]["id"]}).json()
        first = people["people"][0]
        matched = http.post(f"{_APOLLO}/people/match", json={"id": first["id"]}).json()["person"]
        postings = http.get(f"{_APOLLO}/organizations/{found['organizations'][0]['id']}/job_postings").json()["organization_job_postings"]
        usage = http.post(f"{_APOLLO}/usage_stats/credit_usage_stats").json()["credit_usage_stats"]["lead_credit"]
    assert 0 < len(found["organizations"]) <= 5
    for each in found["organizations"]:
        facts = company(each["primary_domain"])
        assert 50 <= facts.headcount <= 500
        assert facts.country == "United States"
    assert "email" not in first
    assert matched["first_name"] == first["first_name"]
    assert [each["title"] for each in postings] == [each.title for each in company(found["organizations"][0]["primary_domain"]).postings]
    assert all({"id", "url", "posted_at", "last_seen_at"} <= set(each) for each in postings)
    assert people["total_entries"] == len(people["people"])
    assert sandbox.meter()["apollo"]["mixed_people/api_search"]["billed"] == 0
    assert usage["consumed"] == sandbox.billed("apollo") == 3
    assert usage["left_over"] == usage["limit"] - 3


# --- Hunter ---


def _verified(http: httpx2.Client, email: str) -> dict[str, Any]:
    for _ in range(3):
        reply = http.get(f"{_HUNTER}/email-verifier", params={"email": email})
        if reply.status_code != 202:
            found: dict[str, Any] = reply.json()["data"]
            return found
    raise AssertionError("still pending")


def test_the_verifier_accepts_the_companys_pattern_and_little_else(sandbox: Handle) -> None:
    strict = [facts for facts in _companies(60) if not facts.accept_all and facts.mail_pattern == "{first}.{last}"]
    with client(sandbox) as http:
        right = [_verified(http, facts.people[0].email)["status"] for facts in strict]
        wrong = [_verified(http, f"{facts.people[0].first_name.lower()}@{facts.domain}")["status"] for facts in strict]
        catch_all = next(facts for facts in _companies(60) if facts.accept_all)
        assert {_verified(http, f"x{i}@{catch_all.domain}")["status"] for i in range(5)} <= {"accept_all", "unknown"}
        assert _verified(http, "ana@gmail.com")["status"] == "webmail"
    assert right.count("valid") > 0.8 * len(strict)
    assert wrong.count("invalid") > 0.8 * len(strict)


def test_the_verifier_may_ask_to_come_back_and_bills_half_a_credit_once(sandbox: Handle) -> None:
    sandbox.set_fault("hunter", "pending", match="slow@")
    email = "slow@vendor-test-1.example"
    with client(sandbox) as http:
        assert http.get(f"{_HUNTER}/email-verifier", params={"email": email}).status_code == 202
        assert sandbox.billed("hunter") == 0
        sandbox.clear_faults()
        _verified(http, email)
    assert sandbox.subjects("hunter")["email-verifier"] == {email: 1}


def test_the_finder_knows_most_people_and_misses_are_free(sandbox: Handle) -> None:
    with client(sandbox) as http:
        params = [{"domain": facts.domain, "first_name": "Ines", "last_name": "Garza"} for facts in _companies(20)]
        found = [http.get(f"{_HUNTER}/email-finder", params=each).json()["data"]["email"] for each in params]
        listed = http.get(f"{_HUNTER}/domain-search", params={"domain": "vendor-test-1.example", "limit": 2}).json()
    assert None in found
    assert sandbox.meter()["hunter"]["email-finder"]["billed"] == len([each for each in found if each]) > 10
    assert all(each == company(each.partition("@")[2]).address("Ines", "Garza") for each in found if each)
    assert len(listed["data"]["emails"]) <= 2 <= listed["meta"]["results"]


def test_hunter_says_403_when_too_fast_and_429_when_the_quota_is_gone_and_451_for_the_protected(sandbox: Handle) -> None:
    sandbox.set_fault("hunter", "rate_limit", rate=1, window=30, operation="account")
    sandbox.set_fault("hunter", "status", status=429, operation="domain-search")
    with client(sandbox) as http:
        replies = [http.get(f"{_HUNTER}/account") for _ in range(31)]
        spent = http.get(f"{_HUNTER}/domain-search", params={"domain": "a.example"})
        protected = http.get(f"{_HUNTER}/email-verifier", params={"email": "do-not-process@a.example"})
    assert [each.status_code for each in replies] == [200] * 30 + [403]
    assert "retry-after" not in replies[-1].headers
    assert "billing period" in spent.json()["errors"][0]["details"]
    assert (protected.status_code, protected.json()["errors"][0]["id"]) == (451, "claimed_email")


# --- destinations ---


def _contact(email: str, **properties: str) -> dict[str, Any]:
    return {"id": email, "idProperty": "email", "properties": {"email": email, **properties}, "objectWriteTraceId": f"trace-{email}"}


def test_hubspot_upserts_by_email_and_reports_each_failure(sandbox: Handle) -> None:
    sandbox.set_fault("hubspot", "item_error", match="bad@")
    path = "/hubspot/crm/v3/objects/contacts/batch/upsert"
    with client(sandbox) as http:
        first = http.post(path, json={"inputs": [_contact("ana@a.example", company="A")]})
        second = http.post(path, json={"inputs": [_contact("ANA@a.example", lead_score="82"), _contact("bad@a.example")]})
        dated = http.post("/hubspot/crm/objects/2026-03/contacts/batch/upsert", json={"inputs": [_contact("bo@a.example")]})
        too_many = http.post(path, json={"inputs": [_contact(f"p{i}@a.example") for i in range(101)]})
        owners = http.get("/hubspot/crm/v3/owners").json()["results"]
        body = {"filterGroups": [{"filters": [{"propertyName": "lead_score", "operator": "EQ", "value": "82"}]}]}
        found = http.post("/hubspot/crm/v3/objects/contacts/search", json=body).json()
    assert (first.status_code, first.json()["results"][0]["new"]) == (200, True)
    assert (second.status_code, second.json()["numErrors"], second.json()["results"][0]["new"]) == (207, 1, False)
    assert second.json()["errors"][0]["context"]["objectWriteTraceId"] == ["trace-bad@a.example"]
    assert first.json()["results"][0]["id"] == second.json()["results"][0]["id"] != dated.json()["results"][0]["id"]
    assert too_many.status_code == 400
    assert found["total"] == 1
    assert {"id", "email", "type"} <= set(owners[0])
    assert set(sandbox.state("hubspot")["contacts"]) == {"ana@a.example", "bo@a.example"}
    assert sandbox.subjects("hubspot")["contacts/batch/upsert"] == {"ana@a.example": 2, "bo@a.example": 1}
    assert sandbox.billed("hubspot") == 0


def test_slack_refuses_with_200_and_its_webhook_in_plain_words(sandbox: Handle) -> None:
    sandbox.set_fault("slack", "ok_false", match="Cflaky", body="fatal_error")
    with client(sandbox) as http:

        def post(**body: object) -> Any:
            reply = http.post("/slack/api/chat.postMessage", json=body)
            assert reply.status_code == 200
            return reply.json()

        assert post(channel="C1", text="Hot lead")["ok"] is True
        for wrong, word in (
            ({"channel": "C1"}, "no_text"),
            ({"channel": "Cmissing", "text": "x"}, "channel_not_found"),
            ({"channel": "Carchived", "text": "x"}, "is_archived"),
            ({"channel": "Cflaky", "text": "x"}, "fatal_error"),
        ):
            assert post(**wrong) == {"ok": False, "error": word}
        good = http.post("/slack/services/T1/B1/secret", json={"text": "Hot lead"})
        gone = http.post("/slack/services/T1/B1/gone", json={"text": "Hot lead"})
        broken = http.post("/slack/services/T1/B1/secret", content=b"{")
    assert (good.status_code, good.text) == (200, "ok")
    assert (gone.status_code, gone.text) == (404, "no_service")
    assert (broken.status_code, broken.text) == (400, "invalid_payload")
    assert [each["channel"] for each in sandbox.state("slack")["messages"]] == ["C1", "webhook:T1/B1"]


def test_slack_limits_a_channel(sandbox: Handle) -> None:
    sandbox.set_fault("slack", "rate_limit", rate=1, window=20, match="C1")
    with client(sandbox) as http:
        replies = [http.post("/slack/api/chat.postMessage", json={"channel": "C1", "text": str(i)}) for i in range(21)]
        other = http.post("/slack/api/chat.postMessage", json={"channel": "C2", "text": "x"})
    assert (replies[-1].status_code, replies[-1].json()) == (429, {"ok": False, "error": "ratelimited"})
    assert int(replies[-1].headers["retry-after"]) >= 1
    assert other.status_code == 200
    assert sandbox.meter()["slack"]["_rate_limited"]["requests"] == 1


def test_segment_takes_events_once_and_drops_others_without_a_word(sandbox: Handle) -> None:
    sandbox.set_fault("segment", "dropped_events", match="quiet")
    event = {"type": "track", "event": "Lead Enriched", "userId": "lead-1", "messageId": "m1"}
    with client(sandbox) as http:
        http.headers.pop("authorization")

        def batch(*events: object) -> httpx2.Response:
            return http.post("/segment/v1/batch", json={"batch": list(events)}, auth=("key", ""))

        assert batch(event, event, {**event, "messageId": "m2", "event": "quiet"}, {"type": "track", "messageId": "m3"}).json() == {
            "success": True
        }
        assert batch(*[{**event, "messageId": str(i)} for i in range(2501)]).status_code == 200
        assert batch({**event, "properties": {"x": "y" * 500_000}}).status_code == 400
        assert http.post("/segment/v1/identify", json={"userId": "lead-1", "messageId": "m4", "writeKey": "key"}).status_code == 200
    state = sandbox.state("segment")
    assert [each["messageId"] for each in state["events"]] == ["m1", "m4"]
    assert state["dropped"] == 2 + 2501
    assert sandbox.subjects("segment")["batch"] == {"m1": 2}


def test_sendgrid_imports_contacts_as_a_job(sandbox: Handle) -> None:
    sandbox.set_fault("sendgrid", "item_error", match="bad@")
    with client(sandbox) as http:
        contacts = [{"email": "Ana@a.example", "first_name": "Ana"}, {"email": "bad@a.example"}]
        job = http.put("/sendgrid/v3/marketing/contacts", json={"contacts": contacts})
        assert job.status_code == 202
        path = f"/sendgrid/v3/marketing/contacts/imports/{job.json()['job_id']}"
        assert http.get(path).json()["status"] == "pending"
        time.sleep(0.15)
        done = http.get(path).json()
        refused = http.put("/sendgrid/v3/marketing/contacts", json={"contacts": [{"first_name": "Nobody"}]})
    assert (done["status"], done["results"]["created_count"], done["results"]["errored_count"]) == ("errored", 1, 1)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "contacts[0]")
    assert set(sandbox.state("sendgrid")["contacts"]) == {"ana@a.example"}
