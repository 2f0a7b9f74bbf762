"""A provider that is down and comes back: the run says so, and the next one completes the leads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import Command, lead_assets

pytestmark = pytest.mark.slow

MISSING = "--select", '+key:"signals/enriched_leads"'


@pytest.fixture
def twelve(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "twelve.ndjson"
    lead = {"company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
    path.write_text("".join(json.dumps(lead | {"email": f"jane@firm{n}.example"}) + "\n" for n in range(12)))
    command("ingest", str(path), "--campaign", "c", "--json").answer()


def passing(missed: dict[str, dict[str, int]]) -> set[str]:
    return {reason for reasons in missed.values() for reason in reasons} & {"provider_error", "rate_limited", "timeout"}


def circuits_of_assets(settings: Settings, run_id: str) -> dict[str, Any]:
    """asset → the circuits that its materialization shows."""
    with runs.instance_of(settings) as instance:
        events = [record.asset_materialization for record in instance.all_logs(run_id) if record.asset_materialization is not None]
    return {event.asset_key.to_user_string(): event.metadata["circuits"].value for event in events if "circuits" in event.metadata}


@pytest.mark.usefixtures("twelve")
@pytest.mark.parametrize("provider", ["apollo", "hunter", "pipe0"])
def test_a_run_says_who_is_left_alone_and_the_next_completes_the_leads(
    command: Command, settings: Settings, sandbox: Handle, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    sandbox.set_fault(provider, "status", status=500)
    began = datetime.now(UTC)
    said = command("run", "--all", *MISSING, "--json", sandbox_url=sandbox.url).answer()
    (circuit,) = said["circuits"]
    assert circuit["provider"] == provider
    assert timedelta(0) < datetime.fromisoformat(circuit["open_until"]) - began < timedelta(minutes=2)
    assert passing(said["missed"]) == {"provider_error"}
    monkeypatch.setenv("DAGSTER_HOME", str(settings.home / "dagster"))
    shown = circuits_of_assets(settings, said["run_ids"][0])
    assert shown
    assert all(set(each) == {provider} for each in shown.values())

    again = command("run", "--all", *MISSING, sandbox_url=sandbox.url)
    assert f"{provider} failed too often in a row" in again.stdout
    assert f"lead-assets resume {provider}" in again.stdout
    assert [each["provider"] for each in command("budget", "show", "--json").answer()["circuits"]] == [provider]
    sandbox.clear_faults()
    command("resume", "--json").answer()
    healed = command("run", "--all", *MISSING, "--json", sandbox_url=sandbox.url).answer()
    assert (healed["circuits"], passing(healed["missed"])) == ([], set())


@pytest.mark.usefixtures("twelve")
@pytest.mark.parametrize(("provider", "status"), [("apollo", 400), ("pipe0", 400)])
def test_a_provider_that_stumbled_is_asked_again_by_the_next_run(command: Command, sandbox: Handle, provider: str, status: int) -> None:
    """Too few failures to open a circuit: nothing has to be resumed, and nothing waited for."""
    sandbox.set_fault(provider, "status", status=status)
    first = command("run", "--all", *MISSING, "--json", sandbox_url=sandbox.url).answer()
    assert (first["circuits"], passing(first["missed"])) == ([], {"provider_error"})
    sandbox.clear_faults()
    second = command("run", "--all", *MISSING, "--json", sandbox_url=sandbox.url).answer()
    assert passing(second["missed"]) == set()


def test_a_person_closes_a_circuit_by_hand(command: Command, home: Path) -> None:
    from lead_assets.ledger import Ledger

    home.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    for provider in ("apollo", "pipe0"):
        assert [ledger.note_failure(provider) for _ in range(8)][-1]
    ledger.close()
    assert [each["provider"] for each in command("budget", "show", "--json").answer()["circuits"]] == ["apollo", "pipe0"]
    assert "apollo failed too often in a row" in command("budget", "show").stdout
    assert [each["provider"] for each in command("resume", "apollo", "--json").answer()["circuits"]] == ["pipe0"]
    assert command("resume", "--json").answer()["circuits"] == []


@pytest.mark.usefixtures("twelve")
def test_a_run_through_faults_says_little_and_no_librarys_warning(home: Path, sandbox: Handle) -> None:
    """In a process of its own: what a person sees on stderr is one line for each provider that failed, however many attempts and steps there were."""
    sandbox.set_fault("apollo", "status", status=500)
    sandbox.set_fault("pipe0", "malformed_json")
    sandbox.set_fault("hunter", "drop_midway")
    sandbox.set_fault("anthropic", "status", status=529)
    done = lead_assets(home, "run", "--all", sandbox_url=sandbox.url)
    assert done.code == 0
    lines = done.stderr.splitlines()
    assert {line.split()[0] for line in lines} == {"apollo", "pipe0", "hunter"}
    assert len(lines) == 3, done.stderr
    assert "not asked apollo" in done.stdout
