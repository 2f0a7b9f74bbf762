"""In a run over many campaigns each has its own figures and verdicts; unchanged partitions are neither computed nor written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dagster import AssetCheckEvaluation, AssetKey, AssetRecordsFilter, ExecuteInProcessResult, TableColumnLineageMetadataValue

from lead_assets.contracts import TABLES, Lead, SignalRow
from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.classification.pipeline import Graph, graph

pytestmark = pytest.mark.slow

COUNT = 25
CAMPAIGNS = [f"c{number:02}" for number in range(COUNT)]
# What a run would cost is asked for by a job of its own, before the run.
OF_CAMPAIGNS = {name: contract for name, contract in TABLES.items() if contract.grain == "campaign" and name != "spending.estimates"}


def ingest_campaign(settings: Settings, campaign: str, leads: int) -> None:
    """Leads of few companies, so that campaigns share what one of them pays for; one lead that cannot be taken, one that came twice."""
    payloads: list[dict[str, Any]] = [
        {
            "email": f"p{number}@company{number % 4}.example",
            "full_name": "Jane Doe",
            "company": f"Company {number % 4}",
            "title": "VP Sales",
        }
        | {"lead_id": f"{campaign}-{number}", "notes": f"Please call about {campaign} {number}", "country": "Germany"}
        for number in range(leads)
    ]
    payloads += [payloads[0] | {"title": "CEO"}, {"notes": "nobody"}]
    data = "".join(json.dumps(payload) + "\n" for payload in payloads).encode()
    ingest(
        archive_of(settings),
        data,
        name=f"{campaign}.ndjson",
        received_at=datetime(2026, 11, 2, tzinfo=UTC),
        campaign=campaign,
        limits=DropLimits(1 << 20),
    )


Shown = dict[tuple[str, str], dict[str, Any]]


def shown_by(made: Graph, result: ExecuteInProcessResult) -> Shown:
    """(table, campaign) → the metadata of the materialization that a run made."""
    found: Shown = {}
    for name in OF_CAMPAIGNS:
        records = made.instance.fetch_materializations(AssetRecordsFilter(asset_key=AssetKey(name.split("."))), limit=COUNT).records
        for record in records:
            assert record.run_id == result.run_id
            assert record.asset_materialization is not None
            metadata = {key: value.value for key, value in record.asset_materialization.metadata.items()}
            found[name, str(record.partition_key)] = metadata
    return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, sandbox_of_module: Any) -> Iterator[tuple[Graph, ExecuteInProcessResult]]:
    settings = Settings(home=tmp_path_factory.mktemp("home") / "home", sandbox_url=sandbox_of_module.url)
    for number, campaign in enumerate(CAMPAIGNS):
        ingest_campaign(settings, campaign, leads=2 + number % 5)
    with graph(settings) as made:
        result = made.run(*CAMPAIGNS)
        assert result.success
        yield made, result


def test_every_assets_figures_are_the_campaigns_own(ran: tuple[Graph, ExecuteInProcessResult]) -> None:
    made, result = ran
    shown = shown_by(made, result)
    warehouse, ledger = warehouse_of(made.settings), Ledger(made.settings.ledger_location)
    assert set(shown) == {(name, campaign) for name in OF_CAMPAIGNS for campaign in CAMPAIGNS}
    differences = []
    for (name, campaign), metadata in shown.items():
        frame = warehouse.read(OF_CAMPAIGNS[name], [campaign])
        expected: dict[str, Any] = {"rows": frame.height, "dagster/partition_row_count": frame.height}
        if issubclass(OF_CAMPAIGNS[name], SignalRow):
            expected["found"] = frame.filter(pl.col("state") == "found").height
            expected["missed_by_reason"] = dict(frame.filter(pl.col("state") != "found")["reason"].value_counts().iter_rows())
            expected["missed"] = sum(expected["missed_by_reason"].values())
        if name == "scoring.scores":
            expected |= {tier: frame.filter(pl.col("tier") == tier).height for tier in ("hot", "warm", "cold")}
        if name == "routing.decisions":
            expected["owners"] = dict(frame["owner"].value_counts().iter_rows())
        if "cost_usd" in frame.columns and "cost_usd" in metadata:
            # In the first run the rows cost what the run spent.
            expected["cost_usd"] = float(frame["cost_usd"].sum())
        differences += [(name, campaign, key, metadata.get(key), value) for key, value in expected.items() if metadata.get(key) != value]
    assert differences == []
    billed = ledger.costs(by=["campaign"])
    spent = dict(billed.select("campaign_id", "usd").iter_rows())
    for campaign in CAMPAIGNS:
        own = sum(Decimal(str(metadata.get("cost_usd", 0))) for (_, key), metadata in shown.items() if key == campaign)
        assert own == spent.get(campaign, Decimal(0)), campaign
    calls = sum(metadata.get("calls_bought", 0) for metadata in shown.values())
    assert calls == billed["answers"].sum()
    ledger.close()


def test_a_materialization_shows_its_rows_without_personal_data_the_query_and_a_picture(ran: tuple[Graph, ExecuteInProcessResult]) -> None:
    made, result = ran
    shown = shown_by(made, result)
    for (name, campaign), metadata in shown.items():
        assert metadata["query"] == f"SELECT * FROM {name} WHERE campaign_id = '{campaign}'"
        if "lead_id" in TABLES[name].polars_schema():
            assert metadata["explorer"] == f"http://127.0.0.1:8000/explorer/leads?campaign={campaign}"
        text = metadata.get("preview", "")
        assert "Doe" not in text, name
        assert "@company" not in text, name
        assert not re.search(rf"\b{campaign}-\d+\b(?!-)", text), f"{name}: no lead's id"
        assert bool(text) == (metadata["rows"] > 0), name
    rows = warehouse_of(made.settings).query(shown["scoring.scores", "c03"]["query"], [TABLES["scoring.scores"]], ["c03"])
    assert rows.height == shown["scoring.scores", "c03"]["rows"]
    assert f"of {rows.height} rows, without personal data" in shown["scoring.scores", "c03"]["preview"]
    for name in ("scoring.scores", "routing.decisions", "marts.campaign_funnel"):
        assert shown[name, "c03"]["picture"].startswith("!["), name


def test_every_campaign_has_its_own_verdict_of_every_check(ran: tuple[Graph, ExecuteInProcessResult]) -> None:
    _, result = ran
    evaluations: list[AssetCheckEvaluation] = list(result.get_asset_check_evaluations())
    names = {(evaluation.asset_key.to_user_string(), evaluation.check_name) for evaluation in evaluations}
    assert {f"{name.replace('.', '/')}" for name in OF_CAMPAIGNS} == {key for key, check in names if check == "as_declared"}
    assert ("identity/leads", "conserves") in names
    for asset, check in names:
        own = [e for e in evaluations if (e.asset_key.to_user_string(), e.check_name) == (asset, check)]
        assert sorted(str(e.partition) for e in own) == CAMPAIGNS
        assert all(e.passed and e.target_materialization_data is not None for e in own)
    leads = {
        e.partition: e.metadata for e in evaluations if (e.asset_key.to_user_string(), e.check_name) == ("identity/leads", "conserves")
    }
    assert {key: each["received"].value for key, each in leads.items()} == {key: 3 + number % 5 for number, key in enumerate(CAMPAIGNS)}, (
        "what the check shows is the campaign's"
    )


def test_a_run_says_once_for_each_asset_where_its_columns_come_from(ran: tuple[Graph, ExecuteInProcessResult]) -> None:
    made, _ = ran
    said: dict[str, frozenset[Any]] = {}
    for name in OF_CAMPAIGNS:
        records = made.instance.fetch_materializations(AssetKey(name.split(".")), limit=100).records
        events = [record.asset_materialization for record in records if record.asset_materialization is not None]
        values = [event.metadata["dagster/column_lineage"] for event in events if "dagster/column_lineage" in event.metadata]
        (value,) = values  # it is large, and said once for all of the run's partitions
        assert isinstance(value, TableColumnLineageMetadataValue)
        deps = value.value.deps_by_column
        said[name] = frozenset((column, ".".join(dep.asset_key.path), dep.column_name) for column, each in deps.items() for dep in each)
    wanted = {
        name: frozenset((column.name, *source.rsplit(".", 1)) for column in contract.columns() for source in column.sources)
        for name, contract in OF_CAMPAIGNS.items()
    }
    assert said == wanted


def test_what_is_as_it_was_is_neither_computed_nor_written(ran: tuple[Graph, ExecuteInProcessResult], sandbox_of_module: Any) -> None:
    made, _ = ran
    before, bought = files(made.settings), sandbox_of_module.meter()
    again = made.run(*CAMPAIGNS)
    assert again.success
    assert files(made.settings) == before, "no file of the warehouse was touched"
    assert sandbox_of_module.meter() == bought
    shown = shown_by(made, again)
    assert all(metadata["kept"] for metadata in shown.values())
    overview = [metadata for (name, _), metadata in shown.items() if name == "signals.company_overview"]
    assert sum(each["calls_saved"] for each in overview) == sum(each["subjects"] for each in overview) > 0
    assert sum(metadata.get("cost_usd", 0) for metadata in shown.values()) == 0
    assert all(evaluation.passed for evaluation in again.get_asset_check_evaluations())


def files(settings: Settings) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted(settings.warehouse_folder.rglob("*")) if path.is_file()
    }


@pytest.fixture
def small(settings: Settings) -> Iterator[Graph]:
    for campaign in ("fall", "spring"):
        ingest_campaign(settings, campaign, leads=3)
    with graph(settings) as made:
        assert made.run("fall", "spring").success
        assert kept(made, made.run("fall", "spring")) == {(name, key) for name in OF_CAMPAIGNS for key in ("fall", "spring")}
        yield made


def kept(made: Graph, result: ExecuteInProcessResult) -> set[tuple[str, str]]:
    assert result.success
    return {
        (".".join(event.asset_key.path), str(event.partition))
        for event in (event.materialization for event in result.get_asset_materialization_events())
        if event.metadata["kept"].value
    }


def made_again(made: Graph, *campaigns: str, tags: dict[str, str] | None = None) -> set[tuple[str, str]]:
    """The tables that a run made, by campaign."""
    return {(name, key) for name in OF_CAMPAIGNS for key in campaigns} - kept(made, made.run(*campaigns, tags=tags))


def test_one_more_drop_makes_its_campaign_again_and_no_other(small: Graph) -> None:
    ingest_campaign(small.settings, "spring", leads=4)
    again = made_again(small, "fall", "spring")
    assert {name for name, key in again if key == "fall"} <= {"lookalike.similarities"}, "which looks at the accounts of all campaigns"
    assert {"intake.raw_leads", "identity.leads", "signals.company_overview", "scoring.scores", "marts.campaign_funnel"} <= {
        n for n, _ in again
    }
    assert made_again(small, "fall", "spring") == set()


def test_a_deleted_partition_is_made_again_and_what_reads_it_is_kept(small: Graph) -> None:
    folder = small.settings.warehouse_folder / "scoring" / "scores" / "campaign_id=spring"
    (folder / "part.parquet").unlink()
    assert made_again(small, "fall", "spring") == {("scoring.scores", "spring")}, (
        "made again to the same rows, nothing below it is out of date"
    )


def test_rules_that_changed_make_what_reads_them_again(small: Graph, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    shipped = Path("lead_assets/rules/scoring.yaml").read_text()
    (rules / "scoring.yaml").write_text("# only a comment\n" + shipped)
    settings = small.settings.model_copy(update={"rules_dir": rules})
    assert made_again(of(small, settings), "fall", "spring") == set()
    (rules / "scoring.yaml").write_text(re.sub(r"hot: \d+", "hot: 99", shipped, count=1))
    again = {name for name, _ in made_again(of(small, settings), "fall", "spring")}
    assert "scoring.scores" in again
    assert again.isdisjoint({"intake.raw_leads", "identity.leads", "signals.enriched_leads", "classification.classifications"})


def of(made: Graph, settings: Settings) -> Graph:
    from lead_assets.definitions import build_defs

    return Graph(settings, made.instance, build_defs(settings))


def test_an_answer_that_grew_too_old_is_looked_at_again(small: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    from lead_assets.ledger import database

    honest = database.Database.now
    monkeypatch.setattr(database.Database, "now", lambda self: honest(self).replace(year=honest(self).year + 2))
    again = {name for name, _ in made_again(small, "fall", "spring")}
    assert "signals.company_overview" in again
    assert again.isdisjoint({"intake.raw_leads", "identity.leads"})


def test_a_partition_whose_check_failed_is_not_kept(small: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was stopped by a check must be stopped by it again, and not be told that all is as it was."""
    from lead_assets.scoring import score as scoring

    (small.settings.warehouse_folder / "scoring" / "scores" / "campaign_id=spring" / "part.parquet").unlink()
    honest = scoring.score
    monkeypatch.setattr(scoring, "score", lambda *frames: honest(*frames).with_columns(score=pl.lit(101.0)))
    for _ in range(2):
        result = small.run("fall", "spring")
        assert not result.success
        bad = [e for e in result.get_asset_check_evaluations() if not e.passed]
        assert [(e.asset_key.to_user_string(), e.check_name, e.partition) for e in bad] == [("scoring/scores", "as_declared", "spring")]
    monkeypatch.undo()
    assert ("scoring.scores", "spring") in made_again(small, "fall", "spring")


def test_rows_that_were_lost_on_the_way_to_the_store_fail_conservation(small: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check reads the table: that the frame in memory was whole does not count."""
    from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse

    ingest_campaign(small.settings, "spring", leads=5)
    honest = DuckDBWarehouse.write

    def careless(self: DuckDBWarehouse, contract: Any, frame: pl.DataFrame, *rest: Any) -> None:
        honest(self, contract, frame[:-1] if contract is Lead else frame, *rest)

    monkeypatch.setattr(DuckDBWarehouse, "write", careless)
    result = small.run("fall", "spring")
    bad = {(e.asset_key.to_user_string(), e.check_name, e.partition) for e in result.get_asset_check_evaluations() if not e.passed}
    assert bad == {("identity/leads", "conserves", "spring")}
    assert not result.success
