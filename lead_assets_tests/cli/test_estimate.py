"""`lead-assets estimate`: nothing is spent or written, and what is known is not guessed. Its accuracy is tested on the demo."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import load_experience
from lead_assets.ledger import Ledger, Reply, purchase
from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import Command
from lead_assets_tests.ledger.vendor import want, wants


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    path = tmp_path / "four.ndjson"
    leads = [
        {"email": f"p{n}@firm{n // 2}.example", "company": f"Firm {n // 2}", "full_name": f"Jane {name}"} for n, name in enumerate("ABCD")
    ]
    path.write_text("".join(json.dumps(lead) + "\n" for lead in leads))
    return path


def test_an_estimate_spends_nothing_and_counts_a_company_once(command: Command, drop: Path, home: Path, sandbox: Handle) -> None:
    command("ingest", str(drop), "--campaign", "c", "--json").answer()
    said = command("estimate", "--campaign", "c", "--json", sandbox_url=sandbox.url).answer()
    rows = {(row["provider"], row["signal"]): row for row in said["rows"]}
    assert (rows["pipe0", "company_overview"]["subjects"], rows["pipe0", "company_overview"]["usd"]) == (2, 0.06)
    # Two of a firm show the model the same: one question.
    assert rows["anthropic", "classification"]["subjects"] == 2
    assert said["usd"] == pytest.approx(sum(row["usd"] for row in said["rows"]))
    assert sandbox.meter() == {}
    assert not (home / "warehouse").exists()
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    # The home may still become a live one.
    assert (ledger.world(), ledger.billed()["calls"]) == (None, 0)
    ledger.close()
    assert "≈" in command("estimate", "--all", sandbox_url=sandbox.url).stdout


def test_without_keys_nothing_would_be_bought_and_the_estimate_says_so(command: Command, drop: Path) -> None:
    command("ingest", str(drop), "--campaign", "c", "--json").answer()
    said = command("estimate", "--all", "--json").answer()
    assert (said["usd"], said["rows"]) == (0, [])
    assert {"pipe0", "anthropic"} <= set(said["without_key"])


def test_a_budget_that_will_not_do_is_named(command: Command, drop: Path, sandbox: Handle) -> None:
    command("ingest", str(drop), "--campaign", "c", "--json").answer()
    command("budget", "set", "provider:pipe0", "0.10", "--json").answer()
    command("budget", "set", "provider:hubspot", "0", "--json").answer()
    command("budget", "set", "total", "500", "--json").answer()
    said = command("estimate", "--all", "--json", sandbox_url=sandbox.url).answer()
    assert [(budget["scope"], budget["name"]) for budget in said["over_budget"]] == [("provider", "pipe0")]


def test_what_the_ledger_has_seen_enough_of_counts_more_than_what_is_declared(settings: Settings) -> None:
    """Of 200 answers a tenth was billed, at half the price."""

    async def call(batch):  # type: ignore[no-untyped-def]
        return [Reply("found", body={}, cost_micros=5_000 if int(one.subject[1:-8]) % 10 == 0 else 0) for one in batch]

    settings.home.mkdir(parents=True)
    ledger = Ledger(settings.ledger_location)
    operation = "people/bulk_match"
    before = load_experience(settings, ledger)
    assert before.billed(f"apollo.{operation}") == before.shares.billed[f"apollo.{operation}"]
    assert before.mean_micros(f"apollo.{operation}", 20_000) == 20_000
    purchase(ledger, wants(200, provider="apollo", operation=operation), call)
    purchase(ledger, [want("one.example", operation="other")], call_one)
    seen = load_experience(settings, ledger)
    assert (seen.billed(f"apollo.{operation}"), seen.mean_micros(f"apollo.{operation}", 20_000)) == (0.1, 5_000)
    assert seen.billed("pipe0.other") == 1.0
    ledger.close()


async def call_one(batch):  # type: ignore[no-untyped-def]
    return [Reply("not_found") for _ in batch]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [(["estimate"], 2, "--campaign ID (once or more) or --all"), (["estimate", "--campaign", "nobody"], 2, "ingest a file for it first")],
)
def test_errors_say_what_to_do(command: Command, arguments: list[str], code: int, says: str) -> None:
    done = command(*arguments)
    assert (done.code, says in " ".join(done.stderr.replace("│", " ").split())) == (code, True)


def test_estimate_rules_that_cannot_be_used_are_named(command: Command, drop: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "estimate.yaml").write_text("enough: some")
    command("ingest", str(drop), "--campaign", "c", "--json").answer()
    done = command("estimate", "--all", LEAD_ASSETS_RULES_DIR=str(tmp_path / "rules"))
    assert (done.code, "estimate.yaml line 1: not a whole number: write one, such as 3 (at enough)" in done.stderr.replace("\n", "")) == (
        1,
        True,
    )


def test_what_an_export_brings_is_left_out_and_named(command: Command, tmp_path: Path, sandbox: Handle) -> None:
    path = tmp_path / "apollo.csv"
    path.write_text(
        "First Name,Last Name,Title,Company,Email,Email Status,Website,Technologies,Total Funding,Latest Funding,Last Raised At,Apollo Contact Id\n"
        'Ada,Byron,CEO,Engines,ada@engines.example,Verified,https://engines.example,"AWS, SAP",12000000,Series A,2025-05-01,66f0000000000000000000a9\n'
        "Eve,Byron,CEO,Looms,eve@looms.example,Unavailable,https://looms.example,,,,,66f0000000000000000000aa\n"
    )
    command("ingest", str(path), "--campaign", "c", "--json").answer()
    said = command("estimate", "--all", "--json", sandbox_url=sandbox.url).answer()
    assert said["given"] == {"tech_stack": 1, "funding": 1, "email": 1}
    asked = {row["signal"]: row["subjects"] for row in said["rows"]}
    assert (asked["company_overview"], asked["tech_stack"], asked["funding"]) == (2, 1, 1)
    assert "not bought, because the leads bring it: email 1, funding 1, tech_stack 1" in command(
        "estimate", "--all", sandbox_url=sandbox.url
    ).stdout.replace("\n", " ")


@pytest.mark.slow
def test_a_run_asks_nobody_about_what_an_export_brings(command: Command, tmp_path: Path, home: Path, sandbox: Handle) -> None:
    path = tmp_path / "apollo.csv"
    path.write_text(
        "First Name,Last Name,Company,Email,Email Status,Website,Technologies,Apollo Contact Id\n"
        'Ada,Byron,Engines,ada@engines.example,Verified,https://engines.example,"AWS, SAP",66f0000000000000000000a9\n'
    )
    command("ingest", str(path), "--campaign", "c", "--json").answer()
    command("run", "--campaign", "c", "--json", sandbox_url=sandbox.url).answer()
    assert "company:techstack:builtwith@1" not in sandbox.subjects("pipe0")
    assert "email-verifier" not in sandbox.subjects("hunter")
    assert "company:overview@2" in sandbox.subjects("pipe0")
    with duckdb.connect(home / "warehouse" / "warehouse.duckdb", read_only=True) as warehouse:
        (row,) = warehouse.execute("SELECT technologies, email_grade, provenance FROM signals.enriched_leads").fetchall()
    assert (row[0], row[1]) == (["AWS", "SAP"], "valid")
    provenance = json.loads(row[2])
    assert (provenance["technologies"]["provider"], provenance["company_description"]["provider"]) == ("given", "pipe0")
