"""What the outbox's sensor asks for: a drain when something is due, then the tables of the campaigns whose sends have moved.

Does not belong here: sending (see `lead_assets.delivery`), or the outbox's states (see `lead_assets.ledger.outbox`).
"""

from __future__ import annotations

from collections.abc import Collection

from dagster import DagsterInstance, RunRequest, RunsFilter

from lead_assets.kit.outages import UNDER_WAY, campaigns_under_way
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger.ledger import Ledger

MOST_AT_ONCE = 25
"""Most campaigns whose tables are asked for in one tick; the rest follow in the next."""


def next_step(
    instance: DagsterInstance, ledger: Ledger, sendable: Collection[str], cursor: str | None, drain_job: str, tables_job: str
) -> tuple[list[RunRequest], str]:
    """The runs to request, and the cursor after them: the newest entry of the outbox's history that is in the tables."""
    if instance.get_runs(RunsFilter(job_name=drain_job, statuses=UNDER_WAY), limit=1):
        return [], cursor or "0"
    requests = [RunRequest(job_name=drain_job)] if sendable and ledger.outbox.due(sendable) else []
    told = int(cursor or 0)
    moved = ledger.outbox.changed_since(told)
    known = set(instance.get_dynamic_partitions(str(campaigns.name))) if moved else set()
    under_way = campaigns_under_way(instance) if moved else set()
    for campaign, newest in sorted(moved.items(), key=lambda each: each[1])[:MOST_AT_ONCE]:
        # Its own run will make these tables; what comes after it waits, so that the cursor passes nobody.
        if campaign in under_way:
            break
        told = newest
        if campaign in known:
            requests.append(RunRequest(run_key=f"{tables_job}/{campaign}/{newest}", job_name=tables_job, partition_key=campaign))
    return requests, str(told)
