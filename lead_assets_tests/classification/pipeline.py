"""The real graph over a few leads, to test the room's assets, checks and commands in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import polars as pl
from dagster import AssetCheckEvaluation, DagsterInstance, Definitions, ExecuteInProcessResult

from lead_assets.automation import PIPELINE
from lead_assets.cli.runs import add_campaigns, known_campaigns
from lead_assets.contracts import Table
from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.stores.opened import archive_of, warehouse_of

QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def ingest_notes(settings: Settings, campaign_id: str, notes: Sequence[str]) -> None:
    """A drop of lending leads, one a note."""
    payloads = [
        {"lead_id": f"{campaign_id}-{n:03}", "email": f"p{n}@{campaign_id}.example", "full_name": "Jordan Reyes", "notes": note}
        | {"property_address": "12 Maple Row", "property_type": "single_family", "loan_amount_requested": 100_000 + n}
        for n, note in enumerate(notes)
    ]
    data = "".join(json.dumps(payload) + "\n" for payload in payloads).encode()
    ingest(
        archive_of(settings),
        data,
        name=f"{campaign_id}.ndjson",
        received_at=datetime(2026, 11, 2, tzinfo=UTC),
        campaign=campaign_id,
        limits=DropLimits(1 << 20),
    )


class Graph:
    """The graph of some settings, on an instance of its own."""

    def __init__(self, settings: Settings, instance: DagsterInstance, definitions: Definitions) -> None:
        self.settings, self.instance, self.definitions = settings, instance, definitions

    def run(self, *campaigns: str, tags: dict[str, str] | None = None) -> ExecuteInProcessResult:
        """One run of the pipeline over campaigns; several must be neighbours."""
        add_campaigns(self.instance, campaigns)
        place = known_campaigns(self.instance).index
        ordered = sorted(campaigns, key=place)
        ranged = {"dagster/asset_partition_range_start": ordered[0], "dagster/asset_partition_range_end": ordered[-1]}
        return self.definitions.resolve_job_def(PIPELINE).execute_in_process(
            run_config=QUIET,
            instance=self.instance,
            partition_key=ordered[0] if len(ordered) == 1 else None,
            tags=(tags or {}) | (ranged if len(ordered) > 1 else {}),
            raise_on_error=False,
        )

    def rows(self, contract: type[Table], *campaigns: str) -> pl.DataFrame:
        return warehouse_of(self.settings).read(contract, list(campaigns) or None)


def check_of(result: ExecuteInProcessResult, name: str) -> AssetCheckEvaluation:
    """The evaluation of a check, by "schema/table:check"."""
    found = [e for e in result.get_asset_check_evaluations() if f"{e.asset_key.to_user_string()}:{e.check_name}" == name]
    assert len(found) == 1, found
    return found[0]


@contextmanager
def graph(settings: Settings) -> Iterator[Graph]:
    with DagsterInstance.ephemeral() as instance:
        yield Graph(settings, instance, build_defs(settings))
