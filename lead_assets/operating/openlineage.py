"""Tells an OpenLineage service (Marquez, DataHub, OpenMetadata, …) of runs that have ended: which tables they made from which, with columns.

The events are made by the package dagster-openlineage. Its own sensor follows one numbering of all events, which Dagster's SQLite history does not have (there,
each run has a file of its own), and drops what the service did not take. So this sensor goes from run to run, tells each table once per run and not
once per partition, and goes on after the last run that was taken whole. Belongs here: what of a run is told. Does not belong here: the graph's own
lineage (`lead-assets lineage`, and the metadata of materializations).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from dagster import (
    AssetCheckEvaluation,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    ResourceParam,
    RunRecord,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import column_lineage, key_of, table_schema
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.tables import BASES
from lead_assets.stores.warehouse.base import Warehouse

_ENDED = {
    DagsterRunStatus.SUCCESS: "complete_pipeline",
    DagsterRunStatus.FAILURE: "fail_pipeline",
    DagsterRunStatus.CANCELED: "cancel_pipeline",
}
_RUNS_AT_ONCE = 50
_SECONDS = 30.0
"""Of a tick, after which no further run is begun."""
_GRAIN = 2.0
"""Seconds that are looked at twice: SQLite's history has whole seconds."""
_REMEMBERED = 200
"""Runs that the cursor names, because Dagster may touch a run again after it has ended."""


@dataclass(frozen=True)
class LineageTold:
    """What a tick did: the runs that were taken, what stopped it, and the cursor after it."""

    runs: Sequence[str]
    problem: str | None
    cursor: str


@sensor(
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells OPENLINEAGE_URL of runs that have ended, with tables, columns and checks. Requests no runs.",
)
def openlineage_sensor(
    context: SensorEvaluationContext, settings: ResourceParam[Settings], warehouse: ResourceParam[WarehouseIOManager]
) -> SkipReason:
    try:
        adapter = adapter_of(settings)
    except ModuleNotFoundError as error:
        return SkipReason(f"OPENLINEAGE_URL is set, but {error.name} is not installed: pip install 'lead-assets[openlineage]'")
    told = tell(context.instance, adapter, warehouse.warehouse, context.cursor, datetime.now(UTC))
    context.update_cursor(told.cursor)
    if told.problem:
        context.log.warning(told.problem)
    return SkipReason(f"{len(told.runs)} runs told{f'; then {told.problem}' if told.problem else ''}")


def adapter_of(settings: Settings) -> Any:
    """dagster-openlineage's adapter for OPENLINEAGE_URL. What the service does not take is an error, and not dropped."""
    from dagster_openlineage import OpenLineageAdapter
    from dagster_openlineage.emitter import OpenLineageEmitter
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    key = settings.openlineage_api_key
    config = HttpConfig.from_dict({"url": settings.openlineage_url, "timeout": 5.0, "retry": {"total": 0}})
    if key is not None:
        config.auth = ApiKeyTokenProvider({"api_key": key.get_secret_value()})
    client = OpenLineageClient(transport=HttpTransport(config))

    class Emitter(OpenLineageEmitter):  # type: ignore[misc, unused-ignore]
        def emit(self, event: Any) -> None:
            client.emit(event)

    return OpenLineageAdapter(namespace=settings.openlineage_namespace, emitter=Emitter(client=client))


def tell(instance: DagsterInstance, adapter: Any, warehouse: Warehouse, cursor: str | None, now: datetime) -> LineageTold:
    """Tell of the runs that have ended since the cursor, oldest first. Without a cursor, only of those that end from now on."""
    said: dict[str, Any] = orjson.loads(cursor) if cursor else {"after": now.timestamp(), "told": []}
    after, known, runs, problem = float(said["after"]), list(said["told"]), list[str](), None
    end = time.monotonic() + _SECONDS
    wanted = RunsFilter(statuses=list(_ENDED), updated_after=datetime.fromtimestamp(after - _GRAIN, UTC))
    for record in instance.get_run_records(wanted, limit=_RUNS_AT_ONCE, order_by="update_timestamp", ascending=True):
        if time.monotonic() > end:
            break
        run_id = record.dagster_run.run_id
        if run_id not in known:
            try:
                _tell_run(instance, adapter, warehouse, record)
            except Exception as error:  # any transport's
                problem = (
                    f"the service of OPENLINEAGE_URL did not take run {run_id} ({type(error).__name__}): it is told again by the next tick"
                )
                break
            runs.append(run_id)
            known.append(run_id)
        after = max(after, record.update_timestamp.replace(tzinfo=record.update_timestamp.tzinfo or UTC).timestamp())
    return LineageTold(runs, problem, orjson.dumps({"after": after, "told": known[-_REMEMBERED:]}).decode())


def _tell_run(instance: DagsterInstance, adapter: Any, warehouse: Warehouse, record: RunRecord) -> None:
    run = record.dagster_run
    ended = record.end_time or record.update_timestamp.timestamp()
    adapter.start_pipeline(run.job_name, run.run_id, record.start_time or ended)
    planned: set[AssetKey] = set()
    made: dict[AssetKey, tuple[float, list[str | None]]] = {}
    judged: dict[AssetKey, list[AssetCheckEvaluation]] = {}
    kinds = {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
    }
    for at, event in _events(instance, run.run_id, kinds):
        if event.event_type == DagsterEventType.ASSET_MATERIALIZATION:
            materialization = event.step_materialization_data.materialization
            _, partitions = made.get(materialization.asset_key, (at, []))
            made[materialization.asset_key] = (at, [*partitions, materialization.partition])
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            verdict = event.asset_check_evaluation_data
            # Without its metadata: the service is told whether a check passed, and Dagster why.
            bare = AssetCheckEvaluation(verdict.asset_key, verdict.check_name, verdict.passed, {}, severity=verdict.severity)
            judged.setdefault(verdict.asset_key, []).append(bare)
        elif isinstance(key := event.asset_key, AssetKey):
            planned.add(key)
    for key, (at, partitions) in made.items():
        only = partitions[0] if len(partitions) == 1 else None
        adapter.asset_materialization(
            key, run.run_id, at, metadata=_described(key, warehouse), upstream_asset_keys=_inputs(key), partition_key=only
        )
    for key in sorted(planned - made.keys()) if record.dagster_run.status != DagsterRunStatus.SUCCESS else []:
        adapter.asset_failed_to_materialize(key, run.run_id, ended)
    for key, verdicts in judged.items():
        adapter.asset_check_evaluation(key, verdicts, run.run_id, ended)
    getattr(adapter, _ENDED[run.status])(run.job_name, run.run_id, ended)


def _events(instance: DagsterInstance, run_id: str, kinds: set[DagsterEventType]) -> Iterable[tuple[float, DagsterEvent]]:
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        if (event := record.event_log_entry.dagster_event) is not None:
            yield record.timestamp, event


def _described(key: AssetKey, warehouse: Warehouse) -> Mapping[str, Any]:
    contract = TABLES.get(".".join(key.path))
    if contract is None:
        return {}
    _, _, uri = warehouse.place_of(contract)
    return {"dagster/column_schema": table_schema(contract), "dagster/column_lineage": column_lineage(contract), "uri": uri}


def _inputs(key: AssetKey) -> list[AssetKey]:
    basis = BASES.get(".".join(key.path))
    return [key_of(contract) for contract in dict.fromkeys([*basis.same, *basis.whole])] if basis else []
