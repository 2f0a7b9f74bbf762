"""How long 10,000 subjects take to look up in a ledger of millions of journaled calls (SQLite).

    python benchmarks/ledger_lookup.py [--calls 5000000] [--subjects 10000]

Rows are written directly by SQL, because buying five million answers batch by batch is not what is measured.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from lead_assets.ledger import Ledger, Lifetimes, Want
from lead_assets.ledger.journal import pack

BODY = {
    "name": "Company",
    "industry": "Software",
    "region": "Bavaria",
    "employees": "51-200",
    "description": "makes software for makers " * 20,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--subjects", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.sqlite"
        ledger = Ledger(f"sqlite:///{file}").open()
        fill(file, options.calls)
        random.seed(7)
        keys = [key_of(number) for number in random.sample(range(options.calls), options.subjects)]
        times, cpu = [], []
        for _ in range(5):
            started, used = time.perf_counter(), time.process_time()
            answers = ledger.answers(keys)
            times.append(time.perf_counter() - started)
            cpu.append(time.process_time() - used)
            assert len(answers) == options.subjects
            keys = [key_of(number) for number in random.sample(range(options.calls), options.subjects)]
        size = file.stat().st_size
        ledger.close()
    print(
        json.dumps(
            {
                "benchmark": "ledger_lookup",
                "calls": options.calls,
                "subjects": options.subjects,
                "first_seconds": round(times[0], 3),
                "median_seconds": round(sorted(times)[2], 3),
                "median_cpu_seconds": round(sorted(cpu)[2], 3),
                "megabytes": size >> 20,
                "limit_seconds": 0.5,
                "ok": max(times) < 0.5,
            }
        )
    )


def key_of(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def fill(file: Path, count: int) -> None:
    assert len(Want("p", "p.o", "s", 0, "c", _ANY).key) == len(key_of(1))
    body = pack(BODY)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA synchronous=OFF")
    rows = (
        (
            number,
            key_of(number),
            "found",
            None,
            "pipe0",
            "pipe0.overview",
            f"c{number}.example",
            "spring",
            10_000,
            0,
            None,
            0,
            0,
            80,
            number,
            body,
        )
        for number in range(1, count + 1)
    )
    connection.executemany(f"INSERT INTO calls VALUES ({','.join('?' * 16)})", rows)
    connection.execute(
        "INSERT INTO calls SELECT 0, ?, state, reason, provider, operation, subject, campaign_id, cost_micros, uncertain, "
        "vendor_ref, input_tokens, output_tokens, latency_ms, answered_at, body FROM calls WHERE id = 1",
        (key_of(0),),
    )
    connection.execute("INSERT INTO heads SELECT key, id, NULL FROM calls ORDER BY key")
    connection.commit()
    connection.close()


_ANY = Lifetimes(timedelta(days=90), timedelta(days=30))


if __name__ == "__main__":
    main()
