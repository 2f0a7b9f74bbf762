"""`lead-assets status`: what is missing or out of date per campaign and table, and why."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from lead_assets.cli.pipeline import run
from lead_assets.cli.status import status
from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle
from lead_assets_tests.classification.pipeline import ingest_notes

pytestmark = pytest.mark.slow


def told(settings: Settings) -> dict[tuple[str, str], tuple[str, str]]:
    """(campaign, table) → (state, why) of what is not current, tables of the whole home left out."""
    answer = status(settings)
    return {
        (campaign["campaign_id"], row["table"]): (row["state"], "; ".join(row["why"]))
        for campaign in answer["campaigns"]
        for row in campaign["tables"]
        if campaign["campaign_id"] != "all"
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, sandbox_of_module: Handle) -> Settings:
    """A home whose two campaigns have run."""
    settings = Settings(home=tmp_path_factory.mktemp("ran") / "home", sandbox_url=sandbox_of_module.url)
    for campaign in ("fall", "spring"):
        ingest_notes(settings, campaign, ["Fix and flip, 12 flips done", "Rental refinance, tenants in place"])
    assert not run(settings)["failures"]
    shutil.copytree(settings.home, settings.home.with_name("as it was"))
    return settings


@pytest.fixture
def made(ran: Settings, sandbox: Handle, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The home as it was after that run."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    shutil.rmtree(ran.home)
    shutil.copytree(ran.home.with_name("as it was"), ran.home)
    return ran


def test_what_was_made_is_current_and_what_was_not_is_missing(made: Settings) -> None:
    assert told(made) == {}
    ingest_notes(made, "winter", ["Bridge loan"])
    found = told(made)
    assert {campaign for campaign, _ in found} == {"winter"}
    assert found["winter", "intake.raw_leads"] == ("missing", "it has not been made yet")


def test_a_new_drop_is_told_and_all_that_hangs_on_it(made: Settings) -> None:
    ingest_notes(made, "spring", ["Rental refinance", "Fix and flip", "Bridge loan for a duplex"])
    found = told(made)
    assert found["spring", "intake.raw_leads"] == ("out_of_date", "a source outside the tables changed")
    assert found["spring", "routing.decisions"][1].startswith("identity.leads is not current")
    assert ("fall", "identity.leads") not in found
    run(made, campaigns=["spring"])
    assert ("spring", "routing.decisions") not in told(made)


def test_edited_scoring_rules_are_told_of_scores_and_what_hangs_on_them_and_nothing_else(made: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    shipped = (Path(__file__).parents[2] / "lead_assets" / "rules" / "scoring.yaml").read_text()
    settings = made.model_copy(update={"rules_dir": rules})
    (rules / "scoring.yaml").write_text("# a comment\n" + shipped)
    assert told(settings) == {}
    (rules / "scoring.yaml").write_text(re.sub(r"hot: \d+", "hot: 99", shipped, count=1))
    found = told(settings)
    assert found["fall", "scoring.scores"] == ("out_of_date", "its code or rules changed")
    assert {table for _, table in found} == {
        "scoring.scores",
        "routing.decisions",
        "delivery.enrichment_events",
        "classification.summaries",
        "classification.summary_quarantine",
        "delivery.intents",
        "marts.campaign_funnel",
        "marts.lead_360",
        "marts.time_to_first_touch",
    }
    run(settings)
    assert told(settings) == {}


def test_a_changed_when_is_told_of_its_own_signal_and_what_reads_it_and_a_run_makes_nothing_else(made: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    shipped = (Path(__file__).parents[2] / "lead_assets" / "rules" / "signals.yaml").read_text()
    settings = made.model_copy(update={"rules_dir": rules})
    edited = shipped.replace("  news:\n    when: {tier: hot}", "  news:\n    when: {tier: [hot, warm]}")
    assert edited != shipped
    (rules / "signals.yaml").write_text(edited)
    found = told(settings)
    assert found["fall", "signals.news"] == ("out_of_date", "its code or rules changed")
    assert {table for _, table in found if table.startswith("signals.")} == {"signals.news", "signals.enriched_leads"}
    assert found["fall", "signals.enriched_leads"] == ("out_of_date", "signals.news is not current")
    run(settings)
    assert told(settings) == {}
    with DagsterInstance.from_config(str(settings.home / "dagster")) as instance:
        kept = {name: _kept(instance, name) for name in ("news", "tech_stack", "company_overview", "pre_scores")}
    assert kept == {"news": False, "tech_stack": True, "company_overview": True, "pre_scores": True}


def _kept(instance: DagsterInstance, table: str) -> object:
    event = instance.get_latest_materialization_event(AssetKey(["signals", table]))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization.metadata["kept"].value


def test_a_run_that_buys_nothing_leaves_what_was_made_by_one_that_may(made: Settings) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.home.rglob("part.parquet")}
    assert not run(made, from_ledger=True)["failures"]
    assert {path: path.stat().st_mtime_ns for path in made.home.rglob("part.parquet")} == before
    assert told(made) == {}


def test_a_limit_is_told_where_it_left_something_out(made: Settings) -> None:
    run(made, campaigns=["fall"], limit=2)  # it has two leads
    assert told(made) == {}
    run(made, campaigns=["fall"], limit=1)
    found = told(made)
    assert found["fall", "signals.company_overview"] == ("out_of_date", "it was made by a run with a limit")
    assert ("fall", "identity.leads") not in found
    assert ("spring", "identity.leads") not in found
    run(made)
    assert told(made) == {}
