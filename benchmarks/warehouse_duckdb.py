"""The local warehouse: a 1,000-row partition written, and 2,000 partitions read into one frame.

    python -m benchmarks.warehouse_duckdb [--partitions 2000] [--json]

Goals: at most 3 ms a partition (median of all writes), under 1 s for the read (median of five).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.warehouse_snowflake import frame
from lead_assets.contracts import Score
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--partitions", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        warehouse = DuckDBWarehouse(Path(folder))
        warehouse.prepare()
        writes = []
        for index in range(options.partitions):
            rows = frame([f"campaign-{index:04}"], 1000)
            began = time.perf_counter()
            warehouse.write(Score, rows, [f"campaign-{index:04}"])
            writes.append(time.perf_counter() - began)
        reads = []
        for _ in range(5):
            began = time.perf_counter()
            read = warehouse.read(Score)
            reads.append(time.perf_counter() - began)
        assert read.height == 1000 * options.partitions
    write_ms, read_seconds = statistics.median(writes) * 1000, statistics.median(reads)
    answer = {"partitions": options.partitions, "write_ms": round(write_ms, 2), "read_seconds": round(read_seconds, 3)}
    print(
        json.dumps(answer)
        if options.json
        else f"1,000-row partition written in {write_ms:.2f} ms (goal: 3 ms); {options.partitions:,} partitions read into one frame "
        f"of {read.height:,} rows in {read_seconds:.2f} s (goal: under 1 s)"
    )


if __name__ == "__main__":
    main()
