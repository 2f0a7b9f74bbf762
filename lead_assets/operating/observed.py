"""What is seen without being asked for: budgets, the vendors' quotas, what waits, and drift, as observations of assets that are no tables.

Dagster shows the numbers of observations over time, on the asset's page. A schedule observes hourly, and so does the end of the demo; the button Observe
does it at once. Belongs here: which numbers, and why. Does not belong here: what is wrong (see `incidents`), or freshness (the check `fresh`).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetSpec,
    DagsterInstance,
    MetadataValue,
    ObserveResult,
    ResourceParam,
    RunsFilter,
    TableRecord,
    multi_observable_source_asset,
)

from lead_assets.core.last_good import faults_passed_over
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import OWNERS
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.outages import UNDER_WAY
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger import Ledger
from lead_assets.stores.archive import Archive

# We use it on purpose, and every user of every command would see the warning.
warnings.filterwarnings("ignore", message="Function `multi_observable_source_asset` is currently in beta.*")

_COMPARED = 5
"""The latest campaigns whose answers are compared with those of campaigns before them."""

_SAYS = {
    "budgets": "Limits in the ledger and what counts against them, in US dollars; the share that is used of the fullest one.",
    "quotas": "What is left of the plans, according to the vendors. Asking is free.",
    "backlog": "What waits: files in the landing folder, campaigns that are not fresh, runs, the outbox, answers missed while a provider was down.",
    "drift": "How far the latest campaigns' classes are from those of the campaigns before them, by the population stability index (above 0.2: shifted).",
    "rules": "Whether the rules are in force as they are saved, or the last good ones, and what is wrong with those that were saved.",
}
OBSERVED = [AssetKey(["operating", name]) for name in _SAYS]


@multi_observable_source_asset(
    name="operating__observed",
    specs=[
        AssetSpec(
            key, group_name="operating", description=_SAYS[key.path[-1]], owners=OWNERS, kinds={"python"}, tags={"lead_assets/cost": "free"}
        )
        for key in OBSERVED
    ],
    can_subset=True,
)
def observed(
    context: AssetExecutionContext,
    settings: ResourceParam[Settings],
    archive: ResourceParam[Archive],
    ledger: ResourceParam[Ledger],
    warehouse: ResourceParam[WarehouseIOManager],
) -> Iterator[ObserveResult]:
    look: dict[str, Callable[[], Mapping[str, Any]]] = {
        "budgets": lambda: budgets(ledger),
        "quotas": lambda: quotas(settings),
        "backlog": lambda: backlog(settings, archive, ledger, warehouse, context.instance),
        "drift": lambda: drift(settings, warehouse, context.instance),
        "rules": lambda: rules(settings),
    }
    for key in OBSERVED:
        if key in context.selected_asset_keys:
            yield ObserveResult(asset_key=key, metadata=look[key.path[-1]]())


def budgets(ledger: Ledger) -> Mapping[str, Any]:
    """The figures of "budgets"."""
    limits = ledger.budgets()
    used = [(each.limit_micros - each.free_micros) / each.limit_micros for each in limits if each.limit_micros]
    rows = [{name: value if isinstance(value, str) else float(value) for name, value in each.as_row().items()} for each in limits]
    return {
        "limits": len(limits),
        "used_share_of_fullest": max(used, default=0.0),
        "paused": ", ".join(sorted(name or "all" for name in ledger.paused())),
        **_table("budgets", rows),
    }


def quotas(settings: Settings) -> Mapping[str, Any]:
    """The figures of "quotas"."""
    from lead_assets.vendors.quotas import quotas as ask

    rows = ask(settings)
    left = {f"{row['provider']}: {row['quota'] or 'quota'} left": row["left"] for row in rows if isinstance(row["left"], int | float)}
    return {**left, **_table("quotas", [{name: "" if value is None else value for name, value in row.items()} for row in rows])}


def backlog(
    settings: Settings, archive: Archive, ledger: Ledger, warehouse: WarehouseIOManager, instance: DagsterInstance
) -> Mapping[str, Any]:
    """The figures of "backlog"."""
    from lead_assets.intake import landing
    from lead_assets.operating.freshness import verdicts
    from lead_assets.operating.rules import load_freshness

    now = datetime.now(UTC)
    found = verdicts(settings, archive, warehouse.warehouse, load_freshness(settings), now)
    stale = [each.campaign_id for each in found if each.state == "stale"]
    outbox = ledger.outbox.by_state()
    return {
        "landing_files": landing.pending(landing.landing_of(settings)),
        "campaigns": len(found),
        "campaigns_not_fresh": len(stale),
        "not_fresh": ", ".join(stale[:20]),
        "runs_not_ended": instance.get_runs_count(RunsFilter(statuses=UNDER_WAY)) - 1,
        "campaigns_missing_answers": sum(ledger.missing_answers().values()),
        "vendors_work_left_behind": len(ledger.left_behind()),
        **{f"outbox_{state}": count for state, count in sorted(outbox.items())},
    }


def drift(settings: Settings, warehouse: WarehouseIOManager, instance: DagsterInstance) -> Mapping[str, Any]:
    """The figures of "drift"."""
    from lead_assets.classification.checks import drift as compare
    from lead_assets.classification.checks import trailing
    from lead_assets.classification.rulebook import load_rulebook
    from lead_assets.contracts import Classification, Quarantined

    store, order = warehouse.warehouse, list(instance.get_dynamic_partitions(str(campaigns.name)))
    known = set(store.partitions(Classification)) & set(store.partitions(Quarantined))
    latest = [key for key in order if key in known][-_COMPARED:]
    profiles = load_rulebook(settings).profiles
    found = [
        each
        for key in latest
        for each in compare((store.read(Classification, [key]), store.read(Quarantined, [key])), trailing(store, [key], order), profiles)
    ]
    rows = [
        {"campaign": each.campaign_id, "of": each.of, "index": each.index, "leads": each.leads, "leads_before": each.leads_before}
        for each in found
    ]
    return {
        "campaigns_compared": len({each.campaign_id for each in found}),
        "shifted": sum(each.shifted for each in found),
        "highest_index": max((each.index for each in found), default=0.0),
        **_table("drift", rows),
    }


def rules(settings: Settings) -> Mapping[str, Any]:
    """The figures of "rules"."""
    faults = faults_passed_over(settings)
    shown = {"wrong": MetadataValue.md("\n".join(f"- {fault}" for fault in faults))} if faults else {}
    return {"in_force": "the last good ones" if faults else "as saved", "faults": len(faults), **shown}


def _table(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: MetadataValue.table([TableRecord(row) for row in rows])} if rows else {}
