"""What watching asks of the warehouse and of Dagster's history, on those of production, too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey, DagsterInstance

from lead_assets.contracts import (
    Classification,
    Duplicate,
    Lead,
    Quarantined,
    RawLead,
    RejectedPayload,
    RoutingDecision,
    Score,
    SuppressedLead,
)
from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.operating.freshness import verdicts
from lead_assets.operating.incidents import checks, newest_verdict, quarantines
from lead_assets.operating.rules import load_freshness
from lead_assets.operating.upkeep import hot_leads
from lead_assets.operating.watch import report
from lead_assets.stores.opened import archive_of
from lead_assets_tests.rows import rows
from lead_assets_tests.stores.conftest import Store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_of_four_drops_the_one_whose_lead_has_no_owner_is_late(store: Store, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", env_file=None)  # type: ignore[call-arg]
    archive = archive_of(settings)
    shas = []
    for number in range(4):
        lead = {"lead_id": f"l{number}", "email": f"a{number}@firm.example", "company": "Firm"}
        at = NOON + timedelta(minutes=number)
        ingest(archive, json.dumps(lead).encode(), name="d.json", received_at=at, campaign="fair", limits=DropLimits(1 << 20))
    shas = [receipt.sha256 for receipt in archive.receipts("fair")]
    places = [
        {"campaign_id": "fair", "lead_id": f"l{number}", "drop_sha256": sha, "position": 1, "part": 1} for number, sha in enumerate(shas)
    ]
    tables = {
        RawLead: places,
        RejectedPayload: [],
        Lead: [places[0], places[2]],
        Duplicate: [places[1]],
        SuppressedLead: [{"campaign_id": "fair", "lead_id": "l3"}],
        RoutingDecision: [{"campaign_id": "fair", "lead_id": "l0"}],
    }
    for contract, given in tables.items():
        store.warehouse.write(contract, rows(contract, given), ["fair"])
    (verdict,) = verdicts(settings, archive, store.warehouse, load_freshness(settings), NOON + timedelta(hours=1))
    assert verdict.state == "stale"
    assert "a drop of 2026-11-02 12:02 UTC is not routed yet" in verdict.why[0]


def test_quarantine_and_hot_leads_are_counted_by_campaign(store: Store) -> None:
    def leads(campaign: str, first: int, last: int) -> list[dict[str, str]]:
        return [{"campaign_id": campaign, "lead_id": f"l{number}"} for number in range(first, last)]

    for campaign, quarantined in (("good", 1), ("bad", 5)):
        store.warehouse.write(Classification, rows(Classification, leads(campaign, quarantined, 20)), [campaign])
        store.warehouse.write(Quarantined, rows(Quarantined, leads(campaign, 0, quarantined)), [campaign])
        scored = [lead | {"tier": "hot" if campaign == "bad" else "cold"} for lead in leads(campaign, 0, 3)]
        store.warehouse.write(Score, rows(Score, scored), [campaign])
    (incident,) = quarantines(store.warehouse, ["good", "bad", "never run"], above=0.1, of_at_least=20)
    assert incident.what == "5 of 20 leads of bad are in quarantine"
    assert hot_leads(store.warehouse, ["good", "bad", "never run"]) == {"bad": 3}


@pytest.mark.slow
def test_verdicts_are_read_from_a_history_in_postgres(postgres_url: str, tmp_path: Path) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+psycopg2://")
    (tmp_path / "dagster.yaml").write_text(f"storage: {{postgres: {{postgres_url: '{url}'}}}}\ntelemetry: {{enabled: false}}\n")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert newest_verdict(instance) == 0
        for passed, partition in ((False, "a"), (False, "b"), (True, "a")):
            report(
                instance,
                AssetCheckEvaluation(
                    asset_key=AssetKey(["identity", "leads"]),
                    check_name="conserves",
                    passed=passed,
                    severity=AssetCheckSeverity.ERROR,
                    metadata={},
                    partition=partition,
                ),
            )
        seen = checks(instance, 0)
        assert [incident.key for incident in seen.begun] == ["check/identity/leads/conserves/b"]
        assert seen.ended == {"check/identity/leads/conserves/a"}
        assert checks(instance, seen.cursor).begun == []
        assert newest_verdict(instance) == seen.cursor
