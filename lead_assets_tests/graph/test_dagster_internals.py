"""Names used beyond Dagster's public API: that they exist, and that the product works without them."""

import ast
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import dagster
import pytest
from dagster import (
    AssetExecutionContext,
    DagsterInstance,
    DagsterRun,
    DefaultRunLauncher,
    StaticPartitionsDefinition,
    asset,
    job,
    materialize,
    op,
)

import lead_assets
from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.kit import dagster_internals, partition_metadata, run_failures
from lead_assets.kit.dagster_internals import PARTS, Part
from lead_assets.kit.run_failures import WatchedRunLauncher


@op
def nothing() -> None:
    pass


@job
def small() -> None:
    nothing()


@pytest.fixture
def home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", "kept, so that what is set is taken back")
    monkeypatch.delenv("DAGSTER_HOME")
    return home


def lost(part: Part) -> Part:
    return replace(part, names=(*part.names, "dagster._core.moved_by_an_upgrade:Thing"))


@pytest.mark.parametrize("place", [place for part in PARTS for place in part.names])
def test_dagster_still_has_what_is_used_of_its_insides(place: str) -> None:
    module, _, name = place.partition(":")
    assert hasattr(import_module(module), name), (
        f"dagster {dagster.__version__} has no {place} any more: find what took its place, name it in lead_assets/kit/dagster_internals.py,"
        " and see that lead_assets_tests/graph/test_run_history.py and production/test_run_failures.py pass"
    )


def test_dagsters_tags_are_called_what_we_call_them() -> None:
    tags = import_module("dagster._core.storage.tags")
    for name in ("GRPC_INFO_TAG", "RETRY_ON_ASSET_OR_OP_FAILURE_TAG"):
        assert getattr(tags, name) == getattr(dagster_internals, name)


def test_nothing_else_imports_dagsters_insides() -> None:
    found = []
    for path in Path(lead_assets.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [f"{path.name}: {module}" for module in modules if module.startswith("dagster") and "._" in module]
    assert found == []


def test_without_them_dagsters_own_storage_goes_on_with_the_same_history(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with runs.instance_of(Settings(home=home)) as instance:
        before = small.execute_in_process(instance=instance).run_id
    written = home / "dagster" / "dagster.yaml"
    assert "LocalRunHistory" in written.read_text()
    monkeypatch.delenv("DAGSTER_HOME")
    monkeypatch.setattr(runs, "HISTORY", lost(dagster_internals.HISTORY))
    with runs.instance_of(Settings(home=home)) as instance:
        after = small.execute_in_process(instance=instance).run_id
        assert "LocalRunHistory" not in written.read_text()
        assert {run.run_id for run in instance.get_runs()} == {before, after}
    assert "dagster._core.moved_by_an_upgrade:Thing, which is needed for a run history" in caplog.text


def test_without_them_the_launcher_answers_as_dagsters_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WatchedRunLauncher().supports_check_run_worker_health
    monkeypatch.setattr(run_failures, "WORKERS", lost(dagster_internals.WORKERS))
    launcher, stock = WatchedRunLauncher(), DefaultRunLauncher()
    assert launcher.supports_check_run_worker_health == stock.supports_check_run_worker_health
    run = DagsterRun(job_name="small")
    answers = []
    for each in (launcher, stock):
        with pytest.raises(NotImplementedError) as refused:
            each.check_run_worker_health(run)
        answers.append(str(refused.value))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("has_it", [True, False])
def test_each_partition_has_its_own_metadata_with_them_and_without(has_it: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_it:
        monkeypatch.setattr(partition_metadata, "METADATA", lost(dagster_internals.METADATA))

    @asset(partitions_def=StaticPartitionsDefinition(["a", "b"]))
    def table(context: AssetExecutionContext) -> None:
        partition_metadata.add(context, context.asset_key, {"a": {"rows": 1, "kept": True}, "b": {"rows": 2}})
        partition_metadata.add(context, context.asset_key, {"a": {"rows": 3}})

    tags = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "b"}
    with DagsterInstance.ephemeral() as instance:
        made = materialize([table], instance=instance, tags=tags).asset_materializations_for_node("table")
    shown = {each.partition: {name: value.value for name, value in each.metadata.items()} for each in made}
    assert shown == {"a": {"rows": 3, "kept": True}, "b": {"rows": 2}}


def test_a_home_of_an_earlier_version_opens(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dagster.yaml names modules that have moved since."""
    with runs.instance_of(Settings(home=home)) as instance:
        before = small.execute_in_process(instance=instance).run_id
    written = home / "dagster" / "dagster.yaml"
    old = written.read_text().replace("module: lead_assets.kit.run_", "module: lead_assets.run_")
    assert old.count("module: lead_assets.run_") == 2
    written.write_text(old)
    monkeypatch.delenv("DAGSTER_HOME")
    with runs.instance_of(Settings(home=home)) as instance:
        assert [run.run_id for run in instance.get_runs()] == [before]
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
