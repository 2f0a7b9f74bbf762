"""From a file in the landing folder to a readable decision, and the same with a graph of the same shape that does nothing.

    python -m benchmarks.dropped [--files 10]

Both with Dagster's daemon as in production: sensor, queue, run process. The next file is dropped once nothing runs any more, and then a share of five seconds
later that grows from file to file: the daemon looks at sensors every five seconds, and the end of a run follows its beat. Of the empty graph, the time
counts until `routing/decisions` is materialized.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import AssetKey, DagsterEventType, DagsterInstance, EventRecordsFilter, RunsFilter

from lead_assets.cli import runs
from lead_assets.contracts import RoutingDecision
from lead_assets.core.settings import Settings
from lead_assets.kit.outages import UNDER_WAY
from lead_assets.sandbox import start
from lead_assets.stores.opened import warehouse_of

_BEAT = 5.0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, start() as sandbox:
        said = {}
        for module in ("lead_assets.definitions", "benchmarks._emptied"):
            settings = Settings(home=Path(folder) / module, sandbox_url=sandbox.url)
            said[module] = _seconds(settings, module, asked.files)
    ours, empty = (statistics.median(times) for times in said.values())
    print(
        json.dumps(
            {
                "benchmark": "dropped",
                "ours_s": round(ours, 2),
                "empty_s": round(empty, 2),
                "ratio": round(ours / empty, 2),
                "files": asked.files,
            }
        )
    )


def _seconds(settings: Settings, module: str, files: int) -> list[float]:
    os.environ.pop("DAGSTER_HOME", None)
    with runs.instance_of(settings) as instance, daemon(settings, module):
        times = []
        for number in range(files + 1):
            time.sleep(_BEAT * number / (files + 1))
            times.append(_one(settings, instance, number, "emptied" in module))
    return times[1:]  # the first one waits for the daemon's start, too


@contextmanager
def daemon(settings: Settings, module: str) -> Iterator[None]:
    """Dagster's daemon for a code location, until the block ends, whatever ends it."""
    environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home), "LEAD_ASSETS_SANDBOX_URL": str(settings.sandbox_url)}
    with (settings.home / "daemon.log").open("wb") as log:
        command = [sys.executable, "-m", "dagster._daemon", "run", "-m", module]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _one(settings: Settings, instance: DagsterInstance, number: int, empty: bool) -> float:
    campaign = f"drop-{number}"
    folder = Path(settings.landing_location) / campaign
    folder.mkdir(parents=True, exist_ok=True)
    lead = {"email": f"jane@firm{number}.example", "company": f"Firm {number}", "full_name": "Jane Doe", "title": "VP Sales"}
    (folder / "lead.ndjson").write_text(json.dumps(lead) + "\n")
    began = time.perf_counter()
    made = EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION, AssetKey(["routing", "decisions"]), asset_partitions=[campaign])

    def routed() -> bool:
        if empty:
            return bool(instance.get_event_records(made, limit=1))
        return (
            campaign in warehouse_of(settings).partitions(RoutingDecision)
            and warehouse_of(settings).read(RoutingDecision, [campaign]).height > 0
        )

    wait(routed)
    took = time.perf_counter() - began
    wait(lambda: not instance.get_runs(RunsFilter(statuses=UNDER_WAY), limit=1))
    return took


def wait(until: Callable[[], bool], seconds: float = 180) -> None:
    """Return when it is so. Raises SystemExit, so that the daemon is ended."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds:.0f} s")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
