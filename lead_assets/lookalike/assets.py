"""The assets of the lookalike room."""

from typing import Any

import polars as pl
from dagster import AllPartitionMapping

from lead_assets.contracts import (
    WHOLE_HOME,
    Account,
    Duplicate,
    EnrichedLead,
    Lead,
    LeadOutcome,
    LeadSimilarity,
    LookalikeBuild,
    RawLead,
    SimilarAccount,
)
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import figures_by, joined, named, tables
from lead_assets.ledger.model import LOOKALIKE_INDEX


@tables(
    Account,
    reads={"raw_leads": RawLead, "leads": Lead, "duplicates": Duplicate, "enriched": EnrichedLead},
    logic=["lead_assets.lookalike", "lead_assets.core"],
)
def accounts(step: Step, raw_leads: pl.DataFrame, leads: pl.DataFrame, duplicates: pl.DataFrame, enriched: pl.DataFrame) -> Made:
    from lead_assets.lookalike.known import known_accounts

    frame = known_accounts(raw_leads, leads, duplicates, enriched)
    return Made(frame, figures_by(frame, won=pl.col("won_known_at").count()))


# Accounts of any campaign may be alike, so this asset waits for all of them whenever many are made (a backfill, `lead-assets run`). It reads them
# itself, not as an input: an input over all partitions requires every partition, and a campaign that has not been run yet has none.
@tables(SimilarAccount, whole={Account: AllPartitionMapping()}, logic=["lead_assets.lookalike"], rules=["lookalike.yaml"])
def similarities(step: Step) -> Made:
    from lead_assets.lookalike.rules import load_lookalike_rules
    from lead_assets.lookalike.search import similar_accounts

    mine = step.stored(Account)
    known = step.warehouse.read(Account) if mine.height else mine
    frame = similar_accounts(mine, known, load_lookalike_rules(step.settings))
    mine_by, found_by = figures_by(mine, accounts=pl.len()), figures_by(frame, with_a_similar_one=pl.col("account_key").n_unique())
    return Made(frame, joined(mine_by, found_by, named("known", dict.fromkeys(mine_by, known.height))))


# As the learned model: by `lead-assets learn` and once a day, not by every run.
@tables(
    LookalikeBuild,
    reads={"outcomes": LeadOutcome},
    whole={Lead: None, EnrichedLead: None},
    logic=["lead_assets.lookalike", "lead_assets.stores.first_scored"],
)
def index(step: Step, outcomes: pl.DataFrame) -> Made:
    from lead_assets.lookalike.home import OF_ENDED, READS, build

    row = build(step.query(OF_ENDED, READS), outcomes, step.archive)
    pins = step.ledger.pins
    if row["artifact"] and row["artifact"] != pins.in_use(LOOKALIKE_INDEX):
        pins.use(LOOKALIKE_INDEX, row["artifact"], row["reason"])
    shown = {name: row[name] for name in ("won", "lost", "as_scored", "customers", "verdict", "reason", "data_hash")}
    return Made(LookalikeBuild.frame([row]), {WHOLE_HOME: shown})


def index_of(step: Step, campaign: str) -> Any:
    return step.ledger.pins.of(LOOKALIKE_INDEX, [campaign])[campaign]


@tables(LeadSimilarity, reads={"leads": Lead, "enriched": EnrichedLead}, logic=["lead_assets.lookalike"], outside=index_of)
def lead_similarities(step: Step, leads: pl.DataFrame, enriched: pl.DataFrame) -> Made:
    from lead_assets.lookalike import home

    pinned = step.ledger.pins.hold(LOOKALIKE_INDEX, step.partitions)
    frame = home.lead_similarities(leads, enriched, pinned, step.archive)
    indices = named("index", {campaign: used[:12] or "none" for campaign, used in pinned.items()})
    known = figures_by(
        frame, compared=pl.col("contrast").count(), customers=pl.col("is_duplicate").sum(), mean_contrast=pl.col("contrast").mean()
    )
    return Made(frame, joined(indices, known))
