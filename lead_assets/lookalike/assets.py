"""The assets of the lookalike room."""

import polars as pl
from dagster import AllPartitionMapping

from lead_assets.contracts import Account, Duplicate, EnrichedLead, Lead, RawLead, SimilarAccount
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import figures_by, joined, named, tables


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
