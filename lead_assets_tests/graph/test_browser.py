"""`lead-assets dev` as a user meets it: the UI in a real browser, and a file that is processed automatically."""

from __future__ import annotations

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
from pathlib import Path

import duckdb
import pytest

from lead_assets.sandbox import start

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--virtual-time-budget=20000"]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a running UI, and its home."""
    home = tmp_path_factory.mktemp("dev") / "home"
    with socket.socket() as free, socket.socket() as another:
        free.bind(("127.0.0.1", 0))
        another.bind(("127.0.0.1", 0))
        port, service_port = free.getsockname()[1], another.getsockname()[1]
    with start() as sandbox:
        environment = os.environ | {"LEAD_ASSETS_HOME": str(home), "LEAD_ASSETS_SANDBOX_URL": sandbox.url}
        command = [
            str(Path(sys.executable).parent / "lead-assets"),
            "dev",
            "--port",
            str(port),
            "--service-port",
            str(service_port),
            "--json",
        ]
        with (home.parent / "dev.log").open("wb") as log, (home.parent / "dev.json").open("wb") as said:
            process = subprocess.Popen(command, env=environment, cwd=home.parent, stdout=said, stderr=log, start_new_session=True)
        try:
            _wait_for(lambda: _answers(f"http://127.0.0.1:{port}/server_info"), 90)
            yield f"http://127.0.0.1:{port}", home
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def test_a_file_dropped_into_the_landing_folder_is_routed_without_a_click(ui: tuple[str, Path]) -> None:
    url, home = ui
    where = json.loads((home.parent / "dev.json").read_text())
    assert (where["ui"], where["home"]) == (url, str(home))
    _wait_for(lambda: _answers(f"{where['service']}/health"), 60)
    folder = Path(where["landing"]) / "black-friday"
    folder.mkdir(parents=True)
    lead = {"email": "pat@novel.example", "company": "Novel", "full_name": "Pat Doe", "title": "CFO", "country": "France"}
    (folder / "leads.ndjson").write_text(json.dumps(lead) + "\n")

    def routed() -> bool:
        try:
            with duckdb.connect(str(home / "warehouse" / "warehouse.duckdb"), read_only=True) as connection:
                return connection.execute("SELECT routed FROM marts.campaign_funnel").fetchall() == [(1,)]
        except duckdb.IOException:
            return False  # no run has written yet

    _wait_for(routed, 120)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: `apt-get install chromium`, then `make test`; CI does both")
def test_the_graph_shows_every_room_in_a_browser(ui: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = ui
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom", f"{url}/asset-groups"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    rooms = ["intake", "identity", "signals", "lookalike", "classification", "scoring", "routing", "delivery", "marts"]
    assert [room for room in rooms if f">{room}<" not in done.stdout] == []


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
