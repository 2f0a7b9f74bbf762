"""Every sensor and schedule ticks in the run history that `dev` uses, twice, the second time with the cursor of the first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from dagster import (
    AutomationConditionSensorDefinition,
    DagsterInstance,
    Definitions,
    ScheduleDefinition,
    SensorDefinition,
    build_schedule_context,
    build_sensor_context,
)

from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.stores.opened import archive_of

NAMES = build_defs(Settings(env_file=None)).get_repository_def()  # type: ignore[call-arg]
SENSORS = sorted(each.name for each in NAMES.sensor_defs if not isinstance(each, AutomationConditionSensorDefinition))
SCHEDULES = sorted(each.name for each in NAMES.schedule_defs)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home") / "home", env_file=None)  # type: ignore[call-arg]
    lead = {"email": "jane@firm.example", "company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
    ingest(archive_of(settings), json.dumps(lead).encode(), name="d.ndjson", received_at=datetime.now(UTC), campaign="fair")
    return settings


@pytest.fixture(scope="module")
def definitions(settings: Settings) -> Definitions:
    return build_defs(settings)


@pytest.fixture(scope="module")
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    patch = pytest.MonkeyPatch()
    patch.delenv("DAGSTER_HOME", raising=False)
    with runs.instance_of(settings) as opened:
        runs.add_campaigns(opened, ["fair"])
        yield opened
    patch.undo()


@pytest.mark.parametrize("name", SENSORS)
def test_a_sensor_ticks(definitions: Definitions, instance: DagsterInstance, name: str) -> None:
    sensor: SensorDefinition = definitions.get_sensor_def(name)
    cursor: str | None = None
    resources = dict(definitions.resources or {})
    for _ in range(2):
        with build_sensor_context(instance, cursor=cursor, definitions=definitions, resources=resources) as context:
            cursor = sensor.evaluate_tick(context).cursor


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_ticks(definitions: Definitions, instance: DagsterInstance, name: str) -> None:
    schedule = definitions.get_schedule_def(name)
    assert isinstance(schedule, ScheduleDefinition)
    with build_schedule_context(instance, scheduled_execution_time=datetime.now(UTC)) as context:
        assert len(schedule.evaluate_tick(context).run_requests or ()) == 1
