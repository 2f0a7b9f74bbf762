"""Dagster's run history as configured in dagster.yaml: fast, and a killed process loses nothing."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from dagster import AssetKey, DagsterEventType, DagsterInstance, job, op
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster_postgres import PostgresEventLogStorage

from lead_assets.cli import runs
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets_tests.classification.pipeline import QUIET, Graph, ingest_notes
from lead_assets_tests.production.deployed import for_dagster

pytestmark = pytest.mark.slow


@op
def nothing() -> None:
    pass


@job
def small() -> None:
    nothing()


@pytest.fixture
def instance(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", "kept, so that what is set is taken back")
    monkeypatch.delenv("DAGSTER_HOME")
    with runs.instance_of(Settings(home=home)) as instance:
        yield instance


@pytest.fixture
def history(home: Path) -> Path:
    return home / "dagster" / "history" / "runs"


def test_no_event_waits_for_the_disk(instance: DagsterInstance, history: Path) -> None:
    run = small.execute_in_process(instance=instance)
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    # Whoever closes a database last writes its log back into it and waits for that. The logs are still there: nobody did.
    assert {"index.db-wal", f"{run.run_id}.db-wal"} <= {path.name for path in history.iterdir()}


def test_what_was_written_is_there_for_every_other_process_at_once(instance: DagsterInstance, history: Path) -> None:
    run = small.execute_in_process(instance=instance)
    with sqlite3.connect(history / f"{run.run_id}.db") as other:
        events = [name for (name,) in other.execute("SELECT dagster_event_type FROM event_logs ORDER BY id") if name]
    assert events[-1] == DagsterEventType.RUN_SUCCESS.value


def test_a_run_makes_an_engine_for_its_own_database_and_not_for_each_statement(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.execute_in_process(instance=instance)
    made = []
    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        own = module.create_engine
        monkeypatch.setattr(module, "create_engine", lambda *args, own=own, **named: made.append(args) or own(*args, **named))
    run = small.execute_in_process(instance=instance)
    assert len(instance.all_logs(run.run_id)) > 5
    assert len(made) <= 1


def test_a_history_that_was_deleted_begins_anew_in_the_same_process(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        monkeypatch.delenv("DAGSTER_HOME", raising=False)
        with runs.instance_of(Settings(home=home)) as instance:
            assert instance.get_runs() == []
            run = small.execute_in_process(instance=instance)
            assert [each.run_id for each in instance.get_runs()] == [run.run_id]
            assert instance.all_logs(run.run_id)
        shutil.rmtree(home)


def test_the_history_is_dagsters_own(instance: DagsterInstance, history: Path) -> None:
    run = small.execute_in_process(instance=instance)
    plain = SqliteEventLogStorage(str(history))
    assert len(plain.get_logs_for_run(run.run_id)) == len(instance.all_logs(run.run_id)) > 5


def test_a_partitions_data_version_is_its_content_whatever_company_it_is_made_in(instance: DagsterInstance, settings: Settings) -> None:
    _versions_are_content(instance, settings)


def test_production_versions_partitions_by_their_content_too(
    tmp_path: Path, settings: Settings, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = yaml.safe_load(project_file("deploy/dagster.yaml").read_text())
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text(yaml.safe_dump({"storage": declared["storage"], "telemetry": declared["telemetry"]}))
    monkeypatch.setenv("LEAD_ASSETS_LEDGER_URL", for_dagster(postgres_url))
    with DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        _versions_are_content(instance, settings)
        with _connections() as opened:
            assert [instance.get_runs_count() for _ in range(20)] == [instance.get_runs_count()] * 20
        assert opened == [], "a connection stays open from one statement to the next"
        plain = PostgresEventLogStorage(for_dagster(postgres_url), should_autocreate_tables=False)
        assert len(plain.get_logs_for_run(instance.get_runs()[0].run_id)) > 5, "Dagster's own storage reads the same tables"
    with _connections() as opened, DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        assert instance.get_runs_count()
        assert instance.all_instigator_state() == []
    assert opened
    assert all(connection.closed for connection in opened), "none stays open behind an instance that is closed"


@contextlib.contextmanager
def _connections() -> Iterator[list[Any]]:
    """Fills with each connection to a database that this process opens meanwhile."""
    opened: list[Any] = []

    def note(connection: object, _: object) -> None:
        opened.append(connection)

    sa.event.listen(sa.pool.Pool, "connect", note)
    try:
        yield opened
    finally:
        sa.event.remove(sa.pool.Pool, "connect", note)


def _versions_are_content(instance: DagsterInstance, settings: Settings) -> None:
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
    from dagster._core.loader import LoadingContextForTest

    from lead_assets.contracts import TABLES

    for campaign in ("fall", "spring"):
        ingest_notes(settings, campaign, ["Fix and flip, 12 flips done", "Rental refinance"])
    made = Graph(settings, instance, build_defs(settings))
    # What a run would cost is asked for by a job of its own, before the run.
    of_runs = [name for name, contract in TABLES.items() if contract.grain == "campaign" and name != "spending.estimates"]
    keys = [AssetKey(name.split(".")) for name in of_runs]

    def stale() -> set[str]:
        resolver = CachingStaleStatusResolver(instance, made.definitions.resolve_asset_graph(), LoadingContextForTest(instance))
        found = {(key, campaign): resolver.get_status(key, campaign) for key in keys for campaign in ("fall", "spring")}
        return {f"{key.to_user_string()} {campaign}" for (key, campaign), status in found.items() if status != StaleStatus.FRESH}

    assert made.run("fall", "spring").success
    assert stale() == set()
    shutil.rmtree(settings.warehouse_folder / "scoring")
    assert made.run("spring").success, "made again alone, to the same rows"
    assert made.run("fall").success
    assert stale() == set()

    ingest_notes(settings, "spring", ["Bridge loan for a duplex"])
    assets = [AssetKey(["intake", "raw_leads"]), AssetKey(["intake", "rejected_payloads"])]
    job = made.definitions.resolve_job_def("lead_pipeline")
    assert job.execute_in_process(instance=instance, partition_key="spring", asset_selection=assets, run_config=QUIET).success
    assert "identity/leads spring" in stale()
    assert "identity/leads fall" not in stale()
