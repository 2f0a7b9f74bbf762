"""One description of a table drives DDL, docs, schema and tags, so it must be complete."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from lead_assets.classification.profiles import load_profiles
from lead_assets.contracts import TABLES, Classification, Column, EnrichedLead, GoldenEvaluation, Grain, PreScore, RawLead, SignalRow, Table
from lead_assets.contracts.base import MART_LINEAGE, MONEY_DTYPE, OUTSIDE, Sources, canonical_json, column_of, column_of_values
from lead_assets.contracts.classification import ASKED_ABOUT
from lead_assets.contracts.enriched import with_values
from lead_assets.contracts.reference import reference
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import column_lineage, key_of, table_schema
from lead_assets.marts.lineage import all_lineage, as_text
from lead_assets.signals.signal import load_pre_score

EVERY = pytest.mark.parametrize("contract", TABLES.values(), ids=TABLES.keys())


@EVERY
def test_every_column_is_described_and_every_key_is_required(contract: type[Table]) -> None:
    columns = {column.name: column for column in contract.columns()}
    assert all(column.description for column in columns.values())
    assert all(not columns[name].nullable for name in contract.key)
    assert contract.description()


@EVERY
def test_every_column_says_what_it_is_made_from_and_names_columns_that_exist(contract: type[Table]) -> None:
    for column in contract.columns():
        assert column.sources, (
            f"{contract.table}.{column.name}: say what it is made from: source= of its Column, or the contract's origins()"
        )
        for source in set(column.sources) - OUTSIDE.keys():
            table, _, name = source.rpartition(".")
            assert name in TABLES[table].polars_schema(), f"{contract.table}.{column.name} comes from {source}"
    assert set(column_lineage(contract).deps_by_column) == set(contract.polars_schema())


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
    with pytest.raises(TypeError, match="Daily: a table with grain 'day' needs a column 'day'"):

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


def test_what_signals_fill_has_the_lineage_of_all_of_them_the_preferred_first() -> None:
    lineage = column_lineage(EnrichedLead).deps_by_column
    assert [dep.asset_key.path[-1] for dep in lineage["company_industry"]] == ["company_overview", "organization"]
    assert {dep.column_name for dep in lineage["signals_cost_usd"]} == {"cost_usd"}
    assert len(lineage["signals_cost_usd"]) == len([contract for contract in TABLES.values() if issubclass(contract, SignalRow)])


def test_a_name_that_is_no_column_is_refused_where_columns_say_what_they_are_made_from() -> None:
    class Typo(Named):
        @classmethod
        def origins(cls) -> Mapping[str, Sources]:
            return {"leadid": "archive.drops"}

    with pytest.raises(TypeError, match=r"Typo\.origins names 'leadid'"):
        Typo.columns()


def test_the_pre_score_is_made_from_what_its_shipped_rules_read() -> None:
    rules = load_pre_score(Settings())
    assert rules is not None
    read = {column for part in rules.parts for column in part.column}
    named = {column if "." in column else f"identity.leads.{column}" for column in read}
    named = {name if name.count(".") == 2 else f"signals.{name}" for name in named}
    (sources,) = {column.sources for column in PreScore.columns() if column.name == "pre_score"}
    assert set(sources) == named


def test_what_a_classifier_sees_is_what_its_answer_is_made_from() -> None:
    tables = {"lead": "identity.leads", "enriched": "signals.enriched_leads"}
    seen = {f"{tables[fact.of]}.{fact.column}" for profile in load_profiles().values() for fact in profile.facts.values()}
    assert set(ASKED_ABOUT) == seen


def test_the_lineage_of_marts_is_that_of_their_sql() -> None:
    """What contracts say beside it agrees, and every column of every mart is there."""
    found = all_lineage()
    assert MART_LINEAGE.read_text(encoding="utf-8") == as_text(found), "run: make tables"
    disagreements = [
        f"{table}.{name}"
        for table, made in found.items()
        for name, field in TABLES[table].model_fields.items()
        if (said := column_of(field).sources) and set(said) != set(made[name])
    ]
    assert disagreements == []
    assert {table: set(made) for table, made in found.items()} == {
        name: set(contract.polars_schema()) for name, contract in TABLES.items() if contract.schema_name() == "marts"
    }


class Named(Table):
    """Leads by id."""

    campaign_id: str
    lead_id: str


def fills(name: str, kind: type = str, **said: Any) -> type[SignalRow]:
    """A signal of one column, `said`."""
    about = create_model(f"{name.title()}Row", __base__=SignalRow, found=(Annotated[kind | None, Column("Found", **said)], None))  # type: ignore[call-overload]
    about.table = f"signals.{name}"
    return cast(type[SignalRow], about)


def test_a_signals_column_that_does_not_say_where_it_goes_is_refused() -> None:
    with pytest.raises(TypeError, match=r"CloudsRow: does found go into signals.enriched_leads\? Give its Column enriches=True"):
        fills("clouds")


def test_signals_fill_the_leads_table_by_rank_and_what_is_kept_out_stays_out() -> None:
    first, second = fills("first", enriches="sky", pii="profile"), fills("second", enriches="sky", rank=2)
    for order in ([first, second], [second, first]):
        merged = with_values(Named, [*order, fills("kept", enriches=False)], reserved=[])
        assert {column.name: column.sources for column in merged.columns()} == {
            "campaign_id": (),
            "lead_id": (),
            "sky": ("signals.first.found", "signals.second.found"),
        }
        assert merged.columns()[-1].pii == "profile"


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (fills("second", enriches="sky"), "signals.first.found and signals.second.found fill enriched_leads.sky with the same rank"),
        (fills("second", int, enriches="sky", rank=2), "fill enriched_leads.sky but differ in type"),
        (fills("second", enriches="lead_id"), "signals.second.found: signals may not fill enriched_leads.lead_id"),
        (fills("second", enriches="provenance"), "signals.second.found: signals may not fill enriched_leads.provenance"),
    ],
)
def test_signals_that_contradict_each_other_are_refused(second: type[SignalRow], says: str) -> None:
    with pytest.raises(TypeError, match=re.escape(says)):
        with_values(Named, [fills("first", enriches="sky"), second], reserved=["provenance"])


def test_every_contract_of_the_package_is_a_table_once() -> None:
    """Found by its module, and no list can forget one."""
    modules = [path.stem for path in (Path(__file__).parents[2] / "lead_assets" / "contracts").glob("*.py")]
    written = "".join((Path(__file__).parents[2] / "lead_assets" / "contracts" / f"{name}.py").read_text() for name in modules)
    assert sorted(re.findall(r'^    table: ClassVar\[str\] = "(.+)"$', written, re.MULTILINE)) == sorted(TABLES)
    assert {contract.table: contract for contract in TABLES.values()} == TABLES


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.List(pl.String()), [["a", None, 'q"', "ü"], [], None]),
        (pl.List(pl.Int64()), [[1], [], None]),
        (
            pl.Datetime("us", "UTC"),
            [datetime(1969, 1, 1, 1, 2, 3, 456789, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=2))), None],
        ),
        (pl.String(), ["a", None]),
        (MONEY_DTYPE, [Decimal("1.5"), None]),
    ],
)
def test_a_column_of_values_is_what_polars_makes_of_them(dtype: pl.DataType, values: list[object]) -> None:
    made = column_of_values("x", values, dtype)
    assert made.dtype == dtype
    assert made.equals(pl.Series("x", values, dtype), null_equal=True)


def test_a_table_is_the_asset_of_the_same_name() -> None:
    assert key_of(RawLead).path == ["intake", "raw_leads"]


def test_the_table_reference_is_current() -> None:
    path = Path(__file__).parents[2] / "docs" / "TABLES.md"
    assert path.read_text() == reference(), "run: make tables"


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.datetimes()
    | st.decimals()
)
_VALUES = st.recursive(_LEAVES, lambda each: st.lists(each) | st.dictionaries(st.text(), each) | st.dictionaries(st.integers(), each))


@given(_VALUES)
def test_canonical_json_is_the_text_that_python_writes(value: Any) -> None:
    assert canonical_json(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def test_what_is_no_number_is_null_in_canonical_json() -> None:
    assert canonical_json({"b": float("nan"), "a": [float("-inf"), 1e16]}) == '{"a":[null,1e+16],"b":null}'
