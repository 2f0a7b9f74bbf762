"""A table's rows, for export. Does not belong here: the formats (see `lead_assets.core.table_formats`)."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import UnknownWord, unknown
from lead_assets.stores.opened import campaigns_of, warehouse_of


def rows(settings: Settings, table: str, campaigns: Sequence[str] | None = None) -> pl.DataFrame:
    """A table's rows, sorted by its key, optionally only for some campaigns. Raises UnknownWord for a table or campaign that does not exist
    or a table without campaigns, and PartitionMissing for a campaign that has not been run yet."""
    contract = TABLES.get(table)
    if contract is None:
        raise unknown("no table", table, TABLES)
    wanted = campaigns_of(settings, campaigns) if campaigns else None
    warehouse = warehouse_of(settings)
    if wanted is None or contract.grain == "campaign":
        return warehouse.read(contract, wanted).sort(contract.key)
    if "campaign_id" not in contract.polars_schema():
        raise UnknownWord(f"--campaign: rows of {table} do not belong to a campaign: export it without --campaign")
    return warehouse.read(contract).filter(pl.col("campaign_id").is_in(wanted)).sort(contract.key)
