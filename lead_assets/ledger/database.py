"""How the ledger reaches its database: engine, transactions, migrations, and all that differs between SQLite and Postgres.

Belongs here: anything that must know which of the two it speaks to. Does not belong here: what is read or written (see the sibling modules).

Writers take turns: SQLite by BEGIN IMMEDIATE, Postgres by one advisory lock per transaction. So both behave alike, a check made inside a
transaction (budget, claim) still holds when it commits, and no deadlock exists. A transaction is a few milliseconds for a batch of wants.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from lead_assets.ledger.schema import HEAD, VERSION_TABLE

T = TypeVar("T")

_log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

_WRITERS = 0x1EAD_A55E
"""The advisory lock that Postgres writers take turns by: any number that no other program in the database uses."""
_SCHEMA = "lead_assets_ledger"
"""The ledger's schema on Postgres: it shares a database with Dagster's storage, whose tables have names of their own."""
_BUSY_SECONDS = 60
_RECONNECT_SECONDS = 90.0
"""How long a lost database is waited for: a managed Postgres is back from a restart or a failover within that."""


@dataclass
class Tx:
    """One open transaction. `now` is taken once the lock is held, so times grow in the order of commits."""

    connection: sa.Connection
    postgres: bool
    now: datetime
    again: bool = False
    """True if an earlier try of this transaction was cut off, so that nobody knows whether it was committed."""

    @property
    def now_us(self) -> int:
        return to_us(self.now)

    @property
    def day(self) -> str:
        return self.now.strftime("%Y-%m-%d")

    def execute(self, statement: Any, parameters: Any = None) -> sa.CursorResult[Any]:
        return self.connection.execute(statement, parameters)

    def rows(self, statement: Any) -> list[Any]:
        return list(self.connection.execute(statement).all())

    def raw_rows(self, statement: Any, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Rows as the driver gives them: for lookups of thousands, where SQLAlchemy's own rows cost as much as the database."""
        cursor: Any = self.connection.execute(statement, parameters).cursor
        fetched: list[tuple[Any, ...]] = cursor.fetchall()
        return fetched

    def among(self, column: sa.Column[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
        """`column` is one of the values: one bound parameter, however many there are."""
        listed = self.listed(values)
        return _among(column, sa.bindparam(None, listed, type_=_listed_type(column)) if self.postgres else listed, postgres=self.postgres)

    def listed(self, values: Iterable[Any]) -> Any:
        """The parameter `listed` of a statement with `one_of`."""
        listed = sorted(values)
        return listed if self.postgres else json.dumps(listed)

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that can say ON CONFLICT."""
        return insert_into(table, self.postgres)

    def add_up(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Add the rows' numbers to those of the same primary key; a new key begins at zero."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        # In one order everywhere, so that a reader of the statement log sees the same rows in the same place.
        ordered = sorted(rows, key=lambda row: [row[key] for key in keys])
        self.execute(_adding_up(table, self.postgres), ordered)


def insert_into(table: sa.Table, postgres: bool) -> Any:
    """An INSERT that can say ON CONFLICT."""
    return postgresql_insert(table) if postgres else sqlite_insert(table)


# Making a statement of SQLAlchemy takes longer than SQLite takes to run it: those of every purchase are made once.


@functools.cache
def _adding_up(table: sa.Table, postgres: bool) -> Any:
    statement = insert_into(table, postgres)
    keys = [column.name for column in table.primary_key]
    sums = {c.name: table.c[c.name] + statement.excluded[c.name] for c in table.columns if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=sums)


def one_of(column: sa.Column[Any], postgres: bool) -> sa.ColumnElement[bool]:
    """`Tx.among` for a statement that is made once: the values are its parameter `listed` (see `Tx.listed`)."""
    return _among(column, sa.bindparam("listed", type_=_listed_type(column) if postgres else None), postgres=postgres)


def _among(column: sa.Column[Any], listed: Any, *, postgres: bool) -> sa.ColumnElement[bool]:
    if postgres:
        return column == sa.any_(listed)
    return column.in_(sa.select(sa.func.json_each(listed).table_valued("value").c.value))


def _listed_type(column: sa.Column[Any]) -> Any:
    return ARRAY(column.type.as_generic())


class Database:
    """A ledger's database by URL. Opens (and migrates) on first use; safe to share between threads, and to inherit by fork."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.url = sa.make_url(url)
        if self.url.get_backend_name() not in ("sqlite", "postgresql"):
            raise ValueError(
                f"ledger: {self.url.get_backend_name()} is not supported: set LEAD_ASSETS_LEDGER_URL to sqlite:/// or postgresql://"
            )
        if self.url.get_backend_name() == "sqlite" and self.url.database in (None, "", ":memory:"):
            raise ValueError("ledger: an in-memory SQLite cannot be shared by processes: set LEAD_ASSETS_LEDGER_URL to sqlite:///<file>")
        self.postgres = self.url.get_backend_name() == "postgresql"
        if self.postgres:
            # Dagster's storage speaks psycopg 2 only, and shares this URL; the ledger is written for psycopg 3 and loads it whatever the URL says.
            self.url = self.url.set(drivername="postgresql+psycopg")
        self._clock = clock
        self._offset = timedelta(0)
        self._engine: sa.Engine | None = None
        self._pid = 0
        self._opening = threading.Lock()
        self._writing = threading.Lock()

    def now(self) -> datetime:
        """The ledger's time, UTC: on Postgres the server's, so that machines whose clocks differ agree on leases and rate windows."""
        return self._clock() if self._clock else datetime.now(UTC) + self._offset

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read-only transaction; again if the connection is lost."""
        return self._attempts(work, write=False)

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` alone among writers, all or nothing; again if the connection is lost (then with `tx.again`)."""
        return self._attempts(work, write=True)

    def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _attempts(self, work: Callable[[Tx], T], *, write: bool) -> T:
        give_up = time.monotonic() + _RECONNECT_SECONDS
        again = False
        pause = 0.1
        while True:
            try:
                if not write:
                    return self._once(work, write=False, again=again)
                # Threads of one process queue here: SQLite's own waiting is polling, and unfair between many.
                with self._writing:
                    return self._once(work, write=True, again=again)
            except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
                if not self._may_pass(error) or time.monotonic() > give_up:
                    raise
                if not again:
                    _log.warning("ledger: its database does not answer (%s); waiting for it", type(error.orig).__name__)
            again = True
            time.sleep(pause)
            pause = min(pause * 2, 3.0)

    def _once(self, work: Callable[[Tx], T], *, write: bool, again: bool) -> T:
        with self._opened().connect() as connection:
            if not self.postgres:
                connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
            elif write:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
            result = work(Tx(connection, self.postgres, self.now(), again))
            connection.commit()
            return result

    def _may_pass(self, error: sa.exc.DBAPIError) -> bool:
        if self.postgres:
            return True  # all of psycopg's OperationalErrors: refused, terminated, cancelled by a restart, out of connections
        return "locked" in str(error.orig) or "busy" in str(error.orig)

    def _opened(self) -> sa.Engine:
        if self._engine is None or self._pid != os.getpid():
            with self._opening:
                if self._engine is None or self._pid != os.getpid():
                    if self._engine is not None:
                        # The parent's connections: forget them without closing, they are still the parent's.
                        self._engine.dispose(close=False)
                        self._writing = threading.Lock()
                    engine = self._connect()
                    migrate(engine, postgres=self.postgres)
                    if self.postgres and self._clock is None:
                        self._offset = _server_offset(engine)
                    self._engine, self._pid = engine, os.getpid()
        return self._engine

    def _connect(self) -> sa.Engine:
        if self.postgres:
            engine = sa.create_engine(self.url, pool_size=4, max_overflow=28, pool_timeout=_BUSY_SECONDS, pool_pre_ping=True)
            sa.event.listen(engine, "connect", _prepare_postgres)
            return engine
        Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            self.url,
            pool_size=4,
            max_overflow=28,
            pool_timeout=_BUSY_SECONDS,
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine


def to_us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def day_of(us: int) -> str:
    """The day in UTC, e.g. "2026-11-20"."""
    return from_us(us).strftime("%Y-%m-%d")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def migrate(engine: sa.Engine, *, postgres: bool) -> None:
    """Bring the schema to `HEAD`. Any number of processes may call it on a fresh database at once: one migrates, the others wait and see."""
    if _version(engine) == HEAD:
        return
    from alembic import command
    from alembic.config import Config

    with engine.connect() as connection:
        if postgres:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        try:
            found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
        except sa.exc.DBAPIError:
            return None
    if found is not None and found > HEAD:
        raise RuntimeError(
            f"ledger: its schema is {found}, this release knows {HEAD}: a newer release has opened it. Install that release, or restore a backup"
        )
    return str(found) if found is not None else None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # We say BEGIN ourselves: the driver would begin late and deferred, and fail where it should wait.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Turning a fresh file to WAL does not wait for a lock, it fails.
    give_up = time.monotonic() + _BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except connection.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
    # FULL: a paid answer, once committed, survives the loss of power and not only kill -9. It costs one fsync a batch.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA mmap_size=17179869184")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.close()


def _prepare_postgres(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {_SCHEMA}")
        cursor.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def _server_offset(engine: sa.Engine) -> timedelta:
    with engine.connect() as connection:
        before = datetime.now(UTC)
        server = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        after = datetime.now(UTC)
    offset: timedelta = server - (before + (after - before) / 2)
    # Below the round trip it is noise; without it both clocks are one and the same.
    return offset if abs(offset) > (after - before) else timedelta(0)
