"""pipe0's wire format: runs, fields, validation, priorities, and what is billed."""

from __future__ import annotations

import time

import pytest

from lead_assets.sandbox import Handle
from lead_assets.sandbox.pipe0.pipes import PIPES, UNKNOWN_COMPANIES
from lead_assets_tests.sandbox.asking import client, run


def _known(count: int = 1) -> list[str]:
    """Domains that the overview knows."""
    find = PIPES["company:overview@2"].find
    names = (f"known{i}.example" for i in range(1000))
    return [name for name in names if find(name, {}).status == "completed" and len(find(name, {}).values) == 7][:count]


def test_a_sync_run_answers_each_record_with_string_fields(sandbox: Handle) -> None:
    (domain,) = _known()
    with client(sandbox) as http:
        body = run(http, domain).json()
    assert (body["status"], body["order"], body["errors"], body["field_definitions"]) == ("completed", [domain], [], {})
    fields = body["records"][domain]["fields"]
    outputs = ("company_description", "company_industry", "company_region", "estimated_revenue", "founded_year", "headcount")
    assert set(fields) == {*outputs, "company_website_url"}  # company_name is off by default
    for name in outputs:
        assert isinstance(fields[name]["value"], str)
        assert fields[name]["status"] == "completed"
        assert fields[name]["resolved_by"]["ref"] == "company:overview@2"
    assert fields["company_website_url"]["resolved_by"]["ref"] == "input"


def test_about_one_company_in_eight_is_unknown_and_is_billed_all_the_same(sandbox: Handle) -> None:
    domains = [f"anyone{i}.example" for i in range(100)]
    with client(sandbox) as http:
        records = run(http, *domains).json()["records"]
    missed = [each for each in records.values() if each["fields"]["headcount"]["status"] == "no_result"]
    assert abs(len(missed) / 100 - UNKNOWN_COMPANIES) < 0.1
    assert missed[0]["fields"]["headcount"]["value"] is None
    assert missed[0]["fields"]["headcount"]["reason"]["code"] == "NoResult"
    assert sandbox.meter()["pipe0"] == {"company:overview@2": {"requests": 1, "billed": 100, "usd": 3.0}}


def test_on_success_pipes_bill_hits_only_and_always_pipes_bill_misses(sandbox: Handle) -> None:
    pipes = ("company:funding:leadmagic@1", "company:newssummary:website@1", "company:techstack:builtwith@1")
    with client(sandbox) as http:
        records = run(http, *(f"mixed{i}.example" for i in range(60)), pipes=pipes).json()["records"].values()
    funded = sum(each["fields"]["funding_total_usd"]["status"] == "completed" for each in records)
    meter = sandbox.meter()["pipe0"]
    assert 0 < funded < 60
    assert meter["company:funding:leadmagic@1"]["billed"] == funded
    assert meter["company:funding:leadmagic@1"]["usd"] == pytest.approx(funded * 0.06)
    assert meter["company:newssummary:website@1"]["billed"] == 60
    assert meter["company:techstack:builtwith@1"]["usd"] == pytest.approx(60 * 0.06)


