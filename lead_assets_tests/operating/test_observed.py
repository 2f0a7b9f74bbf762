"""What is seen without being asked for: observations of budgets, quotas, backlog and drift, and a campaign's price before its run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, Definitions, TableMetadataValue

from lead_assets.automation import ESTIMATE, OBSERVE
from lead_assets.cli import runs
from lead_assets.contracts import ExpectedPurchase
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.estimating.estimate import estimate
from lead_assets.intake.ingest import ingest
from lead_assets.intake.landing import landing_of
from lead_assets.ledger.opened import opened_ledger
from lead_assets.operating.observed import OBSERVED
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of, warehouse_of


@pytest.fixture
def definitions(settings: Settings) -> Definitions:
    for campaign in ("fall", "spring"):
        lead = {"email": f"jane@{campaign}.example", "company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
        ingest(archive_of(settings), json.dumps(lead).encode(), name="d.ndjson", received_at=datetime.now(UTC), campaign=campaign)
    return build_defs(settings)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as opened:
        runs.add_campaigns(opened, ["fall", "spring"])
        yield opened


def seen(instance: DagsterInstance, name: str) -> dict[str, Any]:
    (record,) = instance.fetch_observations(AssetKey(["operating", name]), limit=1).records
    observation = record.asset_observation
    assert observation is not None
    return {name: value.records if isinstance(value, TableMetadataValue) else value.value for name, value in observation.metadata.items()}


def test_a_run_of_the_schedules_job_observes_everything(settings: Settings, definitions: Definitions, instance: DagsterInstance) -> None:
    with opened_ledger(settings) as ledger:
        ledger.set_budget("provider", 2_000_000, name="pipe0")
        ledger.pause("hunter")
    landing_of(settings).put("fall/more.ndjson", b"{}")
    ran = runs.run_job(definitions, instance, OBSERVE)
    assert (ran.success, ran.failures) == (True, ())
    budgets, backlog = seen(instance, "budgets"), seen(instance, "backlog")
    assert (budgets["limits"], budgets["used_share_of_fullest"], budgets["paused"]) == (1, 0.0, "hunter")
    assert [(row.data["name"], row.data["free_usd"]) for row in budgets["budgets"]] == [("pipe0", 2.0)]
    assert (backlog["landing_files"], backlog["campaigns"], backlog["runs_not_ended"]) == (1, 2, 0)
    assert {row.data["provider"] for row in seen(instance, "quotas")["quotas"]} >= {"apollo", "hunter"}
    assert seen(instance, "drift")["campaigns_compared"] == 0
    assert seen(instance, "rules") == {"in_force": "as saved", "faults": 0}
    assert {key.path[-1] for key in OBSERVED} == {"budgets", "quotas", "backlog", "drift", "rules"}


@pytest.mark.slow
def test_a_campaigns_price_is_seen_before_its_run_and_nothing_is_bought_for_it(
    settings: Settings, definitions: Definitions, instance: DagsterInstance, sandbox: Handle
) -> None:
    before = sandbox.meter()
    job = definitions.resolve_job_def(ESTIMATE)
    tags = {"dagster/asset_partition_range_start": "fall", "dagster/asset_partition_range_end": "spring"}
    assert job.execute_in_process(instance=instance, tags=tags).success
    rows = warehouse_of(settings).read(ExpectedPurchase)
    records = instance.fetch_materializations(AssetKey(["spending", "estimates"]), limit=2).records
    shown = {record.partition_key: record.asset_materialization.metadata for record in records if record.asset_materialization}
    for campaign in ("fall", "spring"):
        said = estimate(settings, [campaign])
        assert said["usd"] > 0
        assert float(rows.filter(campaign_id=campaign)["cost_usd"].sum()) == pytest.approx(float(said["usd"]), abs=1e-4)
        assert shown[campaign]["expected_usd"].value == pytest.approx(float(said["usd"]))
        assert "picture" in shown[campaign]
    together = float(estimate(settings, ["fall", "spring"])["usd"])
    assert shown["fall"]["expected_usd_together"].value == pytest.approx(together)
    assert sandbox.meter() == before
