"""A file dropped into the landing folder is processed automatically; leads from the campaign API take the same way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    RunRequest,
    SensorResult,
    SkipReason,
    build_sensor_context,
)
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from lead_assets.automation import drop_sensor
from lead_assets.cli import report, runs
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.kit.declare import LIMIT_TAG
from lead_assets.kit.run_failures import RUNNER_TAG
from lead_assets.ledger.holders import is_gone
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of, warehouse_of

pytestmark = pytest.mark.slow

ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("lead_assets"), "__repository__"), "lead_pipeline")
CODE = JobPythonOrigin("lead_pipeline", RepositoryPythonOrigin(sys.executable, ModuleCodePointer("lead_assets.definitions", "defs")))
"""Where a run's code is to be found, without which no run may be queued."""

LEAD = {"email": "jane.doe@acme.example", "company": "Acme", "full_name": "Jane Doe", "title": "VP Sales", "country": "Germany"}


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def definitions(settings: Settings) -> Definitions:
    return build_defs(settings)


def drop(settings: Settings, name: str, *leads: dict[str, object], age: float = 60) -> Path:
    """A file in the landing folder that was written `age` seconds ago."""
    path = Path(settings.landing_location) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(lead) + "\n" for lead in leads))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def tick(
    settings: Settings, instance: DagsterInstance, cursor: str | None, patch: pytest.MonkeyPatch
) -> tuple[SensorResult | SkipReason, str | None]:
    """One evaluation of the real sensor, on a clock that lets files settle."""
    from lead_assets.intake import landing

    patch.setattr(landing, "SETTLE_SECONDS", 0.0)
    context = build_sensor_context(instance=instance, cursor=cursor, resources={"settings": settings, "archive": archive_of(settings)})
    result = drop_sensor(context)
    assert isinstance(result, SensorResult | SkipReason)
    return result, result.cursor if isinstance(result, SensorResult) else context.cursor


