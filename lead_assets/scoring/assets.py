"""Dagster's view of the scoring room."""

import polars as pl
from dagster import AssetIn, MaterializeResult, ResourceParam, asset

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score
from lead_assets.declare import asset_of, key_of, result_of
from lead_assets.project_files import rules_file
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score
from lead_assets.settings import Settings


@asset(
    **asset_of(Score),
    ins={"classifications": AssetIn(key_of(Classification)), "leads": AssetIn(key_of(Lead)), "enriched": AssetIn(key_of(EnrichedLead))},
)
def scores(
    settings: ResourceParam[Settings], classifications: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame
) -> MaterializeResult:
    rules = load_scoring_rules(rules_file("scoring.yaml", settings))
    frame = score(classifications, leads, enriched, rules)
    tiers = dict(frame["tier"].value_counts().sort("tier").iter_rows())
    return result_of(Score, frame, **tiers, mean_score=frame["score"].mean(), rules_version=rules.version)
