"""Which campaigns have a queued or running run, as far as a sensor needs to know before requesting another.

Does not belong here: what to do about it (see `lead_assets.intake.landing.ask`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from lead_assets.kit.declare import BUY_TAG, LIMIT_TAG
from lead_assets.kit.run_failures import RUNNER_TAG
from lead_assets.ledger.holders import is_gone

Standing = Literal["queued", "under_way"]

_WAITS = (DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED)
_GOES_ON = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
_SUBMITTED_WITHIN = 600.0
"""Seconds within which a created run gets into the queue."""
_PARTITION = "dagster/partition"
_FIRST, _LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def standing_of(instance: DagsterInstance, job_name: str) -> Mapping[str, Standing]:
    """Campaign → its state. "queued": a run of the whole job is waiting, and will read everything that arrives before it starts. "under_way": one has begun and
    none is waiting."""
    records = instance.get_run_records(RunsFilter(job_name=job_name, statuses=[*_WAITS, *_GOES_ON]))
    runs = [record.dagster_run for record in records if not _is_orphaned(record)]
    if not runs:
        return {}
    known = list(instance.get_dynamic_partitions("campaign"))
    queued: dict[str, Standing] = {}
    under_way: dict[str, Standing] = {}
    for run in runs:
        for campaign in _campaigns(run, known):
            if run.status in _WAITS and _is_whole(run):
                queued[campaign] = "queued"
            elif run.status in _GOES_ON and not is_gone(run.tags.get(RUNNER_TAG, "")):
                under_way[campaign] = "under_way"
    return under_way | queued


def _is_orphaned(record: RunRecord) -> bool:
    """Whether a daemon died between creating the run and queueing it: such a run would block its campaign forever."""
    age = (datetime.now(UTC) - record.create_timestamp.replace(tzinfo=record.create_timestamp.tzinfo or UTC)).total_seconds()
    return record.dagster_run.status == DagsterRunStatus.NOT_STARTED and age > _SUBMITTED_WITHIN


def _is_whole(run: DagsterRun) -> bool:
    """Whether the run makes everything for all leads: not part of the graph, not the rest of a failed run, nothing left out."""
    return not (run.asset_selection or run.op_selection or run.parent_run_id or run.tags.keys() & {LIMIT_TAG, BUY_TAG})


def _campaigns(run: DagsterRun, known: list[str]) -> list[str]:
    if (only := run.tags.get(_PARTITION)) is not None:
        return [only]
    first, last = run.tags.get(_FIRST), run.tags.get(_LAST)
    if first not in known or last not in known:
        return []
    return known[known.index(first) : known.index(last) + 1]
