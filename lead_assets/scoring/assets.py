"""The assets of the scoring room."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from dagster import MetadataValue

from lead_assets.contracts import (
    WHOLE_HOME,
    Classification,
    Duplicate,
    EnrichedLead,
    Lead,
    LeadOutcome,
    LeadSimilarity,
    ModelBuild,
    Quarantined,
    RawLead,
    RoutingDecision,
    Score,
)
from lead_assets.kit import pictures
from lead_assets.kit.checks import Check, Verdict
from lead_assets.kit.conditions import after_the_campaigns, where_it_costs_nothing
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import counts_by, figures_by, joined, named, tables
from lead_assets.ledger.model import SCORE_MODEL
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.stores.archive import Archive
from lead_assets.stores.first_scored import as_first_scored, remember


def says_what_is_quarantined(step: Step) -> dict[str, Verdict]:
    keys = list(Score.key)
    scored = step.stored(Score).select(*keys, "quarantined", "path")
    refused = step.stored(Quarantined).select(*keys, refused=True)
    both = scored.join(refused, on=keys, how="full", coalesce=True).with_columns(pl.col("refused", "quarantined").fill_null(False))
    wrong = both.filter((pl.col("refused") != pl.col("quarantined")) | (pl.col("quarantined") & (pl.col("path") != "manual_review")))
    counted = dict(wrong.group_by("campaign_id").len().iter_rows())
    return {key: Verdict(not counted.get(key), {"not_said": counted.get(key, 0)}) for key in step.partitions}


TIERS = {"hot": pictures.RED, "warm": pictures.AMBER, "cold": pictures.BLUE}


def tiers_drawn(rows: pl.DataFrame, _step: Step) -> str | None:
    counted = dict(rows["tier"].value_counts().iter_rows())
    return pictures.bars("Leads by tier", {tier: counted.get(tier, 0) for tier in TIERS}, colours=TIERS) if rows.height else None


def model_of(step: Step, campaign: str) -> Any:
    return step.ledger.pins.of(SCORE_MODEL, [campaign])[campaign]


@tables(
    Score,
    reads={"classifications": Classification, "quarantine": Quarantined, "leads": Lead, "enriched": EnrichedLead, "alike": LeadSimilarity},
    condition=where_it_costs_nothing(),
    logic=["lead_assets.scoring"],
    rules=["scoring.yaml"],
    outside=model_of,
    pictures={Score: tiers_drawn},
    checks=[
        Check(
            Score,
            "says_what_is_quarantined",
            "The scores of exactly the leads in classification.quarantine say so, and leave them to a person.",
            says_what_is_quarantined,
            blocking=True,
        )
    ],
)
def scores(
    step: Step, classifications: pl.DataFrame, quarantine: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame, alike: pl.DataFrame
) -> Made:
    from lead_assets.scoring.features import features, remembered
    from lead_assets.scoring.score import score, with_quarantined  # with numpy, which every run would pay for

    rules = load_scoring_rules(step.settings)
    classified = with_quarantined(classifications, quarantine)
    known = features(classified, leads, enriched)
    written = set(step.warehouse.partitions(Score)) & set(step.partitions)
    remember(step.archive, remembered(known, leads, enriched), step.warehouse.read(Score, sorted(written)), step.ledger.now())
    pinned = step.ledger.pins.hold(SCORE_MODEL, step.partitions)
    others = [alike.select(*Score.key, "contrast"), *([won(known, pinned, step.archive)] if any(pinned.values()) else [])]
    frame = score(classified, leads, enriched, rules, *others)
    models = named("model", {campaign: used[:12] or "rules only" for campaign, used in pinned.items()})
    tiers = {campaign: {"hot": 0, "warm": 0, "cold": 0} | found for campaign, found in counts_by(frame, "tier").items()}
    return Made(frame, joined(tiers, models, figures_by(frame, mean_score=pl.col("score").mean())), {"rules_version": rules.version})


def won(known: pl.DataFrame, pinned: Mapping[str, str], archive: Archive) -> pl.DataFrame:
    from lead_assets.scoring.learned import win_probabilities  # with scikit-learn

    return win_probabilities(known, pinned, archive)


def files_of_outcomes(step: Step, _partition: str) -> Any:
    return step.archive.outcome_names()


@tables(
    LeadOutcome,
    # Made after the owners of leads: what has ended is closed there.
    whole={RawLead: None, Duplicate: None, Lead: None, RoutingDecision: None},
    logic=["lead_assets.scoring.outcomes", "lead_assets.scoring.statements", "lead_assets.scoring.outcome_rules", "lead_assets.core"],
    rules=["outcomes.yaml"],
    outside=files_of_outcomes,
    condition=after_the_campaigns(),
)
def outcomes(step: Step) -> Made:
    from lead_assets.scoring import outcomes as reading
    from lead_assets.scoring.outcome_rules import load_outcome_rules
    from lead_assets.scoring.statements import stated_in

    rules = load_outcome_rules(step.settings)
    stated, unread = stated_in(step.archive, rules)
    of_leads, known = (step.query(sql, reading.READS) for sql in (reading.OF_LEADS, reading.KNOWN))
    frame = reading.outcomes(of_leads, stated, known, rules)
    ended, going_on = (
        frame.filter(pl.col("lead_id").is_not_null(), pl.col("outcome").is_in(said)).select("campaign_id", "lead_id").rows()
        for said in (["won", "lost"], ["open"])
    )
    step.ledger.close_leads(ended, going_on)
    counts = dict(frame.group_by("outcome").len().iter_rows())
    figures = {name: counts.get(name, 0) for name in ("won", "lost", "open")} | {
        "no_lead": frame["lead_id"].null_count(),
        "stages_not_known": unread,
    }
    return Made(frame, {WHOLE_HOME: figures})


# Not among the tables that every run ends with: learning takes up to a minute. `lead-assets learn` and a schedule make it.
@tables(
    ModelBuild,
    reads={"outcomes": LeadOutcome},
    logic=["lead_assets.scoring.features", "lead_assets.scoring.learned", "lead_assets.stores.first_scored", "lead_assets.learning"],
    outside=lambda step, _: step.archive.feature_names(),
)
def score_model(step: Step, outcomes: pl.DataFrame) -> Made:
    from lead_assets.scoring.features import FEATURES, training_table
    from lead_assets.scoring.learned import build, drawn

    pins = step.ledger.pins
    leads = outcomes.filter(pl.col("lead_id").is_not_null())
    row, model = build(training_table(outcomes, as_first_scored(step.archive, leads, FEATURES)), step.archive, pins.in_use(SCORE_MODEL))
    # A table that is made again from the same leads decides nothing anew.
    if row["verdict"] == "promoted" and row["artifact"] not in {pin.artifact for pin in pins.history(SCORE_MODEL)}:
        pins.use(SCORE_MODEL, row["artifact"], row["reason"])
    shown = {name: row[name] for name in ("won", "lost", "open", "before_outcome", "verdict", "reason", "data_hash")}
    images = {name: MetadataValue.md(picture) for name, picture in (drawn(model) if model else {}).items()}
    return Made(ModelBuild.frame([row]), {WHOLE_HOME: shown}, images)
