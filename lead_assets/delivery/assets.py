"""The assets of the delivery room."""

import polars as pl

from lead_assets.contracts import Classification, EnrichedLead, EnrichmentEvent, Lead, RoutingDecision, Score
from lead_assets.delivery.events import enrichment_events as make_events
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import figures_by, tables


@tables(
    EnrichmentEvent,
    reads={
        "decisions": RoutingDecision,
        "leads": Lead,
        "enriched": EnrichedLead,
        "classifications": Classification,
        "scores": Score,
    },
    logic=["lead_assets.delivery"],
    outside=lambda step, _: step.archive.location,
    kinds=["json"],
)
def enrichment_events(
    step: Step,
    decisions: pl.DataFrame,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
) -> Made:
    frame = make_events(decisions, leads, enriched, classifications, scores, step.archive)
    return Made(frame, figures_by(frame, archived_as=pl.col("archived_as").unique().sort()))
