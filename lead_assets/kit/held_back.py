"""What a backfill leaves undone when a campaign fails: assets that read all campaigns of another wait for all of them, in Dagster for ever.

Belongs here: which campaigns of an ended backfill can go on. Does not belong here: running a failed campaign again, which is a person's decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dagster import AllPartitionMapping, AssetKey, DagsterInstance, RunRequest

from lead_assets.kit.partitions import backfill_policy, campaigns, contiguous_runs

BACKFILL_TAG = "dagster/backfill"
_ENDED = "COMPLETED_FAILED"
_LATEST = 20


def wait_for_all(graph: Any) -> set[AssetKey]:
    """The assets that read all partitions of another."""
    return {
        key
        for key in graph.toposorted_asset_keys
        if any(isinstance(mapping, AllPartitionMapping) for mapping in graph.get(key).partition_mappings.values())
    }


def go_on(instance: DagsterInstance, graph: Any, cursor: str | None) -> tuple[list[RunRequest], str]:
    """Runs for what backfills that ended after `cursor` (seconds since 1970) held back, and the cursor after them. The first tick only sets the cursor."""
    ended = [
        (backfill.backfill_end_timestamp, backfill)
        for backfill in instance.get_backfills(limit=_LATEST)
        if backfill.is_asset_backfill and backfill.status.value == _ENDED and backfill.backfill_end_timestamp is not None
    ]
    latest = max([float(cursor or 0.0), *(at for at, _ in ended)])
    new = [backfill for at, backfill in ended if cursor is not None and at > float(cursor)]
    return [request for backfill in new for request in _of(instance, graph, backfill)], repr(latest)


def _of(instance: DagsterInstance, graph: Any, backfill: Any) -> Iterable[RunRequest]:
    data = backfill.get_asset_backfill_data(graph)
    targets = set(data.target_subset.asset_keys)
    held = _with_what_follows(graph, wait_for_all(graph) & targets, targets)
    if not held:
        return
    needed = {parent for key in held for parent in graph.get(key).parent_keys} & targets - held
    able = set.intersection(*(_keys(data.failed_and_downstream_subset, key) for key in held))
    for parent in needed:
        able &= _keys(data.materialized_subset, parent)
    known = list(instance.get_dynamic_partitions(str(campaigns.name)))
    for number, group in enumerate(contiguous_runs(able, known, backfill_policy.max_partitions_per_run or 1)):
        yield RunRequest(
            run_key=f"held_back/{backfill.backfill_id}/{number}",
            asset_selection=sorted(held),
            partition_key=group[0] if len(group) == 1 else None,
            tags={
                **(backfill.tags or {}),
                BACKFILL_TAG: backfill.backfill_id,
                **(
                    {}
                    if len(group) == 1
                    else {"dagster/asset_partition_range_start": group[0], "dagster/asset_partition_range_end": group[-1]}
                ),
            },
        )


def _with_what_follows(graph: Any, first: set[AssetKey], targets: set[AssetKey]) -> set[AssetKey]:
    """These and all that follow from them, among the targets of a campaign's grain."""
    found = set(first)
    for key in graph.toposorted_asset_keys:
        if key in targets and graph.get(key).partitions_def == campaigns and found & set(graph.get(key).parent_keys):
            found.add(key)
    return found


def _keys(subset: Any, key: AssetKey) -> set[str]:
    return set(subset.get_partitions_subset(key).get_partition_keys()) if key in subset.asset_keys else set()
