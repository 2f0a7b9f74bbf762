"""Dagster's view of the classification room."""

from collections.abc import Iterator

import polars as pl
from dagster import AssetCheckResult, AssetCheckSpec, AssetExecutionContext, AssetIn, MaterializeResult, ResourceParam, multi_asset

from lead_assets.classification.buying import Mode
from lead_assets.classification.checks import broken_contracts
from lead_assets.classification.classify import classify
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.contracts import Classification, EnrichedLead, Lead, Quarantined
from lead_assets.declare import MODE_TAG, assets_of, conservation_check, counts_per_campaign, key_of, result_of
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

MEETS_CONTRACT = AssetCheckSpec(
    "meets_contract",
    asset=key_of(Classification),
    blocking=True,
    partitions_def=campaigns,
    description="Every answer validates against its profile's contract, and the table's columns say what the answer says.",
)


def mode_of(context: AssetExecutionContext) -> Mode:
    """Backfills can wait and are many leads: they go by Message Batches, at half the price, as does any run that asks for it by its tag."""
    tags = context.run.tags
    return "batch" if tags.get(MODE_TAG, "batch" if "dagster/backfill" in tags else "interactive") == "batch" else "interactive"


def contract_check(spec: AssetCheckSpec, broken: dict[str, int]) -> AssetCheckResult:
    metadata = {"broken": broken} if broken else {}
    return AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=not broken, metadata=metadata)


@multi_asset(
    **assets_of([Classification, Quarantined], kinds=["anthropic"]),
    ins={"leads": AssetIn(key_of(Lead)), "enriched": AssetIn(key_of(EnrichedLead))},
    check_specs=[CONSERVES, MEETS_CONTRACT],
    pool="anthropic",
)
def classification__classifications(
    context: AssetExecutionContext,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    ledger: ResourceParam[Ledger],
    settings: ResourceParam[Settings],
) -> Iterator[MaterializeResult | AssetCheckResult]:
    # The run may be limited: only leads that were enriched go on.
    leads = leads.join(enriched, on=["campaign_id", "lead_id"], how="semi", maintain_order="left")
    mode, book = mode_of(context), load_rulebook(settings)
    classified = classify(leads, enriched, ledger=ledger, settings=settings, rulebook=book, mode=mode)
    models = dict(classified.classifications["model"].value_counts().sort("model").iter_rows())
    yield result_of(Classification, classified.classifications, models=models, mode=mode, **classified.stats)
    yield result_of(Quarantined, classified.quarantine, codes=classified.stats["quarantined_by_code"])
    counted = counts_per_campaign(enriched=enriched, classified=classified.classifications, quarantined=classified.quarantine)
    yield contract_check(MEETS_CONTRACT, broken_contracts(classified.classifications, book.profiles))
    yield conservation_check(CONSERVES, counted, "enriched", "classified", "quarantined")
