"""Partitions by a table's grain: campaigns, days, or none. https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets

Does not belong here: turning an outside id into a partition key (see `lead_assets.core.campaign_keys`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dagster import BackfillPolicy, DynamicPartitionsDefinition

from lead_assets.contracts import Grain

campaigns = DynamicPartitionsDefinition(name="campaign")

# Only days with data, as YYYY-MM-DD, not a daily calendar: even an empty partition costs Dagster 13-27 ms, and past campaigns go back years.
days = DynamicPartitionsDefinition(name="day")

# Non-contiguous dynamic keys would split a single_run backfill into ranges, so backfills take up to this many campaigns per run instead.
backfill_policy = BackfillPolicy.multi_run(max_partitions_per_run=25)


def partitioned(grain: Grain) -> dict[str, Any]:
    """Arguments of `@asset` and `@multi_asset` for tables of this grain. A home-wide table has no partitions."""
    if grain == "home":
        return {}
    return {"partitions_def": {"campaign": campaigns, "day": days}[grain], "backfill_policy": backfill_policy}


def contiguous_runs(wanted: Iterable[str], known: list[str], at_most: int) -> list[list[str]]:
    """The wanted keys in Dagster's order, cut into runs of at most `at_most` neighbouring keys.

    Dagster identifies the partitions of a run by first and last key, so a run can only contain neighbours.
    """
    wanted_set = set(wanted)
    runs: list[list[str]] = []
    previous: int | None = None
    for index, key in enumerate(known):
        if key not in wanted_set:
            continue
        if runs and previous == index - 1 and len(runs[-1]) < at_most:
            runs[-1].append(key)
        else:
            runs.append([key])
        previous = index
    return runs