def test_values_have_the_shapes_of_the_catalog(sandbox: Handle) -> None:
    pipes = ("company:funding:leadmagic@1", "company:techstack:builtwith@1")
    with client(sandbox) as http:
        records = run(http, *(f"shape{i}.example" for i in range(40)), pipes=pipes).json()["records"].values()
        posts = http.post(
            "/pipe0/v1/pipes/run/sync",
            json={
                "pipes": [{"pipe_id": "people:posts:crustdata@1", "config": {"limit": 5}}],
                "input": [{"id": i, "profile_url": f"https://www.linkedin.com/in/pat-person-{i}"} for i in range(10)],
            },
        ).json()["records"]
    fields = next(each["fields"] for each in records if each["fields"]["funding_history"]["status"] == "completed")
    assert set(fields["funding_history"]["value"][0]) == {"round", "date", "amount", "investors"}
    assert fields["funding_history"]["value"][0]["amount"].startswith("$")
    total = sum(int(each["amount"].replace("$", "").replace(",", "")) for each in fields["funding_history"]["value"])
    assert fields["funding_total_usd"]["value"] == total
    stack = next(each["fields"] for each in records if each["fields"]["technology_list"]["status"] == "completed")
    match = stack["technology_match_builtwith"]["value"]
    assert set(match) == {"spend_history", "spending_trend", "technology_list", "technologies_by_tag"}
    assert sorted({name for names in match["technologies_by_tag"].values() for name in names}) == stack["technology_list"]["value"]
    found = [each["fields"]["crustdata_post_list"]["value"] for each in posts.values() if each["fields"]["crustdata_post_list"]["value"]]
    assert found
    assert all(len(each) <= 5 for each in found)
    assert {"share_url", "text", "actor_name", "date_posted", "total_reactions"} <= set(found[0][0])
    charged = sandbox.meter()["pipe0"]["people:posts:crustdata@1"]
    assert charged["billed"] == len(found)
    assert charged["usd"] == pytest.approx(len(found) * 7.5 * 0.03)


def test_a_record_without_the_input_is_skipped_and_free(sandbox: Handle) -> None:
    with client(sandbox) as http:
        records = run(http, "some.example", None).json()["records"]
    assert records["none"]["fields"]["headcount"]["status"] == "skipped"
    assert records["none"]["fields"]["headcount"]["reason"]["code"] == "RequirementUnmet"
    assert sandbox.subjects("pipe0") == {"company:overview@2": {"some.example": 1}}


def test_values_that_are_given_are_kept_and_cost_nothing(sandbox: Handle) -> None:
    record = {"id": "a", "company_website_url": "https://a.example", "company_news_summary": "mine"}
    with client(sandbox) as http:
        body = {"pipes": [{"pipe_id": "company:newssummary:website@1"}], "input": [record]}
        fields = http.post("/pipe0/v1/pipes/run/sync", json=body).json()["records"]["a"]["fields"]
    assert fields["company_news_summary"]["value"] == "mine"
    assert fields["company_news_summary"]["resolved_by"]["ref"] == "input"
    assert sandbox.billed("pipe0") == 0


def test_outputs_can_be_enabled_and_renamed_and_the_vendors_own_sandbox_is_free(sandbox: Handle) -> None:
    (domain,) = _known()
    config = {"output_fields": {"company_name": {"enabled": True, "alias": "name"}, "headcount": {"enabled": False}}}
    body = {
        "config": {"environment": "sandbox"},
        "pipes": [{"pipe_id": "company:overview@2", "config": config}],
        "input": [{"id": 7, "company_website_url": domain}],
    }
    with client(sandbox) as http:
        answer = http.post("/pipe0/v1/pipes/run/sync", json=body).json()
    assert answer["order"] == [7]
    fields = answer["records"]["7"]["fields"]
    assert fields["name"]["value"]
    assert "headcount" not in fields
    assert sandbox.billed("pipe0") == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"pipes": [], "input": [{"id": 1}]}, "ValidationFailed"),
        ({"pipes": [{"pipe_id": "company:gossip@1"}], "input": [{"id": 1}]}, "UnknownResolver"),
        ({"pipes": [{"pipe_id": "company:overview@2"}], "input": [{"id": 1, "name": "x"}]}, "RequirementUnmet"),
        ({"pipes": [{"pipe_id": "company:overview@2"}], "input": [{"id": 1, "company_website_url": "a.example"}] * 2}, "IDConflict"),
        (
            {"pipes": [{"pipe_id": "company:overview@2"}] * 2, "input": [{"id": 1, "company_website_url": "a.example"}]},
            "DuplicatePipeOutput",
        ),
        (
            {"pipes": [{"pipe_id": "company:overview@2"}], "input": [{"id": i, "company_website_url": "a.example"} for i in range(101)]},
            "ValidationFailed",
        ),
    ],
)
def test_a_request_that_cannot_run_is_refused_and_free(sandbox: Handle, body: object, code: str) -> None:
    with client(sandbox) as http:
        refused = http.post("/pipe0/v1/pipes/run/sync", json=body)
        assert http.post("/pipe0/v1/pipes/validate", json=body).status_code == 400
    assert refused.status_code == 400
    assert code in [each["code"] for each in refused.json()["errors"]]
    assert sandbox.billed("pipe0") == 0


