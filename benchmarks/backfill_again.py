"""A backfill of unchanged campaigns, compared with the same graph of assets that do nothing, in one process, one run after the other.

    python -m benchmarks.backfill_again [--campaigns 100] [--leads 100]

Prints one JSON object: seconds of the first run (buys from the sandbox), of the second (all kept), of the empty graph, of a run with the warehouse deleted, the
ratios to the empty graph, and the peak of memory; by the clock and in seconds of CPU, which other work on the machine moves less. The empty graph has the same
assets, checks, hooks, dependencies and partitions, and writes nothing; with --stock, it also runs on Dagster's own SQLite storage instead of a home's (see
`kit.run_history`). With --home, what was bought stays there and is not bought again; then one campaign is run first, for the imports.
"""

import argparse
import contextlib
import functools
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    DagsterInstance,
    Definitions,
    MaterializeResult,
    in_process_executor,
    multi_asset,
)

from lead_assets import automation
from lead_assets.cli import runs
from lead_assets.contracts import TABLES
from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.kit.checks import Check, evaluations
from lead_assets.sandbox import start
from lead_assets.stores.opened import archive_of

FLOORS = ("empty", "empty, stock")


def fill(settings: Settings, campaigns: int, leads: int) -> list[str]:
    """Campaigns of leads at a tenth as many companies, some of them shared."""
    names = [f"c{number:04}" for number in range(campaigns)]
    for number, name in enumerate(names):
        rows = [
            {
                "lead_id": f"{name}-{row}",
                "email": f"p{row}@company{(number * 7 + row) % (campaigns * leads // 10)}.example",
                "full_name": "Jane Doe",
            }
            | {"company": f"Company {row}", "title": "VP Sales", "country": "Germany", "notes": f"Please call about {row}"}
            for row in range(leads)
        ]
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        ingest(
            archive_of(settings),
            data,
            name=f"{name}.ndjson",
            received_at=datetime(2026, 11, 2, tzinfo=UTC),
            campaign=name,
            limits=DropLimits(1 << 20),
        )
    return names


def empty(real: AssetsDefinition) -> AssetsDefinition:
    """The same asset, that does nothing but say so."""
    specs = [
        AssetSpec(spec.key, deps=spec.deps, tags=spec.tags, partitions_def=spec.partitions_def, code_version="1") for spec in real.specs
    ]
    checks = [
        Check(TABLES[".".join(spec.asset_key.path)], spec.name, "", lambda step: {}, blocking=spec.blocking) for spec in real.check_specs
    ]

    @multi_asset(
        specs=specs, name=f"empty__{real.op.name}", check_specs=[check.spec for check in checks], backfill_policy=real.backfill_policy
    )
    def nothing(context: AssetExecutionContext) -> Iterator[Any]:
        for spec in specs:
            yield MaterializeResult(asset_key=spec.key, metadata={"rows": 0})
        for check in checks:
            yield from evaluations(context, check, {}, {})

    return nothing.with_hooks(real.hook_defs)


def emptied(settings: Settings) -> Definitions:
    graph = build_defs(settings)
    assets = [asset for asset in graph.assets or () if isinstance(asset, AssetsDefinition)]
    return Definitions(
        assets=[empty(asset) for asset in assets],
        asset_checks=graph.asset_checks,  # the jobs leave them out, by name
        jobs=[automation.pipeline_job, automation.home_job],
        resources=graph.resources,
        executor=in_process_executor,
    )


@contextlib.contextmanager
def stock_instance() -> Iterator[DagsterInstance]:
    """Dagster as it comes: its own SQLite storage, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        with DagsterInstance.from_config(folder) as instance:
            yield instance


def timed(definitions: Definitions, settings: Settings, names: list[str], *, buys: bool = True, stock: bool = False) -> tuple[float, float]:
    """Seconds by the clock, and of this process's CPU."""
    with stock_instance() if stock else runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, names)
        assets = runs.select_assets(definitions, None)
        began, before = time.perf_counter(), time.process_time()
        ran = runs.run_campaigns(definitions, instance, names, assets=assets, from_ledger=not buys)
        took = time.perf_counter() - began, time.process_time() - before
    failures = [failure for each in ran for failure in each.failures]
    assert all(each.success for each in ran), failures[:3]
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=100)
    parser.add_argument("--leads", type=int, default=100)
    parser.add_argument("--home", type=Path, help="keep the home here, and do not buy again if it is there")
    parser.add_argument("--only", choices=("again", "rebuilt"), help="leave out the other")
    parser.add_argument("--stock", action="store_true", help="run the empty graph on Dagster's own storage, too: six times as long")
    parser.add_argument(
        "--unbought", action="store_true", help="buy nothing: a run that keeps everything does not care, and the first is shorter"
    )
    options = parser.parse_args()
    run = functools.partial(timed, buys=not options.unbought)
    taken: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        settings = Settings(home=(options.home or Path(folder) / "home").resolve(), sandbox_url=sandbox.url)
        names = [f"c{number:04}" for number in range(options.campaigns)]
        if settings.home.exists():
            run(build_defs(settings), settings, names[:1])
        else:
            names = fill(settings, options.campaigns, options.leads)
            taken["first"] = run(build_defs(settings), settings, names)
        if options.only != "rebuilt":
            taken["again"] = run(build_defs(settings), settings, names)
        taken["empty"] = run(emptied(settings), settings, names)
        if options.stock:
            taken["empty, stock"] = run(emptied(settings), settings, names, stock=True)
        if options.only != "again":
            shutil.rmtree(settings.warehouse_folder)
            taken["rebuilt"] = run(build_defs(settings), settings, names)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shown: dict[str, Any] = {"campaigns": options.campaigns, "leads": options.leads, "peak_mb": round(peak)}
    for at, clock in enumerate(("seconds", "cpu_seconds")):
        pairs = [(name, floor) for name in ("again", "rebuilt") for floor in FLOORS if name in taken and floor in taken]
        ratios = {f"{name} / {floor}": taken[name][at] / taken[floor][at] for name, floor in pairs}
        shown[clock] = {name: round(value, 2) for name, value in ({name: each[at] for name, each in taken.items()} | ratios).items()}
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
