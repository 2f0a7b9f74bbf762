"""The graph itself: a renamed asset, a lost schedule or a changed dependency shows in review as a diff of graph.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, AssetSpec, BackfillPolicy, Definitions, TableSchema, in_process_executor

from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.operating.observed import OBSERVED

SNAPSHOT = Path(__file__).parent / "graph.json"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    return build_defs(Settings(home=tmp_path_factory.mktemp("home")))


def specs(definitions: Definitions) -> dict[str, AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_the_graph_is_the_one_that_was_reviewed(definitions: Definitions) -> None:
    """After a change that is meant: UPDATE_SNAPSHOT=1 make test, and review the diff."""
    graph = _describe(definitions)
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(graph, indent=2, sort_keys=True) + "\n")
    assert graph == json.loads(SNAPSHOT.read_text())


def test_every_table_is_an_asset_and_every_asset_a_table(definitions: Definitions) -> None:
    observed = {key.to_user_string() for key in OBSERVED}
    assert {name.replace("/", ".") for name in specs(definitions).keys() - observed} == set(TABLES)
    assert observed <= specs(definitions).keys()


@pytest.mark.parametrize("name", [table.replace(".", "/") for table in TABLES])
def test_every_asset_says_what_a_reader_of_the_ui_wants_to_know(definitions: Definitions, name: str) -> None:
    spec = specs(definitions)[name]
    assert spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.group_name == name.split("/")[0]
    assert spec.code_version
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, TableSchema)
    assert [column.name for column in schema.columns] == TABLES[name.replace("/", ".")].polars_schema().names()
    grain = TABLES[name.replace("/", ".")].grain
    assert spec.tags["lead_assets/grain"] == grain
    assert getattr(spec.partitions_def, "name", None) == {"campaign": "campaign", "day": "day", "home": None}[grain]


def test_every_asset_of_campaigns_backfills_many_a_run(definitions: Definitions) -> None:
    for node in definitions.resolve_asset_graph().asset_nodes:
        expected = BackfillPolicy.multi_run(max_partitions_per_run=25) if node.is_partitioned else None
        assert node.backfill_policy == expected, node.key


def test_no_table_of_the_whole_home_is_made_in_a_run_of_campaigns(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for job in ("lead_pipeline", "lead_rebuild"):
        made = definitions.resolve_job_def(job).asset_layer.executable_asset_keys
        assert made == {key for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned} - {
            AssetKey(["spending", "estimates"])
        }, job


def test_intake_is_held_to_conservation_by_a_blocking_check(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    blocking = {key.to_user_string() for key in graph.asset_check_keys if graph.get(key).blocking}
    assert {"intake/raw_leads:conserves", "identity/leads:conserves", "classification/classifications:conserves"} <= blocking
    assert {"classification/classifications:meets_contract", "routing/decisions:nobody_quarantined"} <= blocking
    assert "classification/classifications:mix_is_stable" not in blocking


def test_the_definitions_load_without_touching_the_home_folder(tmp_path: Path) -> None:
    build_defs(Settings(home=tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_every_job_walks_its_steps_in_one_process(definitions: Definitions) -> None:
    """Dagster's default starts a process for each step, which costs seconds of CPU for each of them."""
    jobs = definitions.get_repository_def().get_all_jobs()
    assert {"lead_pipeline", "lead_rebuild", "__ASSET_JOB"} <= {job.name for job in jobs}
    assert {job.name: job.executor_def.name for job in jobs} == {job.name: in_process_executor.name for job in jobs}


def test_heavy_libraries_are_not_loaded_with_the_code_location() -> None:
    heavy = [
        "anthropic",
        "phonenumbers.data",
        "babel",
        "pycountry",
        "duckdb",
        "httpx2",
        "tldextract",
        "alembic",
        "sqlalchemy",
        "uvicorn",
        "scipy",
    ]
    code = f"import sys, lead_assets.definitions; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _describe(definitions: Definitions) -> dict[str, Any]:
    repository = definitions.get_repository_def()
    assets = {
        name: {
            "group": spec.group_name,
            "kinds": sorted(spec.kinds),
            "depends_on": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            "partitions": getattr(spec.partitions_def, "name", None),
        }
        for name, spec in specs(definitions).items()
    }
    return {
        "assets": assets,
        "checks": sorted(key.to_user_string() for key in definitions.resolve_asset_graph().asset_check_keys),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "sensors": {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs},
        "schedules": {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs},
    }
