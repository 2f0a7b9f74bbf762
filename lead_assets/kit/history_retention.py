"""Keeps Dagster's history small: what was superseded long ago goes, what the UI says now stays.

Of each asset and partition the latest event of each kind stays, with the run that it names; so do the latest verdict of each check and partition, and runs
that have not ended. The status of partitions, latest metadata and data versions are therefore as before. All other events, runs and logs older than the
given time go.

Belongs here: pruning Dagster's own tables, in SQLite and Postgres. Does not belong here: retention of the product's data (see rules/privacy.yaml), or of
ticks, which Dagster prunes itself (`retention` in dagster.yaml).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_AT_ONCE = 1_000

# "Latest" is by id, as Dagster itself decides it.
_SUPERSEDED = """
    CREATE TEMPORARY TABLE superseded AS
    SELECT id FROM event_logs
    WHERE timestamp < :before AND asset_key IS NOT NULL AND dagster_event_type NOT LIKE 'ASSET_CHECK%'
    AND id NOT IN (
        SELECT MAX(id) FROM event_logs WHERE asset_key IS NOT NULL GROUP BY asset_key, partition, dagster_event_type
    )
"""
_OLD_VERDICTS = """
    DELETE FROM asset_check_executions
    WHERE create_timestamp < :before AND id NOT IN (SELECT MAX(id) FROM asset_check_executions GROUP BY asset_key, check_name, partition)
"""
_OLD_CHECK_EVENTS = """
    DELETE FROM event_logs
    WHERE timestamp < :before AND dagster_event_type LIKE 'ASSET_CHECK%'
    AND id NOT IN (SELECT evaluation_event_storage_id FROM asset_check_executions WHERE evaluation_event_storage_id IS NOT NULL)
"""
_OTHER_EVENTS = """
    DELETE FROM event_logs
    WHERE timestamp < :before AND asset_key IS NULL AND (dagster_event_type IS NULL OR dagster_event_type NOT LIKE 'ASSET_CHECK%')
    AND run_id IN (SELECT run_id FROM ended)
"""


@dataclass(frozen=True)
class Pruned:
    """What is gone."""

    events: int
    runs: int
    verdicts: int


def prune(instance: DagsterInstance, before: datetime) -> Pruned:
    """Remove what is older than `before` and nothing needs any more. Safe while runs are in progress; run again after an interruption."""
    log: Any = instance.event_log_storage
    ended = [record.dagster_run.run_id for record in _ended_runs(instance, before)]
    naive = before.replace(tzinfo=None)  # Dagster's timestamps are UTC without a zone
    with log.index_connection() as connection:
        events = _prune_events(connection, ended, naive)
        verdicts = connection.execute(sa.text(_OLD_VERDICTS), {"before": naive}).rowcount
        events += connection.execute(sa.text(_OLD_CHECK_EVENTS), {"before": naive}).rowcount
        named = {run_id for (run_id,) in connection.execute(sa.text("SELECT DISTINCT run_id FROM event_logs WHERE asset_key IS NOT NULL"))}
        named |= {run_id for (run_id,) in connection.execute(sa.text("SELECT DISTINCT run_id FROM asset_check_executions"))}
    gone = [run_id for run_id in ended if run_id not in named]
    _prune_shards(log, ended)
    for run_id in gone:
        instance.run_storage.delete_run(run_id)
    for run_id in ended:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    _shrink(instance)
    return Pruned(events, len(gone), verdicts)


def _ended_runs(instance: DagsterInstance, before: datetime) -> Iterator[Any]:
    """Ended runs that were last updated before the time."""
    cursor: str | None = None
    while records := instance.get_run_records(RunsFilter(statuses=_ENDED, updated_before=before), limit=_AT_ONCE, cursor=cursor):
        yield from records
        cursor = records[-1].dagster_run.run_id


def _prune_events(connection: Any, ended: Sequence[str], before: datetime) -> int:
    run = connection.execute
    run(sa.text("DROP TABLE IF EXISTS ended"))
    run(sa.text("DROP TABLE IF EXISTS superseded"))
    run(sa.text("CREATE TEMPORARY TABLE ended (run_id VARCHAR(255) PRIMARY KEY)"))
    if ended:
        run(sa.text("INSERT INTO ended VALUES (:run_id)"), [{"run_id": run_id} for run_id in ended])
    run(sa.text(_SUPERSEDED), {"before": before})
    run(sa.text("DELETE FROM asset_event_tags WHERE event_id IN (SELECT id FROM superseded)"))
    events = run(sa.text("DELETE FROM event_logs WHERE id IN (SELECT id FROM superseded)")).rowcount
    events += run(sa.text(_OTHER_EVENTS), {"before": before}).rowcount
    run(sa.text("DROP TABLE superseded"))
    run(sa.text("DROP TABLE ended"))
    return int(events)


def _prune_shards(log: Any, ended: Sequence[str]) -> None:
    """SQLite has a file per run, with all of its events; those of assets are in the index, too. Postgres has one table."""
    if not hasattr(log, "path_for_shard"):
        return
    for run_id in ended:
        path = Path(log.path_for_shard(run_id))
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _shrink(instance: DagsterInstance) -> None:
    """Give the space back to the disk. Postgres reuses it by itself."""
    log: Any = instance.event_log_storage
    if not hasattr(log, "path_for_shard"):
        return
    for opened in (log.index_connection, instance.run_storage.connect):  # type: ignore[attr-defined]
        with _alone(opened) as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _alone(opened: Any) -> Iterator[Any]:
    """A connection outside a transaction, which VACUUM demands."""
    with opened() as connection:
        url = connection.engine.url
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"timeout": 30})
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
