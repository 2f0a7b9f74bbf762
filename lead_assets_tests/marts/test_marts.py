"""The home-wide marts, on both warehouses; and that adding a mart takes a SQL file and a contract."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import polars as pl
import pytest
from dagster import DagsterInstance, Definitions, materialize

from lead_assets.cli import runs
from lead_assets.contracts import (
    TABLES,
    WHOLE_HOME,
    Calls,
    CampaignFunnel,
    Column,
    Delivery,
    Duplicate,
    Grain,
    Lead,
    RoutingDecision,
    Score,
    Table,
)
from lead_assets.contracts.marts import CampaignScorecard, DuplicateAcrossCampaigns, ProviderYield, SpendByDay, TimeToFirstTouch
from lead_assets.contracts.who import PersonLead
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.kit.declare import key_of
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.ledger import Ledger, purchase
from lead_assets.marts.assets import mart_assets
from lead_assets.marts.mart import mart, marts_of
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.classification.pipeline import ingest_notes
from lead_assets_tests.ledger.vendor import Vendor, want
from lead_assets_tests.rows import AT, rows
from lead_assets_tests.stores.conftest import Store
from lead_assets_tests.stores.frames import scores


def made(store: Store, contract: type[Table]) -> list[dict[str, Any]]:
    """The rows of a mart as its asset would store them."""
    declared = mart(contract)
    store.warehouse.write(contract, store.warehouse.query(declared.sql, declared.reads), [WHOLE_HOME])
    return store.warehouse.read(contract).rows(named=True)


def called(store: Store, *calls: dict[str, Any]) -> None:
    """Rows of spending.calls."""
    plain = {
        "provider": "apollo",
        "operation": "apollo.organizations/bulk_enrich",
        "signal": "organization",
        "state": "found",
        "reason": "",
    }
    store.warehouse.write(
        Calls, rows(Calls, [plain | {"day": date(2026, 11, 24), "campaign_id": "a"} | call for call in calls]), [WHOLE_HOME]
    )


def test_spend_by_day_has_every_campaign_and_the_sums_that_go_over_them(store: Store) -> None:
    called(
        store,
        {"answers": 5, "calls": 4, "cost_usd": "0.08"},
        {"state": "unknown", "reason": "bad_answer", "answers": 1},
        {"state": "unknown", "reason": "uncertain", "uncertain_calls": 2, "uncertain_usd": "0.04"},
        {
            "campaign_id": "b",
            "provider": "anthropic",
            "operation": "anthropic.messages",
            "signal": None,
            "answers": 3,
            "calls": 3,
            "cost_usd": "0.01",
        },
        {"day": date(2026, 11, 25), "answers": 1, "calls": 1, "cost_usd": "0.02"},
    )
    found = made(store, SpendByDay)
    assert [(str(row["day"]), row["provider"], row["campaign_id"], row["answers"], row["calls"]) for row in found] == [
        ("2026-11-24", "anthropic", "b", 3, 3),
        ("2026-11-24", "apollo", "a", 6, 4),
        ("2026-11-25", "apollo", "a", 1, 1),
    ]
    assert [str(row["cost_usd"]) for row in found] == ["0.010000", "0.080000", "0.020000"]
    assert [str(row["day_usd"]) for row in found] == ["0.090000", "0.090000", "0.020000"]
    assert [str(row["total_usd"]) for row in found] == ["0.010000", "0.080000", "0.100000"]
    assert (found[1]["uncertain_calls"], str(found[1]["uncertain_usd"])) == (2, "0.040000")


def test_an_unknown_counts_against_the_yield_and_not_against_the_hit_rate(store: Store) -> None:
    called(
        store,
        {"answers": 6, "calls": 6, "cost_usd": "0.12"},
        {"campaign_id": "b", "state": "not_found", "reason": "no_result", "answers": 2},
        {"state": "unknown", "reason": "bad_answer", "answers": 1},
        {"state": "unknown", "reason": "uncertain", "uncertain_calls": 3, "uncertain_usd": "0.06"},
        {
            "provider": "hunter",
            "operation": "hunter.email-verifier",
            "signal": "email",
            "state": "unknown",
            "reason": "provider_error",
            "answers": 4,
        },
        {"provider": "anthropic", "operation": "anthropic.messages", "signal": None, "answers": 9},
    )
    apollo, hunter = made(store, ProviderYield)
    assert (apollo["provider"], apollo["signal"], apollo["asked"], apollo["found"], apollo["not_found"], apollo["unknown"]) == (
        "apollo", "organization", 12, 6, 2, 4,
    )  # fmt: skip
    assert (apollo["hit_rate"], apollo["yield_rate"], apollo["usd_per_found"], apollo["campaigns"]) == (0.75, 0.5, 0.02, 2)
    assert (hunter["hit_rate"], hunter["yield_rate"], hunter["usd_per_found"], hunter["unknown"]) == (None, 0.0, None, 4)


def test_who_is_a_lead_of_several_campaigns_is_told_by_ids_alone(store: Store) -> None:
    def lead(campaign_id: str, lead_id: str, days: int = 0, **facts: Any) -> dict[str, Any]:
        return {
            "campaign_id": campaign_id,
            "lead_id": lead_id,
            "account_key": "acme.example",
            "received_at": AT + timedelta(days=days),
        } | facts

    ana, bo, by_phone = {"email_normalized": "ana@acme.example"}, {"email_normalized": "bo@acme.example"}, {"account_key": "person:1f"}
    people = [
        lead("autumn", "1", days=3, **ana),
        lead("autumn", "2", **bo),
        lead("autumn", "3", **by_phone),
        lead("spring", "1", days=1, **ana),
        lead("spring", "9", days=1),
        lead("summer", "7", days=2, **ana),
        lead("summer", "8", days=-2, **by_phone),
        lead("summer", "9", days=2),
    ]
    for name in ("autumn", "spring", "summer"):
        store.warehouse.write(Lead, rows(Lead, [row for row in people if row["campaign_id"] == name]), [name])
    persons = {("autumn", "1"): "ana", ("spring", "1"): "ana", ("summer", "7"): "ana", ("autumn", "3"): "phone", ("summer", "8"): "phone"}
    whose = [
        {name: row[name] for name in ("campaign_id", "lead_id")}
        | {"person_id": persons.get((row["campaign_id"], row["lead_id"]), f"{row['campaign_id']}-{row['lead_id']}")}
        for row in people
    ]
    store.warehouse.write(PersonLead, rows(PersonLead, whose), [WHOLE_HOME])
    found = made(store, DuplicateAcrossCampaigns)
    shown = [
        (
            row["campaign_id"],
            row["lead_id"],
            row["matched_on"],
            row["first_campaign_id"],
            row["first_lead_id"],
            row["is_first"],
            row["campaigns"],
        )
        for row in found
    ]
    assert shown == [
        ("autumn", "1", "email", "spring", "1", False, 3),
        ("autumn", "3", "person", "summer", "8", False, 2),
        ("spring", "1", "email", "spring", "1", True, 3),
        ("summer", "7", "email", "spring", "1", False, 3),
        ("summer", "8", "person", "summer", "8", True, 2),
    ]
    assert not [value for row in found for value in row.values() if "@" in str(value)]


def test_a_scorecard_compares_all_campaigns_and_its_shares_sum_to_one(store: Store) -> None:
    figures = {"received": 10, "rejected": 1, "duplicate": 2, "leads": 6, "enriched": 3, "quarantined": 3, "scored": 3, "routed": 3}
    spring = {"campaign_id": "spring", **figures, "routed_fallback": 1, "hot": 1, "cost_usd": "0.3"}
    autumn = {"campaign_id": "autumn", "received": 30, "leads": 2, "scored": 2, "routed": 2, "hot": 1, "cost_usd": "0.1"}
    for row in (spring, autumn, {"campaign_id": "nothing"}):
        store.warehouse.write(CampaignFunnel, rows(CampaignFunnel, [row]), [row["campaign_id"]])
    found = {row["campaign_id"]: row for row in made(store, CampaignScorecard)}
    assert set(found) == {"spring", "autumn", "nothing"}
    of = found["spring"]
    rates = (
        "rejected_rate",
        "duplicate_rate",
        "enriched_rate",
        "quarantined_rate",
        "routed_rate",
        "fallback_rate",
        "hot_rate",
        "usd_per_lead",
    )
    assert [of[name] for name in rates] == pytest.approx([0.1, 0.2, 0.5, 0.5, 0.5, 1 / 3, 1 / 3, 0.05])
    shares = [name for name in CampaignScorecard.polars_schema() if name.startswith("share_of_")]
    assert [of[name] for name in shares] == pytest.approx([0.25, 0.75, 0.5, 0.75])
    assert [sum(row[name] for row in found.values()) for name in shares] == pytest.approx([1.0] * 4)
    assert [found["nothing"][name] for name in rates] == [None] * len(rates)


def test_a_home_without_anything_has_empty_marts(store: Store) -> None:
    for contract in (SpendByDay, ProviderYield, DuplicateAcrossCampaigns, CampaignScorecard):
        assert made(store, contract) == [], contract.table


class Tiers(Table):
    """One row per tier: a mart that somebody adds."""

    table: ClassVar[str] = "marts.tiers"
    key: ClassVar[tuple[str, ...]] = ("tier",)
    grain: ClassVar[Grain] = "home"

    tier: Annotated[str, Column("Tier of the score", source="scoring.scores.tier")]
    leads: Annotated[int, Column("Leads of all campaigns")]
    campaigns: Annotated[int, Column("Campaigns")]


def test_a_mart_is_a_sql_file_and_a_contract(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else names it: it is an asset, a table with a view, and has the rows of all campaigns."""
    (tmp_path / "tiers.sql").write_text(
        "SELECT tier, COUNT(*) AS leads, COUNT(DISTINCT campaign_id) AS campaigns FROM scoring.scores GROUP BY tier"
    )
    monkeypatch.setitem(TABLES, Tiers.table, Tiers)
    warehouse = DuckDBWarehouse(settings.warehouse_folder)
    warehouse.write(Score, pl.concat([scores("a", 2), scores("b", 3)]), ["a", "b"])
    (asset,) = mart_assets({Tiers.table: Tiers}, tmp_path)
    assert [key.to_user_string() for key in asset.asset_deps[asset.key]] == ["scoring/scores"]
    with DagsterInstance.ephemeral() as instance:
        stores = {"archive": archive_of(settings), "ledger": Ledger(settings.ledger_location), "warehouse": WarehouseIOManager(warehouse)}
        ran = materialize([asset], instance=instance, resources={"settings": settings, **stores})
    assert ran.success
    assert warehouse.read(Tiers).rows() == [("warm", 5, 2)]


