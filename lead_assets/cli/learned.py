"""What `lead-assets learn` and `lead-assets rescore` do: learn from outcomes now, and let old campaigns use what was learned.

Does not belong here: learning (see `lead_assets.scoring.learned`), or printing (see `show_scores`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from lead_assets.cli import runs
from lead_assets.contracts import Classification, EnrichedLead, Lead, ModelBuild, Quarantined, Score
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.rules.check import check_rules
from lead_assets.scoring.assets import MODEL
from lead_assets.stores.opened import archive_of, campaigns_of, warehouse_of


def learn(settings: Settings) -> dict[str, Any]:
    """Learns from the outcomes that are known. Returns the row of scoring.score_model and the hash in use. Raises RulesError."""
    from lead_assets.definitions import build_defs

    check_rules(settings)
    with opened_ledger(settings) as ledger, runs.instance_of(settings) as instance:
        ran = runs.run_learned(build_defs(settings), instance)
        in_use = ledger.pins.in_use(MODEL)
    (row,) = warehouse_of(settings).read(ModelBuild).to_dicts() if ran.success else [{}]
    return {"run_id": ran.run_id, "failures": list(ran.failures), "in_use": in_use or None, **row}


def rescore(settings: Settings, campaigns: Sequence[str] | None, *, dry_run: bool) -> dict[str, Any]:
    """Pins campaigns (None: all) to the model in use; without `dry_run` their next run scores them with it. Returns whose tier changes.

    Raises ValueError for a campaign that is not in the archive, or if no model is in use.
    """
    wanted = campaigns_of(settings, campaigns)
    with opened_ledger(settings) as ledger:
        in_use = ledger.pins.in_use(MODEL)
        if not in_use:
            raise ValueError("no model is in use: import outcomes (lead-assets outcomes import FILE) and run lead-assets learn")
        changes = _changes(settings, wanted, in_use)
        moved = [] if dry_run else ledger.pins.move(MODEL, wanted, "rescore")
    return {"in_use": in_use, "dry_run": dry_run, "campaigns": wanted, "moved": moved, "changes": changes}


def _changes(settings: Settings, wanted: Sequence[str], in_use: str) -> list[dict[str, Any]]:
    """Per campaign and pair of tiers, how many leads go from the one to the other."""
    from lead_assets.scoring.features import features
    from lead_assets.scoring.learned import win_probabilities
    from lead_assets.scoring.ruleset import load_scoring_rules
    from lead_assets.scoring.score import score, with_quarantined

    warehouse = warehouse_of(settings)
    made = sorted(set(warehouse.partitions(Score)) & set(wanted))
    tables = (Classification, Quarantined, Lead, EnrichedLead)
    classifications, quarantine, leads, enriched = (warehouse.read(contract, made) for contract in tables)
    classified = with_quarantined(classifications, quarantine)
    judged = win_probabilities(features(classified, leads, enriched), dict.fromkeys(made, in_use), archive_of(settings))
    now = warehouse.read(Score, made)
    contrast = now.select("campaign_id", "lead_id", "contrast")
    new = score(classified, leads, enriched, load_scoring_rules(settings), judged, contrast)
    both = now.select("campaign_id", "lead_id", before="tier").join(
        new.select("campaign_id", "lead_id", after="tier"), on=["campaign_id", "lead_id"], how="inner"
    )
    changed = both.filter(pl.col("before") != pl.col("after")).group_by("campaign_id", "before", "after").agg(leads=pl.len())
    return changed.sort("campaign_id", "before", "after").to_dicts()
