"""One description of a table drives DDL, docs, schema and tags; so it must be whole."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from lead_assets.contracts import TABLES, Classification, GoldenEvaluation, Grain, RawLead, Table
from lead_assets.contracts.reference import reference
from lead_assets.kit.declare import column_lineage, key_of, table_schema

EVERY = pytest.mark.parametrize("contract", TABLES.values(), ids=TABLES.keys())


@EVERY
def test_every_column_is_described_and_every_key_is_required(contract: type[Table]) -> None:
    columns = {column.name: column for column in contract.columns()}
    assert all(column.description for column in columns.values())
    assert all(not columns[name].nullable for name in contract.key)
    assert contract.description()


@EVERY
def test_lineage_names_columns_that_exist(contract: type[Table]) -> None:
    for column in contract.columns():
        if column.source:
            schema, table, name = column.source.split(".")
            assert name in TABLES[f"{schema}.{table}"].polars_schema(), f"{contract.table}.{column.name} comes from {column.source}"
    assert set(column_lineage(contract).deps_by_column) <= set(contract.polars_schema())


def test_personal_data_is_tagged_in_dagsters_schema() -> None:
    tags = {column.name: dict(column.tags or {}) for column in table_schema(RawLead).columns}
    assert tags["email"] == {"pii": "email"}
    assert tags["notes"] == {"pii": "free_text"}
    assert tags["campaign_id"] == {}


def test_types_follow_the_annotations() -> None:
    schema = Classification.polars_schema()
    assert schema["urgency_score"] == pl.Int64
    assert schema["loan_type"] == pl.String
    assert schema["cost_usd"] == pl.Decimal(18, 6)
    assert schema["enriched_at"] == pl.Datetime("us", "UTC")


def test_a_changed_column_changes_the_fingerprint() -> None:
    class Wider(Classification):
        surprise: int | None = None

    assert Wider.fingerprint() != Classification.fingerprint()


def test_a_contract_says_its_grain_and_has_the_column_that_names_its_partitions() -> None:
    assert (RawLead.grain, RawLead.partition_column()) == ("campaign", "campaign_id")
    assert (GoldenEvaluation.grain, GoldenEvaluation.partition_column()) == ("home", None)
    with pytest.raises(TypeError, match="Daily: a table of the grain 'day' needs a column 'day'"):

        class Daily(Table):
            """No day."""

            table: ClassVar[str] = "marts.daily"
            key: ClassVar[tuple[str, ...]] = ("provider",)
            grain: ClassVar[Grain] = "day"
            provider: str


def test_another_grain_is_another_version_of_the_table() -> None:
    class Whole(Classification):
        grain: ClassVar[Grain] = "home"

    assert Whole.fingerprint() != Classification.fingerprint()


def test_a_table_is_the_asset_of_the_same_name() -> None:
    assert key_of(RawLead).path == ["intake", "raw_leads"]


def test_the_table_reference_is_current() -> None:
    path = Path(__file__).parents[2] / "docs" / "TABLES.md"
    assert path.read_text() == reference(), "run: make tables"
