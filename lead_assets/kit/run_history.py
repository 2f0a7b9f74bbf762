"""Dagster's local run history: its SQLite files, without waiting for the disk at every event. A home's dagster.yaml names it (`cli.runs`),
unless Dagster no longer has the parts it is built on (see `dagster_internals`).

Dagster creates a SQLAlchemy engine for each statement, and opens and closes the database with it. So SQLAlchemy compiles every statement again, and
the last one to close a database makes SQLite copy its log and wait for the disk three times, a thousand times per run. Here each database keeps its
engine and a connection, and commits are `synchronous=NORMAL`: a killed process loses nothing; a machine that loses power may lose the last
events, but never the file
(https://www.sqlite.org/pragma.html#pragma_synchronous). Whatever must not be lost is in the ledger, which does wait for the disk.

Belongs here: how fast and how safely Dagster's own events are stored. Does not belong here: production's history, which is in Postgres (see
`deployed_history`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Self

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DisconnectionError

from lead_assets.kit import dagster_internals
from lead_assets.kit.notes import CONTENT

_internals = dagster_internals.load(dagster_internals.HISTORY)
_DagsterSqliteStorage: Any = _internals.DagsterSqliteStorage if _internals else object
_SqliteEventLogStorage: Any = _internals.SqliteEventLogStorage if _internals else object
_SqliteRunStorage: Any = _internals.SqliteRunStorage if _internals else object
_SqliteScheduleStorage: Any = _internals.SqliteScheduleStorage if _internals else object
_DATA_VERSION, _USER_PROVIDED = "dagster/data_version", "dagster/data_version_is_user_provided"

_MOST_OPEN = 32
"""Databases kept open: the shared ones and those of recent runs; each run has its own."""
_BUSY_SECONDS = 30  # as Dagster waits for a writer: dagster._core.storage.sqlite


class LocalRunHistory(_DagsterSqliteStorage):
    """The files of Dagster's own SQLite storage, in the same place; each can read what the other wrote."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data=inst_data)
        # Created by the class above, which still does everything that these do not.
        self._event_log_storage.__class__ = _EventLog
        self._run_storage.__class__ = _Runs
        self._schedule_storage.__class__ = _Schedules

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        made: Self = cls.from_local(inst_data=inst_data, **config_value)
        return made


class _Runs(_SqliteRunStorage):
    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._conn_string).begin() as connection:
            yield connection


class _Schedules(_SqliteScheduleStorage):
    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._conn_string).begin() as connection:
            yield connection


class _EventLog(_SqliteEventLogStorage):
    """Dagster's own event log, with the content hash as each partition's data version.

    Dagster gives all partitions of a run one data version, which depends on the whole set: a partition made again with others, to the same rows, would get a
    new version, and everything downstream of it would be out of date.
    """

    def store_event(self, event: Any) -> None:
        super().store_event(with_content_version(event))

    def has_table(self, table_name: str) -> bool:
        """Dagster asks this before every access to partitions and assets. An existing table does not go away."""
        there = self.__dict__.setdefault("_tables", set())
        if table_name not in there and super().has_table(table_name):
            there.add(table_name)
        return table_name in there

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard) as connection:
                yield connection
            return
        with self._db_lock, _engine(self.conn_string_for_shard(shard)).begin() as connection:
            yield connection


def with_content_version(event: Any) -> Any:
    """The event; if it is a table's materialization, its data version is now the hash of its content."""
    made = event.dagster_event.step_materialization_data.materialization if _is_materialization(event) else None
    if made is not None and CONTENT in made.metadata and isinstance(made.tags, dict):
        made.tags.update({_DATA_VERSION: made.metadata[CONTENT].value, _USER_PROVIDED: "true"})
    return event


def _is_materialization(event: Any) -> bool:
    return event.is_dagster_event and event.dagster_event.event_type_value == "ASSET_MATERIALIZATION"


@lru_cache(_MOST_OPEN)
def _engine(database: str) -> Engine:
    engine = create_engine(database, connect_args={"timeout": _BUSY_SECONDS}, max_overflow=-1)
    path = engine.url.database
    assert path is not None

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, record: Any) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")
        record.info["file"] = os.stat(path).st_ino

    @event.listens_for(engine, "checkout")
    def checked_out(_: object, record: Any, __: object) -> None:
        try:
            replaced = os.stat(path).st_ino != record.info["file"]
        except FileNotFoundError:
            replaced = True
        if replaced:
            raise DisconnectionError("SQLAlchemy now opens the current file")

    return engine
