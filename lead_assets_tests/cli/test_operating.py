"""`backfill plan`, `freshness` and `incidents`, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dagster import AssetCheckKey, AssetKey

from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import Command

pytestmark = pytest.mark.slow


def test_a_backfill_is_planned_and_priced_before_it_runs_and_free_after(
    command: Command, sandbox: Handle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = {"company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
    for campaign in ("fall", "spring"):
        path = tmp_path / f"{campaign}.ndjson"
        path.write_text(
            json.dumps(lead | {"email": f"jane@{campaign}.example"}) + "\n" + json.dumps(lead | {"email": "joe@shared.example"})
        )
        command("ingest", str(path), "--campaign", campaign, "--json").answer()
    before = sandbox.meter()
    planned = command("backfill", "plan", "--json", sandbox_url=sandbox.url).answer()
    assert sandbox.meter() == before, "nobody is asked"
    assert [row["campaign_id"] for row in planned["campaigns"]] == ["fall", "spring"]
    assert planned["runs"] == 1
    assert all(row["missing"] > 10 and float(row["usd"]) > 0 for row in planned["campaigns"])
    assert 0 < float(planned["usd"]) < sum(float(row["usd"]) for row in planned["campaigns"]), "what both need is bought once"

    stale = command("freshness", "--json")
    assert stale.code == 0, "received a moment ago"
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    with runs.instance_of(Settings(home=home)) as instance:
        history = instance.event_log_storage.get_asset_check_execution_history(
            AssetCheckKey(AssetKey(["routing", "decisions"]), "fresh"), limit=10
        )
    verdicts = {record.partition: record.status.value for record in history}
    assert verdicts == {"fall": "SUCCEEDED", "spring": "SUCCEEDED"}, "each campaign has its own, also in a run over both"
    after = command("backfill", "plan", sandbox_url=sandbox.url)
    assert "nothing to do" in after.stdout
    assert [row["state"] for row in command("freshness", "--json").answer()["campaigns"]] == ["fresh", "fresh"]
    assert command("incidents", "--json").answer() == {"incidents": []}
    assert "nothing is wrong" in command("incidents").stdout
    (one,) = command("backfill", "plan", "--campaign", "fall", "--json", sandbox_url=sandbox.url).answer()["campaigns"]
    assert (one["missing"], one["out_of_date"], float(one["usd"])) == (0, 0, 0.0)
