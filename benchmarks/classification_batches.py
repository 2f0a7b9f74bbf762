"""10,000 leads through Message Batches, killed again and again (`kill -9`) at random moments: nothing is submitted twice, no lead is left out.

python -m benchmarks.classification_batches [--leads 10000] [--kills 8]

A child classifies the leads in batches of 2,000; the parent kills it after a random time, and starts it again until it has been killed often enough. Only
one restart is needed for each kill, as after a crash of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from lead_assets.classification.classify import classify
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.sandbox import start
from lead_assets_tests.classification.leads import enriched, noted

RULES = "batches: {poll_seconds: 0.2, max_requests: 2000, concurrency: 4}\n"
LOANS = ["Fix and flip", "Rental refinance, tenants in place", "Bridge loan for an auction", "Hello"]


def leads(count: int) -> pl.DataFrame:
    return noted(*(f"{LOANS[number % 4]}. Number {number}, we have done {number % 30} deals." for number in range(count)))


def child(home: str, url: str, count: int) -> None:
    settings = Settings(home=Path(home), sandbox_url=url, rules_dir=Path(home), _env_file=None)  # type: ignore[call-arg]
    asked = leads(count)
    result = classify(asked, enriched(asked), ledger=Ledger(settings.ledger_location), settings=settings, mode="batch")
    models = dict(result.classifications["model"].value_counts().iter_rows())
    print(json.dumps({"classified": result.classifications.height, "quarantined": result.quarantine.height, "models": models}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--child", nargs=2, metavar=("HOME", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.leads)
        return
    chance, began, killed, answer = random.Random(4), time.perf_counter(), 0, None
    with tempfile.TemporaryDirectory() as home, start() as sandbox:
        (Path(home) / "classification.yaml").write_text(RULES)
        # A batch takes its time, so that kills fall into all parts of its life: preparing, submitting, waiting, fetching, journaling.
        sandbox.set_fault("anthropic", "batch_delay", latency_ms=1500)
        while answer is None:
            command = [
                sys.executable,
                "-m",
                "benchmarks.classification_batches",
                "--leads",
                str(options.leads),
                "--child",
                home,
                sandbox.url,
            ]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                said, _ = process.communicate(timeout=chance.uniform(1.5, 6.0) if killed < options.kills else None)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                killed += 1
            else:
                if process.returncode:
                    raise SystemExit("the child failed")
                answer = json.loads(said)
        times = [count for operation in sandbox.subjects("anthropic").values() for count in operation.values()]
        meter = sandbox.meter()["anthropic"]
        ledger = Ledger(f"sqlite:///{home}/ledger.sqlite")
        billed = ledger.billed()
        ledger.close()
    twice = sum(count > 1 for count in times)
    print(
        json.dumps(
            {
                "benchmark": "classification_batches",
                "leads": options.leads,
                "killed": killed,
                "seconds": round(time.perf_counter() - began, 1),
                **answer,
                "batches": meter["batches"]["requests"],
                "submitted": sum(times),
                "submitted_twice": twice,
                "uncertain_calls": billed["uncertain_calls"],
                "usd": float(billed["usd"]),
                "ok": twice == 0
                and sum(times) == options.leads == answer["classified"] + answer["quarantined"]
                and "messages" not in meter,
            }
        )
    )


if __name__ == "__main__":
    main()
