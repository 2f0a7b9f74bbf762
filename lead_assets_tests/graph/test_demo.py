"""The main job end to end, as a user runs it: the installed command, the real graph, the real clients, against the sandbox.

One home is filled once and then only looked at (a file of tests stays on one worker); tests that change something copy it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from dagster import AssetCheckKey, AssetKey, DagsterEventType, DagsterInstance

from lead_assets.contracts import GOLDEN_CAMPAIGN, TABLES
from lead_assets.core.project_files import project_file
from lead_assets.sandbox import Handle, start
from lead_assets.stores.archive import Archive
from lead_assets_tests.conftest import Command, lead_assets

FIXTURES = project_file("fixtures")


@dataclass(frozen=True)
class Demo:
    home: Path
    sandbox: Handle
    answer: dict[str, Any]
    meter: dict[str, Any]
    subjects: dict[str, dict[str, int]]
    """What pipe0 was asked about in the demo, by pipe: others ask the same sandbox later."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / "warehouse" / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo") / "home"
    with start() as sandbox:
        answer = lead_assets(home, "demo", "--json", sandbox_url=sandbox.url).answer()
        yield Demo(home, sandbox, answer, sandbox.meter(), sandbox.subjects("pipe0"))


ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def readers(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of somebody who reads on after `make demo`, and tries what the README shows, from the top."""
    home = tmp_path_factory.mktemp("readers") / ".lead_assets"
    shutil.copytree(demo.home, home)
    return home


@pytest.mark.parametrize("line", re.findall(r"^lead-assets .*$", README, re.MULTILINE))
@pytest.mark.slow
def test_each_command_of_the_readme_runs_as_it_stands(
    demo: Demo, readers: Path, command: Command, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(ROOT)
    _, *arguments = shlex.split(line, comments=True)
    done = command(*arguments, at=readers, sandbox_url=demo.sandbox.url)
    assert done.code == 0, done.stderr
    found = {"ingest": "ingested", "discover": "postings", "export": "campaign_id,lead_id", "replay": "1 leads in quarantine"}
    assert found.get(arguments[0], "") in done.stdout


@pytest.mark.slow
def test_the_readme_s_command_of_dagster_runs_as_it_stands(readers: Path) -> None:
    (line,) = re.findall(r"^DAGSTER_HOME=.* dagster .*$", README, re.MULTILINE)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", line], env=environment, cwd=readers.parent, capture_output=True, text=True, timeout=200, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "RUN_SUCCESS" in ran.stderr + ran.stdout


@pytest.mark.parametrize(("sql", "printed"), re.findall(r"^```sql\n(.*?)```\n```\n(.*?)```", README, re.MULTILINE | re.DOTALL))
def test_each_question_of_the_readme_has_the_answer_that_it_shows(demo: Demo, sql: str, printed: str) -> None:
    shown = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]
    assert shown == [[str(value) for value in row if value is not None] for row in demo.rows(sql)]


def test_the_readme_is_what_is_tried() -> None:
    assert len(re.findall(r"^lead-assets ", README, re.MULTILINE)) >= 10
    assert README.count("```sql") == 2


def labels(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((FIXTURES / "labels" / name).read_text())))


def test_the_answer_has_its_stable_keys(demo: Demo) -> None:
    assert {"home", "seconds", "run_ids", "campaigns", "billed", "tables"} <= set(demo.answer)
    assert {"received", "rejected", "duplicate", "suppressed", "leads", "enriched", "classified", "quarantined", "scored", "routed"} <= set(
        demo.answer["campaigns"][0]
    )
    assert set(demo.answer["billed"]) >= {"calls", "usd", "uncertain_calls"}
    assert set(demo.answer["tables"]) == set(TABLES)


def test_no_lead_is_lost_in_any_campaign(demo: Demo) -> None:
    assert len(demo.answer["campaigns"]) == 5
    for row in demo.answer["campaigns"]:
        assert row["received"] == row["leads"] + row["rejected"] + row["duplicate"] + row["suppressed"], row
        assert row["leads"] == row["classified"] + row["quarantined"], row
        assert row["classified"] == row["routed"] == sum(row["owners"].values()), row
        assert row["classified"] + row["quarantined"] == row["scored"], row


def test_every_line_of_the_fixtures_is_counted(demo: Demo) -> None:
    received = {row["campaign_id"]: row["received"] for row in demo.answer["campaigns"]}
    lines = sum(
        len((FIXTURES / name).read_text().rstrip("\n").split("\n")) for name in ("lending_scenarios.ndjson", "lending_messy.ndjson")
    )
    assert received["lending-q4-2026"] == lines
    assert received["inbound-fall-2026"] == 100


def test_the_ledger_bills_what_the_sandbox_meters(demo: Demo) -> None:
    """The ledger rounds each call up to a millionth of a dollar, so that it never says less than the vendor."""
    metered = sum(entry["usd"] for service in demo.meter.values() for entry in service.values())
    billed = demo.answer["billed"]
    assert metered - 1e-9 <= billed["usd"] <= metered + 1e-6 * billed["calls"]
    assert billed["uncertain_calls"] == 0


def test_a_company_is_bought_once_however_many_leads_it_has(demo: Demo) -> None:
    subjects = demo.subjects["company:overview@2"]
    ((leads, domains),) = demo.rows("SELECT COUNT(*), COUNT(DISTINCT company_domain) FROM identity.leads WHERE company_domain IS NOT NULL")
    assert max(subjects.values()) == 1
    assert len(subjects) == domains < leads


def test_every_labelled_inbound_lead_has_its_right_owner(demo: Demo) -> None:
    owners = dict(
        demo.rows(
            "SELECT lower(l.email), d.owner FROM routing.decisions d JOIN identity.leads l USING (campaign_id, lead_id) "
            "WHERE campaign_id = 'inbound-fall-2026'"
        )
    )
    wrong = {
        row["email"]: (row["owner"], owners.get(row["email"].lower()))
        for row in labels("inbound_owner.csv")
        if owners.get(row["email"].lower()) != row["owner"]
    }
    assert wrong == {}


def test_the_lending_scenarios_are_classified_as_labelled(demo: Demo) -> None:
    found = {
        row[0]: row[1:]
        for row in demo.rows("SELECT lead_id, loan_type, investor_experience, urgency_score FROM classification.classifications")
    }
    for row in labels("lending.csv"):
        loan_type, experience, urgency = found[row["lead_id"]]
        assert (loan_type, experience) == (row["loan_type"], row["investor_experience"]), row["lead_id"]
        assert int(row["urgency_min"]) <= urgency <= int(row["urgency_max"]), row["lead_id"]


def test_rejects_say_what_was_wrong_and_keep_the_text(demo: Demo) -> None:
    rejects = demo.rows("SELECT code, reason, raw_text, position FROM intake.rejected_payloads ORDER BY position")
    assert {"truncated_json", "not_a_finite_number", "duplicate_key", "no_identity"} <= {row[0] for row in rejects}
    assert all(reason and position > 0 for _, reason, _, position in rejects)
    assert all(text for _, _, text, _ in rejects)


def test_the_newer_of_two_payloads_is_the_lead_and_the_older_a_duplicate(demo: Demo) -> None:
    ((kept_at, older_at),) = demo.rows(
        "SELECT epoch(l.submitted_at), epoch(d.submitted_at) FROM identity.duplicates d JOIN identity.leads l "
        "ON l.campaign_id = d.campaign_id AND l.lead_id = d.duplicate_of"
    )
    assert kept_at > older_at


def test_unknown_fields_are_kept_with_the_lead(demo: Demo) -> None:
    extras = [json.loads(extra) for (extra,) in demo.rows("SELECT extra FROM identity.leads WHERE extra <> '{}'")]
    assert extras
    assert all(isinstance(extra, dict) for extra in extras)


def test_events_are_archived_as_they_are_in_the_table(demo: Demo) -> None:
    archive = Archive(str(demo.home / "archive"))
    table = sorted(event for (event,) in demo.rows("SELECT event FROM delivery.enrichment_events"))
    files = [entry.name for row in demo.answer["campaigns"] for entry in archive.events(row["campaign_id"])]
    archived = sorted(line for name in files for line in gzip.decompress(archive.read(name)).decode().split("\n") if line)
    assert archived == table
    assert {"lead", "ai", "raw", "metadata"} <= set(json.loads(table[0]))


def test_briefs_name_accounts_of_the_past_campaign_and_what_became_of_them(demo: Demo) -> None:
    briefs = demo.rows(
        "SELECT s.brief, a.similar_company || ' (' || replace(a.outcome, 'no_response', 'went silent') || ')' "
        "FROM classification.summaries s JOIN identity.leads l "
        "USING (campaign_id, lead_id) JOIN lookalike.similarities a USING (campaign_id, account_key) WHERE a.rank = 1 AND a.outcome IS NOT NULL"
    )
    assert len(briefs) > 50
    assert all(similar in brief for brief, similar in briefs)
    # A campaign's own accounts came in together and so do not see each other.
    assert demo.rows("SELECT COUNT(*) FROM lookalike.similarities WHERE campaign_id = 'spring-launch-2026'") == [(0,)]


def test_everything_bought_from_the_sandbox_is_marked_synthetic(demo: Demo) -> None:
    assert demo.rows("SELECT DISTINCT synthetic FROM signals.company_overview WHERE state = 'found'") == [(True,)]
    assert demo.rows("SELECT DISTINCT synthetic FROM classification.classifications") == [(True,)]
    assert all(json.loads(event)["metadata"]["synthetic"] for (event,) in demo.rows("SELECT event FROM delivery.enrichment_events"))


def test_a_second_demo_takes_nothing_in_twice_buys_nothing_and_changes_nothing(demo: Demo) -> None:
    def asked() -> dict[str, Any]:
        """What vendors were asked. The campaign API and what is left of a plan, which are free, are looked at again."""
        free = {"account", "credit_usage_stats", "api_usage_stats"}
        meter = {service: calls for service, calls in demo.sandbox.meter().items() if service != "aturiya"}
        return {service: {name: entry for name, entry in calls.items() if name not in free} for service, calls in meter.items()}

    before = asked()
    again = lead_assets(demo.home, "demo", "--json", sandbox_url=demo.sandbox.url).answer()
    assert again["billed"] == {"calls": 0, "usd": 0, "uncertain_calls": 0}
    assert asked() == before
    assert again["tables"] == demo.answer["tables"]


def test_a_deleted_warehouse_is_rebuilt_to_the_same_rows_for_nothing(demo: Demo, tmp_path: Path) -> None:
    """By a `run` without LEAD_ASSETS_SANDBOX_URL: a home of the sandbox must neither call a vendor nor forget what was bought, key or no key."""
    copy = tmp_path / "home"
    shutil.copytree(demo.home, copy)
    shutil.rmtree(copy / "warehouse")
    before = demo.sandbox.meter()
    rebuilt = lead_assets(copy, "run", "--all", "--json", ANTHROPIC_API_KEY="sk-real").answer()
    on_request = {"classification.golden_evaluation"}
    assert rebuilt["tables"].keys() == demo.answer["tables"].keys()
    assert all(rebuilt["tables"][name] == said for name, said in demo.answer["tables"].items() if name not in on_request)
    assert rebuilt["billed"] == {"calls": 0, "usd": 0, "uncertain_calls": 0}
    assert demo.sandbox.meter() == before


def test_part_of_the_graph_can_be_run(demo: Demo, command: Command) -> None:
    arguments = ["run", "--campaign", "cmp_revops_q4", "--select", "group:scoring", "--json"]
    partial = command(*arguments, at=demo.home, sandbox_url=demo.sandbox.url).answer()
    assert [row["campaign_id"] for row in partial["campaigns"]] == ["cmp_revops_q4"]
    assert partial["tables"]["scoring.scores"] == demo.answer["tables"]["scoring.scores"]


@pytest.mark.parametrize(("file_format", "read"), [("csv", pl.read_csv), ("json", pl.read_json), ("parquet", pl.read_parquet)])
def test_a_table_can_be_taken_out_in_every_format(demo: Demo, file_format: str, read: Any, tmp_path: Path, command: Command) -> None:
    out = tmp_path / f"out.{file_format}"
    said = command("export", "signals.enriched_leads", "--format", file_format, "--out", str(out), "--json", at=demo.home).answer()
    assert said == {"path": str(out), "rows": demo.answer["tables"]["signals.enriched_leads"]["rows"]}
    frame = read(out)
    assert frame.columns == TABLES["signals.enriched_leads"].polars_schema().names()
    assert frame.height == said["rows"]


def test_export_writes_rows_to_stdout(demo: Demo, command: Command) -> None:
    done = command("export", "routing.decisions", "--format", "csv", "--campaign", "cmp_revops_q4", at=demo.home)
    assert done.code == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 12
    assert all(row["owner"] and row["reason"] for row in rows)


def test_dagster_knows_rows_schema_and_checks_of_each_materialization(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(demo.home / "dagster"))
    with DagsterInstance.get() as instance:
        assert len(instance.get_dynamic_partitions("campaign")) == 5
        event = instance.get_latest_materialization_event(AssetKey(["identity", "leads"]))
        assert event is not None
        assert event.asset_materialization is not None
        assert "dagster/partition_row_count" in event.asset_materialization.metadata
        run_id, whole = demo.answer["run_ids"]
        assert {key.to_user_string() for key in instance.get_run_by_id(whole).asset_selection} == {  # type: ignore[union-attr]
            name.replace(".", "/") for name, contract in TABLES.items() if contract.grain == "home"
        } - {"classification/golden_evaluation", "scoring/score_model", "lookalike/index"}
        records = instance.get_records_for_run(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION).records
        evaluations = [record.event_log_entry.dagster_event.event_specific_data for record in records]  # type: ignore[union-attr]
        assert {evaluation.check_name for evaluation in evaluations} >= {
            "conserves",
            "meets_contract",
            "mix_is_stable",
            "nobody_quarantined",
            "says_what_is_quarantined",
        }  # type: ignore[union-attr]
        assert all(evaluation.passed for evaluation in evaluations)  # type: ignore[union-attr]


def test_an_estimate_before_the_run_is_within_a_tenth_of_what_it_then_costs(demo: Demo, tmp_path: Path, command: Command) -> None:
    """With every provider, on a home that holds nothing but the archive."""
    fresh = tmp_path / "fresh"
    shutil.copytree(demo.home / "archive", fresh / "archive")
    before = demo.sandbox.meter()
    said = command("estimate", "--all", "--json", at=fresh, sandbox_url=demo.sandbox.url).answer()
    spent = command("costs", "--by", "campaign", "--by", "provider", "--json", at=demo.home).answer()["rows"]
    golden = {row["provider"]: (row["usd"], row["calls"]) for row in spent if row["campaign_id"] == GOLDEN_CAMPAIGN}
    assert golden.keys() == {"anthropic"}
    expected: dict[str, float] = {}
    for row in said["rows"]:
        expected[row["provider"]] = expected.get(row["provider"], 0.0) + row["usd"]
    metered = {service: sum(entry["usd"] for entry in operations.values()) for service, operations in demo.meter.items()}
    assert expected.keys() == {service for service, usd in metered.items() if usd}
    for provider, usd in expected.items():
        assert usd == pytest.approx(metered[provider] - golden.get(provider, (0, 0))[0], rel=0.1), provider
    assert said["calls"] == pytest.approx(demo.answer["billed"]["calls"] - golden["anthropic"][1], rel=0.1)
    assert said["usd"] == pytest.approx(sum(expected.values()), abs=1e-3)
    assert demo.sandbox.meter() == before
    assert not (fresh / "warehouse").exists()


def test_after_the_run_an_estimate_is_nothing(demo: Demo, command: Command) -> None:
    said = command("estimate", "--all", "--json", at=demo.home, sandbox_url=demo.sandbox.url).answer()
    assert (said["usd"], said["calls"], said["rows"]) == (0, 0, [])


def test_each_provider_step_spent_what_the_ledger_journaled(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(demo.home / "dagster"))
    with DagsterInstance.get() as instance:
        for asset in ("company_overview", "organization", "email"):
            key = AssetCheckKey(AssetKey(["signals", asset]), "ledger_agrees")
            events = [
                record.event.dagster_event
                for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
                if record.event
            ]
            evaluations = [
                event.asset_check_evaluation_data
                for event in events
                if event and event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION
            ]
            assert evaluations, asset
            assert all(each.passed for each in evaluations), asset
            assert sum(each.metadata["ledger_usd"].value for each in evaluations if "ledger_usd" in each.metadata) > 0, asset