def test_an_async_run_is_polled_to_its_end_and_billed_once(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "run_delay", latency_ms=150)
    with client(sandbox) as http:
        begun = run(http, "later.example", path="run").json()
        assert begun["status"] == "pending"
        assert begun["records"]["later.example"]["fields"]["headcount"]["status"] == "pending"
        seen = {begun["status"]}
        while "completed" not in seen:
            time.sleep(0.02)
            seen.add(http.get(f"/pipe0/v1/pipes/check/{begun['id']}").json()["status"])
        assert http.post(f"/pipe0/v1/pipes/cancel/{begun['id']}").status_code == 409
        assert http.get("/pipe0/v1/pipes/check/nobody").status_code == 404
    assert "processing" in seen
    assert sandbox.subjects("pipe0")["company:overview@2"] == {"later.example": 1}


def test_a_pending_run_can_be_canceled_and_is_free(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "run_delay", latency_ms=150)
    with client(sandbox) as http:
        begun = run(http, "never.example", path="run").json()
        assert http.post(f"/pipe0/v1/pipes/cancel/{begun['id']}").json()["status"] == "canceled"
        time.sleep(0.25)
        assert http.get(f"/pipe0/v1/pipes/check/{begun['id']}").json()["status"] == "canceled"
    assert sandbox.billed("pipe0") == 0


def test_a_run_that_is_too_slow_answers_408_and_goes_on(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "sync_timeout", latency_ms=100, times=1)
    with client(sandbox) as http:
        late = run(http, "slow.example")
        assert late.status_code == 408
        run_id = late.json()["run_id"]
        assert run_id in late.json()["detail"]
        assert http.get(f"/pipe0/v1/pipes/check/{run_id}").json()["status"] == "processing"
        time.sleep(0.2)
        done = http.get(f"/pipe0/v1/pipes/check/{run_id}").json()
        assert run(http, "slow.example").json()["records"] == done["records"]
    assert done["status"] == "completed"
    assert sandbox.subjects("pipe0")["company:overview@2"] == {"slow.example": 2}


@pytest.mark.parametrize("kind", ["failed", "skipped", "no_result"])
def test_single_records_can_be_made_to_fail(sandbox: Handle, kind: str) -> None:
    good, bad = _known(2)
    sandbox.set_fault("pipe0", kind, match=bad)
    with client(sandbox) as http:
        records = run(http, good, bad).json()["records"]
    assert records[bad]["fields"]["headcount"]["status"] == kind
    assert records[bad]["fields"]["headcount"]["reason"]["code"]
    assert records[good]["fields"]["headcount"]["status"] == "completed"
    assert sandbox.billed("pipe0") == (2 if kind == "no_result" else 1)


def test_a_run_without_credits_fails_as_a_whole(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "task_failed")
    with client(sandbox) as http:
        body = run(http, *_known()).json()
    assert body["status"] == "failed"
    assert body["errors"][0]["code"] == "CreditBalanceInsufficient"
    assert sandbox.billed("pipe0") == 0


def test_load_lowers_the_priority_instead_of_being_refused(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "capacity", rate=50)
    with client(sandbox) as http:
        answers = [run(http, *(f"load{i}-{j}.example" for j in range(40))) for i in range(2)]
    assert [each.headers["x-task-priority"] for each in answers] == ["1", "2"]
    assert [each.headers["x-p1-capacity"] for each in answers] == ["10", "0"]
    assert [each.headers["x-p2-capacity"] for each in answers] == ["460", "420"]
    assert all(each.status_code == 200 for each in answers)
