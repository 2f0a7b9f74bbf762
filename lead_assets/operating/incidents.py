"""What is wrong right now: runs, checks, budgets, circuits, quarantine, campaigns behind. Each finder is a plain function.

Belongs here: finding incidents, saying what and what to do next. Does not belong here: who is told and how (see `alerts` and `channels`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckSeverity,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    EventLogEntry,
    RunRecord,
    RunsFilter,
    deserialize_value,
)

from lead_assets.contracts import Classification, Quarantined
from lead_assets.kit.run_failures import APART_TAG
from lead_assets.operating.freshness import FreshnessVerdict
from lead_assets.operating.rules import Kind
from lead_assets.stores.warehouse.base import Warehouse

if TYPE_CHECKING:
    from lead_assets.ledger.controls import Circuit
    from lead_assets.ledger.money import Budget

_RUNS_AGE = timedelta(days=1)
"""Failed runs older than this are no news, when alerts are switched on for the first time."""
_VERDICTS_AT_ONCE = 1_000
_FAILED_CHECK = "DagsterAssetCheckFailedError"


@dataclass(frozen=True)
class Incident:
    """`key` identifies it: the same key is told once. `group`: incidents of one group in one tick are told together. `path` is a page of Dagster's UI."""

    key: str
    kind: Kind
    group: str
    what: str
    next_step: str
    path: str = ""


@dataclass(frozen=True)
class ChecksSeen:
    """What happened to checks since the cursor: incidents that began, and keys of those that ended."""

    begun: Sequence[Incident]
    ended: frozenset[str]
    cursor: int


def failed_runs(instance: DagsterInstance, now: datetime) -> Iterator[Incident]:
    """Runs that failed in the last day. One whose blocking check failed is told as that check, and one that the daemon retries only after its last try; a
    group whose halves were run after it is not told."""
    wanted = RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=now - _RUNS_AGE)
    for record in instance.get_run_records(wanted, limit=200):
        run = record.dagster_run
        if run.tags.get("dagster/will_retry") == "true" or APART_TAG in run.tags or _failed_by_a_check(instance, record):
            continue
        campaigns = run.tags.get("dagster/partition") or run.tags.get("dagster/asset_partition_range_start") or ""
        of = f" of {campaigns}" if campaigns else ""
        yield Incident(
            f"run_failed/{run.run_id}",
            "run_failed",
            f"run_failed/{run.job_name}",
            f"A run of {run.job_name}{of} failed",
            "Open the run, read the error of its failed step, fix the cause, and choose Re-execute from failure. Nothing is bought twice.",
            f"/runs/{run.run_id}",
        )


def _failed_by_a_check(instance: DagsterInstance, record: RunRecord) -> bool:
    failures = instance.get_records_for_run(record.dagster_run.run_id, of_type=DagsterEventType.STEP_FAILURE).records
    errors = [entry.event_log_entry.dagster_event.event_specific_data.error for entry in failures if entry.event_log_entry.dagster_event]  # type: ignore[union-attr]
    return bool(errors) and all(error is not None and error.cls_name == _FAILED_CHECK for error in errors)


# Dagster's SQLite storage has a file per run and can page through the events of one only. Verdicts of all runs are in this table, in each of its storages; a
# verdict gets its event's id when it is there, and so comes after those that were there before.
_VERDICTS = """
    SELECT evaluation_event_storage_id, evaluation_event FROM asset_check_executions
    WHERE evaluation_event_storage_id > :after AND execution_status IN ('SUCCEEDED', 'FAILED')
    ORDER BY evaluation_event_storage_id LIMIT :most
"""
_NEWEST = "SELECT MAX(evaluation_event_storage_id) FROM asset_check_executions"


def newest_verdict(instance: DagsterInstance) -> int:
    """The id of the newest verdict on a check; 0 if there is none."""
    from sqlalchemy import text

    with _index(instance) as connection:
        return connection.execute(text(_NEWEST)).scalar() or 0


def checks(instance: DagsterInstance, after: int) -> ChecksSeen:
    """The verdicts on checks that came after the one with this id, at most a thousand at a time."""
    from sqlalchemy import text

    with _index(instance) as connection:
        rows = connection.execute(text(_VERDICTS), {"after": after, "most": _VERDICTS_AT_ONCE}).all()
    begun: dict[str, Incident] = {}
    ended: set[str] = set()
    for _, entry in rows:
        verdict = deserialize_value(entry, EventLogEntry).get_dagster_event().asset_check_evaluation_data
        if verdict.check_name == FRESH:
            continue  # told as campaign_stale
        asset = verdict.asset_key.to_user_string()
        key = f"check/{asset}/{verdict.check_name}/{verdict.partition or ''}"
        begun.pop(key, None)
        if verdict.passed:
            ended.add(key)
            continue
        ended.discard(key)
        warned = verdict.severity == AssetCheckSeverity.WARN
        of = f" of {verdict.partition}" if verdict.partition else ""
        begun[key] = Incident(
            key,
            "check_warned" if warned else "check_failed",
            f"check/{asset}/{verdict.check_name}",
            f"Check {verdict.check_name} of {asset}{of} {'warned' if warned else 'failed'}",
            "Open the check: its metadata names the rows and the query that shows them."
            + (" What is below it in the graph was not made." if verdict.blocking else ""),
            f"/assets/{asset}?view=checks&checkDetail={verdict.check_name}",
        )
    return ChecksSeen(list(begun.values()), frozenset(ended), rows[-1][0] if rows else after)


