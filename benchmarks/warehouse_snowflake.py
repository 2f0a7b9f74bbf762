"""1,000,000 rows of scoring.scores in 100 partitions to a fake Snowflake and back: the project's own share of the time.

    python -m benchmarks.warehouse_snowflake [--rows 1000000] [--partitions 100] [--json]

The rows go as runs write them, 25 partitions at once, and come back the same way. Own time is all but what is spent in the connector's calls, which
wait for the server (fakesnow, in its own process on loopback). Goal: under 10 %.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.contracts import Score
from lead_assets.kit.partitions import backfill_policy
from lead_assets.stores.warehouse import snowflake_session
from lead_assets.stores.warehouse.base import digest
from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse
from lead_assets_tests.stores.fake import fake_account


def frame(keys: list[str], rows: int) -> pl.DataFrame:
    """Scores in the shape of the real ones, some 350 bytes a row."""
    parts = json.dumps(
        [{"rule": rule, "points": 7.5, "max_points": 20, "because": f"{rule} is as it should be"} for rule in ("industry", "headcount")]
    )
    return pl.concat(
        pl.DataFrame(
            {
                "campaign_id": [key] * rows,
                "lead_id": [f"ld_{index:016x}" for index in range(rows)],
                "score": [index % 1000 / 10 for index in range(rows)],
                "tier": ["warm", "cold"] * (rows // 2),
                "parts": [f'{parts[:-1]},{{"points":{index}}}]' for index in range(rows)],
                "ruleset": ["b2b-rules-1"] * rows,
                "reasons": [["+1.20 industry: industry is as it should be"]] * rows,
                "unknown_parts": [[]] * rows,
                "route_score": [0.5] * rows,
                "path": ["manual_review"] * rows,
            },
            schema=Score.polars_schema(),
        )
        for key in keys
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    at_once = backfill_policy.max_partitions_per_run or options.partitions
    keys = [f"campaign-{index:03}" for index in range(options.partitions)]
    groups = [keys[start : start + at_once] for start in range(0, len(keys), at_once)]
    frames = [frame(group, options.rows // options.partitions) for group in groups]

    with tempfile.TemporaryDirectory() as folder, fake_account(Path(folder)) as account, clocked() as in_connector:
        warehouse = SnowflakeWarehouse(account.settings(snowflake_network_timeout_seconds=600))
        warehouse.write(Score, Score.empty(), keys[:1])  # connector loaded, session open, table made

        def both(work: Callable[[], Any]) -> tuple[Any, float, float]:
            before, began = in_connector(), time.perf_counter()
            result = work()
            whole = time.perf_counter() - began
            return result, whole, whole - (in_connector() - before)

        def write() -> None:
            for group, rows in zip(groups, frames, strict=True):
                warehouse.write(Score, rows, group)

        _, write_seconds, write_own = both(write)
        read, read_seconds, read_own = both(lambda: [warehouse.read(Score, group) for group in groups])
        assert sum(each.height for each in read) == sum(each.height for each in frames)
        assert digest(read[0]) == digest(frames[0])
        warehouse.close()
    share = (write_own + read_own) / (write_seconds + read_seconds)
    answer = {
        "rows": sum(each.height for each in frames),
        "partitions": len(keys),
        "write_seconds": round(write_seconds, 2),
        "write_own_seconds": round(write_own, 2),
        "read_seconds": round(read_seconds, 2),
        "read_own_seconds": round(read_own, 2),
        "own_share": round(share, 4),
        "goal": 0.10,
    }
    print(
        json.dumps(answer)
        if options.json
        else f"{answer['rows']:,} rows in {len(keys)} partitions: written in {write_seconds:.1f} s ({write_own:.2f} s own), "
        f"read in {read_seconds:.1f} s ({read_own:.2f} s own): {share:.1%} own (goal: under 10 %)"
    )


@contextmanager
def clocked() -> Iterator[Callable[[], float]]:
    """Seconds spent so far in what a session does: logging in, statements, uploads, results."""
    spent = 0.0

    class Clocked(snowflake_session.Session):
        def __init__(self, *arguments: Any) -> None:
            _timed(super().__init__, *arguments)

        def execute(self, *arguments: Any) -> Any:
            return _timed(super().execute, *arguments)

        def fetch(self, *arguments: Any) -> Any:
            return _timed(super().fetch, *arguments)

        def upload(self, *arguments: Any) -> Any:
            return _timed(super().upload, *arguments)

    depth = 0

    def _timed(work: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal spent, depth
        began = time.perf_counter()
        depth += 1
        try:
            return work(*arguments)
        finally:
            depth -= 1
            if depth == 0:  # an upload executes, too
                spent += time.perf_counter() - began

    plain = snowflake_session.Session
    snowflake_session.Session = Clocked  # type: ignore[misc]
    try:
        yield lambda: spent
    finally:
        snowflake_session.Session = plain  # type: ignore[misc]


if __name__ == "__main__":
    main()
