"""Many campaigns are run in groups: the first group sees the accounts of the last one, so a rebuild gives the same as the first run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import AssetKey, BackfillPolicy, DagsterInstance, Definitions

from lead_assets.cli import report, runs
from lead_assets.contracts import SimilarAccount, Summary
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.kit import tables
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of, warehouse_of

LEAD = {"full_name": "Jane Doe", "title": "VP of Sales", "source": "webinar", "company_size": "201-500", "country": "Germany"}


def drop(settings: Settings, campaign_id: str, day: datetime, *domains: str, outcome: str | None = None) -> None:
    leads = [LEAD | {"email": f"jane@{domain}", "outcome": outcome, "website": domain} for domain in domains]
    data = "".join(json.dumps(lead) + "\n" for lead in leads).encode()
    ingest(archive_of(settings), data, name="leads.ndjson", received_at=day, campaign=campaign_id)


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """One campaign a group: the new one is the first, the past one the last, which the sandbox's world knows to be of one industry."""
    monkeypatch.setattr(runs, "backfill_policy", BackfillPolicy.multi_run(max_partitions_per_run=1))
    drop(settings, "autumn", datetime(2026, 11, 2, tzinfo=UTC), "rioplata.example")
    drop(settings, "spring", datetime(2026, 5, 1, tzinfo=UTC), "zephyrair.example", "quailrun.example", outcome="won")
    with DagsterInstance.ephemeral() as made:
        runs.add_campaigns(made, ["autumn", "spring"])
        yield made


def run(definitions: Definitions, instance: DagsterInstance, select: str | None = None) -> list[tuple[str, bool]]:
    ran = runs.run_campaigns(
        definitions,
        instance,
        ["autumn", "spring"],
        assets=runs.select_assets(definitions, select),
        on_progress=lambda *told: seen.append(told),
    )
    return [(*each.campaigns, each.success) for each in ran]


seen: list[tuple[int, int, str]] = []


@pytest.mark.slow
def test_the_first_group_sees_the_last_and_a_rebuild_is_the_same_for_nothing(
    settings: Settings, instance: DagsterInstance, sandbox: Handle
) -> None:
    seen.clear()
    definitions = build_defs(settings)
    assert run(definitions, instance) == [("autumn", True), ("spring", True)] * 2 + [(True,)]
    done = [steps for steps, _, _ in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][1]
    warehouse = warehouse_of(settings)
    found = warehouse.read(SimilarAccount)
    assert set(found["campaign_id"]) == {"autumn"}, "those of one day do not see each other"
    assert "won" in found["outcome"]
    assert "(won)" in warehouse.read(Summary, ["autumn"])["brief"][0]
    first, billed = report.tables(warehouse), sandbox.meter()

    shutil.rmtree(settings.warehouse_folder)
    run(build_defs(settings), instance)
    assert report.tables(warehouse) == first
    assert sandbox.meter() == billed

    # A group that failed does not go on; the others do. Nothing is kept: it is all to be made from the archive again.
    shutil.rmtree(settings.warehouse_folder)
    shutil.rmtree(settings.derived_location)
    for receipt in archive_of(settings).receipts("spring"):
        next((Path(settings.archive_location) / "objects").rglob(f"{receipt.sha256}*")).unlink()
    assert run(definitions, instance) == [("autumn", True), ("spring", False), ("autumn", True), (True,)]


def test_assets_that_read_all_campaigns_wait_for_them(settings: Settings) -> None:
    definitions = build_defs(settings)
    before, after = runs.stages_of(definitions, runs.select_assets(definitions, None))
    names = {key.to_user_string() for key in after}
    assert {"lookalike/similarities", "classification/summaries", "classification/summary_quarantine"} <= names
    assert {"lookalike/accounts", "scoring/scores", "routing/decisions"} <= {key.to_user_string() for key in before}
    assert len(runs.stages_of(definitions, runs.select_assets(definitions, "group:classification"))) == 1


@pytest.mark.slow
def test_a_group_that_does_not_show_what_a_later_one_bought_runs_again(settings: Settings, instance: DagsterInstance) -> None:
    """Of thirty campaigns of the same companies, those of the first group kept saying of some signals that nobody had bought them."""
    definitions, asked = build_defs(settings), []

    def overtaken(assets: Sequence[AssetKey], campaigns: Sequence[str]) -> list[str]:
        asked.append(campaigns)
        with opened_ledger(settings) as ledger:
            assert tables.overtaken(warehouse_of(settings), ledger, assets, campaigns, since=0) == []
        return ["autumn"]

    ran = runs.run_campaigns(
        definitions,
        instance,
        ["autumn", "spring"],
        assets=runs.select_assets(definitions, '+key:"signals/company_overview"'),
        overtaken=overtaken,
    )
    assert [(*each.campaigns, each.success) for each in ran] == [("autumn", True), ("spring", True), ("autumn", True)]
    assert asked == [["autumn", "spring"]]
