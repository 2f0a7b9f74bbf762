"""Bad days: what is on disk is always whole, nothing is bought twice, and the next run completes what was cut off.

Elsewhere: kills (cli/test_kill_nine.py), a second `dev` (cli/test_dev.py), crashes of the drop sensor (intake/test_landing.py), rules saved with an error
(rules/test_last_good.py), the daemon and the code location (graph/test_browser.py).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, Definitions, SensorResult, build_sensor_context
from dagster._core.errors import DagsterExecutionInterruptedError

from benchmarks import kill_nine
from lead_assets import automation
from lead_assets.cli import report, runs
from lead_assets.contracts import RawLead
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.ledger.opened import opened_ledger
from lead_assets.operating.incidents import failed_runs
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.cli.test_kill_nine import live, wait_for_a_request
from lead_assets_tests.conftest import Command, lead_assets

PEOPLE = [("jane", "Firm", "Jane Doe"), ("joe", "Corp", "Joe Roe")]


def leads(settings: Settings, *names: str) -> None:
    for campaign in names:
        lines = [{"email": f"{who}@{firm}.example", "company": firm, "full_name": name, "title": "CFO"} for who, firm, name in PEOPLE]
        data = "\n".join(json.dumps(line) for line in lines).encode()
        ingest(archive_of(settings), data, name=f"{campaign}.ndjson", received_at=datetime.now(UTC), campaign=campaign)


def bought_once(sandbox: Handle) -> bool:
    return all(times == 1 for service in sandbox.meter() for asked in sandbox.subjects(service).values() for times in asked.values())


@contextmanager
def at_the_last_table(step: set[AssetKey], do: Callable[[], None]) -> Iterator[list[str]]:
    """Calls `do` before the last of the step's tables is written: its rows are computed and bought, its other tables are stored."""
    written: list[str] = []
    write = WarehouseIOManager.handle_output

    def handle(self: WarehouseIOManager, context: Any, obj: Any) -> None:
        written.append(context.asset_key.to_user_string())
        if len(written) == len(step):
            do()
        write(self, context, obj)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WarehouseIOManager, "handle_output", handle)
        yield written


def steps_of(definitions: Definitions) -> list[set[AssetKey]]:
    """The tables that a run makes, step by step, in the order of the graph."""
    graph, wanted = definitions.resolve_asset_graph(), set(runs.select_assets(definitions, None))
    steps: dict[int, set[AssetKey]] = {}
    for key in graph.toposorted_asset_keys:
        if key in wanted:
            steps.setdefault(id(definitions.resolve_assets_def(key)), set()).add(key)
    return list(steps.values())


@pytest.mark.slow
def test_terminated_in_the_middle_of_every_asset_the_next_run_completes_it(settings: Settings, sandbox: Handle) -> None:
    leads(settings, "fair")
    definitions = build_defs(settings)

    def terminate() -> None:
        raise DagsterExecutionInterruptedError

    with DagsterInstance.ephemeral() as instance:
        runs.add_campaigns(instance, ["fair"])

        def run(step: set[AssetKey]) -> bool:
            return all(ran.success for ran in runs.run_campaigns(definitions, instance, ["fair"], assets=sorted(step)))

        steps = steps_of(definitions)
        assert len(steps) > 30
        for step in steps:
            with at_the_last_table(step, terminate) as written:
                try:
                    ended_well = run(step)
                except DagsterExecutionInterruptedError:
                    ended_well = False
            assert written
            assert not ended_well, step
            assert run(step), step
        made = report.tables(warehouse_of(settings))
        assert (made["routing.decisions"]["rows"], made["marts.campaign_funnel"]["rows"]) == (2, 1)
        assert bought_once(sandbox)
        metered = sandbox.meter()
        shutil.rmtree(settings.warehouse_folder)
        assert run(set(runs.select_assets(definitions, None)))
        assert report.tables(warehouse_of(settings)) == made
        assert sandbox.meter() == metered


def test_one_campaign_that_cannot_be_read_holds_up_none_of_its_neighbours(settings: Settings) -> None:
    names = [f"c{number}" for number in range(6)]
    leads(settings, *names[:3], *names[4:])
    ingest(archive_of(settings), b'{"email": "ann@firm.example"}', name="lost.json", received_at=datetime.now(UTC), campaign="c3")
    lost = archive_of(settings).receipts("c3")[0].sha256
    (settings.home / "archive" / "objects" / lost[:2] / lost).unlink()
    shutil.rmtree(settings.home / "derived", ignore_errors=True)
    definitions = build_defs(settings)
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, names)
        assets = [AssetKey(["intake", "raw_leads"]), AssetKey(["intake", "rejected_payloads"]), AssetKey(["marts", "campaign_scorecard"])]
        ran = runs.run_campaigns(definitions, instance, names, assets=assets, from_ledger=True)
        incidents = [incident.key for incident in failed_runs(instance, datetime.now(UTC))]
        assert incidents == [f"run_failed/{ran[1].run_id}"], "the groups that it was a part of are no incidents of their own"
    told = [(each.campaigns, each.success) for each in ran]
    assert told == [(("c0", "c1", "c2"), True), (("c3",), False), (("c4", "c5"), True), ((), True)]
    assert f"campaign c3: archive: object {lost} is missing" in ran[1].failures[0]
    assert warehouse_of(settings).partitions(RawLead) == [name for name in names if name != "c3"]


