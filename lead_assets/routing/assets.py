"""Dagster's view of the routing room."""

import polars as pl
from dagster import AssetIn, MaterializeResult, ResourceParam, asset

from lead_assets.contracts import Classification, EnrichedLead, Lead, RoutingDecision, Score
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import asset_of, key_of, result_of
from lead_assets.ledger import Ledger
from lead_assets.routing.ownership import decide
from lead_assets.routing.table import load_routing_table
from lead_assets.routing.territories import routing_frame


@asset(
    **asset_of(RoutingDecision),
    ins={
        "leads": AssetIn(key_of(Lead)),
        "enriched": AssetIn(key_of(EnrichedLead)),
        "classifications": AssetIn(key_of(Classification)),
        "scores": AssetIn(key_of(Score)),
    },
)
def decisions(
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    ledger: ResourceParam[Ledger],
    settings: ResourceParam[Settings],
) -> MaterializeResult:
    frame = decide(routing_frame(leads, enriched, classifications, scores), load_routing_table(settings), ledger.assign)
    owners = dict(frame["owner"].value_counts().sort("owner").iter_rows())
    return result_of(RoutingDecision, frame, owners=owners, by_fallback=frame["fallback"].sum())
