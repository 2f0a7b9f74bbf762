"""What `lead-assets learn` and `lead-assets rescore` do: learn from outcomes and build the lookalike index now, and let old campaigns use both.

Does not belong here: learning (see `lead_assets.scoring.learned`), or printing (see `show_scores`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from lead_assets.automation import LEARNED
from lead_assets.cli import runs
from lead_assets.contracts import Classification, EnrichedLead, Lead, LookalikeBuild, ModelBuild, Quarantined, Score
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import LOOKALIKE_INDEX, SCORE_MODEL
from lead_assets.ledger.opened import opened_ledger
from lead_assets.rules.check import check_rules
from lead_assets.stores.opened import archive_of, campaigns_of, warehouse_of


def learn(settings: Settings) -> dict[str, Any]:
    """Learns from the outcomes that are known. Returns the row of scoring.score_model, the hash in use, and as `lookalike` the row of lookalike.index.

    Raises RulesError.
    """
    from lead_assets.definitions import build_defs

    check_rules(settings)
    with opened_ledger(settings) as ledger, runs.instance_of(settings) as instance:
        ran = runs.run_job(build_defs(settings), instance, LEARNED)
        in_use = ledger.pins.in_use(SCORE_MODEL)
    warehouse = warehouse_of(settings)
    (row,), (index,) = ((warehouse.read(each).to_dicts() if ran.success else [{}]) for each in (ModelBuild, LookalikeBuild))
    return {"run_id": ran.run_id, "failures": list(ran.failures), "in_use": in_use or None, **row, "lookalike": index}


def rescore(settings: Settings, campaigns: Sequence[str] | None, *, dry_run: bool) -> dict[str, Any]:
    """Pins campaigns (None: all) to the model and the lookalike index in use; without `dry_run` their next run scores them with these. Returns whose tier
    changes.

    Raises ValueError for a campaign that is not in the archive, or if neither is in use.
    """
    wanted = campaigns_of(settings, campaigns)
    with opened_ledger(settings) as ledger:
        in_use, index = ledger.pins.in_use(SCORE_MODEL), ledger.pins.in_use(LOOKALIKE_INDEX)
        if not in_use and not index:
            raise ValueError(
                "no model and no lookalike index is in use: import outcomes (lead-assets outcomes import FILE) and run lead-assets learn"
            )
        changes = _changes(settings, wanted, in_use, index)
        moved = (
            set()
            if dry_run
            else {campaign for name in (SCORE_MODEL, LOOKALIKE_INDEX) for campaign in ledger.pins.move(name, wanted, "rescore")}
        )
    return {
        "in_use": in_use or None,
        "index": index or None,
        "dry_run": dry_run,
        "campaigns": wanted,
        "moved": sorted(moved),
        "changes": changes,
    }


def _changes(settings: Settings, wanted: Sequence[str], in_use: str, index: str) -> list[dict[str, Any]]:
    """Per campaign and pair of tiers, how many leads go from the one to the other."""
    from lead_assets.lookalike.home import lead_similarities
    from lead_assets.scoring.features import features
    from lead_assets.scoring.learned import win_probabilities
    from lead_assets.scoring.ruleset import load_scoring_rules
    from lead_assets.scoring.score import score, with_quarantined

    warehouse = warehouse_of(settings)
    made = sorted(set(warehouse.partitions(Score)) & set(wanted))
    tables = (Classification, Quarantined, Lead, EnrichedLead)
    classifications, quarantine, leads, enriched = (warehouse.read(contract, made) for contract in tables)
    classified = with_quarantined(classifications, quarantine)
    archive, now = archive_of(settings), warehouse.read(Score, made)
    alike = lead_similarities(leads, enriched, dict.fromkeys(made, index), archive).select("campaign_id", "lead_id", "contrast")
    judged = [win_probabilities(features(classified, leads, enriched), dict.fromkeys(made, in_use), archive)] if in_use else []
    new = score(classified, leads, enriched, load_scoring_rules(settings), alike, *judged)
    both = now.select("campaign_id", "lead_id", before="tier").join(
        new.select("campaign_id", "lead_id", after="tier"), on=["campaign_id", "lead_id"], how="inner"
    )
    changed = both.filter(pl.col("before") != pl.col("after")).group_by("campaign_id", "before", "after").agg(leads=pl.len())
    return changed.sort("campaign_id", "before", "after").to_dicts()
