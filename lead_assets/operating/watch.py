"""Dagster's side of watching: the check `fresh`, and the sensor that reports changes of freshness and sends alerts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import orjson
from dagster import (
    AssetCheckEvaluation,
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DefaultSensorStatus,
    ResourceParam,
    SensorEvaluationContext,
    SkipReason,
    asset_check,
    sensor,
)

from lead_assets.contracts import RoutingDecision
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import key_of
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger import Ledger
from lead_assets.operating.freshness import FreshnessVerdict, verdicts
from lead_assets.operating.incidents import FRESH
from lead_assets.operating.rules import load_alerts, load_freshness
from lead_assets.stores.archive import Archive

DECISIONS = key_of(RoutingDecision)
FRESH_KEY = AssetCheckKey(DECISIONS, FRESH)


@asset_check(
    asset=DECISIONS,
    name=FRESH,
    partitions_def=campaigns,
    description="The campaign is as fresh as rules/freshness.yaml expects: every drop is routed, no answer shown has expired for long. The sensor "
    "`watch_sensor` reports each change.",
)
def fresh(
    context: AssetCheckExecutionContext,
    settings: ResourceParam[Settings],
    archive: ResourceParam[Archive],
    warehouse: ResourceParam[WarehouseIOManager],
) -> AssetCheckResult:
    keys = context.op_execution_context.partition_keys
    found = verdicts(settings, archive, warehouse.warehouse, load_freshness(settings), datetime.now(UTC), only=keys)
    # A run over several campaigns has one verdict here; each campaign's own comes from the sensor.
    why = {verdict.campaign_id: "; ".join(verdict.why) for verdict in found if verdict.state == "stale"}
    return AssetCheckResult(passed=not why, severity=AssetCheckSeverity.WARN, metadata={"stale": why} if why else {})


def report_changes(instance: DagsterInstance, found: Sequence[FreshnessVerdict], stale: Sequence[str]) -> list[str]:
    """Report the check `fresh` of campaigns whose verdict changed. `stale`: the campaigns that were stale before; returns those that are now."""
    now_stale = [verdict.campaign_id for verdict in found if verdict.state == "stale"]
    for verdict in found:
        if (verdict.campaign_id in stale) != (verdict.state == "stale"):
            report(instance, _evaluation(verdict))
    return now_stale


def report(instance: DagsterInstance, evaluation: AssetCheckEvaluation) -> None:
    """Add a verdict to the history outside any run. Dagster's `report_runless_asset_event` takes only one per check and partition: its runless events share
    one run id, and the table of verdicts is unique by run."""
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_CHECK_EVALUATION.value, event_specific_data=evaluation, job_name="watch_sensor"
    )
    instance.report_dagster_event(event, run_id=str(uuid4()))


def _evaluation(verdict: FreshnessVerdict) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=DECISIONS,
        check_name=FRESH,
        passed=verdict.state != "stale",
        severity=AssetCheckSeverity.WARN,
        metadata=_metadata(verdict),
        partition=verdict.campaign_id,
    )


def _metadata(verdict: FreshnessVerdict) -> dict[str, str]:
    shown = {"state": verdict.state, "why": "; ".join(verdict.why), "since": verdict.since.isoformat() if verdict.since else ""}
    return {name: value for name, value in shown.items() if value}


@sensor(
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Looks for what is wrong: failed runs and checks, budgets nearly used, circuits, quarantine, campaigns that are not fresh. "
    "Tells the channels in rules/alerts.yaml, once per incident. `lead-assets incidents` lists them. Requests no runs.",
)
def watch_sensor(
    context: SensorEvaluationContext,
    settings: ResourceParam[Settings],
    archive: ResourceParam[Archive],
    ledger: ResourceParam[Ledger],
    warehouse: ResourceParam[WarehouseIOManager],
) -> SkipReason:
    # Imported here because every run pays for what the code location imports.
    from lead_assets.operating.alerts import look_and_tell

    now = datetime.now(UTC)
    before = orjson.loads(context.cursor or "{}")
    found = verdicts(settings, archive, warehouse.warehouse, load_freshness(settings), now)
    stale = report_changes(context.instance, found, before.get("stale", []))
    looked = look_and_tell(
        settings, load_alerts(settings), context.instance, ledger, warehouse.warehouse, found, after=before.get("event"), now=now
    )
    for problem in looked.problems:
        context.log.warning(problem)
    context.update_cursor(orjson.dumps({"event": looked.event, "stale": stale}).decode())
    return SkipReason(f"{looked.found} incidents, {looked.told} told; {len(stale)} of {len(found)} campaigns are not fresh")
