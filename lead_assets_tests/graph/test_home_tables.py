"""Home-wide tables: made once after all campaigns, by a command and by Dagster itself, and never within a campaign run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    BackfillPolicy,
    DagsterInstance,
    Definitions,
    EvaluateAutomationConditionsResult,
    evaluate_automation_conditions,
)

from lead_assets.automation import of_home
from lead_assets.cli import report, runs
from lead_assets.contracts import TABLES, Calls, CampaignFunnel
from lead_assets.contracts.marts import CampaignScorecard, DuplicateAcrossCampaigns, ProviderYield, SpendByDay
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.ledger import Ledger
from lead_assets.stores.opened import archive_of, warehouse_of

pytestmark = pytest.mark.slow

CAMPAIGNS = ["autumn", "spring", "summer"]
HOME = {name.replace(".", "/") for name, contract in TABLES.items() if contract.grain == "home"} - {
    "classification/golden_evaluation",
    "scoring/score_model",
    "lookalike/index",
}
LEAD = {"full_name": "Jane Doe", "title": "VP of Sales", "country": "Germany"}


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        runs.add_campaigns(ephemeral, CAMPAIGNS)
        yield ephemeral


@pytest.fixture
def definitions(settings: Settings) -> Definitions:
    """Jane is a lead of every campaign, and each has one of its own."""
    for day, name in enumerate(CAMPAIGNS, 1):
        leads = [LEAD | {"email": "jane@rioplata.example"}, LEAD | {"email": f"joe@{name}.example"}]
        data = "".join(json.dumps(lead | {"source": name}) + "\n" for lead in leads).encode()
        ingest(archive_of(settings), data, name=f"{name}.ndjson", received_at=datetime(2026, 11, day, tzinfo=UTC), campaign=name)
    return build_defs(settings)


def run(definitions: Definitions, instance: DagsterInstance, *campaigns: str, select: str | None = None) -> list[tuple[str, ...]]:
    ran = runs.run_campaigns(definitions, instance, campaigns, assets=runs.select_assets(definitions, select))
    assert all(each.success for each in ran), ran
    return [each.campaigns for each in ran]


def made_of_home(instance: DagsterInstance) -> list[set[str]]:
    """What each run that made a table of the whole home planned to make, oldest first."""
    planned = [{key.to_user_string() for key in run.asset_selection or ()} for run in reversed(instance.get_runs())]
    return [keys for keys in planned if keys & HOME]


def test_a_run_ends_with_one_run_of_the_whole_home(
    settings: Settings, definitions: Definitions, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three groups of campaigns, which pass in two stages: the tables of the whole home come once, after all of them, and see them all."""
    monkeypatch.setattr(runs, "backfill_policy", BackfillPolicy.multi_run(max_partitions_per_run=1))
    assert run(definitions, instance, *CAMPAIGNS) == [(name,) for name in CAMPAIGNS] * 2 + [()]
    assert made_of_home(instance) == [HOME]
    warehouse = warehouse_of(settings)
    scorecard = warehouse.read(CampaignScorecard)
    assert scorecard["campaign_id"].to_list() == CAMPAIGNS
    assert scorecard["share_of_leads"].to_list() == pytest.approx([1 / 3] * 3)
    duplicates = warehouse.read(DuplicateAcrossCampaigns)
    assert duplicates.select("campaign_id", "first_campaign_id", "campaigns").rows() == [(name, "autumn", 3) for name in CAMPAIGNS]

    billed = Ledger(settings.ledger_location).billed()
    for contract in (Calls, SpendByDay):
        spent = warehouse.read(contract)
        assert (spent["calls"].sum(), spent["cost_usd"].sum()) == (billed["calls"], billed["usd"]), contract.table
    assert set(warehouse.read(ProviderYield)["provider"]) == {"apollo", "hunter", "pipe0"}
    first = report.tables(warehouse)

    shutil.rmtree(settings.warehouse_folder)
    run(build_defs(settings), instance, *CAMPAIGNS)
    assert report.tables(warehouse_of(settings)) == first, "a rebuild asks nobody, so that what was asked is the same"


