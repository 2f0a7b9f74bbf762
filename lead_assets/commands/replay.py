"""`lead-assets replay`: what a stage refused is sent again after a fix, and the campaigns it touches are materialized again.

Does not belong here: what is sent and how often (see `lead_assets.classification.replay`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from lead_assets.campaigns import campaign_key
from lead_assets.classification.replay import CODES, replay
from lead_assets.commands import pipeline, report, runs
from lead_assets.commands.worlds import opened_ledger
from lead_assets.contracts import EnrichedLead, Lead, Quarantined
from lead_assets.settings import Settings
from lead_assets.stores import warehouse_of

STAGES = ("classification",)
_DOWNSTREAM = 'key:"classification/classifications"+ or key:"classification/quarantine"+'


def run(
    settings: Settings,
    *,
    codes: Sequence[str] | None = None,
    campaigns: Sequence[str] | None = None,
    fix: str | None = None,
    batch: bool = False,
    progress: runs.Progress | None = None,
) -> dict[str, Any]:
    """Send the quarantined leads of these codes and campaigns (None: all) again, once for each fix, and materialize what changed by it.

    Returns the answer of `lead-assets replay`. Raises ValueError for a code that does not exist or a campaign that has not been classified.
    """
    began = time.monotonic()
    if strangers := sorted(set(codes or ()) - set(CODES)):
        raise ValueError(f"--code {strangers[0]}: no such code: use {', '.join(CODES)}")
    warehouse = warehouse_of(settings)
    known = warehouse.partitions(Quarantined)
    wanted = known if campaigns is None else [campaign_key(campaign) for campaign in campaigns]
    if unseen := sorted(set(wanted) - set(known)):
        raise ValueError(f"campaign {unseen[0]!r} has not been classified yet: `lead-assets run --campaign {unseen[0]}` first")
    quarantine = warehouse.read(Quarantined, wanted)
    if codes:
        quarantine = quarantine.filter(quarantine["code"].is_in(list(codes)))
    touched = sorted(quarantine["campaign_id"].unique())
    with opened_ledger(settings) as ledger:
        since = ledger.last_call()
        done = replay(
            quarantine,
            warehouse.read(Lead, touched),
            warehouse.read(EnrichedLead, touched),
            ledger=ledger,
            settings=settings,
            fix=fix,
            mode="batch" if batch else "interactive",
        )
        ran: dict[str, Any] = {"run_ids": [], "failures": []}
        if done.campaigns:
            ran = pipeline.run(settings, campaigns=done.campaigns, select=_DOWNSTREAM, batch=batch, progress=progress)
        billed = ledger.billed(since)
    return {
        "home": str(settings.home.resolve()),
        "seconds": round(time.monotonic() - began, 2),
        "stage": "classification",
        "selected": done.selected,
        "sent": done.sent,
        "bought": done.bought,
        "accepted": done.accepted,
        "still_quarantined": done.selected - done.accepted,
        "run_ids": ran["run_ids"],
        "campaigns": report.funnel(warehouse, done.campaigns),
        "billed": billed,
        "failures": ran["failures"],
    }
