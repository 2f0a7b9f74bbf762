"""The analyst's twenty questions run on both warehouses, and each figure is what the metrics file says it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lead_assets.contracts import TABLES, WHOLE_HOME, CampaignFunnel, Table
from lead_assets.contracts.marts import (
    CampaignScorecard,
    DataQuality,
    Governance,
    Lead360,
    LedgerSavings,
    ProviderHealth,
    ProviderYield,
    RejectReason,
    RoutingLoad,
    ScoreDistribution,
    SignalCoverage,
    SpendByDay,
    UnitCosts,
    WaterfallYield,
)
from lead_assets.marts.metrics import analyst_questions, load_metrics, reference
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets.stores.warehouse.questions import ask
from lead_assets_tests.rows import AT, rows
from lead_assets_tests.stores.conftest import Store

pytestmark = pytest.mark.slow

ROWS: dict[type[Table], list[dict[str, object]]] = {
    CampaignFunnel: [{"received": 10, "leads": 8}],
    CampaignScorecard: [{"routed": 4, "fallback_rate": 0.5}],
    UnitCosts: [{"leads": 8, "ledger_usd": "2", "unshown_usd": "1", "usd_per_qualified": 0.5}],
    SpendByDay: [{"provider": "p", "calls": 2, "cost_usd": "1"}, {"provider": "q", "calls": 1, "cost_usd": "2"}],
    ProviderYield: [{"provider": "p", "asked": 4, "found": 2, "cost_usd": "1"}],
    LedgerSavings: [{"signal": "email", "saved": 3, "saved_usd": 1.5}],
    SignalCoverage: [{"signal": "email", "leads": 8, "found": 2}],
    WaterfallYield: [{"signal": "email", "place": 1, "operation": "p.x", "found": 2}],
    ProviderHealth: [{"provider": "p", "operation": "p.x", "calls": 4, "error_rate": 0.5}],
    Governance: [{"model": "m", "code": "placeholder", "leads": 2, "rate": 0.5}],
    ScoreDistribution: [{"profile": "b2b", "score_from": 90, "leads": 2}],
    RoutingLoad: [{"territory": "dach", "owner": "kim", "leads": 3, "owners": 2, "over_even_share": 0.25}],
    RejectReason: [{"code": "not_json", "payloads": 2}],
    DataQuality: [{"leads": 8, "completeness": 0.5}],
    TABLES["marts.duplicates_across_campaigns"]: [{"lead_id": "1", "matched_on": "email", "first_campaign_id": "b"}],
    Lead360: [{"lead_id": "1", "tier": "hot", "score": 90.0, "owner": "kim", "sla_due_at": AT + timedelta(hours=1)}],
}


def test_twenty_questions_are_answered_from_the_marts(store: Store) -> None:
    for contract, each in ROWS.items():
        frame = rows(contract, [{"campaign_id": "a"} | row if "campaign_id" in contract.polars_schema() else row for row in each])
        store.warehouse.write(contract, frame, [WHOLE_HOME] if contract.grain == "home" else ["a"])
    questions = analyst_questions()
    assert len(questions) == 20
    for question in questions:
        assert question.question.endswith("?"), question.name
        answer = ask(store.warehouse, question.sql)
        assert answer.height >= 1, question.name
    by_name = {question.name: ask(store.warehouse, question.sql) for question in questions[:4]}
    assert [float(value) for value in by_name["03_spend_by_day"]["so_far_usd"]] == [3.0]
    assert by_name["04_dearest_providers"]["usd_per_found"].to_list() == [0.5]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """Marts made from rows in which every count differs."""
    from lead_assets_tests.marts.small_home import fill

    warehouse = DuckDBWarehouse(tmp_path_factory.mktemp("counted"))
    fill(warehouse)
    return warehouse


@pytest.mark.parametrize("name", [name for name, metric in load_metrics().items() if metric.formula])
def test_a_figure_is_what_its_formula_says(counted: DuckDBWarehouse, name: str) -> None:
    metric = load_metrics()[name]
    compared = ask(
        counted, f"SELECT CAST({metric.name} AS DOUBLE) AS stored, CAST({metric.formula} AS DOUBLE) AS computed FROM {metric.table}"
    )
    assert compared["stored"].drop_nulls().len() > 0
    assert compared["stored"].to_list() == pytest.approx(compared["computed"].to_list(), abs=2e-6)


def test_every_rate_of_the_marts_for_analysts_has_a_definition_or_says_it_itself() -> None:
    defined = {metric.column for metric in load_metrics().values()}
    undefined = [
        f"{contract.table}.{column.name}"
        for contract in TABLES.values()
        if contract.schema_name() == "marts"
        for column in contract.columns()
        if column.name.endswith(("_rate", "coverage", "lift", "completeness"))
        if f"{contract.table}.{column.name}" not in defined and "/" not in column.description and "hare" not in column.description
    ]
    assert undefined == []


def test_the_metrics_reference_is_current() -> None:
    assert (Path(__file__).parents[2] / "docs" / "METRICS.md").read_text() == reference(), "run: make tables"