def test_a_dropped_file_becomes_a_run_of_its_campaign(
    settings: Settings, instance: DagsterInstance, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(settings, "leads.ndjson", LEAD | {"campaign_id": "spring"})
    result, cursor = tick(settings, instance, None, monkeypatch)
    assert isinstance(result, SensorResult)
    (request,) = result.run_requests or []
    assert isinstance(request, RunRequest)
    assert request.partition_key == "spring"
    (added,) = result.dynamic_partitions_requests or []
    assert list(added.partition_keys) == ["spring"]

    runs.add_campaigns(instance, added.partition_keys)
    ran = runs.run_campaigns(definitions, instance, ["spring"], assets=runs.select_assets(definitions, None))
    assert [(each.campaigns, each.success) for each in ran] == [(("spring",), True), ((), True)]
    (row,) = report.funnel(warehouse_of(settings), ["spring"])
    assert (row["received"], row["routed"]) == (1, 1)

    again, _ = tick(settings, instance, cursor, monkeypatch)
    assert isinstance(again, SkipReason)
    assert [path.name[:6] for path in Path(settings.landing_location).rglob("*.ndjson")] == ["leads-"], "moved below .taken"
    assert (Path(settings.landing_location) / ".taken").is_dir()


def test_a_campaign_that_is_queued_is_not_asked_for_again_and_one_under_way_once_more_after_it(
    settings: Settings, instance: DagsterInstance, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs are Dagster's own records, in the states that its daemon gives them."""

    def asked(number: int, cursor: str | None) -> tuple[list[str], str | None]:
        drop(settings, f"spring/{number}.ndjson", LEAD | {"email": f"p{number}@acme.example"})
        result, cursor = tick(settings, instance, cursor, monkeypatch)
        requests = result.run_requests or [] if isinstance(result, SensorResult) else []
        return [str(request.partition_key) for request in requests if isinstance(request, RunRequest)], cursor

    def stands(status: DagsterRunStatus, campaigns: tuple[str, str] = ("spring", "spring"), **options: Any) -> DagsterRun:
        first, last = campaigns
        tags = (
            {"dagster/partition": first}
            if first == last
            else {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        )
        job = definitions.resolve_job_def("lead_pipeline")
        return instance.create_run_for_job(
            job, tags=tags | options.pop("tags", {}), status=status, remote_job_origin=ORIGIN, job_code_origin=CODE, **options
        )

    runs.add_campaigns(instance, ["fall", "spring", "summer"])
    requests, cursor = asked(0, None)
    assert requests == ["spring"]
    queued = stands(DagsterRunStatus.QUEUED)
    requests, cursor = asked(1, cursor)
    assert requests == []
    instance.delete_run(queued.run_id)
    # It may have read the archive before the second file came; a range as a backfill has it.
    for under_way in (stands(DagsterRunStatus.STARTED), stands(DagsterRunStatus.STARTING, ("fall", "summer"))):
        requests, cursor = asked(2, cursor)
        assert requests == []
        instance.delete_run(under_way.run_id) if under_way.status == DagsterRunStatus.STARTED else instance.report_run_failed(under_way)
    result, cursor = tick(settings, instance, cursor, monkeypatch)
    assert isinstance(result, SensorResult)
    assert len(result.run_requests or []) == 1
    # Runs that wait and will not do all of it: leads left out, a part of the graph, one that was never put into the queue; a command that was killed.
    stands(DagsterRunStatus.QUEUED, tags={LIMIT_TAG: "5"})
    stands(DagsterRunStatus.QUEUED, asset_selection=frozenset({AssetKey(["scoring", "scores"])}))
    monkeypatch.setattr("lead_assets.kit.standing._SUBMITTED_WITHIN", 0.0)
    stands(DagsterRunStatus.NOT_STARTED)
    gone = subprocess.Popen(
        [sys.executable, "-c", "from lead_assets.ledger.holders import new_holder; print(new_holder())"], stdout=subprocess.PIPE
    )
    stands(DagsterRunStatus.STARTED, tags={RUNNER_TAG: gone.communicate()[0].decode().strip()})
    assert asked(3, cursor)[0] == ["spring"]


def test_the_same_content_asks_for_the_same_run_again(
    settings: Settings, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash after the tick and before its cursor was kept: the second tick must not make a second run."""
    drop(settings, "spring/leads.ndjson", LEAD)
    first, _ = tick(settings, instance, None, monkeypatch)
    second, _ = tick(settings, instance, None, monkeypatch)
    assert isinstance(first, SensorResult)
    assert isinstance(second, SensorResult)
    assert [request.run_key for request in first.run_requests or []] == [request.run_key for request in second.run_requests or []]
    assert len(archive_of(settings).receipts("spring")) == 1


def test_the_campaign_apis_leads_are_routed(
    settings: Settings, sandbox: Handle, instance: DagsterInstance, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = definitions.resolve_job_def("campaign_api_job")
    sandbox.set_fault("aturiya", "status", operation="leads", status=404, match="cmp_data_nordics", times=1)
    assert not job.execute_in_process(instance=instance, raise_on_error=False).success, "a campaign that is not given must be seen"
    assert [file.parent.name for file in Path(settings.landing_location).rglob("*.ndjson")] == ["cmp_revops_q4"]
    assert job.execute_in_process(instance=instance).success
    for file in Path(settings.landing_location).rglob("*.ndjson"):
        os.utime(file, (time.time() - 60, time.time() - 60))
    result, _ = tick(settings, instance, None, monkeypatch)
    assert isinstance(result, SensorResult)
    campaigns = {str(request.partition_key) for request in result.run_requests or []}
    assert campaigns == {"cmp_revops_q4", "cmp_data_nordics"}

    assert job.execute_in_process(instance=instance).success
    again, _ = tick(settings, instance, result.cursor, monkeypatch)
    assert isinstance(again, SkipReason), "leads that came in before must not be dropped again"


def test_a_run_over_neighbouring_campaigns_writes_each(
    settings: Settings, instance: DagsterInstance, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a backfill does: one run, several partitions, one frame."""
    for name in ("a", "b", "c"):
        drop(
            settings, f"{name}/leads.ndjson", LEAD | {"email": f"jane@{name}{name}.example"}, LEAD | {"email": f"joe@{name}{name}.example"}
        )
    tick(settings, instance, None, monkeypatch)
    runs.add_campaigns(instance, ["a", "b", "c"])
    ran, whole = runs.run_campaigns(definitions, instance, ["a", "b", "c"], assets=runs.select_assets(definitions, None))
    assert (ran.success, whole.success) == (True, True)
    assert len(instance.get_runs()) == 2
    assert not any(is_gone(run.tags[RUNNER_TAG]) for run in instance.get_runs()), "by this a daemon knows whether the command still lives"
    assert [(row["campaign_id"], row["routed"]) for row in report.funnel(warehouse_of(settings), ["a", "b", "c"])] == [
        ("a", 2),
        ("b", 2),
        ("c", 2),
    ]


def test_a_failed_step_is_told_without_data(
    settings: Settings, instance: DagsterInstance, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that lost a drop: the run fails, the rooms behind it do not run on nothing, the text names the drop and no person."""
    drop(settings, "a/leads.ndjson", LEAD)
    tick(settings, instance, None, monkeypatch)
    runs.add_campaigns(instance, ["a"])
    for path in (Path(settings.archive_location) / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    ran, _ = runs.run_campaigns(definitions, instance, ["a"], assets=runs.select_assets(definitions, None))
    assert not ran.success
    assert len(ran.failures) == 1
    assert "archive: object" in ran.failures[0]
    assert "jane" not in ran.failures[0].lower()
