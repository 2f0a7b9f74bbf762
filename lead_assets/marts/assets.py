"""The assets of the marts room: one per contract in the schema `marts`, with dependencies read from its SQL."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from dagster import AssetsDefinition, MetadataValue

from lead_assets.contracts import TABLES, Table
from lead_assets.kit.conditions import after_the_campaigns, where_it_costs_nothing
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import tables
from lead_assets.marts.drawn import PICTURES
from lead_assets.marts.mart import Mart, marts_of, shipped_sql


def mart_assets(contracts: Mapping[str, type[Table]] = TABLES, folder: Path | None = None) -> list[AssetsDefinition]:
    """The assets of all marts. Adding one takes a contract (lead_assets/contracts/marts.py) and <folder>/<table>.sql (default: sql/marts)."""
    return [_asset(mart) for mart in marts_of(contracts.values(), folder or shipped_sql())]


def _asset(mart: Mart) -> AssetsDefinition:
    of_home = mart.contract.grain == "home"
    # A mart sees the partitions being made in tables with its own grain, and all of other tables. A home-wide mart sees everything.
    own = [read for read in mart.reads if read.grain == mart.contract.grain and not of_home]
    whole = {read: None for read in mart.reads if read not in own}

    @tables(
        mart.contract,
        queries=own,
        whole=whole,
        version=mart.version,
        kinds=["sql"],
        condition=after_the_campaigns() if of_home else where_it_costs_nothing(),
        pictures={mart.contract: drawn} if (drawn := PICTURES.get(mart.contract.table)) else None,
    )
    def build(step: Step) -> Made:
        frame = step.query(mart.sql, mart.reads)
        if mart.contract.grain == "day":
            # Tables of another grain are read as a whole, and contain other days, too.
            frame = frame.filter(pl.col("day").cast(pl.String).is_in(step.partitions))
        return Made(frame, shown={"sql": MetadataValue.md(f"```sql\n{mart.sql}\n```")})

    return build
