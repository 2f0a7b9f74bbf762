"""`lead-assets dev` as a user meets it: the UI in a real browser, and a file that is processed automatically."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lead_assets.automation import of_campaigns
from lead_assets.core.settings import Settings
from lead_assets.definitions import defs
from lead_assets.intake.ingest import ingest
from lead_assets.sandbox import Handle, start
from lead_assets.stores.opened import archive_of

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--virtual-time-budget=20000"]


@dataclass
class Dev:
    """A running `lead-assets dev`."""

    url: str
    home: Path
    sandbox: Handle
    service_port: int
    process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        environment = os.environ | {"LEAD_ASSETS_HOME": str(self.home), "LEAD_ASSETS_SANDBOX_URL": self.sandbox.url}
        port = self.url.rpartition(":")[2]
        command = [
            str(Path(sys.executable).parent / "lead-assets"),
            "dev",
            "--port",
            port,
            "--service-port",
            str(self.service_port),
            "--json",
        ]
        with (self.home.parent / "dev.log").open("ab") as log, (self.home.parent / "dev.json").open("wb") as said:
            self.process = subprocess.Popen(command, env=environment, cwd=self.home.parent, stdout=said, stderr=log, start_new_session=True)
        _wait_for(lambda: _answers(f"{self.url}/server_info"), 90)

    def end(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)

    def drop(self, campaign: str, *people: str) -> None:
        where = json.loads((self.home.parent / "dev.json").read_text())
        folder = Path(where["landing"]) / campaign
        folder.mkdir(parents=True)
        leads = [
            {"email": f"{name}@novel.example", "company": "Novel", "full_name": f"{name} Doe", "title": "CFO", "country": "France"}
            for name in people
        ]
        (folder / "leads.ndjson").write_text("".join(json.dumps(lead) + "\n" for lead in leads))

    def routed(self, campaign: str) -> int:
        try:
            with duckdb.connect(str(self.home / "warehouse" / "warehouse.duckdb"), read_only=True) as connection:
                found = connection.execute("SELECT routed FROM marts.campaign_funnel WHERE campaign_id = ?", [campaign]).fetchone()
        except (duckdb.IOException, duckdb.CatalogException):
            return 0  # no run has written yet
        return found[0] if found else 0

    def asked(self, question: str) -> Any:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": question}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["data"]

    def runs(self, campaign: str) -> list[str]:
        """The statuses of the runs of a campaign's pipeline."""
        said = self.asked(
            '{ runsOrError(filter: {pipelineName: "lead_pipeline"}) { ... on Runs { results { status tags { key value } } } } }'
        )
        found = [(run["status"], {tag["key"]: tag["value"] for tag in run["tags"]}) for run in said["runsOrError"]["results"]]
        return [status for status, tags in found if tags.get("dagster/partition") == campaign]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with socket.socket() as free, socket.socket() as another:
        free.bind(("127.0.0.1", 0))
        another.bind(("127.0.0.1", 0))
        port, service_port = free.getsockname()[1], another.getsockname()[1]
    with start() as sandbox:
        running = Dev(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("dev") / "home", sandbox, service_port)
        running.begin()
        try:
            yield running
        finally:
            running.end()


def test_a_file_dropped_into_the_landing_folder_is_routed_without_a_click(dev: Dev) -> None:
    where = json.loads((dev.home.parent / "dev.json").read_text())
    assert (where["ui"], where["home"]) == (dev.url, str(dev.home))
    _wait_for(lambda: _answers(f"{where['service']}/health"), 60)
    dev.drop("black-friday", "Pat")
    _wait_for(lambda: dev.routed("black-friday") == 1, 120)


