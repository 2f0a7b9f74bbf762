"""Takes the screenshots of README and docs from the demo, as this code makes it: `python docs/images/take.py` (needs `chromium` on the PATH, and
playwright for the explorer).

The demo runs in a temporary home and answers come from the sandbox, so the pictures contain made-up people only.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMMAND = str(Path(sys.executable).parent / "lead-assets")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars"]

PICTURES = {
    "graph.png": ("/asset-groups", (1700, 1150)),
    "asset.png": ("/assets/identity/leads", (1500, 1000)),
    "campaign.png": ("/assets/signals/company_overview?view=partitions&partition=inbound-fall-2026", (1500, 1000)),
}
"""File → page of Dagster's UI, width and height in pixels."""
EXPLORER = {
    "leads.png": ("/leads?sort=score", (1400, 900)),
    "columns.png": ("/leads?tier=hot&columns=owner,score,company,seniority,headcount,technologies&edit=columns", (1400, 900)),
    "selection.png": ("/leads", (1400, 1000)),
    "lead.png": ("/lead?campaign=lending-q4-2026&id=lq4-101", (1400, 1300)),
    "lead-phone.png": ("/lead?campaign=lending-q4-2026&id=lq4-101", (390, 844)),
    "dashboard.png": ("/dashboard", (1400, 1000)),
    "queues.png": ("/queues", (1400, 700)),
    "what-if.png": ("/what-if", (1400, 1200)),
    "lineage.png": ("/lineage?column=scoring.scores.tier", (1400, 900)),
    "enrich.png": ("/lead?campaign=fresh&id=F1", (1400, 900)),
}
"""File → page of the lead explorer, width and height in pixels. The lead explorer needs a key, so playwright signs in."""
_VIEWS = {
    "Hot": "tier=hot",
    "Nordics": "campaign=cmp_data_nordics&sort=score",
    "By owner": "tier=hot&columns=owner,score,company,seniority,headcount,technologies",
}
_FRESH = '{"lead_id": "F1", "email": "nia@kestrelworks.example", "full_name": "Nia Okoro", "company": "Kestrel Works", "title": "CFO"}\n'


def main() -> None:
    if shutil.which("chromium") is None:
        raise SystemExit("chromium is not on the PATH: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        environment = os.environ | {"LEAD_ASSETS_HOME": str(home)}
        subprocess.run([COMMAND, "demo"], env=environment, check=True, stdout=subprocess.DEVNULL)
        names = sys.argv[1:] or [*PICTURES, *EXPLORER]
        if of_dagster := [name for name in names if name in PICTURES]:
            with _ui(environment, Path(folder)) as url:
                for name in of_dagster:
                    page, (width, height) = PICTURES[name]
                    _take(url + page, width, height, HERE / name, Path(folder) / "browser")
                    print(HERE / name)
        if of_explorer := [name for name in names if name in EXPLORER]:
            _of_explorer(of_explorer, environment, Path(folder))


@contextmanager
def _ui(environment: dict[str, str], folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Without Dagster's daemon: a sensor's run in progress would be in the picture. Nothing is called, so the sandbox need not run.
    environment |= {"DAGSTER_HOME": f"{environment['LEAD_ASSETS_HOME']}/dagster", "LEAD_ASSETS_SANDBOX_URL": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(HERE.parents[1] / "workspace.yaml")]
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{port}/server_info")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _of_explorer(names: Sequence[str], environment: dict[str, str], folder: Path) -> None:
    """Takes pages of the explorer, in a home with one more lead of which nothing was bought yet."""
    from playwright.sync_api import sync_playwright

    def asked(*command: str) -> dict[str, Any]:
        answer = subprocess.run([COMMAND, *command, "--json"], env=environment, check=True, capture_output=True)
        said: dict[str, Any] = json.loads(answer.stdout)
        return said

    (folder / "fresh.ndjson").write_text(_FRESH)
    asked("ingest", str(folder / "fresh.ndjson"), "--campaign", "fresh")
    asked("run", "--campaign", "fresh", "--from-ledger")
    key = asked("keys", "create", "--name", "ana", "--scope", "admin")["key"]
    with subprocess.Popen([COMMAND, "serve", "--port", "0", "--json"], env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"] + "/explorer"
            with sync_playwright() as started:
                page = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"]).new_page()
                page.goto(url + "/sign-in")
                page.get_by_label("Key").fill(key)
                page.get_by_role("button", name="Sign in").click()
                for view, address in _VIEWS.items():
                    page.goto(f"{url}/leads?{address}")
                    page.get_by_text("Save as a view").click()
                    page.get_by_label("Name of the view").fill(view)
                    page.get_by_role("button", name="Save").click()
                for name in names:
                    address, (width, height) = EXPLORER[name]
                    page.set_viewport_size({"width": width, "height": height})
                    page.goto(url + address)
                    if name == "enrich.png":
                        page.get_by_role("link", name="Enrich").click()
                        page.wait_for_selector("#act button")
                    if name == "selection.png":
                        for box in range(4):
                            page.locator("tbody input[type=checkbox]").nth(box).check()
                        page.get_by_role("button", name="Enrich").click()
                        page.wait_for_selector("#act h2")
                    if name == "what-if.png":
                        rules = page.get_by_label("Routing rules (YAML)")
                        rules.fill(rules.input_value().replace("DACH: [DE, ", "DACH: [", 1))
                        page.get_by_role("button", name="Try it").click()
                        page.wait_for_selector("#outcome h2")
                        page.locator("#campaign").scroll_into_view_if_needed()
                    page.screenshot(path=HERE / name)
                    print(HERE / name)
        finally:
            server.terminate()


def _wait(url: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit(f"the UI did not answer within {seconds:.0f} s")


def _take(url: str, width: int, height: int, file: Path, profile: Path) -> None:
    size = [f"--window-size={width},{height}", "--virtual-time-budget=30000", f"--screenshot={file}"]
    subprocess.run(["chromium", *FLAGS, *size, f"--user-data-dir={profile}", url], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main()
