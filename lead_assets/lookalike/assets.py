"""Dagster's view of the lookalike room."""

import polars as pl
from dagster import AllPartitionMapping, AssetDep, AssetExecutionContext, AssetIn, MaterializeResult, ResourceParam, asset

from lead_assets.contracts import Account, Duplicate, EnrichedLead, Lead, RawLead, SimilarAccount
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import asset_of, key_of, result_of
from lead_assets.kit.io_manager import WarehouseIOManager


@asset(
    **asset_of(Account),
    ins={
        "raw_leads": AssetIn(key_of(RawLead)),
        "leads": AssetIn(key_of(Lead)),
        "duplicates": AssetIn(key_of(Duplicate)),
        "enriched": AssetIn(key_of(EnrichedLead)),
    },
)
def accounts(raw_leads: pl.DataFrame, leads: pl.DataFrame, duplicates: pl.DataFrame, enriched: pl.DataFrame) -> MaterializeResult:
    from lead_assets.lookalike.known import known_accounts

    frame = known_accounts(raw_leads, leads, duplicates, enriched)
    return result_of(Account, frame, won=frame["won_known_at"].count())


# Any campaign's accounts may be alike, so it waits for all of them where all are made: a backfill, `lead-assets run` over many campaigns. It reads them
# itself, and not as an input: an input of all partitions must have them all, and a campaign that has not been run yet has none.
@asset(**asset_of(SimilarAccount), deps=[AssetDep(key_of(Account), partition_mapping=AllPartitionMapping())])
def similarities(
    context: AssetExecutionContext, settings: ResourceParam[Settings], warehouse: ResourceParam[WarehouseIOManager]
) -> MaterializeResult:
    from lead_assets.lookalike.rules import load_lookalike_rules
    from lead_assets.lookalike.search import similar_accounts

    mine = warehouse.warehouse.read(Account, context.partition_keys)
    known = warehouse.warehouse.read(Account) if mine.height else mine
    frame = similar_accounts(mine, known, load_lookalike_rules(settings))
    return result_of(SimilarAccount, frame, accounts=mine.height, with_a_similar_one=frame["account_key"].n_unique(), known=known.height)
