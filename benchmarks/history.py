"""How much smaller a history of a million events gets, and how long that takes.

    python -m benchmarks.history [--events 1000000]

A few real runs over 20 partitions; then their events are copied, each copy with a new id and an old date, as months of such runs would leave them.
"""

import argparse
import os
import sqlite3
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import AssetKey, DagsterInstance, Definitions, DynamicPartitionsDefinition, MaterializeResult, asset

from lead_assets.kit.history_retention import prune

campaigns = DynamicPartitionsDefinition(name="campaign")


@asset(partitions_def=campaigns)
def leads() -> MaterializeResult:
    return MaterializeResult(metadata={"rows": 100, "picture": "x" * 5_000})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        with DagsterInstance.from_config(str(home)) as instance:
            names = [f"c{number:02}" for number in range(20)]
            instance.add_dynamic_partitions("campaign", names)
            job = Definitions(assets=[leads]).resolve_implicit_global_asset_job_def()
            for name in names:
                job.execute_in_process(instance=instance, partition_key=name)
            index = home / "history" / "runs" / "index.db"
            _age(index, asked.events)
            for name in names:  # what the UI shows now
                job.execute_in_process(instance=instance, partition_key=name)
            status = instance.get_status_by_partition(AssetKey("leads"), names, campaigns)
            before, began = _size(home), time.perf_counter()
            pruned = prune(instance, datetime.now(UTC) - timedelta(days=90))
            seconds = time.perf_counter() - began
            assert instance.get_status_by_partition(AssetKey("leads"), names, campaigns) == status
        print(
            f"{pruned.events:,} events gone in {seconds:.1f} s; {before / 1e6:,.0f} MB → {_size(home) / 1e6:,.0f} MB ({_size(home) / before:.3f})"
        )


def _age(index: Path, events: int) -> None:
    with sqlite3.connect(index) as database:
        (there,) = database.execute("SELECT COUNT(*) FROM event_logs").fetchone()
        columns = "run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition"
        database.execute("UPDATE event_logs SET timestamp = '2026-01-01 00:00:00'")
        for _ in range(events // there):
            database.execute(f"INSERT INTO event_logs ({columns}) SELECT {columns} FROM event_logs LIMIT {there}")
    database.close()
    with sqlite3.connect(index.parents[1] / "runs.db") as database:
        database.execute("UPDATE runs SET update_timestamp = '2026-01-01 00:00:00', create_timestamp = '2026-01-01 00:00:00'")
    database.close()


def _size(folder: Path) -> int:
    return sum(os.stat(Path(root) / name).st_size for root, _, names in os.walk(folder) for name in names)


if __name__ == "__main__":
    main()
