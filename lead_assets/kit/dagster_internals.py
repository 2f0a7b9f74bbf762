"""All private Dagster names that the product uses, and what is lost if one disappears.

An upgrade may move any of them. Then a test fails and names it (lead_assets_tests/graph/test_dagster_internals.py), a warning says so, and the product
falls back to Dagster's stock behaviour. Nothing else in the package imports names that begin with an underscore.

Belongs here: where to find such names. Does not belong here: their use (see `run_history`, `run_failures`, `checks`,
`partition_metadata`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import SimpleNamespace

import dagster

_log = logging.getLogger(__name__)

# Tags that Dagster sets or reads. Their values are in its database, so they change even less often than their names.
GRPC_INFO_TAG = ".dagster/grpc_info"
RETRY_ON_ASSET_OR_OP_FAILURE_TAG = "dagster/retry_on_asset_or_op_failure"


@dataclass(frozen=True)
class Part:
    """Names that are used together."""

    what_for: str
    instead: str
    """What happens without them."""
    names: tuple[str, ...]
    """module:name"""


HISTORY = Part(
    what_for="a run history that does not wait for the disk at every event",
    instead="Dagster's own SQLite storage is used, with the same files",
    names=(
        "dagster._core.storage.sqlite_storage:DagsterSqliteStorage",
        "dagster._core.storage.event_log.sqlite.sqlite_event_log:SqliteEventLogStorage",
        "dagster._core.storage.runs.sqlite.sqlite_run_storage:SqliteRunStorage",
        "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage:SqliteScheduleStorage",
    ),
)
WORKERS = Part(
    what_for="noticing that a run's worker is gone",
    instead="runs of a lost machine show as started until run_monitoring's maximum run time",
    names=(
        "dagster._core.errors:DagsterUserCodeUnreachableError",
        "dagster._core.launcher:CheckRunHealthResult",
        "dagster._core.launcher:WorkerStatus",
        "dagster._grpc.client:DagsterGrpcClient",
        "dagster._grpc.types:CanCancelExecutionRequest",
        "dagster._grpc.types:CanCancelExecutionResult",
    ),
)
TARGETS = Part(
    what_for="linking a check's verdict to its materialization",
    instead="verdicts have no such link",
    names=(
        "dagster._core.definitions.asset_checks.asset_check_evaluation:AssetCheckEvaluationTargetMaterializationData",
        "dagster._core.storage.event_log.schema:SqlEventLogStorageTable",
        "dagster._core.storage.event_log.sql_event_log:SqlEventLogStorage",
    ),
)
METADATA = Part(
    what_for="adding metadata to a partition without a query",
    instead="Dagster asks its storage about every partition",
    names=(
        "dagster._core.execution.context.metadata_logging:AssetMetadataHandle",
        "dagster._core.execution.context.metadata_logging:OutputMetadataAccumulator",
    ),
)
PARTS = (HISTORY, WORKERS, TARGETS, METADATA)


@cache
def load(part: Part) -> SimpleNamespace | None:
    """The names of a part; None with a warning if this version of Dagster lacks one."""
    found = SimpleNamespace()
    for place in part.names:
        module, _, name = place.partition(":")
        try:
            setattr(found, name, getattr(import_module(module), name))
        except (ImportError, AttributeError):
            _log.warning("dagster %s has no %s, which is needed for %s: %s", dagster.__version__, place, part.what_for, part.instead)
            return None
    return found