@pytest.mark.slow
def test_a_partition_deleted_with_a_run_in_flight_comes_back_whole(settings: Settings, sandbox: Handle) -> None:
    leads(settings, "fair", "fest")
    definitions = build_defs(settings)
    assets = runs.select_assets(definitions, None)
    with DagsterInstance.ephemeral() as instance:
        runs.add_campaigns(instance, ["fair", "fest"])
        (step,) = [each for each in steps_of(definitions) if AssetKey(["identity", "leads"]) in each]
        names = {key.to_user_string() for key in step}

        write = WarehouseIOManager.handle_output

        def deleted(io: WarehouseIOManager, context: Any, obj: Any) -> None:
            if context.asset_key.to_user_string() in names:
                instance.delete_dynamic_partition("campaign", "fair")
            write(io, context, obj)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WarehouseIOManager, "handle_output", deleted)
            runs.run_campaigns(definitions, instance, ["fair", "fest"], assets=assets)
        assert instance.get_dynamic_partitions("campaign") == ["fest"]
        # The archive has the campaign, so the next command brings it back.
        runs.add_campaigns(instance, archive_of(settings).campaigns())
        assert all(ran.success for ran in runs.run_campaigns(definitions, instance, ["fair", "fest"], assets=assets))
    funnel = report.funnel(warehouse_of(settings), ["fair", "fest"])
    assert [(row["campaign_id"], row["routed"]) for row in funnel] == [("fair", 2), ("fest", 2)]
    with opened_ledger(settings) as ledger:
        billed = ledger.billed()
    assert (billed["calls"], billed["uncertain_calls"]) == (sum(sandbox.billed(service) for service in sandbox.meter()), 0)


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_a_reason_and_the_next_completes_it(home: Path, sandbox: Handle) -> None:
    """A file-size limit stands for the full disk: no file of the process grows beyond it."""
    kill_nine.fill(home, 4)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEAD_ASSETS_")}
    environment |= {"LEAD_ASSETS_HOME": str(home), "LEAD_ASSETS_SANDBOX_URL": sandbox.url, "LEAD_ASSETS_RULES_DIR": str(home / "rules")}
    command = [str(Path(sys.executable).parent / "lead-assets"), "run", "--all", "--json"]

    def no_more_than(size: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False, cwd=home.parent,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)),
        )  # fmt: skip

    for size in (600_000, 1_200_000):
        full = no_more_than(size)
        assert full.returncode != 0, full.stdout[-500:]
        assert "Traceback" not in full.stderr, full.stderr[-3000:]
        assert "firm-" not in full.stderr
    said = kill_nine.verdict(home, sandbox, 4, kill_nine._finish(home, sandbox.url))
    assert said["ok"], said


def without_roots_powers() -> None:
    """Root may write everywhere by a capability; what is executed after this has it no more."""
    drop, may_write, may_read = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    for capability in (may_write, may_read):
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


@pytest.mark.slow
def test_a_read_only_home_is_said_and_can_be_read(settings: Settings, sandbox: Handle) -> None:
    home = settings.home
    leads(settings, "fair")
    lead_assets(home, "run", "--campaign", "fair", "--select", '+key:"routing/decisions"', "--json", sandbox_url=sandbox.url).answer()
    everything = [home, *home.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)

    def told(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "LEAD_ASSETS_HOME": str(home),
            "LEAD_ASSETS_SANDBOX_URL": sandbox.url,
            "HOME": str(home.parent),
            "PATH": os.environ["PATH"],
        }
        variables |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        line = [sys.executable, "-c", "from lead_assets.cli.app import main; main()", *arguments]
        return subprocess.run(
            line, env=variables, cwd=home.parent, capture_output=True, text=True, timeout=120, check=False, preexec_fn=without_roots_powers
        )  # fmt: skip

    try:
        refused, shown = told("run", "--all"), told("show", "routing.decisions", "--json")
    finally:
        for path in everything:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr, refused.stderr[-3000:]
    assert str(home) in refused.stderr, refused.stderr[-3000:]
    assert shown.returncode == 0, shown.stderr[-3000:]
    assert len(json.loads(shown.stdout)["rows"]) == 2


def test_the_clock_goes_back_an_hour_and_calls_do_not_wait_for_it(settings: Settings) -> None:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.model import Rate

    class Clock:
        now = datetime(2026, 11, 2, 12, tzinfo=UTC)

        def __call__(self) -> datetime:
            return self.now

    clock = Clock()
    settings.home.mkdir(parents=True)
    ledger = Ledger(settings.ledger_location, clock)
    rates = [Rate(10, 1.0), Rate(300, 60.0)]
    for _ in range(20):
        ledger.reserve_slots("hunter", rates, most=60)
    clock.now -= timedelta(hours=1)
    due = ledger.reserve_slots("hunter", rates, most=60)
    assert due is not None
    assert clock.now <= due <= clock.now + timedelta(seconds=61), "as if the window had been used up now"
    ledger.close()