def test_the_code_location_is_reloaded_in_the_middle_of_a_run_and_the_run_goes_on(dev: Dev) -> None:
    before = len(dev.sandbox.requests("anthropic"))
    dev.sandbox.set_fault("anthropic", "latency", latency_ms=6_000)
    dev.drop("reloaded", "Ann")
    _wait_for(lambda: len(dev.sandbox.requests("anthropic")) > before, 120)
    dev.sandbox.clear_faults()
    assert dev.asked("mutation { reloadWorkspace { __typename } }")["reloadWorkspace"]["__typename"] == "Workspace"
    _wait_for(lambda: dev.routed("reloaded") == 1, 120)
    _wait_for(lambda: dev.runs("reloaded") == ["SUCCESS"], 60)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: `apt-get install chromium`, then `make test`; CI does both")
def test_the_graph_shows_every_room_in_a_browser(dev: Dev, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom", f"{dev.url}/asset-groups"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    rooms = ["intake", "identity", "signals", "lookalike", "classification", "scoring", "routing", "delivery", "marts"]
    assert [room for room in rooms if f">{room}<" not in done.stdout] == []


def test_a_campaign_that_fails_in_a_backfill_holds_back_no_other(dev: Dev) -> None:
    """Briefs read the accounts of all campaigns, so Dagster gives up all of them when one campaign has failed before."""
    archive = archive_of(Settings(home=dev.home))
    lost = ingest(archive, b'{"email": "zoe@novel.example"}\n', name="lost.ndjson", received_at=datetime.now(UTC), campaign="black-friday")
    next((dev.home / "archive" / "objects").rglob(f"{lost.sha256}*")).unlink()
    dev.drop("between", "Bo")
    _wait_for(lambda: dev.runs("between") == ["SUCCESS"], 120)
    dev.drop("behind", "Cy")
    _wait_for(lambda: dev.runs("behind") == ["SUCCESS"], 120)
    assets = ", ".join(f"{{path: {json.dumps(key.path)}}}" for key in sorted(of_campaigns.resolve(defs().resolve_asset_graph())))
    launched = dev.asked(
        f'mutation {{ launchPartitionBackfill(backfillParams: {{assetSelection: [{assets}], partitionNames: ["black-friday", "behind"]}}) '
        "{ ... on LaunchBackfillSuccess { backfillId } } }"
    )
    backfill = launched["launchPartitionBackfill"]["backfillId"]

    def of_backfill() -> list[tuple[str, str]]:
        said = dev.asked(
            f'{{ runsOrError(filter: {{tags: [{{key: "dagster/backfill", value: "{backfill}"}}]}}) '
            "{ ... on Runs { results { status tags { key value } } } } }"
        )
        runs = [(run["status"], {tag["key"]: tag["value"] for tag in run["tags"]}) for run in said["runsOrError"]["results"]]
        return sorted((tags.get("dagster/partition") or tags["dagster/asset_partition_range_start"], status) for status, tags in runs)

    _wait_for(lambda: of_backfill() == [("behind", "SUCCESS"), ("behind", "SUCCESS"), ("black-friday", "FAILURE")], 240)


def test_the_daemon_is_killed_in_the_middle_of_a_run_and_started_again(dev: Dev) -> None:
    """Last, because it ends what the others look at: with its daemon, `dev` ends, and the run with it."""
    before = len(dev.sandbox.requests("anthropic"))
    dev.sandbox.set_fault("anthropic", "latency", latency_ms=20_000)
    dev.drop("killed", "Kim", "Lou")
    _wait_for(lambda: len(dev.sandbox.requests("anthropic")) > before, 120)
    dev.sandbox.clear_faults()
    assert dev.process is not None
    (daemon,) = _daemons_of(dev.process.pid)
    os.kill(daemon, signal.SIGKILL)
    dev.process.wait(60)
    dev.begin()
    _wait_for(lambda: dev.routed("killed") == 2, 240)
    _wait_for(lambda: dev.runs("killed").count("SUCCESS") == 1, 120)  # the tables are readable before the run has ended
    assert dev.runs("killed").count("STARTED") == 0


def _daemons_of(session: int) -> list[int]:
    """The daemon of a `lead-assets dev`, which leads its session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ProcessLookupError):
            if b"dagster._daemon" in (folder / "cmdline").read_bytes() and os.getsid(int(folder.name)) == session:
                found.append(int(folder.name))
    return found


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _wait_for(condition: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s")
