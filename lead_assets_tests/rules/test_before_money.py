"""Broken rules stop everything before the first step: nothing is printed, sent to a vendor, bought, written or lost."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import DagsterEventType, DagsterInstance, ResourceParam, SensorResult, SkipReason, build_sensor_context, job, op

from lead_assets.automation import drop_sensor
from lead_assets.cli import runs
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake import landing
from lead_assets.intake.ingest import ingest
from lead_assets.ledger import Ledger
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of
from lead_assets_tests.conftest import Command

pytestmark = pytest.mark.slow

LEAD = {"email": "jane.doe@acme.example", "company": "Acme", "full_name": "Jane Doe", "title": "VP Sales", "country": "Germany"}
AT = datetime(2026, 11, 20, tzinfo=UTC)
SHIPPED = rules_file("scoring.yaml", Settings(rules_dir=None)).read_text()
FAULT = (
    f"scoring.yaml line {SHIPPED[: SHIPPED.index('version: 3')].count(chr(10)) + 1}: not a whole number: write one, such as 3 (at version)"
)


@pytest.fixture
def broken(settings: Settings, tmp_path: Path) -> Settings:
    """A home whose scoring rules are broken: scoring comes after everything that is bought."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "scoring.yaml").write_text(SHIPPED.replace("version: 3", "version: one"))
    return settings.model_copy(update={"rules_dir": folder})


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def mend(settings: Settings) -> None:
    assert settings.rules_dir is not None
    (settings.rules_dir / "scoring.yaml").write_text(SHIPPED)


def requests(sandbox: Handle) -> int:
    return sum(int(counted["requests"]) for service in sandbox.meter().values() for counted in service.values())


@pytest.mark.parametrize("job", ["lead_pipeline", "golden_evaluation"])
def test_a_run_that_dagster_starts_ends_before_its_first_step(
    broken: Settings, sandbox: Handle, instance: DagsterInstance, job: str
) -> None:
    """As from the UI, a backfill or the daemon: no command has looked at the rules before."""
    ingest(archive_of(broken), json.dumps(LEAD).encode(), name="a.ndjson", received_at=AT, campaign="a")
    runs.add_campaigns(instance, ["a"])
    definition = build_defs(broken).resolve_job_def(job)
    partition = "a" if job == "lead_pipeline" else None
    done = definition.execute_in_process(instance=instance, partition_key=partition, raise_on_error=False)
    assert not done.success
    assert not [
        event for event in done.all_events if event.event_type in (DagsterEventType.STEP_START, DagsterEventType.ASSET_MATERIALIZATION)
    ]
    assert requests(sandbox) == 0
    with opened_ledger(broken) as ledger:
        assert ledger.billed()["calls"] == 0
    assert not list(broken.warehouse_folder.rglob("*.parquet"))
    (run,) = instance.get_runs()
    assert run.tags["dagster/max_retries"] == "0", "it would fail again until somebody mends the rules"
    said = [event for event in instance.all_logs(done.run_id) if FAULT in str(event.dagster_event)]
    assert said, "the run says what is wrong"

    mend(broken)
    assert definition.execute_in_process(instance=instance, partition_key=partition).success
    assert requests(sandbox) > 0


@pytest.mark.parametrize("selection", ["key:intake/raw_leads", "key:scoring/scores"])
def test_a_run_of_one_asset_is_no_exception(broken: Settings, instance: DagsterInstance, selection: str) -> None:
    """Rules that break in the middle of a long command's runs, which looked at them before: the run says so itself."""
    ingest(archive_of(broken), json.dumps(LEAD).encode(), name="a.ndjson", received_at=AT, campaign="a")
    runs.add_campaigns(instance, ["a"])
    definitions = build_defs(broken)
    (ran,) = runs.run_campaigns(definitions, instance, ["a"], assets=runs.select_assets(definitions, selection))
    assert not ran.success
    (failure,) = ran.failures
    assert failure.startswith("before the first step: ")
    assert FAULT in failure


