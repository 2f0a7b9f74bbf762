"""Failed runs: whether the daemon retries them, and how it learns that a run's worker is gone.

Dagster's `run_retries` (deploy/dagster.yaml) retries every failed step alike, even `Failure(allow_retries=False)`; a failed blocking check
would fail five more times. So each step has a hook that tells temporary failures from permanent ones. And Dagster's own launcher cannot tell whether a
worker is alive, so with `run_monitoring` alone, a run on a lost machine would show as started forever.

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
    """Whether the step may succeed later without a fix: an unavailable store or vendor, as opposed to a refused frame, setting, check or bug."""
    if lost_storage.lost(error):
        return True
    while error is not None:
        if isinstance(error, Failure):
            return bool(error.allow_retries)
        if isinstance(error, ProviderError):
            return error.kind in ("transient", "rate_limited")
        passing = getattr(error, "passing", None)  # errors of our own stores say so themselves
        if passing is not None:
            return bool(passing)
        if isinstance(error, ConnectionError | TimeoutError):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


@failure_hook
def retry_what_may_pass(context: HookContext) -> None:
    """Prevents `run_retries` for a run with a permanently failed step. The run then waits for a person, whatever else failed in it."""
    if may_pass(context.op_exception):
        return
    context.log.error("A retry cannot succeed, so the run is not retried: fix the cause, then re-execute from failure.")
    context.instance.add_run_tags(context.run_id, {RETRY_ON_ASSET_OR_OP_FAILURE_TAG: "false"})


RUNNER_TAG = "lead_assets/runner"
"""Run tag: the machine and process of the command that runs it."""
APART_TAG = "lead_assets/apart"
"""Run tag of a failed run over several campaigns whose halves were run after it: what failed is told of theirs."""


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's own launcher, extended to check whether a run's worker is still alive. Both dagster.yaml files name it.

    A code server marks the runs of workers that it saw die. This covers the case that it died with them.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return load(WORKERS) is not None

    def check_run_worker_health(self, run: DagsterRun) -> Any:
        """Dagster's CheckRunHealthResult; raises NotImplementedError, like Dagster's own launcher, if it cannot tell."""
        internals = load(WORKERS)
        if internals is None:
            return super().check_run_worker_health(run)
        result, status = internals.CheckRunHealthResult, internals.WorkerStatus
        address = run.tags.get(GRPC_INFO_TAG)
        if address is None:
            # A run inside a command, not started by a code server.
            if is_gone(run.tags.get(RUNNER_TAG, "")):
                return result(status.NOT_FOUND, "the command that ran it was killed")
            return result(status.RUNNING)
        try:
            alive = _works_at(internals, json.loads(address), run.run_id)
        except ConnectionError:
            return result(status.NOT_FOUND, "the code server that started the run is gone")
        return result(status.RUNNING if alive else status.NOT_FOUND)


def _works_at(internals: Any, address: dict[str, Any], run_id: str) -> bool:
    """Whether the code server at this address still has a worker for the run. Raises ConnectionError if there is no server."""
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
            raise ConnectionError("no code server answers at this address") from error
        return True  # too busy to answer in time does not mean gone
    can_cancel: bool = deserialize_value(answer, internals.CanCancelExecutionResult).can_cancel
    return can_cancel
