"""Providers that are down: what an asset reports and records about them, and which campaigns to run again when they are back.

Does not belong here: when a circuit opens (see `lead_assets.ledger.controls`), or whose turn is next (see `lead_assets.ledger.misses`).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from dagster import DagsterInstance, DagsterRunStatus, RunRequest, RunsFilter

from lead_assets.contracts import Table
from lead_assets.kit.declare import LIMIT_TAG, MODE_TAG
from lead_assets.kit.partitions import campaigns
from lead_assets.kit.run_failures import RUNNER_TAG
from lead_assets.kit.step import Step
from lead_assets.ledger.ledger import Ledger

if TYPE_CHECKING:
    import polars as pl

    from lead_assets.ledger.misses import Miss

AGAIN_TAG = "lead_assets/again"
"""Run tag: the provider whose missing answers are the reason for running the campaign again."""
UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
"""Statuses of runs that have not ended."""


def circuits_shown(ledger: Ledger) -> dict[str, str] | None:
    """For an asset's metadata: the providers with an open circuit, and until when; None if there are none."""
    return {circuit["provider"]: circuit["open_until"] for circuit in (each.as_row() for each in ledger.circuits())} or None


def note_misses(step: Step, contract: type[Table], lacking: Collection[tuple[str, str]]) -> None:
    """Record what the step's campaigns lack for a temporary reason, as (campaign, provider). A run that does not buy leaves the list unchanged."""
    if step.ledger.buying == "always":
        step.ledger.note_misses(contract.table, step.partitions, lacking, step.context.run.run_id, asked_again=AGAIN_TAG in step.tags)


def answered_by_rules(rows: pl.DataFrame, provider: str) -> set[tuple[str, str]]:
    """(campaign, provider) for rows answered by rules because the provider was temporarily unavailable."""
    from lead_assets.ledger.model import PASSING

    return {(campaign, provider) for campaign in rows.filter(rows["fallback_reason"].is_in(list(PASSING)))["campaign_id"]}


def ask_again(instance: DagsterInstance, ledger: Ledger, cursor: str | None) -> tuple[list[RunRequest], str]:
    """Runs for campaigns whose missing answers are available now, each with the settings of the run that missed them, and the cursor after them."""
    asked = {provider: (int(place[0]), str(place[1])) for provider, place in json.loads(cursor or "{}").items()}
    turns, asked = ledger.due_again(campaigns_under_way(instance), asked)
    known = set(instance.get_dynamic_partitions(str(campaigns.name))) if turns else set()
    requests = [_request(instance, miss) for miss in turns if miss.campaign_id in known]
    return [request for request in requests if request is not None], json.dumps(asked)


def campaigns_under_way(instance: DagsterInstance) -> set[str]:
    """Campaigns of queued and running runs."""
    found: set[str] = set()
    known: list[str] | None = None
    for run in instance.get_runs(RunsFilter(statuses=UNDER_WAY)):
        if key := run.tags.get("dagster/partition"):
            found.add(key)
        start, end = run.tags.get("dagster/asset_partition_range_start"), run.tags.get("dagster/asset_partition_range_end")
        if start and end:
            known = list(instance.get_dynamic_partitions(str(campaigns.name))) if known is None else known
            found.update(known[known.index(start) : known.index(end) + 1] if start in known and end in known else (start, end))
    return found


def _request(instance: DagsterInstance, miss: Miss) -> RunRequest | None:
    run = instance.get_run_by_id(miss.run_id)
    if run is None:
        # Nobody knows any more which assets and how many leads it covered, and a run of everything might cost more than anyone wanted.
        return None
    # A command over many campaigns splits its assets over several runs.
    together = instance.get_runs(RunsFilter(tags={RUNNER_TAG: run.tags[RUNNER_TAG]})) if RUNNER_TAG in run.tags else [run]
    assets = {key for each in together for key in each.asset_selection or ()}
    tags: dict[str, Any] = {name: run.tags[name] for name in (LIMIT_TAG, MODE_TAG) if name in run.tags}
    return RunRequest(
        run_key=f"{AGAIN_TAG}/{miss.provider}/{miss.campaign_id}/{miss.place[0]}",
        partition_key=miss.campaign_id,
        asset_selection=sorted(assets) or None,
        tags={**tags, AGAIN_TAG: miss.provider},
    )
