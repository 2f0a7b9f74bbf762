"""What follows when a run fails: whether the daemon tries it again, and how the daemon learns that a run's worker is gone.

Dagster's `run_retries` (deploy/dagster.yaml) retries every failed step alike, `Failure(allow_retries=False)` included; a blocking check that failed
would fail five times more. So each step carries a hook that tells what may pass from what cannot. And Dagster's own launcher cannot tell whether a
worker lives, so that `run_monitoring` alone would let a run stand as started for ever once its machine is lost.

Does not belong here: retries inside a step (ledger, warehouse and bucket have their own), or runs inside a command (see `lost_storage`).
https://docs.dagster.io/deployment/execution/run-retries
"""

import json
from typing import Any

from dagster import DagsterRun, DefaultRunLauncher, Failure, HookContext, failure_hook

from lead_assets.core.errors import ProviderError
from lead_assets.kit import lost_storage
from lead_assets.kit.dagster_internals import GRPC_INFO_TAG, RETRY_ON_ASSET_OR_OP_FAILURE_TAG, WORKERS, load
from lead_assets.ledger.holders import is_gone


def may_pass(error: BaseException | None) -> bool:
    """Whether the step may go well later although nobody mends anything: a store or vendor that was away, not a refused frame, setting, check or bug."""
    if lost_storage.lost(error):
        return True
    while error is not None:
        if isinstance(error, Failure):
            return bool(error.allow_retries)
        if isinstance(error, ProviderError):
            return error.kind in ("transient", "rate_limited")
        passing = getattr(error, "passing", None)  # our stores' errors say it themselves
        if passing is not None:
            return bool(passing)
        if isinstance(error, ConnectionError | TimeoutError):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


@failure_hook
def retry_what_may_pass(context: HookContext) -> None:
    """Keeps `run_retries` from a run with a step that failed for good. The run waits for a person then, whatever else failed in it."""
    if may_pass(context.op_exception):
        return
    context.log.error("This failure does not pass by itself, so the run is not retried: mend its cause, then re-execute from failure.")
    context.instance.add_run_tags(context.run_id, {RETRY_ON_ASSET_OR_OP_FAILURE_TAG: "false"})


RUNNER_TAG = "lead_assets/runner"
"""Run tag: the machine and process of the command that a run is in."""


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's own launcher, which can also be asked whether a run's worker is still there. Named in both dagster.yaml.

    A code server marks the runs of workers that it saw die. This is for when it died with them.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return load(WORKERS) is not None

    def check_run_worker_health(self, run: DagsterRun) -> Any:
        """Dagster's CheckRunHealthResult; NotImplementedError, as of Dagster's own launcher, where it cannot be told."""
        internals = load(WORKERS)
        if internals is None:
            return super().check_run_worker_health(run)
        result, status = internals.CheckRunHealthResult, internals.WorkerStatus
        address = run.tags.get(GRPC_INFO_TAG)
        if address is None:
            # A run inside a command, which no code server started.
            if is_gone(run.tags.get(RUNNER_TAG, "")):
                return result(status.NOT_FOUND, "the command that ran it was killed")
            return result(status.RUNNING)
        try:
            alive = _works_at(internals, json.loads(address), run.run_id)
        except ConnectionError:
            return result(status.NOT_FOUND, "the code server that started the run is gone")
        return result(status.RUNNING if alive else status.NOT_FOUND)


def _works_at(internals: Any, address: dict[str, Any], run_id: str) -> bool:
    """Whether the code server at this address has a worker for the run. Raises ConnectionError if there is no server."""
    import grpc  # type: ignore[import-untyped]
    from dagster import deserialize_value

    client = internals.DagsterGrpcClient(
        host=address.get("host") or "localhost",
        port=address.get("port"),
        socket=address.get("socket"),
        use_ssl=bool(address.get("use_ssl")),
    )
    try:
        answer = client.can_cancel_execution(internals.CanCancelExecutionRequest(run_id=run_id), timeout=10)
    except internals.DagsterUserCodeUnreachableError as error:
        cause = error.__cause__
        if isinstance(cause, grpc.RpcError) and cause.code() == grpc.StatusCode.UNAVAILABLE:
            raise ConnectionError("no code server answers there") from error
        return True  # too busy to answer in time is not gone
    can_cancel: bool = deserialize_value(answer, internals.CanCancelExecutionResult).can_cancel
    return can_cancel
