"""The check that every table has on its stored rows: it fails for every way in which rows can differ from their contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lead_assets.contracts import TABLES, Lead, Score
from lead_assets.kit.checks import declared, stored_counts
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.rows import rows as rows_of

Tamper = Callable[[pl.DataFrame], pl.DataFrame]


def score(number: int, campaign: str = "spring") -> dict[str, object]:
    return {
        "campaign_id": campaign,
        "lead_id": f"l{number}",
        "score": 50.0,
        "tier": "warm",
        "parts": "[]",
        "ruleset": "b2b-rules-1",
        "reasons": [],
        "unknown_parts": [],
        "route_score": 0.5,
        "path": "manual_review",
        "quarantined": False,
    }


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """Three scored leads in each of two campaigns, and their leads."""
    made = DuckDBWarehouse(tmp_path / "warehouse")
    for campaign in ("spring", "fall"):
        made.write(Lead, rows_of(Lead, ({"campaign_id": campaign, "lead_id": f"l{n}"} for n in range(3))), [campaign])
        made.write(Score, Score.frame(score(n, campaign) for n in range(3)), [campaign])
    return made


def tampered(warehouse: DuckDBWarehouse, change: Tamper, campaign: str = "spring") -> None:
    """Rows written by somebody else than the product, into the partition's file."""
    path = warehouse.folder / "scoring" / "scores" / f"campaign_id={campaign}" / "part.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def test_what_was_written_is_as_declared(warehouse: DuckDBWarehouse) -> None:
    verdicts = declared(warehouse, [Lead, Score], ["spring", "fall"])[Score]
    assert {key: (each.passed, each.metadata["rows"]) for key, each in verdicts.items()} == {"spring": (True, 3), "fall": (True, 3)}


@pytest.mark.parametrize(
    ("change", "says", "rows"),
    [
        (lambda rows: pl.concat([rows, rows[:1]]), "unique (campaign_id, lead_id)", [["spring", "l0", "2"]]),
        (
            lambda rows: rows.with_columns(tier=pl.when(pl.col("lead_id") == "l1").then(None).otherwise("tier")),
            "tier is not null",
            [["spring", "l1"]],
        ),
        (
            lambda rows: rows.with_columns(tier=pl.when(pl.col("lead_id") == "l2").then(pl.lit("tepid")).otherwise("tier")),
            "tier is one of hot, warm, cold",
            [["spring", "l2"]],
        ),
        (
            lambda rows: rows.with_columns(score=pl.when(pl.col("lead_id") == "l0").then(100.5).otherwise("score")),
            "score is at most 100",
            [["spring", "l0"]],
        ),
        (
            lambda rows: rows.with_columns(score=pl.when(pl.col("lead_id") == "l0").then(-1.0).otherwise("score")),
            "score is at least 0",
            [["spring", "l0"]],
        ),
        (
            lambda rows: rows.with_columns(lead_id=pl.col("lead_id").replace("l1", "nobody")),
            "(campaign_id, lead_id) is in identity.leads",
            [["spring", "nobody"]],
        ),
    ],
)
def test_each_fault_is_named_with_its_rows_and_the_query_that_shows_them(
    warehouse: DuckDBWarehouse, change: Tamper, says: str, rows: list[list[str]]
) -> None:
    tampered(warehouse, change)
    verdicts = declared(warehouse, [Lead, Score], ["spring", "fall"])[Score]
    assert verdicts["fall"].passed, "each campaign has its own verdict"
    assert all(each.passed for each in declared(warehouse, [Lead, Score], ["spring", "fall"])[Lead].values()), "each table has its own"
    shown = verdicts["spring"].metadata
    assert not verdicts["spring"].passed
    assert shown["broken"] == {says: 1}
    assert sorted(shown["rows_by_key"]) == rows
    # An analyst can paste the query and sees the same rows.
    import duckdb

    with duckdb.connect(warehouse.location, read_only=True) as connection:
        found = connection.sql(shown["query"]).fetchall()
    assert [[str(value) for value in row] for row in found] == rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """A warehouse without rows."""
    return DuckDBWarehouse(tmp_path_factory.mktemp("made") / "warehouse")


@pytest.mark.parametrize("contract", TABLES.values(), ids=list(TABLES))
def test_every_contract_has_a_check_that_runs(contract: type, made: DuckDBWarehouse) -> None:
    for table in {contract, *(TABLES[name] for _, name in contract.refers)}:  # type: ignore[attr-defined]
        made.write(table, table.empty(), ["all" if table.grain == "home" else "2026-01-01" if table.grain == "day" else "spring"])
    key = "all" if contract.grain == "home" else "2026-01-01" if contract.grain == "day" else "spring"  # type: ignore[attr-defined]
    assert declared(made, [contract], [key])[contract][key].passed


def test_counts_are_of_the_stored_rows_and_a_campaign_without_rows_counts_zero(warehouse: DuckDBWarehouse) -> None:
    warehouse.write(Score, Score.empty(), ["empty"])
    warehouse.write(Lead, Lead.empty(), ["empty", "spring", "fall"])
    tampered(warehouse, lambda rows: rows[:2])
    counted = stored_counts(warehouse, ["empty", "fall", "spring"], scored=Score, leads=Lead)
    assert counted.rows(named=True) == [
        {"campaign_id": "empty", "scored": 0, "leads": 0},
        {"campaign_id": "fall", "scored": 3, "leads": 0},
        {"campaign_id": "spring", "scored": 2, "leads": 0},
    ]
