"""`lead-assets discover` against the sandbox's Apollo: its results become a campaign like any other, and are paid for once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead_assets.sandbox import Handle
from lead_assets.vendors.apollo.search import company_filters
from lead_assets_tests.conftest import Command

SEARCH = ("discover", "--query", "software", "--location", "Germany", "--location", "United States", "--employees", "50..500")


@pytest.mark.slow
def test_found_companies_become_a_campaign_that_runs_and_costs_nothing_twice(command: Command, sandbox: Handle) -> None:
    said = command(*SEARCH, "--limit", "4", "--people", "2", "--json", sandbox_url=sandbox.url).answer()
    assert len(said["companies"]) == 4 < said["total"]
    assert [row["ai_adoption_score"] for row in said["companies"]] == sorted(
        (r["ai_adoption_score"] for r in said["companies"]), reverse=True
    )
    for row in said["companies"]:
        assert sum(int(reason.split("+")[1].split(":")[0]) for reason in row["ai_adoption_reasons"]) == row["ai_adoption_score"]
        assert row["employees"] is None or 50 <= row["employees"] <= 500
    assert said["leads"] == sum(row["people"] for row in said["companies"]) > 4
    (drop,) = said["drops"]
    assert (drop["rows"], drop["rejected"], drop["status"]) == (said["leads"], 0, "ingested")
    metered = sandbox.meter()["apollo"]
    assert said["usd"] == pytest.approx(sum(entry["usd"] for entry in metered.values()))
    assert metered["mixed_companies/search"]["billed"] == 1
    assert any(row["provider"] == "apollo" and row["left"] is not None for row in said["quotas"])

    again = command(*SEARCH, "--limit", "4", "--people", "2", "--json", sandbox_url=sandbox.url).answer()
    assert (again["usd"], again["calls"], again["drops"][0]["status"], again["campaign_id"]) == (
        0,
        0,
        "duplicate_file",
        said["campaign_id"],
    )

    sandbox.reset()
    (row,) = command("run", "--campaign", said["campaign_id"], "--json", sandbox_url=sandbox.url).answer()["campaigns"]
    assert (row["leads"], row["rejected"], row["classified"] + row["quarantined"]) == (said["leads"], 0, said["leads"])
    # The companies and their open jobs were bought by the search.
    assert sandbox.billed("apollo", "organizations/bulk_enrich") == sandbox.billed("apollo", "job_postings") == 0
    exported = json.loads(command("export", "identity.leads", "--format", "json").stdout)
    assert all(lead["email_normalized"] and lead["company_domain"] for lead in exported)
    scores = {row["domain"]: row["ai_adoption_score"] for row in said["companies"]}
    assert all(json.loads(lead["extra"])["ai_adoption_score"] == scores[lead["company_domain"]] for lead in exported)


def test_a_search_that_may_not_be_bought_files_nothing(command: Command, sandbox: Handle, home: Path) -> None:
    command("budget", "set", "provider:apollo", "0.01", "--json").answer()
    done = command(*SEARCH, sandbox_url=sandbox.url)
    assert (done.code, "over_budget" in done.stderr) == (1, True)
    assert sandbox.billed("apollo") == 0
    assert not (home / "archive" / "receipts").exists()


def test_without_money_for_people_the_companies_are_listed(command: Command, sandbox: Handle) -> None:
    command("budget", "set", "provider:apollo", "0.05", "--json").answer()
    said = command(*SEARCH, "--limit", "3", "--json", sandbox_url=sandbox.url).answer()
    assert len(said["companies"]) == 3
    assert said["usd"] <= 0.05
    assert said["missed"] == {"over_budget": 2}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--query", "software"], 1, "set APOLLO_API_KEY"),
        ([], 2, "a search needs a filter"),
        (["--funding", "Series Z"], 2, "use one of seed, angel, series a"),
        (["--employees", "500..50"], 2, "give FROM..TO"),
        (["--employees", "many"], 2, "give FROM..TO"),
        (["--query", "x", "--source", "hunter"], 2, "use one of apollo"),
    ],
)
def test_errors_say_what_to_do(command: Command, arguments: list[str], code: int, says: str) -> None:
    done = command("discover", *arguments)
    assert (done.code, says in " ".join(done.stderr.replace("│", " ").split())) == (code, True), done.stderr


def test_filters_are_apollos() -> None:
    assert company_filters(
        query=" fintech ", locations=["Berlin"], industries=["banking"], employees=(50, None), funding=["Series A", "seed"]
    ) == {
        "q_organization_keyword_tags": ["fintech"],
        "organization_locations": ["Berlin"],
        "organization_industries": ["banking"],
        "organization_num_employees_ranges": ["50,10000000"],
        "organization_latest_funding_stage_cd": ["2", "0"],
    }
    assert company_filters(employees=(None, 50)) == {"organization_num_employees_ranges": ["1,50"]}
