"""Dagster's view of the classification room."""

from collections.abc import Iterator

import polars as pl
from dagster import AssetCheckResult, AssetCheckSpec, AssetIn, MaterializeResult, ResourceParam, multi_asset

from lead_assets.classification.classify import classify
from lead_assets.contracts import Classification, EnrichedLead, Lead, Quarantined
from lead_assets.declare import assets_of, conservation_check, counts_per_campaign, key_of, result_of
from lead_assets.ledger import Ledger
from lead_assets.partitions import campaigns
from lead_assets.settings import Settings

CONSERVES = AssetCheckSpec(
    "conserves",
    asset=key_of(Classification),
    blocking=True,
    partitions_def=campaigns,
    description="Enriched leads = classifications + quarantined, and no lead is in both, for every campaign.",
)


@multi_asset(
    **assets_of([Classification, Quarantined], kinds=["anthropic"]),
    ins={"leads": AssetIn(key_of(Lead)), "enriched": AssetIn(key_of(EnrichedLead))},
    check_specs=[CONSERVES],
    pool="anthropic",
)
def classification__classifications(
    leads: pl.DataFrame, enriched: pl.DataFrame, ledger: ResourceParam[Ledger], settings: ResourceParam[Settings]
) -> Iterator[MaterializeResult | AssetCheckResult]:
    # The run may be limited: only leads that were enriched go on.
    leads = leads.join(enriched, on=["campaign_id", "lead_id"], how="semi", maintain_order="left")
    classified = classify(leads, enriched, ledger=ledger, settings=settings)
    models = dict(classified.classifications["model"].value_counts().sort("model").iter_rows())
    yield result_of(Classification, classified.classifications, models=models, **classified.stats)
    yield result_of(Quarantined, classified.quarantine, codes=classified.stats["quarantined_by_code"])
    counted = counts_per_campaign(enriched=enriched, classified=classified.classifications, quarantined=classified.quarantine)
    yield conservation_check(CONSERVES, counted, "enriched", "classified", "quarantined")
