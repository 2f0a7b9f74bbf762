"""Dagster's run history on this machine: its SQLite files, without a wait for the disk at every event. Named in the dagster.yaml of a home (`cli.runs`),
unless Dagster has lost what it is made of (see `dagster_internals`).

Dagster opens and closes a database for each event. Whoever closes one last has SQLite copy its log into it and wait for the disk three times, a thousand
times a run; that is as long as all the work of a small campaign. Here one more connection to each database stays open, so that nobody closes it last, and
commits are `synchronous=NORMAL`: a process that is killed loses nothing, a machine that loses its power may lose the last events, never the file
(https://www.sqlite.org/pragma.html#pragma_synchronous). What must not be lost is in the ledger, which waits for the disk.

Belongs here: how fast and how safely Dagster's own events are kept. Does not belong here: production's history, which is Postgres (deploy/dagster.yaml).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.engine import Engine

from lead_assets.kit import dagster_internals
from lead_assets.kit.notes import CONTENT

_internals = dagster_internals.load(dagster_internals.HISTORY)
_DagsterSqliteStorage: Any = _internals.DagsterSqliteStorage if _internals else object
_SqliteEventLogStorage: Any = _internals.SqliteEventLogStorage if _internals else object
_DATA_VERSION, _USER_PROVIDED = "dagster/data_version", "dagster/data_version_is_user_provided"

_MOST_OPEN = 32
"""Databases held open: the common ones and the runs of late; each run has its own."""


class LocalRunHistory(_DagsterSqliteStorage):
    """The files of Dagster's own SQLite storage, where it would put them; either can read what the other wrote."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        _hold_open_below(os.path.realpath(base_dir))
        super().__init__(base_dir, inst_data=inst_data)
        # Made by the class above; all it does is done by it, once the version is what it should be.
        self._event_log_storage.__class__ = _EventLog

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        made: Self = cls.from_local(inst_data=inst_data, **config_value)
        return made


class _EventLog(_SqliteEventLogStorage):
    """Dagster's own event log, in which a partition's data version is the hash of its content.

    A run over many partitions gives all of them one data version, which changes with the company they are made in: made again with others to the same rows, all
    that hangs on a partition would be out of date.
    """

    def store_event(self, event: Any) -> None:
        made = event.dagster_event.step_materialization_data.materialization if _is_materialization(event) else None
        if made is not None and CONTENT in made.metadata and isinstance(made.tags, dict):
            made.tags.update({_DATA_VERSION: made.metadata[CONTENT].value, _USER_PROVIDED: "true"})
        super().store_event(event)


def _is_materialization(event: Any) -> bool:
    return event.is_dagster_event and event.dagster_event.event_type_value == "ASSET_MATERIALIZATION"


_folders: set[str] = set()
_held: OrderedDict[str, sqlite3.Connection] = OrderedDict()
_lock = threading.Lock()


def _hold_open_below(folder: str) -> None:
    with _lock:
        if not _folders:
            # Dagster makes a new engine for each event, so that only the class of all engines can be listened to.
            event.listen(Engine, "connect", _connected)
        _folders.add(folder + os.sep)


def _connected(connection: Any, _: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    if not path.startswith(tuple(_folders)):
        return
    connection.execute("PRAGMA synchronous=NORMAL")
    with _lock:
        if path in _held:
            _held.move_to_end(path)
        elif (other := _second(path)) is not None:
            _held[path] = other
            if len(_held) > _MOST_OPEN:
                _held.popitem(last=False)[1].close()


def _second(path: str) -> sqlite3.Connection | None:
    """One more connection, which counts as open once it has read; None as long as the database has no log, which Dagster gives it after it has connected."""
    with contextlib.suppress(sqlite3.OperationalError):
        other = sqlite3.connect(path, check_same_thread=False)
        if other.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            other.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            return other
        other.close()
    return None