def _index(instance: DagsterInstance) -> AbstractContextManager[Any]:
    storage: Any = instance.event_log_storage
    opened: AbstractContextManager[Any] = storage.index_connection()
    return opened


FRESH = "fresh"
"""The check that shows a campaign's freshness."""


def used_budgets(budgets: Iterable[Budget], at: float) -> Iterator[Incident]:
    """Budgets of which a share of at least `at` is spent, reserved or uncertain."""
    for budget in budgets:
        gone = budget.limit_micros - budget.free_micros
        if gone < at * budget.limit_micros or (budget.limit_micros == 0 and gone == 0):
            continue
        share = f"{gone / budget.limit_micros:.0%} of" if budget.limit_micros else "more than"
        name = f"{budget.scope} {budget.name}".strip()
        yield Incident(
            f"budget_used/{budget.scope}/{budget.name}/{budget.period}/{budget.limit_micros}",
            "budget_used",
            "budget_used",
            f"{share} the budget '{name}' ({budget.period}, ${budget.limit_micros / 1e6:,.2f}) is used",
            "See `lead-assets budget show`; raise it with `lead-assets budget set`. At its limit, calls are not made and leads say over_budget.",
            "/assets/marts/spend_by_day",
        )


def open_circuits(circuits: Iterable[Circuit]) -> Iterator[Incident]:
    """Providers that are left alone."""
    for circuit in circuits:
        until = circuit.open_until.isoformat(timespec="seconds")
        yield Incident(
            f"circuit_open/{circuit.provider}",
            "circuit_open",
            f"circuit_open/{circuit.provider}",
            f"{circuit.provider} failed too often in a row and is left alone until {until}",
            f"Nothing has to be done: it is tried again then, and what was missed is asked again. If it is back, run `lead-assets resume {circuit.provider}`.",
        )


_QUARANTINED = """
    SELECT judged.campaign_id, SUM(judged.quarantined) AS quarantined, COUNT(*) AS leads
    FROM (
        SELECT campaign_id, 0 AS quarantined FROM classification.classifications
        UNION ALL
        SELECT campaign_id, 1 FROM classification.quarantine
    ) AS judged
    GROUP BY judged.campaign_id
"""


def quarantines(warehouse: Warehouse, campaigns: Collection[str], above: float, of_at_least: int) -> Iterator[Incident]:
    """Of these campaigns, those with too many quarantined leads."""
    known = sorted(set(campaigns).intersection(*(warehouse.partitions(contract) for contract in (Classification, Quarantined))))
    if not known:
        return
    for campaign, quarantined, leads in warehouse.query(_QUARANTINED, [Classification, Quarantined], known).iter_rows():
        if leads >= of_at_least and quarantined > above * leads:
            yield Incident(
                f"quarantine_rate/{campaign}",
                "quarantine_rate",
                "quarantine_rate",
                f"{int(quarantined)} of {leads} leads of {campaign} are in quarantine",
                "Look at classification/quarantine for the codes. After a fix of prompt or rules, `lead-assets replay` judges them again.",
                f"/assets/classification/quarantine?partition={campaign}",
            )


def stale_campaigns(found: Iterable[FreshnessVerdict]) -> Iterator[Incident]:
    """Active campaigns that are not as fresh as expected."""
    for verdict in found:
        if verdict.state == "stale":
            yield Incident(
                f"campaign_stale/{verdict.campaign_id}",
                "campaign_stale",
                "campaign_stale",
                f"{verdict.campaign_id} is not fresh: {'; '.join(verdict.why)}",
                f"See that the daemon runs and no run of it failed; then `lead-assets run --campaign {verdict.campaign_id}`.",
                f"/assets/routing/decisions?partition={verdict.campaign_id}",
            )


def by_group(incidents: Iterable[Incident]) -> Mapping[str, list[Incident]]:
    """Incidents that are told together."""
    found: dict[str, list[Incident]] = {}
    for incident in incidents:
        found.setdefault(f"{incident.kind} {incident.group}", []).append(incident)
    return found
