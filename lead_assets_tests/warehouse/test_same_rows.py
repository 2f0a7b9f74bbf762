"""The same leads through the same graph into either warehouse: equal tables and equal marts, row for row, by their hashes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lead_assets.commands import report, runs
from lead_assets.contracts import CampaignFunnel, EnrichedLead, Quarantined
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.project_files import project_file
from lead_assets.settings import Settings
from lead_assets.stores import archive_of, warehouse_of
from lead_assets.warehouse.io_manager import WarehouseIOManager
from lead_assets.warehouse.snowflake import SnowflakeWarehouse
from lead_assets_tests.warehouse.proxy import Proxy

pytestmark = pytest.mark.xdist_group("snowflake")

_DROPS = ("lending_scenarios.ndjson", "lending_messy.ndjson", "inbound_b2b.csv")


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Fixtures in the archive, as one campaign: lending forms, good and bad, and the first inbound leads."""
    for name in _DROPS:
        lines = (project_file("fixtures") / name).read_bytes().splitlines(keepends=True)
        ingest(archive_of(settings), b"".join(lines[:25]), name=name, received_at=datetime(2026, 11, 20, tzinfo=UTC), campaign="fall")
    return settings


def run_all(settings: Settings, warehouse: WarehouseIOManager) -> None:
    definitions = build_defs(settings, {"warehouse": warehouse})
    campaigns = archive_of(settings).campaigns()
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, campaigns)
        ran = runs.run_campaigns(definitions, instance, campaigns, assets=runs.select_assets(definitions, None))
    assert [each.failures for each in ran] == [() for _ in ran]


def test_both_warehouses_hold_the_same_rows(
    filled: Settings, snowflake: SnowflakeWarehouse, wire: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    (tmp_path / "dagster").mkdir()
    local = warehouse_of(filled)
    run_all(filled, WarehouseIOManager(local))
    run_all(filled, WarehouseIOManager(snowflake))

    tables = report.tables(local)
    assert report.tables(snowflake) == tables
    assert report.funnel(snowflake, local.partitions(CampaignFunnel)) == report.funnel(local, local.partitions(CampaignFunnel))
    assert tables[EnrichedLead.table]["rows"] > 20
    assert snowflake.partitions(Quarantined) == local.partitions(Quarantined), "a partition without rows is there, too"

    assets = {request.content["parameters"]["QUERY_TAG"].split('"asset": ')[-1] for request in wire.seen if request.sql.startswith("COPY")}
    assert {'"identity/leads"}', '"routing/decisions"}', '"marts/campaign_funnel"}'} <= assets
    reading = [request for request in wire.seen if request.sql.startswith("SELECT") and "WITH" in request.sql]
    assert all('"run_id": null' not in request.content["parameters"]["QUERY_TAG"] for request in reading)
