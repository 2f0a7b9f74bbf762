"""Takes the screenshots of the README from the demo, as this code makes it: `python docs/images/take.py` (needs `chromium` on the PATH).

The demo runs in a temporary home and answers come from the sandbox, so the pictures contain made-up people only.
"""

from __future__ import annotations

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
COMMAND = str(Path(sys.executable).parent / "lead-assets")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars"]

PICTURES = {
    "graph.png": ("/asset-groups", (1700, 1150)),
    "asset.png": ("/assets/identity/leads", (1500, 1000)),
    "campaign.png": ("/assets/signals/company_overview?view=partitions&partition=inbound-fall-2026", (1500, 1000)),
}
"""File → page of Dagster's UI, width and height in pixels."""


def main() -> None:
    if shutil.which("chromium") is None:
        raise SystemExit("chromium is not on the PATH: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        environment = os.environ | {"LEAD_ASSETS_HOME": str(home)}
        subprocess.run([COMMAND, "demo"], env=environment, check=True, stdout=subprocess.DEVNULL)
        with _ui(environment, Path(folder)) as url:
            for name in sys.argv[1:] or PICTURES:
                page, (width, height) = PICTURES[name]
                _take(url + page, width, height, HERE / name, Path(folder) / "browser")
                print(HERE / name)


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
