"""The assets of the briefs room. Its tables are in the schema `classification`, where they were before it became a room."""

import polars as pl

from lead_assets.contracts import Classification, EnrichedLead, Lead, QuarantinedSummary, Score, SimilarAccount, Summary
from lead_assets.kit.answers import meet_contract, mode_of, model_and_key, served
from lead_assets.kit.checks import Check, Verdict, adds_up, stored_counts
from lead_assets.kit.outages import answered_by_rules, circuits_shown, note_misses
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import figures_by, tables


def conserves(step: Step) -> dict[str, Verdict]:
    from lead_assets.briefs.rules import load_brief_rulebook
    from lead_assets.briefs.summaries import worth_a_brief

    worth = worth_a_brief(step.stored(Score), load_brief_rulebook(step.settings)).group_by("campaign_id").agg(worth_a_brief=pl.len())
    counts = stored_counts(step.warehouse, step.partitions, summaries=Summary, quarantined=QuarantinedSummary)
    counts = counts.join(worth, on="campaign_id", how="left").with_columns(pl.col("worth_a_brief").fill_null(0))
    return adds_up(counts, "worth_a_brief", "summaries", "quarantined")


def meets_contract(step: Step) -> dict[str, Verdict]:
    from lead_assets.briefs.rules import load_brief_rulebook
    from lead_assets.model.outcome import broken_contracts

    profiles = load_brief_rulebook(step.settings).profiles
    return meet_contract(step, step.stored(Summary), lambda rows: broken_contracts(rows, profiles))


@tables(
    Summary,
    QuarantinedSummary,
    reads={
        "leads": Lead,
        "enriched": EnrichedLead,
        "classifications": Classification,
        "scores": Score,
        "similar": SimilarAccount,
    },
    kinds=["anthropic"],
    pool="anthropic",
    logic=["lead_assets.briefs", "lead_assets.model"],
    rules=["classification.yaml", "prices.yaml"],
    outside=model_and_key,
    buys=True,
    checks=[
        Check(
            Summary,
            "conserves",
            "In the stored tables, scored leads in a brief's tiers = summaries + quarantined.",
            conserves,
            blocking=True,
        ),
        Check(Summary, "meets_contract", "Every stored brief validates against its contract.", meets_contract, blocking=True),
    ],
)
def classification__summaries(
    step: Step,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    similar: pl.DataFrame,
) -> list[Made]:
    from lead_assets.briefs.rules import load_brief_rulebook
    from lead_assets.briefs.summaries import summarise
    from lead_assets.model.cases import PROVIDER

    book, mode = load_brief_rulebook(step.settings), mode_of(step)
    made = summarise(
        leads, enriched, classifications, scores, similar, ledger=step.ledger, settings=step.settings, rulebook=book, mode=mode
    )
    note_misses(step, Summary, answered_by_rules(made.summaries, PROVIDER))
    kept = served(made.stats.looks)
    return [
        Made(made.summaries, made.stats.figures(), {"circuits": circuits_shown(step.ledger)}, kept),
        Made(made.quarantine, figures_by(made.quarantine, codes=pl.col("code").unique().sort()), served=kept),
    ]
