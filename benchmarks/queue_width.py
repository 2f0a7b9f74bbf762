"""How many runs at once: from twelve campaigns in the landing folder to readable decisions, with 1, 2, 4 and 8 runs at a time.

    python -m benchmarks.queue_width [--campaigns 12] [--leads 20] [--latency 200] [--widths 1 2 4 8]

Dagster's daemon as in production: sensor, queue, run processes. Each of the sandbox's answers takes `--latency` milliseconds, as a vendor's does.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from dagster import RunsFilter

from benchmarks.dropped import daemon, wait
from lead_assets.cli import runs
from lead_assets.contracts import RoutingDecision
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.kit.outages import UNDER_WAY
from lead_assets.sandbox import start
from lead_assets.stores.opened import warehouse_of

_SHIPPED = "max_concurrent_runs: 4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=12)
    parser.add_argument("--leads", type=int, default=20)
    parser.add_argument("--latency", type=int, default=200)
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 2, 4, 8])
    asked = parser.parse_args()
    said = {}
    for width in asked.widths:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, start() as sandbox:
            for provider in ("pipe0", "apollo", "hunter", "anthropic"):
                sandbox.set_fault(provider, "latency", latency_ms=asked.latency)
            settings = Settings(home=Path(folder) / "home", sandbox_url=sandbox.url)
            said[width] = round(_seconds(settings, width, asked.campaigns, asked.leads), 1)
            print(f"{width} at once: {said[width]} s", flush=True)
    print(json.dumps({"benchmark": "queue_width", **vars(asked), "seconds": said}))


def _seconds(settings: Settings, width: int, campaigns: int, leads: int) -> float:
    instance_folder = settings.home / "dagster"
    instance_folder.mkdir(parents=True)
    text = project_file("dagster.yaml").read_text()
    assert _SHIPPED in text
    (instance_folder / "dagster.yaml").write_text(text.replace(_SHIPPED, f"max_concurrent_runs: {width}"))
    os.environ["DAGSTER_HOME"] = str(instance_folder)
    with runs.instance_of(settings) as instance, daemon(settings, "lead_assets.definitions"):

        def routed(*names: str) -> bool:
            return set(names) <= set(warehouse_of(settings).partitions(RoutingDecision)) and not instance.get_runs(
                RunsFilter(statuses=UNDER_WAY), limit=1
            )

        _drop(settings, "first", 1)
        wait(lambda: routed("first"))
        began = time.perf_counter()
        names = [f"campaign-{number}" for number in range(campaigns)]
        for name in names:
            _drop(settings, name, leads)
        wait(lambda: routed(*names), 600)
        return time.perf_counter() - began


def _drop(settings: Settings, campaign: str, leads: int) -> None:
    folder = Path(settings.landing_location) / campaign
    folder.mkdir(parents=True)
    people = [
        {"email": f"jane@{campaign}-{n}.example", "company": f"Firm {campaign} {n}", "full_name": "Jane Doe", "title": "VP Sales"}
        for n in range(leads)
    ]
    (folder / "leads.ndjson").write_text("".join(json.dumps(each) + "\n" for each in people))


if __name__ == "__main__":
    main()
