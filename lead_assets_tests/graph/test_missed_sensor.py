"""Answers missed while a provider was down are requested again automatically, once, when it is back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from dagster import DagsterInstance, Definitions, RunRequest, SensorResult, build_sensor_context

from lead_assets.automation import PIPELINE, missed_sensor
from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.kit.declare import LIMIT_TAG
from lead_assets.kit.outages import AGAIN_TAG, campaigns_under_way
from lead_assets.ledger import Ledger
from lead_assets.ledger.schema import circuits
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of

SIGNALS = '+key:"signals/enriched_leads"'


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def definitions(settings: Settings) -> Definitions:
    return build_defs(settings)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.ledger_location)
    yield opened
    opened.close()


class Daemon:
    """Ticks the sensor, and runs what it asks for."""

    def __init__(self, settings: Settings, instance: DagsterInstance, definitions: Definitions, ledger: Ledger) -> None:
        self.settings, self.instance, self.definitions, self.ledger = settings, instance, definitions, ledger
        self.cursor: str | None = None

    def file(self, *campaigns: str) -> None:
        for name in campaigns:
            lead = {"company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
            drop = "".join(json.dumps(lead | {"email": f"jane@{name}{number}.example"}) + "\n" for number in range(12))
            ingest(archive_of(self.settings), drop.encode(), name="leads.ndjson", received_at=datetime.now(UTC), campaign=name)
        runs.add_campaigns(self.instance, campaigns)

    def run(self, *campaigns: str, limit: int | None = None) -> None:
        assets = runs.select_assets(self.definitions, SIGNALS)
        ran = runs.run_campaigns(self.definitions, self.instance, campaigns, assets=assets, limit=limit)
        assert all(each.success for each in ran)

    def tick(self) -> list[RunRequest]:
        context = build_sensor_context(instance=self.instance, cursor=self.cursor, resources={"ledger": self.ledger})
        result = missed_sensor(context)
        self.cursor = result.cursor if isinstance(result, SensorResult) else context.cursor
        return list(result.run_requests or []) if isinstance(result, SensorResult) else []

    def execute(self, request: RunRequest) -> None:
        done = self.definitions.resolve_job_def(PIPELINE).execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            asset_selection=list(request.asset_selection or []),
            tags=dict(request.tags),
        )
        assert done.success


@pytest.fixture
def daemon(settings: Settings, instance: DagsterInstance, definitions: Definitions, ledger: Ledger) -> Daemon:
    return Daemon(settings, instance, definitions, ledger)


@pytest.mark.slow
def test_a_campaign_is_completed_when_the_circuit_closes_and_left_alone_then(daemon: Daemon, sandbox: Handle) -> None:
    daemon.file("a", "b")
    sandbox.set_fault("apollo", "status", status=503)
    daemon.run("a", "b")
    assert [each.provider for each in daemon.ledger.circuits()] == ["apollo"]
    # Open for longer than the slowest machine takes.
    daemon.ledger._db.write(lambda tx: tx.execute(sa.update(circuits).values(open_until=tx.now_us + 540_000_000)))
    assert daemon.tick() == []

    sandbox.clear_faults()
    daemon.ledger.resume("apollo")
    requests = daemon.tick()
    assert [(each.partition_key, each.tags[AGAIN_TAG]) for each in requests] == [("a", "apollo"), ("b", "apollo")]
    assert len({each.run_key for each in requests}) == 2
    assert {key.to_user_string() for key in requests[0].asset_selection or ()} == {
        key.to_user_string() for key in runs.select_assets(daemon.definitions, SIGNALS)
    }
    assert daemon.tick() == [], "once"
    for request in requests:
        daemon.execute(request)
    assert daemon.tick() == []
    daemon.cursor = None
    assert daemon.tick() == [], "nothing is lacking any more"


def test_what_stays_missing_is_asked_for_once_and_by_a_run_of_as_many_leads(daemon: Daemon, sandbox: Handle) -> None:
    """Some subjects a vendor will never take: no run without end, and no run of all leads where a person wanted three."""
    daemon.file("a")
    sandbox.set_fault("pipe0", "status", status=422)
    daemon.run("a", limit=3)
    assert daemon.ledger.circuits() == []
    (request,) = daemon.tick()
    assert request.tags[LIMIT_TAG] == "3"
    daemon.execute(request)
    daemon.cursor = None
    assert daemon.tick() == []


@pytest.mark.slow
def test_a_run_that_buys_nothing_changes_nothing_in_the_list(daemon: Daemon, sandbox: Handle, definitions: Definitions) -> None:
    daemon.file("a")
    sandbox.set_fault("pipe0", "status", status=422)
    daemon.run("a")
    assets = runs.select_assets(definitions, SIGNALS)
    runs.run_campaigns(definitions, daemon.instance, ["a"], assets=assets, from_ledger=True)
    assert [each.partition_key for each in daemon.tick()] == ["a"]


def test_campaigns_of_runs_that_go_on_are_known(daemon: Daemon) -> None:
    daemon.file("a", "b", "c", "d")
    job = daemon.definitions.resolve_job_def(PIPELINE)
    daemon.instance.create_run_for_job(job, tags={"dagster/partition": "d"})
    daemon.instance.create_run_for_job(job, tags={"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "b"})
    assert campaigns_under_way(daemon.instance) == {"a", "b", "d"}
