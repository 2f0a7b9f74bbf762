"""The buyer's own pace: subjects/s bought in batches of 100 from a vendor without latency, and served when everything is in the ledger.

python benchmarks/ledger_purchase.py [--subjects 20000] [--database sqlite|postgres]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import timedelta

from benchmarks.ledger_overspend import database
from lead_assets.ledger import Ledger, Lifetimes, Reply, Want, purchase

LIFETIMES = Lifetimes(found=timedelta(days=90), not_found=timedelta(days=30))
BODY = {"industry": "Software", "region": "Bavaria", "employees": "51-200", "description": "makes software for makers of software " * 10}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=20_000)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    options = parser.parse_args()

    async def call(batch: Sequence[Want]) -> list[Reply]:
        return [Reply("found", body={"name": want.subject, **BODY}, cost_micros=10_000) for want in batch]

    def rate() -> float:
        started = time.perf_counter()
        wants = [Want("pipe0", "pipe0.overview", f"c{n}.example", 10_000, "spring", LIFETIMES) for n in range(options.subjects)]
        result = purchase(ledger, wants, call)
        assert result.subjects == options.subjects
        return options.subjects / (time.perf_counter() - started)

    with database(options.database) as url:
        ledger = Ledger(url).open()
        bought, served = rate(), rate()
        ledger.close()
    print(
        json.dumps(
            {
                "benchmark": "ledger_purchase",
                "database": options.database,
                "subjects": options.subjects,
                "bought_per_second": round(bought),
                "served_per_second": round(served),
                "ok": bought >= 1_500 and served >= 20_000,
            }
        )
    )


if __name__ == "__main__":
    main()
