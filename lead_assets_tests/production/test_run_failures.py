"""What dagster.yaml here and in deploy/ promises of runs that fail, held to it by the daemon's own functions on its own storage: a run whose worker is
gone is marked and retried, a failure that may pass is retried, one that cannot is left to a person."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, Definitions, Failure, RunsFilter, serialize_value
from dagster._core.events import DagsterEvent
from dagster._core.launcher import WorkerStatus
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG, PARTITION_NAME_TAG, WILL_RETRY_TAG
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import consume_new_runs_for_automatic_reexecution
from dagster._daemon.monitoring import run_monitoring
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.__generated__.dagster_api_pb2_grpc import DagsterApiServicer, add_DagsterApiServicer_to_server
from dagster._grpc.impl import core_execute_run
from dagster._grpc.types import CanCancelExecutionResult
from dagster._utils.hosted_user_process import recon_job_from_origin
from sqlalchemy.exc import OperationalError

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.kit.run_failures import RUNNER_TAG, may_pass
from lead_assets.ledger.holders import new_holder
from lead_assets.sandbox import Handle
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import StoreError
from lead_assets.stores.objects.bucket import Bucket
from lead_assets.stores.warehouse.base import ContractViolation
from lead_assets.stores.warehouse.snowflake_session import SnowflakeFailed
from lead_assets_tests.production.deployed import deploy, fresh_database, leads
from lead_assets_tests.production.google_storage import GoogleStorage

# A step that is cut off: Dagster's generators do not expect it. See `Daemon.cut_off`.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

LOG = logging.getLogger("daemon")
DAY_AND_AN_HOUR = 90_000


def code_location() -> Definitions:
    """The product's, as a code server loads it, but that its archive gives a bucket up at once, not after two minutes."""
    settings = Settings()
    archive = Archive(settings.archive_location)
    archive.__dict__["objects"] = Bucket(settings.archive_location, first_wait=0.01, patience=0.05)
    return build_defs(settings, {"archive": archive})


@dataclass(frozen=True)
class Daemon:
    """The daemon's loops, one turn at a time; runs are launched into this process."""

    instance: DagsterInstance
    workspace: WorkspaceProcessContext

    def tick(self) -> None:
        list(execute_sensor_iteration(self.workspace, LOG, None, None))

    def monitor(self) -> None:
        list(run_monitoring.execute_run_monitoring_iteration(self.workspace, LOG))

    def retry(self) -> None:
        failed = self.instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.FAILURE]))
        list(consume_new_runs_for_automatic_reexecution(self.workspace, failed, LOG))

    def runs(self, campaign: str) -> list[DagsterRun]:
        """Oldest first."""
        return [*self.instance.get_runs(RunsFilter(tags={PARTITION_NAME_TAG: campaign}))][::-1]

    def states(self, campaign: str) -> list[str]:
        return [run.status.value for run in self.runs(campaign)]

    def work(self, campaign: str) -> Iterator[DagsterEvent]:
        """Launch the campaign's last run; the events of its worker."""
        run = self.runs(campaign)[-1]
        starting = DagsterEvent(event_type_value=DagsterEventType.PIPELINE_STARTING.value, job_name=run.job_name)
        self.instance.report_dagster_event(starting, run_id=run.run_id)
        started = self.instance.get_run_by_id(run.run_id)
        assert started is not None
        assert started.job_code_origin is not None
        return core_execute_run(recon_job_from_origin(started.job_code_origin), started, self.instance, inject_env_vars=False)

    @contextmanager
    def cut_off(self, campaign: str, after: str) -> Iterator[DagsterRun]:
        """The campaign's last run, whose worker is gone since a step ended well, without a word, as after a SIGKILL."""
        events = self.work(campaign)
        next(event for event in events if event.is_step_success and after in (event.step_key or ""))
        yield self.runs(campaign)[-1]
        with suppress(RuntimeError):  # Dagster's way to end a step does not expect it
            events.close()


CAMPAIGNS = ("machine", "command", "check", "bucket")


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, shared_storage: GoogleStorage, sandbox_of_module: Handle
) -> Iterator[Daemon]:
    """The daemon of a deployment where the drop sensor has asked for one run of each campaign."""
    shared_storage.reset()
    bucket = shared_storage.bucket("run-failures")
    made = deploy(
        tmp_path_factory.mktemp("deployed"),
        bucket=bucket,
        postgres_url=fresh_database(postgres),
        storage_url=shared_storage.url,
        sandbox_url=sandbox_of_module.url,
    )
    for campaign in CAMPAIGNS:
        shared_storage.overwrite("run-failures", f"landing/{campaign}/leads.ndjson", leads(campaign, 3))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        target = LoadableTargetOrigin(module_name=__name__, attribute="code_location")
        with (
            DagsterInstance.get() as instance,
            WorkspaceProcessContext(instance, InProcessTestWorkspaceLoadTarget(InProcessCodeLocationOrigin(target))) as workspace,
        ):
            daemon = Daemon(instance, workspace)
            daemon.tick()
            yield daemon


class _Workers(DagsterApiServicer):
    """A code server, as far as it says which runs it has workers for."""

    def __init__(self, runs: set[str]) -> None:
        self.runs = runs

    def CanCancelExecution(self, request: Any, context: Any) -> Any:
        asked = json.loads(request.serialized_can_cancel_execution_request)["run_id"]
        answer = serialize_value(CanCancelExecutionResult(can_cancel=asked in self.runs))
        return dagster_api_pb2.CanCancelExecutionReply(serialized_can_cancel_execution_result=answer)