def test_two_daemons_take_a_file_once_and_ask_for_the_same_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lead_assets.intake.landing.SETTLE_SECONDS", 0)
    folder = Path(settings.landing_location) / "fair"
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.ndjson").write_text(json.dumps({"email": f"p{number}@firm.example", "company": "Firm"}))
    with DagsterInstance.ephemeral() as instance:

        def tick(cursor: str | None) -> SensorResult:
            with build_sensor_context(instance, cursor=cursor) as context:
                found = automation.drop_sensor(context, settings=settings, archive=archive_of(settings))
            assert isinstance(found, SensorResult), found
            return found

        first, second = tick(None), tick(None)  # the other daemon had read the cursor before the first one kept its own
        keys = [[(request.run_key, request.partition_key) for request in each.run_requests or ()] for each in (first, second)]
        assert keys[0] == keys[1], "Dagster launches one run for one key"
        assert len(keys[0]) == 1
        with build_sensor_context(instance, cursor=first.cursor) as one, build_sensor_context(instance, cursor=second.cursor) as other:
            for context in (one, other):
                automation.drop_sensor(context, settings=settings, archive=archive_of(settings))
    archive = archive_of(settings)
    receipts = archive.read_receipts("fair", archive.receipt_names("fair")).values()
    assert sorted(receipt.records for receipt in receipts) == [1] * 5
    assert not list(folder.glob("*.ndjson"))


def test_what_a_killed_process_left_half_written_is_never_read(settings: Settings) -> None:
    """Writers write beside a file and rename. What stays of one that was killed is hidden, and no reader looks at it."""
    from lead_assets.contracts import Score
    from lead_assets_tests.rows import rows

    leads(settings, "fair")
    warehouse = warehouse_of(settings)
    frame = rows(Score, [{"campaign_id": "fair", "lead_id": "1"}])
    warehouse.write(Score, frame, ["fair"])
    (part,) = (Path(settings.warehouse_folder) / "scoring" / "scores").glob("campaign_id=fair/part.parquet")
    (part.parent / f".part.parquet.{os.getpid()}.0badf00d").write_bytes(part.read_bytes()[:20])
    (Path(settings.warehouse_folder) / ".warehouse.duckdb.1.0badf00d").write_bytes(b"half")
    archive = Path(settings.archive_location)
    (drop,) = [path for path in archive.rglob("*") if path.is_file() and path.read_bytes().startswith(b'{"email"')]
    drop.with_name(f".{drop.name}.{'0' * 32}.tmp").write_bytes(drop.read_bytes()[:10])
    assert warehouse.read(Score, ["fair"]).height == frame.height
    assert warehouse.query("SELECT COUNT(*) AS n FROM scoring.scores", [Score]).item() == frame.height
    assert archive_of(settings).campaigns() == ["fair"]
    warehouse.write(Score, frame, ["fair"])
    assert warehouse.read(Score, ["fair"]).height == frame.height


@pytest.mark.slow
def test_a_home_that_was_moved_goes_on_where_it_was(settings: Settings, sandbox: Handle, command: Command, tmp_path: Path) -> None:
    leads(settings, "fair")
    before = command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    metered = sandbox.meter()
    moved = tmp_path / "elsewhere" / "home"
    moved.parent.mkdir()
    settings.home.rename(moved)
    rows = command("sql", "SELECT COUNT(*) AS n FROM routing.decisions", "--json", at=moved).answer()["rows"]
    assert rows == [{"n": 2}]
    after = command("run", "--all", "--json", at=moved, sandbox_url=sandbox.url).answer()
    assert (after["tables"], after["billed"]["calls"]) == (before["tables"], 0)
    assert command("status", "--json", at=moved, sandbox_url=sandbox.url).answer()["out_of_date"] == 0
    assert sandbox.meter() == metered
    assert not settings.home.exists()


@pytest.mark.slow
def test_a_copy_taken_in_the_middle_of_a_run_is_restored_whole(home: Path, sandbox: Handle, tmp_path: Path) -> None:
    kill_nine.fill(home, 8)
    sandbox.set_fault("hunter", "latency", latency_ms=20_000)
    life = kill_nine.begin(home, sandbox.url)
    wait_for_a_request(sandbox, "hunter", 0)
    copy = tmp_path / "restored"
    for name in ("archive", "rules"):
        shutil.copytree(home / name, copy / name)
    with sqlite3.connect(home / "ledger.sqlite") as source, sqlite3.connect(copy / "ledger.sqlite") as target:
        source.backup(target)
    life.kill()
    life.wait()
    sandbox.clear_faults()
    said = kill_nine.verdict(copy, sandbox, 8, live(copy, sandbox))
    assert said["ok"], said
