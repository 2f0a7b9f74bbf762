"""The main job as commands use it: ingest drops, run campaigns, and report the results.

Does not belong here: the graph (see `definitions`), how Dagster runs it (see `runs`), or printing (see `show`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lead_assets.cli import reading, report, runs
from lead_assets.core.campaign_keys import campaign_key, inbound_key
from lead_assets.core.settings import Settings
from lead_assets.intake import campaign_api, landing
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.ingest import STREAMED_BYTES, IngestedDrop, ingest
from lead_assets.intake.parsed import parsed_of
from lead_assets.kit import tables
from lead_assets.ledger.opened import opened_ledger
from lead_assets.rules.check import check_rules
from lead_assets.stores.opened import archive_of, campaigns_of, warehouse_of


def run(
    settings: Settings,
    *,
    campaigns: Sequence[str] | None = None,
    select: str | None = None,
    limit: int | None = None,
    batch: bool = False,
    from_ledger: bool = False,
    progress: runs.Progress | None = None,
) -> dict[str, Any]:
    """Materialize campaigns (None: all in the archive). Returns the answer of `lead-assets run`.

    Raises ValueError for a campaign that is not in the archive, RulesError for invalid rules.
    """
    from lead_assets.definitions import build_defs

    began = time.monotonic()
    check_rules(settings)
    wanted = campaigns_of(settings, campaigns)
    definitions = build_defs(settings)
    with opened_ledger(settings) as ledger, runs.instance_of(settings) as instance:
        since = ledger.last_call()
        runs.add_campaigns(instance, archive_of(settings).campaigns())
        assets = runs.select_assets(definitions, select)
        ran = runs.run_campaigns(
            definitions,
            instance,
            wanted,
            assets=assets,
            limit=limit,
            batch=batch,
            from_ledger=from_ledger,
            days_with_data=lambda: ledger.costs(["day"])["day"],
            overtaken=lambda assets, good: tables.overtaken(warehouse_of(settings), ledger, assets, good, since),
            on_progress=progress,
        )
        billed, circuits = ledger.billed(since), ledger.circuits()
    if not ran:
        raise ValueError("nothing to run: ingest a file first (lead-assets ingest FILE)")
    warehouse = warehouse_of(settings)
    missed = report.missed(warehouse, wanted)
    return {
        "home": str(settings.home.resolve()),
        "seconds": round(time.monotonic() - began, 2),
        "run_ids": [each.run_id for each in ran],
        "campaigns": report.funnel(warehouse, wanted),
        "billed": billed,
        "delivered": report.delivered(warehouse, wanted),
        "missed": missed,
        "without_key": report.without_key(settings, missed),
        "circuits": [circuit.as_row() for circuit in circuits],
        "tables": report.tables(warehouse),
        "failures": [
            f"{', '.join(each.campaigns) or 'the whole home'}: {failure}"
            for each in ran
            for failure in each.failures or (() if each.success else ("failed",))
        ],
        "warehouse": warehouse.location,
        "synthetic": settings.world == "sandbox",
    }


def ingest_files(
    settings: Settings,
    files: Sequence[Path],
    *,
    campaign: str | None = None,
    column_map: dict[str, str] | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Store files in the archive and make their campaigns partitions. Returns the answer of `lead-assets ingest`: rows by file and campaign, and how each
    file was read. With `dry_run` nothing is stored."""
    answer = reading.read(settings, files, column_map or {})
    if dry_run:
        default = campaign_key(campaign) if campaign is not None else inbound_key(datetime.now(UTC))
        counted = [reading.counted(settings, file, default, column_map or {}, forced=campaign is not None) for file in files]
        return {"drops": [row for rows in counted for row in rows], "dry_run": True, **answer}
    archive = archive_of(settings)
    drops: list[dict[str, Any]] = []
    for file in files:
        with file.open("rb") as stream:
            drop = ingest(
                archive,
                stream if file.stat().st_size > STREAMED_BYTES else stream.read(),
                name=file.name,
                received_at=datetime.now(UTC),
                campaign=campaign,
                column_map=column_map or {},
                limits=settings.limits,
                adapters=adapters_of(settings),
                parsed=parsed_of(settings),
            )
        drops += _rows(str(file), drop)
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, {drop["campaign_id"] for drop in drops})
    return {"drops": drops, "dry_run": False, **answer}


def sync_campaign_api(settings: Settings) -> dict[str, Any]:
    """Fetch leads from the campaign API into the landing folder and ingest the new ones. Returns the answer of `lead-assets sync`.

    Raises ValueError without credentials, ProviderError if the API cannot be reached.
    """
    archive = archive_of(settings)
    synced = campaign_api.sync(settings, archive)
    # These files are complete, so they need no time to settle. The drop sensor uses the same receipts, so nothing is ingested twice.
    taken = landing.take_these(settings, archive, synced.dropped)
    drops = [row for drop in taken for row in _rows(drop.name, drop)]
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, {drop["campaign_id"] for drop in drops})
    failures = [f"{campaign}: {reason}" for campaign, reason in sorted(synced.failures.items())]
    return {"drops": drops, **synced.metadata(), "failures": failures}


def _rows(path: str, drop: IngestedDrop) -> list[dict[str, Any]]:
    """One row per campaign in a drop."""
    return [
        {
            "path": path,
            "sha256": drop.sha256,
            "campaign_id": campaign_id,
            "rows": rows,
            "rejected": drop.rejected_by_campaign.get(campaign_id, 0),
            "status": drop.status,
            "unmapped": list(drop.unmapped),
            "encoding": drop.encoding,
            "codes": drop.codes,
        }
        for campaign_id, rows in drop.campaigns.items()
    ]