@contextmanager
def code_server(runs: set[str]) -> Iterator[dict[str, Any]]:
    """Where it is, as the launcher notes it on a run."""
    server = grpc.server(ThreadPoolExecutor(1))
    add_DagsterApiServicer_to_server(_Workers(runs), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield {"host": "127.0.0.1", "port": port}
    finally:
        server.stop(None).wait()


def test_a_run_whose_machine_is_gone_is_marked_and_goes_on_elsewhere(daemon: Daemon) -> None:
    with daemon.cut_off("machine", after="signals__pipe0") as run:
        with code_server({run.run_id}) as address:
            daemon.instance.add_run_tags(run.run_id, {GRPC_INFO_TAG: json.dumps(address)})
            daemon.monitor()
            assert daemon.states("machine") == ["STARTED"], "whoever works is left in peace"
        daemon.monitor()
        daemon.retry()
        daemon.retry()
        assert daemon.states("machine") == ["FAILURE", "QUEUED"]
        again = daemon.runs("machine")[-1].step_keys_to_execute or []
        assert {"signals__enriched_leads", "marts__campaign_funnel"} <= set(again)
        assert not any("intake" in step or step == "signals__pipe0" for step in again), "it goes on from where it was"
        with daemon.cut_off("machine", after="enriched_leads"):
            assert daemon.states("machine") == ["FAILURE", "STARTED"]


def test_a_worker_that_its_code_server_knows_nothing_of_is_gone(daemon: Daemon) -> None:
    run = daemon.runs("check")[0]
    with code_server(set()) as address:
        health = daemon.instance.run_launcher.check_run_worker_health(run.with_tags({GRPC_INFO_TAG: json.dumps(address)}))
    assert health.status == WorkerStatus.NOT_FOUND


def test_a_command_that_was_killed_gives_its_place_free(daemon: Daemon) -> None:
    run = daemon.runs("check")[0]
    mine = new_holder()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    killed = mine.replace(f":{os.getpid()}:", f":{ended.pid}:")
    launcher = daemon.instance.run_launcher
    health = [launcher.check_run_worker_health(run.with_tags({RUNNER_TAG: owner})).status for owner in (mine, killed)]
    assert health == [WorkerStatus.RUNNING, WorkerStatus.NOT_FOUND]


def test_a_run_without_a_code_server_gives_its_place_free_after_a_day(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a command: nobody can tell whether it lives, but none lives longer than a message batch."""
    with daemon.cut_off("command", after="intake"):
        daemon.monitor()
        assert daemon.states("command") == ["STARTED"]
        now = run_monitoring.get_current_timestamp()
        monkeypatch.setattr(run_monitoring, "get_current_timestamp", lambda: now + DAY_AND_AN_HOUR + 1)
        daemon.monitor()
        assert daemon.states("command") == ["FAILURE"]


def test_a_blocking_check_that_failed_is_not_retried(daemon: Daemon) -> None:
    """A receipt speaks of a payload that its drop does not have. It would be missing five times more."""
    archive = Archive(Settings().archive_location)
    (first,) = archive.receipts("check")
    archive.add_receipt(first.model_copy(update={"receipt_id": "second", "sha256": archive.put(leads("check", 1)), "records": 2}))
    events = list(daemon.work("check"))
    (failure,) = (event.step_failure_data for event in events if event.is_step_failure)
    assert failure.error is not None
    assert "blocking asset check" in failure.error.message
    daemon.retry()
    assert daemon.states("check") == ["FAILURE"]
    assert daemon.runs("check")[0].tags[WILL_RETRY_TAG] == "false"


def test_a_bucket_that_was_away_is_tried_again(daemon: Daemon, shared_storage: GoogleStorage) -> None:
    shared_storage.fault("list", times=1_000, status=503)
    shared_storage.fault("download", times=1_000, status=503)
    failed = [event.step_key for event in daemon.work("bucket") if event.is_step_failure]
    shared_storage.reset()
    assert len(failed) == 1
    daemon.retry()
    assert daemon.states("bucket") == ["FAILURE", "QUEUED"]
    with daemon.cut_off("bucket", after="intake"):
        assert daemon.states("bucket") == ["FAILURE", "STARTED"]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (Failure("the vendor says never", allow_retries=False), False),
        (Failure("somebody's asset"), True),
        (ContractViolation("scoring.scores: missing columns ['tier']"), False),
        (KeyError("a bug"), False),
        (FileNotFoundError("archive: object is missing"), False),
        (StoreError("HTTP 403: grant the service account", passing=False), False),
        (StoreError("HTTP 503, also after 120 s", passing=True), True),
        (SnowflakeFailed("the query was cancelled", passing=False), False),
        (SnowflakeFailed("connection lost, after 3 attempts", passing=True), True),
        (OperationalError("", {}, Exception("server closed the connection")), True),
        (OperationalError("", {}, Exception("database or disk is full")), False),
        (ProviderError("aturiya", "leads", "transient", "server error", status=503), True),
        (ProviderError("aturiya", "leads", "auth", "refused", status=401), False),
        (ConnectionResetError(), True),
        (None, False),
    ],
)
def test_what_may_pass_is_told_from_what_cannot(error: Exception | None, passes: bool) -> None:
    assert may_pass(error) == passes
    assert may_pass(_raised_from(error)) == passes, "whatever Dagster wraps around it"


def _raised_from(error: Exception | None) -> Exception:
    outer = RuntimeError("a step failed")
    outer.__cause__ = error
    return outer
