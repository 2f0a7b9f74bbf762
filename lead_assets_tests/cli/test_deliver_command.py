"""`lead-assets deliver` over leads that were really routed: what is sent, shown and sent again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lead_assets.cli.app import app
from lead_assets.cli.pipeline import run
from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of

pytestmark = pytest.mark.slow


def told(*words: str) -> str:
    result = CliRunner().invoke(app, ["deliver", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_what_waits_is_shown_and_sent_once(settings: Settings, sandbox: Handle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_ASSETS_HOME", str(settings.home))
    monkeypatch.setenv("LEAD_ASSETS_SANDBOX_URL", str(settings.sandbox_url))
    sandbox.set_fault("hubspot", "item_error", match="jo@")
    payloads = [
        {"lead_id": f"l-{n}", "email": f"{name}@acme{n}.example", "full_name": f"{name} Reyes", "notes": "Bridge loan for a duplex"}
        | {"property_address": "12 Maple Row", "property_type": "single_family", "loan_amount_requested": 100_000 + n}
        for n, name in enumerate(("jo", "ann"))
    ]
    data = "".join(json.dumps(payload) + "\n" for payload in payloads).encode()
    ingest(
        archive_of(settings),
        data,
        name="fall.ndjson",
        received_at=datetime(2026, 11, 2, tzinfo=UTC),
        campaign="fall",
        limits=DropLimits(1 << 20),
    )
    assert not run(settings)["failures"]
    assert "nothing would be sent now" in told("--dry-run", "--to", "hubspot", "--out", str(tmp_path / "none"))
    told("--dry-run", "--all", "--to", "salesforce", "--out", str(tmp_path / "all"))
    (asked,) = (tmp_path / "all").rglob("*.json")
    assert len(json.loads(asked.read_bytes())["body"]["records"]) == 2
    assert "1 dead letters are due again" in told("replay", "--to", "hubspot", "--reason", "invalid_email")
    # The contact, and the note that waits for it.
    assert "records 2" in told("--dry-run", "--to", "hubspot", "--out", str(tmp_path / "one"))
    sandbox.clear_faults()
    sent = json.loads(told("--json"))["rows"]
    assert {row["destination"]: row.get("confirmed", 0) for row in sent}["hubspot"] >= 1
    assert "jo@acme0.example" in sandbox.state("hubspot")["contacts"]
