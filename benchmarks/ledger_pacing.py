"""Pacing: two processes share a limit of R requests/s at 300 ms latency. Throughput must reach 0.95 R, and no window may hold more than R.

    python benchmarks/ledger_pacing.py [--rate 50] [--seconds 10] [--database sqlite|postgres]

The made-up vendor runs in the same process, so its log of request times is exact; the sandbox's meter checks the same over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta

from benchmarks.ledger_overspend import database
from lead_assets.ledger import Ledger, Lifetimes, Rate, Reply, Want, purchase

LATENCY = 0.3
PROCESSES = 2
LIFETIMES = Lifetimes(found=timedelta(days=90), not_found=timedelta(days=30))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--worker", nargs=2, metavar=("URL", "NUMBER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    requests = options.rate * options.seconds // PROCESSES
    if options.worker:
        work(options.worker[0], int(options.worker[1]), options.rate, requests)
        return
    with database(options.database) as url:
        Ledger(url).open().close()
        command = [
            sys.executable,
            "-m",
            "benchmarks.ledger_pacing",
            "--rate",
            str(options.rate),
            "--seconds",
            str(options.seconds),
            "--worker",
        ]
        workers = [subprocess.Popen([*command, url, str(number)], stdout=subprocess.PIPE, text=True) for number in range(PROCESSES)]
        sent = sorted(moment for worker in workers for moment in json.loads(worker.communicate()[0]))
    most = max(bisect_left(sent, begin + 1.0) - index for index, begin in enumerate(sent))
    # From the first request to the last there are n - 1 steps; both processes must be up before it counts.
    both = sent[len(sent) // 10 : -len(sent) // 10]
    throughput = (len(both) - 1) / (both[-1] - both[0])
    print(
        json.dumps(
            {
                "benchmark": "ledger_pacing",
                "database": options.database,
                "limit_per_second": options.rate,
                "requests": len(sent),
                "throughput": round(throughput, 2),
                "share_of_limit": round(throughput / options.rate, 3),
                "most_in_any_second": most,
                "ok": throughput >= 0.95 * options.rate and most <= options.rate,
            }
        )
    )


def work(url: str, number: int, rate: int, requests: int) -> None:
    sent: list[float] = []

    async def call(batch: Sequence[Want]) -> list[Reply]:
        sent.append(time.time())
        await asyncio.sleep(LATENCY)
        return [Reply("found", body={}) for _ in batch]

    wants = [Want("pipe0", "pipe0.overview", f"{number}-{n}", 0, "spring", LIFETIMES) for n in range(requests)]
    # As many requests at once as latency × rate needs, and half as many again.
    concurrency = int(LATENCY * rate * 1.5) + 2
    purchase(Ledger(url), wants, call, batch_size=1, concurrency=concurrency, rates=[Rate(rate, 1.0)])
    print(json.dumps(sent))


if __name__ == "__main__":
    main()