def test_a_run_of_one_campaign_keeps_the_others_in_the_figures(
    settings: Settings, definitions: Definitions, instance: DagsterInstance
) -> None:
    run(definitions, instance, *CAMPAIGNS)
    before = warehouse_of(settings).read(CampaignScorecard)
    assert run(definitions, instance, "spring") == [("spring",), ()]
    assert warehouse_of(settings).read(CampaignScorecard).equals(before)
    assert warehouse_of(settings).partitions(CampaignFunnel) == CAMPAIGNS


def test_only_what_is_selected_is_made(definitions: Definitions, instance: DagsterInstance) -> None:
    run(definitions, instance, *CAMPAIGNS, select='key:"intake/raw_leads" or key:"identity/leads"')
    assert made_of_home(instance) == []
    assert run(definitions, instance, *CAMPAIGNS, select='key:"marts/duplicates_across_campaigns"') == [()]
    assert made_of_home(instance) == [{"marts/duplicates_across_campaigns"}]


def test_a_campaign_that_fails_does_not_hold_up_the_figures_of_the_others(
    settings: Settings, definitions: Definitions, instance: DagsterInstance
) -> None:
    run(definitions, instance, "autumn", "spring")
    (receipt,) = archive_of(settings).receipts("summer")
    next((Path(settings.archive_location) / "objects").rglob(f"{receipt.sha256}*")).unlink()
    ran = runs.run_campaigns(definitions, instance, ["summer"], assets=runs.select_assets(definitions, None))
    assert [(each.campaigns, each.success) for each in ran] == [(("summer",), False), ((), True)]
    assert warehouse_of(settings).read(CampaignScorecard)["campaign_id"].to_list() == ["autumn", "spring"]


class Ticks:
    """Evaluations of the automation conditions, each going on where the last one stopped, as the sensor does."""

    def __init__(self, definitions: Definitions, instance: DagsterInstance) -> None:
        self._definitions, self._instance = definitions, instance
        self._last: EvaluateAutomationConditionsResult | None = None

    def __call__(self) -> set[str]:
        """The assets that are asked for now."""
        self._last = evaluate_automation_conditions(
            self._definitions, self._instance, asset_selection=of_home, cursor=self._last.cursor if self._last else None
        )
        return {
            key.to_user_string()
            for key in self._definitions.resolve_asset_graph().get_all_asset_keys()
            if self._last.get_num_requested(key)
        }


def test_dagster_makes_them_once_after_many_campaigns(definitions: Definitions, instance: DagsterInstance) -> None:
    ticks = Ticks(definitions, instance)
    assert ticks() == set(), "nothing has happened yet"
    job = definitions.resolve_job_def("lead_pipeline")
    waiting = [instance.create_run_for_job(job, tags={"dagster/partition": name}) for name in ("spring", "summer")]
    assert job.execute_in_process(instance=instance, partition_key="autumn").success
    assert ticks() == set(), "two campaigns are still to come"
    for run in waiting:
        instance.report_run_canceled(run)
    assert ticks() == HOME, "one run for all that has changed"
    assert ticks() == set(), "what was asked for is not asked for again"


def test_a_table_whose_input_is_ready_waits_for_the_rest_of_the_campaigns_run(definitions: Definitions, instance: DagsterInstance) -> None:
    """Otherwise each of them would get its own run, at its own time, while campaigns are running."""
    ticks = Ticks(definitions, instance)
    ticks()
    waiting = instance.create_run_for_job(definitions.resolve_job_def("lead_pipeline"), tags={"dagster/partition": "spring"})
    instance.report_runless_asset_event(AssetMaterialization(["identity", "leads"], partition="spring"))
    assert ticks() == set()
    instance.report_run_canceled(waiting)
    marts = {"marts/duplicates_across_campaigns", "marts/data_quality", "marts/score_distribution"}  # the last reads outcomes
    assert ticks() == {*marts, "scoring/outcomes", "routing/evaluation", *(key for key in HOME if key.startswith("identity/"))}


def test_the_golden_evaluation_is_never_made_by_itself(definitions: Definitions, instance: DagsterInstance) -> None:
    golden = AssetKey(["classification", "golden_evaluation"])
    assert definitions.resolve_asset_graph().get(golden).automation_condition is None
    assert golden not in runs.select_assets(definitions, None)
