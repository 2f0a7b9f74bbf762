"""Dagster's view of the briefs room. Its tables are of the schema `classification`, where they were before it was a room.

What a step needs beyond declarations is imported in the step: every run pays for what the code location loads.
"""

from collections.abc import Iterator

import polars as pl
from dagster import AssetCheckResult, AssetCheckSpec, AssetExecutionContext, AssetIn, MaterializeResult, ResourceParam, multi_asset

from lead_assets.contracts import Classification, EnrichedLead, Lead, QuarantinedSummary, Score, SimilarAccount, Summary
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import assets_of, conservation_check, contract_check, counts_per_campaign, key_of, mode_of, result_of
from lead_assets.kit.outages import answered_by_rules, circuits_shown, note_misses
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger import Ledger

CONSERVES = AssetCheckSpec(
    "conserves",
    asset=key_of(Summary),
    blocking=True,
    partitions_def=campaigns,
    description="Scored leads worth a brief = summaries + quarantined, for every campaign.",
)
MEETS_CONTRACT = AssetCheckSpec(
    "meets_contract",
    asset=key_of(Summary),
    blocking=True,
    partitions_def=campaigns,
    description="Every brief validates against its contract.",
)


@multi_asset(
    **assets_of([Summary, QuarantinedSummary], kinds=["anthropic"]),
    ins={
        "leads": AssetIn(key_of(Lead)),
        "enriched": AssetIn(key_of(EnrichedLead)),
        "classifications": AssetIn(key_of(Classification)),
        "scores": AssetIn(key_of(Score)),
        "similar": AssetIn(key_of(SimilarAccount)),
    },
    check_specs=[CONSERVES, MEETS_CONTRACT],
    pool="anthropic",
)
def classification__summaries(
    context: AssetExecutionContext,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    similar: pl.DataFrame,
    ledger: ResourceParam[Ledger],
    settings: ResourceParam[Settings],
) -> Iterator[MaterializeResult | AssetCheckResult]:
    from lead_assets.briefs.rules import load_brief_rulebook
    from lead_assets.briefs.summaries import summarise, worth_a_brief
    from lead_assets.model.cases import PROVIDER
    from lead_assets.model.outcome import broken_contracts

    book = load_brief_rulebook(settings)
    made = summarise(
        leads, enriched, classifications, scores, similar, ledger=ledger, settings=settings, rulebook=book, mode=mode_of(context)
    )
    note_misses(context, ledger, Summary, answered_by_rules(made.summaries, PROVIDER))
    figures = {name: made.stats[name] for name in ("questions", "calls", "repaired", "by_rules", "cost_usd")}
    yield result_of(Summary, made.summaries, circuits=circuits_shown(ledger), **figures)
    yield result_of(QuarantinedSummary, made.quarantine, codes=made.stats["quarantined_by_code"])
    yield contract_check(MEETS_CONTRACT, broken_contracts(made.summaries, book.profiles))
    counted = counts_per_campaign(worth_a_brief=worth_a_brief(scores, book), summaries=made.summaries, quarantined=made.quarantine)
    yield conservation_check(CONSERVES, counted, "worth_a_brief", "summaries", "quarantined")
