"""Dagster's side of watching: the check `fresh`, and the sensor that reports changes of freshness and sends alerts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from dagster import (
    AssetCheckEvaluation,
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckSeverity,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DefaultSensorStatus,
    ResourceParam,
    RunRequest,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    multi_asset_check,
    sensor,
)

from lead_assets.contracts import RoutingDecision
from lead_assets.core.settings import Settings
from lead_assets.kit.checks import Check, Verdict, evaluations
from lead_assets.kit.declare import key_of
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.outages import campaigns_under_way
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger import Ledger
from lead_assets.operating import upkeep
from lead_assets.operating.freshness import FreshnessVerdict, active_campaigns, signals_until, verdicts
from lead_assets.operating.incidents import FRESH
from lead_assets.operating.rules import load_alerts, load_freshness
from lead_assets.stores.archive import Archive

PIPELINE = "lead_pipeline"
"""The job of all campaign tables."""
DECISIONS = key_of(RoutingDecision)
FRESH_KEY = AssetCheckKey(DECISIONS, FRESH)


CHECK = Check(
    of=RoutingDecision,
    name=FRESH,
    description="The campaign is as fresh as rules/freshness.yaml expects: every drop is routed, no answer shown has expired for long. The sensor "
    "`watch_sensor` reports each change.",
    judge=lambda _: {},
    severity=AssetCheckSeverity.WARN,
)


@multi_asset_check(name="routing__decisions_fresh", specs=[CHECK.spec])
def fresh(
    context: AssetCheckExecutionContext,
    settings: ResourceParam[Settings],
    archive: ResourceParam[Archive],
    warehouse: ResourceParam[WarehouseIOManager],
) -> Iterator[Any]:
    running: Any = context.op_execution_context
    found = verdicts(settings, archive, warehouse.warehouse, load_freshness(settings), datetime.now(UTC), only=running.partition_keys)
    shown = {each.campaign_id: Verdict(each.state != "stale", _metadata(each)) for each in found}
    yield from evaluations(running, CHECK, shown, {})


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


@sensor(
    job_name=PIPELINE,
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Runs campaigns whose message batch or pipe0 run was left behind by a process that is gone, so that what was paid is fetched.",
)
def fetch_sensor(context: SensorEvaluationContext, ledger: ResourceParam[Ledger]) -> SensorResult | SkipReason:
    left = ledger.left_behind()
    if not left:
        return SkipReason("no vendor's work was left behind")
    known = set(context.instance.get_dynamic_partitions(str(campaigns.name)))
    runs = upkeep.fetches(left, campaigns_under_way(context.instance), known)
    return _requested(runs, context.cursor) if runs else SkipReason(f"{len(left)} campaigns wait for the end of their run")


@sensor(
    job_name=PIPELINE,
    minimum_interval_seconds=3600,
    default_status=DefaultSensorStatus.STOPPED,
    description="Buys expired answers of active campaigns again, those with the most hot leads first, within rules/freshness.yaml's money per day. Off by "
    "default, because it spends money by itself.",
)
def refresh_sensor(
    context: SensorEvaluationContext,
    settings: ResourceParam[Settings],
    archive: ResourceParam[Archive],
    warehouse: ResourceParam[WarehouseIOManager],
) -> SensorResult | SkipReason:
    from lead_assets.estimating.estimate import estimate

    now, rules = datetime.now(UTC), load_freshness(settings)
    active = active_campaigns(archive, rules, now)
    until = signals_until(warehouse.warehouse, active)
    found = upkeep.expired(until, upkeep.hot_leads(warehouse.warehouse, until), now)
    runs, cursor = upkeep.refreshes(
        found,
        rules.refresh,
        lambda campaign: float(estimate(settings, [campaign])["usd"]),
        campaigns_under_way(context.instance),
        context.cursor,
        now,
    )
    if not runs:
        context.update_cursor(cursor)
        return SkipReason(f"{len(found)} of {len(active)} active campaigns have expired answers; none can be refreshed now")
    return _requested(runs, cursor)


def _requested(runs: Sequence[upkeep.Asked], cursor: str | None) -> SensorResult:
    return SensorResult(run_requests=[RunRequest(run_key=run.run_key, partition_key=run.campaign_id) for run in runs], cursor=cursor)
