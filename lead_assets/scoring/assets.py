"""Dagster's view of the scoring room."""

from collections.abc import Iterator

import polars as pl
from dagster import AssetCheckResult, AssetCheckSpec, AssetIn, MaterializeResult, ResourceParam, asset

from lead_assets.contracts import Classification, EnrichedLead, Lead, Quarantined, Score
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import asset_of, key_of, result_of
from lead_assets.kit.partitions import campaigns
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score

NOBODY_QUARANTINED = AssetCheckSpec(
    "nobody_quarantined",
    asset=key_of(Score),
    blocking=True,
    partitions_def=campaigns,
    description="No lead of classification.quarantine has a score: an answer that did not meet its contract reaches no route and no customer.",
)


@asset(
    **asset_of(Score),
    ins={
        "classifications": AssetIn(key_of(Classification)),
        "quarantine": AssetIn(key_of(Quarantined)),
        "leads": AssetIn(key_of(Lead)),
        "enriched": AssetIn(key_of(EnrichedLead)),
    },
    check_specs=[NOBODY_QUARANTINED],
)
def scores(
    settings: ResourceParam[Settings],
    classifications: pl.DataFrame,
    quarantine: pl.DataFrame,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
) -> Iterator[MaterializeResult | AssetCheckResult]:
    rules = load_scoring_rules(settings)
    frame = score(classifications, leads, enriched, rules)
    tiers = dict(frame["tier"].value_counts().sort("tier").iter_rows())
    yield result_of(Score, frame, **tiers, mean_score=frame["score"].mean(), rules_version=rules.version)
    both = frame.join(quarantine, on=list(Score.key), how="semi").height
    yield AssetCheckResult(
        asset_key=key_of(Score), check_name=NOBODY_QUARANTINED.name, passed=both == 0, metadata={"quarantined_and_scored": both}
    )
