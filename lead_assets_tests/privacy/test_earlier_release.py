"""A home whose tables an earlier release made, with fewer columns, can still let somebody go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from lead_assets.contracts import SuppressedLead
from lead_assets.core.settings import Settings
from lead_assets.privacy.held_rows import rewrite
from lead_assets.stores.opened import warehouse_of


def test_a_partition_that_lacks_a_column_is_emptied_for_the_next_run(tmp_path: Path) -> None:
    warehouse = warehouse_of(Settings(home=tmp_path / "home"))
    warehouse.prepare()
    at = datetime(2026, 11, 30, tzinfo=UTC)
    for campaign in ("spring", "autumn"):
        rows = pl.DataFrame([(campaign, lead, "asked", at) for lead in ("L1", "L2")], schema=SuppressedLead.polars_schema(), orient="row")
        warehouse.write(SuppressedLead, rows, [campaign])
    (part,) = (tmp_path / "home" / "warehouse" / "identity" / "suppressed").rglob("*spring/*.parquet")
    pl.read_parquet(part, hive_partitioning=False).drop("reason").write_parquet(part)
    for campaign in ("spring", "autumn"):
        left = warehouse.read(SuppressedLead, [campaign]).filter(pl.col("lead_id") != "L1")
        rewrite(warehouse, SuppressedLead, left, campaign)
    assert warehouse.read(SuppressedLead).select("campaign_id", "lead_id").rows() == [("autumn", "L2")]