class DailyCost(Table):
    """One row per day and provider: a mart per day that somebody adds."""

    table: ClassVar[str] = "marts.daily_cost"
    key: ClassVar[tuple[str, ...]] = ("day", "provider")
    grain: ClassVar[Grain] = "day"

    day: Annotated[date, Column("Day (UTC)", source="spending.calls.day")]
    provider: Annotated[str, Column("Provider", source="spending.calls.provider")]
    answers: Annotated[int, Column("Answers", source="spending.calls.answers")]


def test_a_run_makes_tables_of_days_after_the_home_wide_ones_that_they_read(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daily_cost.sql").write_text("SELECT day, provider, SUM(answers) AS answers FROM spending.calls GROUP BY ALL")
    base = build_defs(settings)
    monkeypatch.setitem(TABLES, DailyCost.table, DailyCost)
    calls = TABLES["spending.calls"]
    daily = mart_assets({DailyCost.table: DailyCost}, tmp_path)
    definitions = Definitions(assets=[*(base.assets or []), *daily], jobs=base.jobs, resources=base.resources, executor=base.executor)
    ingest_notes(settings, "fall", ["Fix and flip"])
    ledger = Ledger(settings.ledger_location)
    purchase(ledger, [want("a.example", campaign="fall")], Vendor())
    (today,) = ledger.costs(["day"])["day"]
    with DagsterInstance.ephemeral() as instance:
        runs.add_campaigns(instance, ["fall"])
        assets = [key_of(calls), key_of(DailyCost)]
        assert set(assets) <= set(runs.select_assets(definitions, None))
        ran = runs.run_campaigns(definitions, instance, ["fall"], assets=assets, days_with_data=lambda: [today])
    assert [(each.campaigns, each.success) for each in ran] == [((), True), ((today,), True)]
    assert warehouse_of(settings).read(DailyCost).rows() == [(date.fromisoformat(today), "pipe0", 1)]


def test_every_contract_of_the_schema_is_an_asset_of_the_code_location(settings: Settings) -> None:
    made = {key.to_user_string() for key in build_defs(settings).resolve_asset_graph().get_all_asset_keys() if key.path[0] == "marts"}
    assert made == {name.replace(".", "/") for name in TABLES if name.startswith("marts.")}


def test_half_a_mart_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mart marts\.tiers has a contract but no SQL: write .*tiers\.sql"):
        marts_of([Tiers], tmp_path)
    (tmp_path / "forgotten.sql").write_text("SELECT 1")
    with pytest.raises(ValueError, match=r"forgotten\.sql has no contract: declare a Table with table = 'marts\.forgotten'"):
        marts_of([Score], tmp_path)


def test_the_time_to_first_touch_is_from_receipt_to_the_first_confirmed_message(store: Store) -> None:
    """Of nina's four leads two are in time, one is late and one waits; what nobody in person gets is no touch. The second was corrected a day later."""

    def entry(lead: str, minutes: int | None, owner: str | None = "nina", destination: str = "slack") -> dict[str, Any]:
        at = None if minutes is None else AT + timedelta(minutes=minutes)
        told = {"state": "waiting" if at is None else "confirmed", "confirmed_at": at, "due_by": AT + timedelta(hours=1)}
        return {"campaign_id": "a", "lead_id": lead, "owner": owner, "destination": destination, "kind": "lead"} | told

    sent = [
        entry("1", 10),
        entry("1", 4, destination="hubspot"),
        entry("2", 30),
        entry("3", 90),
        entry("4", None),
        entry("4", 1, None, "segment"),
    ]
    sent += [entry("5", 20, "omar"), entry("6", 1, None, "segment")]
    decided = [{"campaign_id": "a", "lead_id": lead, "owner": "omar" if lead in "56" else "nina"} for lead in "123456"]
    leads = [{"campaign_id": "a", "lead_id": lead, "received_at": AT + timedelta(days=lead == "2")} for lead in "123456"]
    first = [{"campaign_id": "a", "lead_id": "2", "duplicate_of": "2", "received_at": AT}]
    for contract, given in ((Delivery, sent), (RoutingDecision, decided), (Lead, leads), (Duplicate, first)):
        store.warehouse.write(contract, rows(contract, given), ["a"])
    declared = mart(TimeToFirstTouch)
    store.warehouse.write(TimeToFirstTouch, store.warehouse.query(declared.sql, declared.reads, ["a"]), ["a"])
    nina, omar = store.warehouse.read(TimeToFirstTouch).sort("owner").rows(named=True)
    assert (nina["leads"], nina["touched"], nina["waiting"], nina["breaches"]) == (4, 3, 1, 1)
    assert (nina["median_minutes"], nina["longest_minutes"]) == (30.0, 90.0)
    assert (omar["leads"], omar["median_minutes"], omar["breaches"]) == (1, 20.0, 0)
