"""The funnel counts every payload once, whatever happened to it, and has zeros where there is nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from lead_assets.contracts import TABLES, CampaignFunnel
from lead_assets.core.project_files import project_file
from lead_assets.marts.mart import mart
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.rows import rows


def fill(warehouse: DuckDBWarehouse, campaign: str, **frames: list[dict[str, Any]]) -> None:
    """Write a partition of every table the funnel reads; those not given are empty."""
    for contract in mart(CampaignFunnel).reads:
        given = frames.get(contract.table.replace(".", "__"), [])
        warehouse.write(contract, rows(contract, [{"campaign_id": campaign} | row for row in given]), [campaign])


def funnel(warehouse: DuckDBWarehouse, *campaigns: str) -> list[dict[str, Any]]:
    declared = mart(CampaignFunnel)
    frame = warehouse.query(declared.sql, declared.reads, campaigns)
    warehouse.write(CampaignFunnel, frame, campaigns)
    return warehouse.read(CampaignFunnel, campaigns).sort("campaign_id").rows(named=True)


def test_every_payload_is_counted_once(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    fill(
        warehouse,
        "a",
        intake__raw_leads=[{"position": n, "part": 1} for n in range(1, 6)],
        intake__rejected_payloads=[{"position": 9, "part": 1}],
        identity__leads=[{"lead_id": "1"}, {"lead_id": "2"}, {"lead_id": "3"}],
        identity__duplicates=[{"position": 4, "part": 1}],
        identity__suppressed=[{"lead_id": "5"}],
        signals__enriched_leads=[{"lead_id": "1", "signals_found": ["x"]}, {"lead_id": "2"}, {"lead_id": "3"}],
        classification__classifications=[{"lead_id": "1", "cost_usd": "0.000123"}, {"lead_id": "2"}],
        classification__quarantine=[{"lead_id": "3", "cost_usd": "0.0001"}],
        scoring__scores=[{"lead_id": "1", "tier": "hot"}, {"lead_id": "2", "tier": "cold"}],
        classification__summaries=[{"lead_id": "1", "cost_usd": "0.000007"}],
        classification__summary_quarantine=[{"lead_id": "2", "cost_usd": "0.000002"}],
        routing__decisions=[{"lead_id": "1", "fallback": True}, {"lead_id": "2"}],
    )
    (row,) = funnel(warehouse, "a")
    assert {name: row[name] for name in ("received", "rejected", "duplicate", "suppressed", "leads")} == {
        "received": 6,
        "rejected": 1,
        "duplicate": 1,
        "suppressed": 1,
        "leads": 3,
    }
    assert (row["enriched"], row["classified"], row["quarantined"], row["scored"], row["routed"], row["hot"]) == (1, 2, 1, 2, 2, 1)
    assert row["routed_fallback"] == 1
    assert str(row["cost_usd"]) == "0.000232"


def test_a_campaign_of_rejects_only_has_a_row(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    fill(warehouse, "a", intake__rejected_payloads=[{"position": 1, "part": 1}])
    (row,) = funnel(warehouse, "a")
    assert (row["received"], row["rejected"], row["leads"], row["routed"], row["cost_usd"]) == (1, 1, 0, 0, 0)


def test_a_run_over_some_campaigns_sees_no_others(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    fill(warehouse, "a", intake__raw_leads=[{"position": 1, "part": 1}])
    fill(warehouse, "b", intake__raw_leads=[{"position": 1, "part": 1}, {"position": 2, "part": 1}])
    fill(warehouse, "c", intake__raw_leads=[{"position": 1, "part": 1}])
    assert [(row["campaign_id"], row["received"]) for row in funnel(warehouse, "a", "b")] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("path", sorted((project_file("sql") / "marts").glob("*.sql")), ids=lambda path: path.stem)
def test_a_mart_depends_on_what_its_sql_reads(path: Path) -> None:
    """By a real parser: every table that the SQL reads has a contract, and the mart depends on exactly those."""
    declared = mart(TABLES[f"marts.{path.stem}"])
    tree = sqlglot.parse_one(declared.sql, dialect="duckdb")
    ctes = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    named = {f"{table.db}.{table.name}".lstrip(".") for table in tree.find_all(exp.Table)} - ctes
    assert named == {contract.table for contract in declared.reads}