def test_a_run_that_only_spends_is_no_exception(broken: Settings, instance: DagsterInstance) -> None:
    """The ledger asks for the rules itself, wherever the run's tables go."""

    @op
    def spend(ledger: ResourceParam[Ledger]) -> None:
        raise AssertionError("no step may run")

    @job(resource_defs=dict(build_defs(broken).resources or {}))
    def spending() -> None:
        spend()

    done = spending.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    assert not [event for event in done.all_events if event.event_type == DagsterEventType.STEP_START]


COMMANDS = [
    ["run", "--all"],
    ["demo"],
    ["estimate", "--all"],
    ["refresh", "--signal", "company_overview", "--older-than", "0d"],
    ["replay"],
    ["discover", "--industry", "software"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_a_command_stops_before_it_prints_or_spends(
    command: Command, broken: Settings, sandbox: Handle, home: Path, arguments: list[str]
) -> None:
    ingest(archive_of(broken), json.dumps(LEAD).encode(), name="a.ndjson", received_at=AT, campaign="a")
    done = command(*arguments, sandbox_url=sandbox.url, LEAD_ASSETS_RULES_DIR=str(broken.rules_dir))
    assert done.code == 1
    assert done.stdout == ""
    assert FAULT in done.stderr
    assert requests(sandbox) == 0
    assert not (home / "warehouse").exists()
    assert archive_of(broken).campaigns() == ["a"], "the demo has taken nothing in"


def test_rules_that_break_after_a_run_do_not_bring_its_figures_back(command: Command, broken: Settings, sandbox: Handle) -> None:
    """A broken routing table once printed the last run's figures, and its error below them."""
    ingest(archive_of(broken), json.dumps(LEAD).encode(), name="a.ndjson", received_at=AT, campaign="a")
    mend(broken)
    assert command("run", "--all", sandbox_url=sandbox.url, LEAD_ASSETS_RULES_DIR=str(broken.rules_dir)).code == 0
    sandbox.reset()
    assert broken.rules_dir is not None
    table = rules_file("routing.yaml", Settings(rules_dir=None)).read_text().replace("owner: callum.reid", "owner: callum.raid")
    (broken.rules_dir / "routing.yaml").write_text(table)
    done = command("run", "--all", "--json", sandbox_url=sandbox.url, LEAD_ASSETS_RULES_DIR=str(broken.rules_dir))
    assert (done.code, set(json.loads(done.stdout))) == (1, {"ok", "error"})
    assert "unknown owner 'callum.raid' (did you mean 'callum.reid'?)" in json.loads(done.stdout)["error"]
    assert requests(sandbox) == 0


@pytest.mark.parametrize("file", ["scoring.yaml", "signals.yaml"])
def test_the_drop_sensor_waits_with_the_reason_and_takes_everything_once_the_rules_are_mended(
    broken: Settings, instance: DagsterInstance, sandbox: Handle, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "SETTLE_SECONDS", 0.0)
    assert broken.rules_dir is not None
    mend(broken)
    (broken.rules_dir / file).write_text("version: one\n")
    build_defs(broken)  # the code location loads, whatever the rules say, so that the sensor can
    dropped = Path(broken.landing_location) / "spring" / "leads.ndjson"
    dropped.parent.mkdir(parents=True)
    dropped.write_text(json.dumps(LEAD))
    os.utime(dropped, (time.time() - 60, time.time() - 60))
    context = build_sensor_context(instance=instance, cursor=None, resources={"settings": broken, "archive": archive_of(broken)})
    skipped = drop_sensor(context)
    assert isinstance(skipped, SkipReason)
    assert f"{file} line 1: unknown key 'version'" in str(skipped.skip_message) or "line 1: not a whole number" in str(skipped.skip_message)
    assert "files stay where they are until these are fixed" in str(skipped.skip_message)
    assert context.cursor is None
    assert dropped.exists()
    assert archive_of(broken).campaigns() == []

    (broken.rules_dir / file).unlink()
    taken = drop_sensor(context)
    assert isinstance(taken, SensorResult)
    assert [request.partition_key for request in taken.run_requests or []] == ["spring"]
    assert archive_of(broken).campaigns() == ["spring"]
    assert requests(sandbox) == 0
