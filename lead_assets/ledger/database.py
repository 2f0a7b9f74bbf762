"""Access to the ledger's database: engine, transactions, migrations, and every difference between SQLite and Postgres.

Belongs here: anything that depends on which of the two it is. Does not belong here: what is read or written (see the sibling modules).

Writers take turns: SQLite through BEGIN IMMEDIATE, Postgres through one advisory lock per transaction. So both behave alike, a check made inside a
transaction (budget, claim) still holds when it commits, and deadlocks cannot occur. A transaction takes a few milliseconds for a batch of wants.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from lead_assets.ledger.model import NewerLedgerError
from lead_assets.ledger.schema import HEAD, VERSION_TABLE

T = TypeVar("T")

_log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

_WRITERS = 0x1EAD_A55E
"""The advisory lock that Postgres writers share: any number that no other program in the database uses."""
_SCHEMA = "lead_assets_ledger"
"""The ledger's schema on Postgres, which keeps it apart from Dagster's storage in the same database."""
_BUSY_SECONDS = 60
_RECONNECT_SECONDS = 90.0
"""How long to wait for a lost database: long enough for a managed Postgres to restart or fail over."""


@dataclass
class Tx:
    """One open transaction. `now` is read while holding the lock, so times increase in commit order."""

    connection: sa.Connection
    postgres: bool
    now: datetime
    again: bool = False
    """True if an earlier attempt at this transaction was cut off, so that nobody knows whether it committed."""

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
        """Raw rows from the driver, for lookups of thousands, where SQLAlchemy's row objects would cost as much as the database."""
        cursor: Any = self.connection.execute(statement, parameters).cursor
        fetched: list[tuple[Any, ...]] = cursor.fetchall()
        return fetched

    def columns(self, of: Sequence[sa.ColumnElement[Any]], *where: sa.ColumnElement[bool]) -> list[list[Any]]:
        """These columns (of texts and whole numbers) of all rows that meet the conditions, in any order, which is the same for all columns: for tables of tens
        of thousands. SQLite hands over a column as one JSON text in less than half the time that its rows take."""
        if self.postgres:
            rows = self.raw_rows(sa.select(*of).where(*where))
            return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in of]
        ((*texts,),) = self.raw_rows(sa.select(*(sa.func.json_group_array(each) for each in of)).where(*where))
        return [orjson.loads(text) for text in texts]

    def among(self, column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
        """Condition that `column` is one of the values, as one bound parameter however many there are."""
        listed = self.listed(values)
        return _among(column, sa.bindparam(None, listed, type_=_listed_type(column)) if self.postgres else listed, postgres=self.postgres)

    def listed(self, values: Iterable[Any]) -> Any:
        """The value of the parameter `listed` in a statement with `one_of`."""
        listed = sorted(values)
        return listed if self.postgres else json.dumps(listed)

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that can say ON CONFLICT."""
        return insert_into(table, self.postgres)

    def insert_all(self, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows, as fast as the driver can. Fails if one is there already: writers take turns, so look before."""
        if not rows:
            return
        names = ", ".join(columns)
        if self.postgres:
            cursor: Any = self.connection.connection.cursor()
            with cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            self.connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' for _ in columns)})", list(rows))

    def add_up(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Add the rows' numbers to the stored ones by primary key; a new key starts at zero."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        # Always in the same order, so that statement logs are easy to compare.
        ordered = sorted(rows, key=lambda row: [row[key] for key in keys])
        self.execute(_adding_up(table, self.postgres), ordered)


def insert_into(table: sa.Table, postgres: bool) -> Any:
    """An INSERT that can say ON CONFLICT."""
    return postgresql_insert(table) if postgres else sqlite_insert(table)


# Building a SQLAlchemy statement takes longer than running it in SQLite, so those used in every purchase are built once.


@functools.cache
def _adding_up(table: sa.Table, postgres: bool) -> Any:
    statement = insert_into(table, postgres)
    keys = [column.name for column in table.primary_key]
    sums = {c.name: table.c[c.name] + statement.excluded[c.name] for c in table.columns if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=sums)


def one_of(column: sa.ColumnElement[Any], postgres: bool) -> sa.ColumnElement[bool]:
    """`Tx.among` for a prebuilt statement: the values are its parameter `listed` (see `Tx.listed`)."""
    return _among(column, sa.bindparam("listed", type_=_listed_type(column) if postgres else None), postgres=postgres)


def _among(column: sa.ColumnElement[Any], listed: Any, *, postgres: bool) -> sa.ColumnElement[bool]:
    if postgres:
        return column == sa.any_(listed)
    return column.in_(sa.select(sa.func.json_each(listed).table_valued("value").c.value))


def _listed_type(column: sa.ColumnElement[Any]) -> Any:
    return ARRAY(column.type.as_generic())


class Database:
    """The ledger's database at a URL. Opens (and migrates) on first use; safe to share between threads and across forks."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.url = sa.make_url(url)
        if self.url.get_backend_name() not in ("sqlite", "postgresql"):
            raise ValueError(
                f"ledger: {self.url.get_backend_name()} is not supported: set LEAD_ASSETS_LEDGER_URL to sqlite:/// or postgresql://"
            )
        if self.url.get_backend_name() == "sqlite" and self.url.database in (None, "", ":memory:"):
            raise ValueError("ledger: processes cannot share an in-memory SQLite: set LEAD_ASSETS_LEDGER_URL to sqlite:///<file>")
        self.postgres = self.url.get_backend_name() == "postgresql"
        if self.postgres:
            # Dagster's storage shares this URL and needs psycopg 2; the ledger uses psycopg 3, whatever driver the URL names.
            self.url = self.url.set(drivername="postgresql+psycopg")
        self._clock = clock
        self._offset = timedelta(0)
        self._engine: sa.Engine | None = None
        self._pid = 0
        self._opening = threading.Lock()
        self._writing = threading.Lock()

    def now(self) -> datetime:
        """The ledger's time in UTC. On Postgres it is the server's, so that machines with different clocks agree on leases and rate windows."""
        return self._clock() if self._clock else datetime.now(UTC) + self._offset

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read-only transaction; retry if the connection is lost."""
        return self._attempts(work, write=False)

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` as the only writer, all or nothing; retry if the connection is lost (then with `tx.again`)."""
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
                # Threads of one process queue here, because SQLite waits by polling, which is unfair among many.
                with self._writing:
                    return self._once(work, write=True, again=again)
            except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
                if not self._may_pass(error) or time.monotonic() > give_up:
                    raise
                if not again:
                    _log.warning("ledger: the database does not answer (%s); waiting for it", type(error.orig).__name__)
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
                        # These are the parent's connections: forget them without closing, because the parent still uses them.
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
    # A float has room for each microsecond of some centuries, and is rounded to it.
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def day_of(us: int) -> str:
    """The UTC day, e.g. "2026-11-20"."""
    return from_us(us).strftime("%Y-%m-%d")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def migrate(engine: sa.Engine, *, postgres: bool) -> None:
    """Bring the schema to `HEAD`. Any number of processes may call this at once on a fresh database: one migrates, the others wait for it."""
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
        raise NewerLedgerError(
            f"ledger: its schema is {found} but this release knows {HEAD}: a newer release has opened it. Install that release, or restore a backup"
        )
    return str(found) if found is not None else None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Send BEGIN ourselves: the driver would begin late and deferred, and fail where it should wait.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Switching a fresh file to WAL does not wait for a lock but fails.
    give_up = time.monotonic() + _BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except connection.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
    # FULL: a committed paid answer survives power loss, not just kill -9. It costs one fsync per batch.
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
    # Differences below the round trip are noise; without one, both clocks are the same.
    return offset if abs(offset) > (after - before) else timedelta(0)
