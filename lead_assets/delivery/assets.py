"""Dagster's view of the delivery room."""

import polars as pl
from dagster import AssetIn, MaterializeResult, ResourceParam, asset

from lead_assets.contracts import Classification, EnrichedLead, EnrichmentEvent, Lead, RoutingDecision, Score
from lead_assets.delivery.events import enrichment_events as make_events
from lead_assets.kit.declare import asset_of, key_of, result_of
from lead_assets.stores.archive import Archive


@asset(
    **asset_of(EnrichmentEvent, kinds=["json"]),
    ins={
        "decisions": AssetIn(key_of(RoutingDecision)),
        "leads": AssetIn(key_of(Lead)),
        "enriched": AssetIn(key_of(EnrichedLead)),
        "classifications": AssetIn(key_of(Classification)),
        "scores": AssetIn(key_of(Score)),
    },
)
def enrichment_events(
    archive: ResourceParam[Archive],
    decisions: pl.DataFrame,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
) -> MaterializeResult:
    frame = make_events(decisions, leads, enriched, classifications, scores, archive)
    return result_of(EnrichmentEvent, frame, archived_as=sorted(frame["archived_as"].unique()))
