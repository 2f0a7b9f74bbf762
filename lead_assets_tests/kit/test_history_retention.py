"""Pruning Dagster's history: what the UI says of assets, partitions and checks is the same before and after."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetRecordsFilter,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    DynamicPartitionsDefinition,
    MaterializeResult,
    asset,
)

from lead_assets.kit.history_retention import prune

pytestmark = pytest.mark.slow

LATER = timedelta(minutes=1)
campaigns = DynamicPartitionsDefinition(name="campaign")
fails: set[str] = set()


@asset(partitions_def=campaigns, check_specs=[AssetCheckSpec("holds", asset="leads", partitions_def=campaigns)])
def leads(context: AssetExecutionContext):  # type: ignore[no-untyped-def]
    if context.partition_key in fails:
        raise ValueError("no")
    yield MaterializeResult(
        metadata={"rows": len(context.run.run_id), "run": context.run.run_id},
        check_results=[AssetCheckResult(passed=context.partition_key != "b")],
    )


@asset
def totals(context: AssetExecutionContext):  # type: ignore[no-untyped-def]
    return MaterializeResult(metadata={"run": context.run.run_id})


definitions = Definitions(assets=[leads, totals])


@pytest.fixture(params=["lead_assets.kit.run_history", "dagster", "postgres"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DagsterInstance]:
    home = tmp_path / "dagster"
    home.mkdir()
    storage = ""
    if request.param == "lead_assets.kit.run_history":
        storage = f"storage: {{custom: {{module: lead_assets.kit.run_history, class: LocalRunHistory, config: {{base_dir: {home}}}}}}}\n"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url").replace("postgresql://", "postgresql+psycopg2://")
        storage = f"storage: {{postgres: {{postgres_url: '{url}'}}}}\n"
    (home / "dagster.yaml").write_text(storage + "telemetry: {enabled: false}\n")
    with DagsterInstance.from_config(str(home)) as opened:
        yield opened


def run(instance: DagsterInstance, campaign: str | None) -> str:
    job = definitions.resolve_implicit_global_asset_job_def()
    only = [AssetKey("leads")] if campaign else [AssetKey("totals")]
    return job.execute_in_process(instance=instance, partition_key=campaign, asset_selection=only, raise_on_error=False).run_id


def said(instance: DagsterInstance) -> dict[str, Any]:
    """Everything that the UI shows of the assets' present."""
    made = instance.fetch_materializations(AssetRecordsFilter(asset_key=AssetKey("leads")), limit=1_000).records
    latest: dict[str, Any] = {}
    for record in made:  # newest first
        assert record.asset_materialization is not None
        latest.setdefault(str(record.partition_key), (record.storage_id, record.asset_materialization.metadata, record.run_id))
    status = instance.get_status_by_partition(AssetKey("leads"), instance.get_dynamic_partitions("campaign"), campaigns)
    check = AssetCheckKey(AssetKey("leads"), "holds")
    summary = instance.event_log_storage.get_asset_check_summary_records([check])[check]
    totals_event = instance.get_latest_materialization_event(AssetKey("totals"))
    return {
        "latest": latest,
        "status": status,
        "materialized": instance.get_materialized_partitions(AssetKey("leads")),
        "check": summary.last_check_execution_record and summary.last_check_execution_record.id,
        "totals": totals_event and totals_event.asset_materialization,
        "versions": dict(instance.event_log_storage.get_latest_tags_by_partition(
            AssetKey("leads"), DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"], asset_partitions=["a", "b"])),
        "runs_of_latest": {campaign: instance.get_run_by_id(run_id) is not None for campaign, (_, _, run_id) in latest.items()},
    }  # fmt: skip


def test_what_is_said_of_the_present_stays_and_what_was_superseded_goes(instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions("campaign", ["a", "b", "c", "d"])
    old = [run(instance, campaign) for _ in range(3) for campaign in ("a", "b", None)]
    fails.add("c")
    failed = run(instance, "c")
    fails.discard("c")
    new = [run(instance, campaign) for campaign in ("a", "b", None)]
    before = said(instance)
    assert {name: status.value for name, status in before["status"].items() if status} == {
        "a": "MATERIALIZED",
        "b": "MATERIALIZED",
        "c": "FAILED",
    }

    pruned = prune(instance, datetime.now(UTC) + LATER)
    assert said(instance) == before
    assert pruned.runs == len(old)
    assert pruned.events > len(old)
    assert [instance.get_run_by_id(run_id) for run_id in old] == [None] * len(old)
    assert instance.get_run_by_id(failed) is not None
    assert all(instance.get_run_by_id(run_id) for run_id in new)
    again = prune(instance, datetime.now(UTC) + LATER)
    assert (again.events, again.runs, again.verdicts) == (0, 0, 0)
    run(instance, "a")
    assert said(instance)["latest"]["a"] != before["latest"]["a"], "the history goes on"


def test_nothing_young_goes(instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions("campaign", ["a"])
    kept = [run(instance, "a") for _ in range(3)]
    pruned = prune(instance, datetime.now(UTC) - timedelta(days=1))
    assert (pruned.events, pruned.runs, pruned.verdicts) == (0, 0, 0)
    assert all(instance.get_run_by_id(run_id) for run_id in kept)
    assert len(instance.all_logs(kept[0])) > 5


def test_a_run_in_progress_keeps_all_of_its_events(instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions("campaign", ["a"])
    job = definitions.resolve_implicit_global_asset_job_def()
    under_way = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED)
    instance.report_engine_event("working", under_way)
    before = [entry.message for entry in instance.all_logs(under_way.run_id)]
    prune(instance, datetime.now(UTC) + LATER)
    assert [entry.message for entry in instance.all_logs(under_way.run_id)] == before
    assert before[-1] == "working"


def test_the_files_shrink(tmp_path: Path) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("campaign", ["a"])
        for _ in range(12):
            run(instance, "a")
        before = _size(home)
        prune(instance, datetime.now(UTC) + LATER)
    assert _size(home) < before / 3


def _size(folder: Path) -> int:
    return sum(os.stat(Path(root) / name).st_size for root, _, names in os.walk(folder) for name in names)
