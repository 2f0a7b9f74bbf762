"""How long Dagster's pages take to open with many campaigns: the asset graph, an asset, its partitions, in a real browser.

    python -m benchmarks.ui_pages [--campaigns 5000] [--rounds 3]

One campaign is run from the sandbox; the history then gets the same materializations for all others, as their runs would leave them. Needs chromium.
A page counts as open when what people come for is in its text: measured from the navigation, in a tab that has opened the UI before, so that its
scripts are in the browser's cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from lead_assets.cli import runs
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.sandbox import start
from lead_assets.stores.opened import archive_of

FIRST = "campaign-0000"
PAGES = {
    "asset graph": ("/asset-groups", ["intake", "routing", "marts"]),
    "an asset": ("/assets/identity/leads?view=overview", ["Latest materialization"]),
    "an asset's partitions": ("/assets/identity/leads?view=partitions", [FIRST, "Materialized"]),
}
"""Page → its path, and the words that are in its text when it is open."""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--window-size=1500,1000"]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, help="keep the home here, and use it if it is there")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home = asked.home or Path(folder) / "home"
        if not home.exists():
            fill(home, asked.campaigns)
        with _ui(home, Path(folder)) as url, _browser(Path(folder)) as tab:
            said = {name: _times(tab, url + path, words, asked.rounds) for name, (path, words) in PAGES.items()}
    print(json.dumps({"benchmark": "ui_pages", "campaigns": asked.campaigns, "seconds": said}))


def fill(home: Path, campaigns: int) -> None:
    """A home with one campaign, and the history of `campaigns`."""
    from lead_assets.definitions import build_defs

    with start() as sandbox:
        settings = Settings(home=home, sandbox_url=sandbox.url)
        lead = {"email": "jane@firm.example", "company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
        ingest(archive_of(settings), json.dumps(lead).encode(), name="d.ndjson", received_at=datetime.now(UTC), campaign=FIRST)
        definitions = build_defs(settings)
        with runs.instance_of(settings) as instance:
            names = [f"campaign-{number:04}" for number in range(campaigns)]
            runs.add_campaigns(instance, names)
            runs.run_campaigns(definitions, instance, [FIRST], assets=runs.select_assets(definitions, None))
    os.environ.pop("DAGSTER_HOME", None)
    (index,) = (home / "dagster").rglob("index.db")
    columns = ("run_id", "event", "dagster_event_type", "timestamp", "step_key", "asset_key", "partition")
    with sqlite3.connect(index) as database:
        events = database.execute(
            f"SELECT {', '.join(columns)} FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND partition = ?", (FIRST,)
        ).fetchall()
        for name in names[1:]:
            copies = [(run, event.replace(FIRST, name), kind, at, step, key, name) for run, event, kind, at, step, key, _ in events]
            database.executemany(f"INSERT INTO event_logs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", copies)
    database.close()


@contextmanager
def _ui(home: Path, folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "LEAD_ASSETS_HOME": str(home),
        "DAGSTER_HOME": f"{home}/dagster",
        "LEAD_ASSETS_SANDBOX_URL": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(project_file("workspace.yaml"))]
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _json(f"http://127.0.0.1:{port}/server_info")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


class Tab:
    """A browser's tab, over its debugging protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0

    def ask(self, method: str, **parameters: Any) -> Any:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=60))
            if said.get("id") == self._last:
                return said.get("result", {})

    def text(self) -> str:
        found = self.ask("Runtime.evaluate", expression="document.body ? document.body.innerText : ''", returnByValue=True)
        return str(found.get("result", {}).get("value", ""))


@contextmanager
def _browser(folder: Path) -> Iterator[Tab]:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not on the PATH: apt-get install chromium")
    profile = folder / "browser"
    process = subprocess.Popen(
        [chromium, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    try:
        said = profile / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not (said.exists() and said.read_text().strip()) and time.monotonic() < end:
            time.sleep(0.1)
        port = said.read_text().split()[0]
        (page,) = [each for each in _json(f"http://127.0.0.1:{port}/json") if each["type"] == "page"]
        with connect(page["webSocketDebuggerUrl"], max_size=None) as opened:
            yield Tab(opened)
    finally:
        process.terminate()
        process.wait(30)


def _times(tab: Tab, url: str, words: list[str], rounds: int) -> dict[str, float]:
    times = [_open(tab, url, words) for _ in range(rounds + 1)][1:]
    return {"median": round(statistics.median(times), 2), "slowest": round(max(times), 2)}


def _open(tab: Tab, url: str, words: list[str], patience: float = 120) -> float:
    tab.ask("Page.navigate", url="about:blank")
    began = time.perf_counter()
    tab.ask("Page.navigate", url=url)
    while not all(word in (text := tab.text()) for word in words):
        if time.perf_counter() - began > patience:
            raise SystemExit(f"{url}: {words} are not in its text:\n{text[:3000]}")
        time.sleep(0.05)
    return time.perf_counter() - began


def _json(url: str, seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:
                return json.load(reply)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    main()
