"""Costs, budgets and the kill switch, as people use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead_assets.ledger import Ledger, purchase
from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import Command
from lead_assets_tests.ledger.vendor import Vendor, want


@pytest.fixture
def spent(home: Path) -> None:
    """A ledger in which two campaigns spent at two providers."""
    home.mkdir(parents=True)
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    ledger.bind_world("sandbox")
    things = [
        *(want(f"a{n}.example", campaign="spring", operation="company:overview@2") for n in range(3)),
        *(want(f"b{n}.example", campaign="fall", operation="people/bulk_match", provider="apollo") for n in range(2)),
        want("c.example", campaign="fall", operation="messages", provider="anthropic"),
    ]
    purchase(ledger, things, Vendor())
    ledger.close()


@pytest.mark.usefixtures("spent")
def test_costs_by_whatever_one_asks_for(command: Command) -> None:
    said = command("costs", "--json").answer()
    assert (said["usd"], said["calls"], said["uncertain_calls"], said["synthetic"]) == (0.06, 6, 0, True)
    assert [(row["provider"], row["operation"], row["calls"], row["usd"]) for row in said["rows"]] == [
        ("anthropic", "anthropic.messages", 1, 0.01),
        ("apollo", "apollo.people/bulk_match", 2, 0.02),
        ("pipe0", "pipe0.company:overview@2", 3, 0.03),
    ]
    by = {name: command("costs", "--by", name, "--json").answer()["rows"] for name in ("campaign", "provider", "day", "signal")}
    assert [(row["campaign_id"], row["usd"]) for row in by["campaign"]] == [("fall", 0.03), ("spring", 0.03)]
    assert [(row["provider"], row["calls"]) for row in by["provider"]] == [("anthropic", 1), ("apollo", 2), ("pipe0", 3)]
    assert [row["calls"] for row in by["day"]] == [6]
    signals = {row["signal"]: row["calls"] for row in by["signal"]}
    assert (signals["company_overview"], signals["anthropic.messages"], sum(signals.values())) == (3, 1, 6)
    only = command("costs", "--by", "campaign", "--by", "provider", "--campaign", "fall", "--json").answer()
    assert [(row["campaign_id"], row["provider"]) for row in only["rows"]] == [("fall", "anthropic"), ("fall", "apollo")]


@pytest.mark.usefixtures("spent")
def test_costs_can_be_read(command: Command) -> None:
    done = command("costs", "--by", "provider")
    assert done.code == 0
    assert "$0.0300" in done.stdout
    assert "$0.0600" in done.stdout


def test_a_budget_is_set_shown_and_lifted(command: Command) -> None:
    command("budget", "set", "total", "25", "--json").answer()
    command("budget", "set", "provider:apollo", "$0.50", "--period", "all", "--json").answer()
    said = command("budget", "set", "campaign:Q4 / US", "3", "--json").answer()
    assert [(row["scope"], row["period"], row["limit_usd"], row["free_usd"]) for row in said["budgets"]] == [
        ("total", "day", 25.0, 25.0),
        ("provider", "all", 0.5, 0.5),
        ("campaign", "day", 3.0, 3.0),
    ]
    assert said["budgets"][2]["name"].startswith("q4-us-")
    command("budget", "set", "total", "none", "--json").answer()
    assert len(command("budget", "show", "--json").answer()["budgets"]) == 2
    assert "provider:apollo" in command("budget", "show").stdout


def test_the_kill_switch(command: Command) -> None:
    assert command("pause", "hunter", "--json").answer()["paused"] == ["hunter"]
    assert command("pause", "--json").answer()["paused"] == ["all", "hunter"]
    done = command("resume", "hunter")
    assert (done.code, "all providers are paused" in done.stderr) == (1, True)
    assert command("resume", "--json").answer()["paused"] == []


def test_resume_says_what_it_did(command: Command) -> None:
    command("pause", "hunter", "--json").answer()
    assert command("resume", "apollo").stdout.startswith("nothing to resume")
    assert command("resume", "hunter").stdout == "no longer paused: hunter\n"
    assert command("resume", "--json").answer()["resumed"] == {"paused": [], "circuits": []}


def test_a_paused_home_runs_to_the_end_and_buys_nothing(command: Command, tmp_path: Path, sandbox: Handle) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"email": "jane@acme.example", "company": "Acme", "full_name": "Jane Doe"}))
    command("ingest", str(path), "--campaign", "c", "--json").answer()
    command("pause", "--json").answer()
    (row,) = command("run", "--all", "--json", sandbox_url=sandbox.url).answer()["campaigns"]
    assert (row["classified"], row["routed"], sandbox.meter()) == (1, 1, {})
    missed = json.loads(command("export", "signals.company_overview", "--format", "json").stdout)
    assert [row["reason"] for row in missed] == ["paused"]


def test_quotas_are_what_the_vendors_say_is_left(command: Command, sandbox: Handle) -> None:
    said = command("quotas", "--json", sandbox_url=sandbox.url).answer()
    assert {row["provider"] for row in said["quotas"]} >= {"apollo", "hunter"}
    assert command("quotas", sandbox_url=sandbox.url).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["budget", "set", "everything", "5"], 2, "use total, campaign:ID or provider:NAME"),
        (["budget", "set", "provider:apolo", "5"], 2, "no provider 'apolo'"),
        (["budget", "set", "total", "5", "--perod", "all"], 2, "--perod"),
        (["budget", "set", "total", "5", "--period", "week"], 2, "use one of day, all"),
        (["costs", "--by", "owner"], 2, "use one of day, campaign"),
        (["pause", "nobody"], 2, "no provider 'nobody'"),
    ],
)
def test_errors_say_what_to_do(command: Command, arguments: list[str], code: int, says: str) -> None:
    done = command(*arguments)
    assert done.code == code
    assert says in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("lots", "not an amount: give US dollars"),
        ("", "not an amount"),
        ("NaN", "not an amount"),
        ("sNaN", "not an amount"),
        ("inf", "not an amount"),
        ("-inf", "not an amount"),
        ("-5", "cannot be negative"),
        ("-1e-9", "cannot be negative"),
        ("1e30", "the highest limit is 1,000,000,000 US dollars"),
        ("1000000000.01", "the highest limit is 1,000,000,000 US dollars"),
        ("1e-9", "the smallest unit is 0.000001 US dollars"),
        ("0.1234567", "the smallest unit is 0.000001 US dollars"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_and_changes_no_limit(command: Command, amount: str, says: str) -> None:
    command("budget", "set", "total", "7", "--json").answer()
    done = command("budget", "set", "total", amount)
    assert done.code == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert [row["limit_usd"] for row in command("budget", "show", "--json").answer()["budgets"]] == [7.0]


@pytest.mark.parametrize(("amount", "limit"), [("0", 0.0), ("0.000001", 0.000001), ("1e3", 1000.0), ("$1000000000", 1e9), ("0.10", 0.1)])
def test_an_amount_is_kept_to_the_last_digit(command: Command, amount: str, limit: float) -> None:
    assert [row["limit_usd"] for row in command("budget", "set", "total", amount, "--json").answer()["budgets"]] == [limit]


def test_a_budget_that_ends_midway_is_never_overspent_and_the_run_finishes(command: Command, tmp_path: Path, sandbox: Handle) -> None:
    path = tmp_path / "ten.ndjson"
    lead = {"company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
    path.write_text("".join(json.dumps(lead | {"email": f"jane@firm{n}.example"}) + "\n" for n in range(10)))
    command("ingest", str(path), "--campaign", "c", "--json").answer()
    command("budget", "set", "provider:pipe0", "0.50", "--json").answer()
    (row,) = command("run", "--all", "--json", sandbox_url=sandbox.url).answer()["campaigns"]
    assert (row["leads"], row["classified"] + row["quarantined"], row["routed"]) == (10, 10, row["classified"])
    assert sum(entry["usd"] for entry in sandbox.meter()["pipe0"].values()) <= 0.50
    (budget,) = command("budget", "show", "--json").answer()["budgets"]
    assert (budget["reserved_usd"], 0 <= budget["free_usd"] < 0.30) == (0, True)
    reasons = set()
    for table in ("company_overview", "tech_stack", "funding", "news"):
        rows = json.loads(command("export", f"signals.{table}", "--format", "json").stdout)
        assert len(rows) == 10
        reasons |= {(row["state"], row["reason"]) for row in rows if row["state"] == "unknown"}
    assert reasons - {("unknown", "not_worth_it")} == {("unknown", "over_budget")}
