"""The production warehouse: one Snowflake table per contract; a partition is replaced in one transaction.

To replace: PUT a Parquet file on the session's stage, BEGIN, DELETE the partitions, COPY the file, record the partitions as written, COMMIT.
COPY selects each column by name and parses JSON on the way: MATCH_BY_COLUMN_NAME would store a JSON document as one string in a VARIANT.

Why not dagster-snowflake-polars: it skips empty frames, so an emptied partition would keep its old rows, and an empty read turns columns into text.

Does not belong here: DDL (see `snowflake_ddl`), connections and failures (see `snowflake_session`).
"""

from __future__ import annotations

import io
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from lead_assets.contracts import TABLES, WHOLE_HOME, ColumnSpec, Grain, Table
from lead_assets.core.settings import Settings
from lead_assets.stores.warehouse import snowflake_ddl as ddl
from lead_assets.stores.warehouse.base import Noting, PartitionMissing, conform, digests, partition_key, partitions_of_query, split
from lead_assets.stores.warehouse.snowflake_ddl import identifier, qualified
from lead_assets.stores.warehouse.snowflake_session import Session, Sessions, begin_again

# Snowflake takes at most 16,384 expressions in a list.
_KEYS_A_STATEMENT = 10_000


class SnowflakeWarehouse:
    """Implements `base.Warehouse`; see the module docstring."""

    def __init__(self, settings: Settings, *, retry_wait: float = 2.0) -> None:
        self.database = settings.snowflake_database
        self._account = settings.snowflake_account
        self._sessions = Sessions(settings, retry_wait=retry_wait)
        self._lock = threading.Lock()
        self._generations: dict[str, str] = {}  # tables known to match their contracts
        self._written: dict[str, set[str]] = {}  # partitions known to exist

    @property
    def location(self) -> str:
        return f"Snowflake, account {self._account}, database {self.database.upper()}"

    def place_of(self, contract: type[Table]) -> tuple[str, str, str]:
        schema, table = contract.table.upper().split(".")
        database = self.database.upper()
        return "snowflake", f"{database}.{schema}.{table}", f"snowflake://{self._account}/{database}/{schema}/{table}"

    def prepare(self) -> None:
        self._sessions.run("preparing the tables", lambda session: self._ensure(session, list(TABLES.values())))

    def close(self) -> None:
        self._sessions.close()

    def write(self, contract: type[Table], frame: pl.DataFrame, partitions: Sequence[str], noting: Noting | None = None) -> None:
        frame = conform(contract, frame, partitions)
        keys = list(dict.fromkeys(partitions))
        if not keys:
            return
        notes = dict.fromkeys(keys, "")
        if noting is not None:
            by_key = split(contract, frame)
            rows = {key: by_key.get(key, contract.empty()) for key in keys}
            notes = {key: noting(key, content, rows[key].height) for key, content in digests(rows).items()}
        file = _parquet(contract, frame) if frame.height else None
        self._sessions.run(f"writing {contract.table}", lambda session: self._replace(session, contract, notes, file, frame.height))
        with self._lock:
            self._written.setdefault(contract.table, set()).update(keys)

    def read(self, contract: type[Table], partitions: Sequence[str] | None = None) -> pl.DataFrame:
        return self._sessions.run(f"reading {contract.table}", lambda session: self._read(session, contract, partitions))

    def query(
        self, sql: str, reads: Sequence[type[Table]], partitions: Sequence[str] | None = None, grain: Grain = "campaign"
    ) -> pl.DataFrame:
        """Marts use SQL that DuckDB and Snowflake share; sqlglot translates the rest and restricts each table to the partitions.

        As in DuckDB, JSON columns are text here.
        """

        def work(session: Session) -> pl.DataFrame:
            self._ensure(session, reads)
            seen = {contract: partitions_of_query(contract, partitions, grain) for contract in reads}
            for contract, keys in seen.items():
                self._require(session, contract, keys or ())
            binds = [key for contract, keys in seen.items() if keys is not None for key in _binds(contract, keys)]
            statement = restricted(sql, self.database, {contract: _wanted(contract, keys) for contract, keys in seen.items()})
            types = {column.name: _dtype(column) for column in session.describe(statement, binds)}
            columns = ", ".join(_selecting(name, dtype) for name, dtype in types.items())
            table = session.fetch(f"SELECT {columns} FROM ({statement})", binds)
            return _typed(table, types).rename(str.lower)

        return self._sessions.run("querying " + ", ".join(contract.table for contract in reads), work)

    def partitions(self, contract: type[Table]) -> list[str]:
        return self._sessions.run(f"listing {contract.table}", lambda session: sorted(self._noted(session, contract)))

    def ask(self, sql: str, binds: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of any statement in the warehouse's database, for maintenance commands. The statement must be safe to run twice."""
        return self._sessions.run("a query", lambda session: session.execute(sql, binds))

    def notes(self, contract: type[Table], partitions: Sequence[str]) -> dict[str, str]:
        wanted = list(dict.fromkeys(partitions))

        def work(session: Session) -> dict[str, str]:
            self._ensure(session, [contract])
            found: dict[str, str] = {}
            for some in _batches(wanted):
                rows = session.execute(
                    f"SELECT PARTITION_KEY, NOTE FROM {self._notes()} WHERE TABLE_NAME = ? AND GENERATION = ? "
                    f"AND PARTITION_KEY IN ({', '.join('?' * len(some))}) ORDER BY NOTED_AT",
                    [contract.table, self._generations[contract.table], *some],
                )
                found |= dict(rows)  # the latest note of a partition comes last
            return {key: note for key, note in found.items() if note}

        return self._sessions.run(f"reading the notes of {contract.table}", work) if wanted else {}

    def renote(self, contract: type[Table], notes: Mapping[str, str]) -> None:
        def work(session: Session) -> None:
            self._ensure(session, [contract])
            self._write_notes(session, contract, notes)

        if notes:
            self._sessions.run(f"noting {contract.table}", work)

    def _replace(self, session: Session, contract: type[Table], notes: Mapping[str, str], file: io.BytesIO | None, rows: int) -> None:
        keys = list(notes)
        self._ensure(session, [contract])
        table = ddl.table_of(self.database, contract)
        source = session.upload(file) if file is not None else None
        new = [key for key in keys if key not in self._known(session, contract)]
        with session.transaction():
            for some in _batches(keys):
                session.execute(f"DELETE FROM {table} WHERE {_among(contract, some)}", _binds(contract, some))
            if source is not None:
                loaded = session.execute(_copy(table, contract, source))
                count = sum(int(row[3]) for row in loaded if len(row) > 3)
                if count != rows:
                    raise begin_again(f"COPY loaded {count} of {rows} rows")
            self._note(session, contract, new)
            self._write_notes(session, contract, notes)
        self._count_again(session, contract, keys, rows)

    def _count_again(self, session: Session, contract: type[Table], keys: list[str], rows: int) -> None:
        """Two runs that write the same new partition at once both find nothing to delete: the one that then sees the other's rows writes again."""
        table = ddl.table_of(self.database, contract)
        count = sum(
            session.execute(f"SELECT COUNT(*) FROM {table} WHERE {_among(contract, some)}", _binds(contract, some))[0][0]
            for some in _batches(keys)
        )
        if count != rows:
            raise begin_again("another run wrote the same partitions at the same time")

    def _read(self, session: Session, contract: type[Table], partitions: Sequence[str] | None) -> pl.DataFrame:
        if partitions is None:
            keys = sorted(self._noted(session, contract))
        else:
            keys = list(dict.fromkeys(partitions))
            self._require(session, contract, keys)
        if not keys:
            return contract.empty()
        columns = ", ".join(_reading(column) for column in contract.columns())
        types = {column.name.upper(): pl.String() if isinstance(column.dtype, pl.List) else column.dtype for column in contract.columns()}
        select = f"SELECT {columns} FROM {ddl.table_of(self.database, contract)}"
        wanted: list[tuple[str, list[str]]] = [(select, [])]
        if partitions is not None:
            wanted = [(f"{select} WHERE {_among(contract, some)}", _binds(contract, some)) for some in _batches(keys)]
        frames = [_conformed(contract, _typed(session.fetch(statement, binds), types)) for statement, binds in wanted]
        return _in_order(pl.concat(frames), contract, keys)

    def _require(self, session: Session, contract: type[Table], keys: Sequence[str]) -> None:
        for key in keys:
            if key not in self._known(session, contract) and key not in self._noted(session, contract):
                asset = contract.table.replace(".", "/")
                raise PartitionMissing(f"{contract.table} has no partition {key!r} yet: materialize {asset} for it first")

    def _known(self, session: Session, contract: type[Table]) -> set[str]:
        """The partitions that this process knows to exist. Partitions are never removed, so this stays true."""
        return self._written[contract.table] if contract.table in self._written else self._noted(session, contract)

    def _noted(self, session: Session, contract: type[Table]) -> set[str]:
        self._ensure(session, [contract])
        rows = session.execute(
            f"SELECT DISTINCT PARTITION_KEY FROM {self._register()} WHERE TABLE_NAME = ? AND GENERATION = ?",
            [contract.table, self._generations[contract.table]],
        )
        # A table that became home-wide still has the notes of its earlier partitions.
        keys = {key for (key,) in rows} & ({WHOLE_HOME} if contract.grain == "home" else {key for (key,) in rows})
        with self._lock:
            self._written.setdefault(contract.table, set()).update(keys)
        return keys

    def _note(self, session: Session, contract: type[Table], keys: Sequence[str]) -> None:
        for some in _batches(keys):
            values = ", ".join("(?, ?, ?)" for _ in some)
            binds = [value for key in some for value in (contract.table, self._generations[contract.table], key)]
            # Insert only: a MERGE would lock the one table that every write of every run touches.
            session.execute(f"INSERT INTO {self._register()} (TABLE_NAME, GENERATION, PARTITION_KEY) VALUES {values}", binds)

    def _write_notes(self, session: Session, contract: type[Table], notes: Mapping[str, str]) -> None:
        """Insert only, like the register: the latest row counts."""
        for some in _batches(list(notes)):
            values = ", ".join("(?, ?, ?, ?, ?)" for _ in some)
            generation, now = self._generations[contract.table], time.time_ns()
            binds = [value for key in some for value in (contract.table, generation, key, notes[key], now)]
            session.execute(f"INSERT INTO {self._notes()} (TABLE_NAME, GENERATION, PARTITION_KEY, NOTE, NOTED_AT) VALUES {values}", binds)

    def _notes(self) -> str:
        return qualified(self.database, ddl.META_SCHEMA, ddl.NOTES_TABLE)

    def _register(self) -> str:
        return qualified(self.database, ddl.META_SCHEMA, ddl.PARTITIONS_TABLE)

    def _ensure(self, session: Session, contracts: Sequence[type[Table]]) -> None:
        """Bring the tables in line with their contracts. Raises MigrationRefused if that would lose anything."""
        if all(contract.table in self._generations for contract in contracts):
            return
        marks = self._marks(session)
        # Check each matching table only once: a check takes Snowflake a good part of a second.
        self._known_good(marks)
        missing = [contract for contract in contracts if contract.table not in marks]
        if missing:
            schemas = {contract.schema_name() for contract in missing}
            statements = [
                *ddl.create_meta(self.database, self._present(session, ddl.META_SCHEMA, ddl.PARTITIONS_TABLE)),
                *(f"CREATE SCHEMA IF NOT EXISTS {qualified(self.database, schema)}" for schema in sorted(schemas)),
                *(line for contract in missing for line in ddl.create_table(self.database, contract, uuid.uuid4().hex)),
            ]
            for statement in statements:
                session.execute(statement)
            marks = self._marks(session)  # if two processes created a table, only one of them succeeded
        for contract in contracts:
            mark = marks[contract.table]
            if mark.fingerprint != ddl.fingerprint(contract):
                for statement in ddl.migrate(self.database, contract, self._present(session, *contract.table.split(".")), mark.generation):
                    session.execute(statement)
            with self._lock:
                self._generations[contract.table] = mark.generation

    def _known_good(self, marks: dict[str, ddl.Mark]) -> None:
        for name, contract in TABLES.items():
            mark = marks.get(name)
            if mark is not None and mark.fingerprint == ddl.fingerprint(contract):
                with self._lock:
                    self._generations.setdefault(name, mark.generation)

    def _marks(self, session: Session) -> dict[str, ddl.Mark]:
        """table → its mark, for existing tables."""
        rows = session.execute(
            f"SELECT TABLE_SCHEMA, TABLE_NAME, COMMENT FROM {identifier(self.database)}.INFORMATION_SCHEMA.TABLES WHERE COMMENT LIKE ?",
            ["%[contract %"],
        )
        found = {f"{schema}.{table}".lower(): ddl.Mark.read(comment) for schema, table, comment in rows}
        return {table: mark for table, mark in found.items() if mark is not None}

    def _present(self, session: Session, schema: str, table: str) -> dict[str, str]:
        """The columns of a table and their types; empty if it does not exist."""
        rows = session.execute(
            f"SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE FROM {identifier(self.database)}.INFORMATION_SCHEMA.COLUMNS "
            "WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
            [schema.upper(), table.upper()],
        )
        return ddl.present_columns(rows)


def restricted(sql: str, database: str, reads: Mapping[type[Table], str]) -> str:
    """A mart's SELECT in Snowflake SQL, with each table restricted to the rows that meet a condition."""
    import sqlglot
    from sqlglot import exp

    names = {contract.table: contract.table.replace(".", "__") for contract in reads}
    tree = sqlglot.parse_one(sql, read="duckdb")
    for table in list(tree.find_all(exp.Table)):
        if name := names.get(f"{table.db}.{table.name}".lower()):
            alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
            table.replace(exp.Table(this=exp.to_identifier(name), alias=alias))
    parts = []
    for contract, condition in reads.items():
        columns = ", ".join(_exposing(column) for column in contract.columns())
        rows = f"SELECT {columns} FROM {ddl.table_of(database, contract)} WHERE {condition}"
        parts.append(
            exp.CTE(this=sqlglot.parse_one(rows, read="snowflake"), alias=exp.TableAlias(this=exp.to_identifier(names[contract.table])))
        )
    own = tree.args.get("with_")
    tree.set("with_", exp.With(expressions=[*parts, *(own.expressions if own else [])]))
    return tree.sql(dialect="snowflake")


def _copy(table: str, contract: type[Table], source: str) -> str:
    columns = ddl.physical(contract)
    return (
        f"COPY INTO {table} ({', '.join(identifier(column.name) for column in columns)}) "
        f"FROM (SELECT {', '.join(_loading(column) for column in columns)} FROM {source}) "
        # Logical types, because otherwise a time with a zone is read as if it had none.
        "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
    )


def _loading(column: ddl.Physical) -> str:
    """The expression that loads a column from the file, whose columns are the contract's."""
    value = f"$1:{identifier(column.source.name)}"
    if column.type == "VARIANT":
        return f"PARSE_JSON({value}::VARCHAR)"
    if column.type == "ARRAY":
        return f"PARSE_JSON({value}::VARCHAR)::ARRAY"
    return f"{value}::{column.type}"


def _reading(column: ColumnSpec) -> str:
    """The expression that reads a column back into the contract's type."""
    name = identifier(column.name)
    if ddl.keeps_text(column):
        return f"{identifier(ddl.text_column(column))} AS {name}"
    return f"TO_JSON({name}) AS {name}" if isinstance(column.dtype, pl.List) else _selecting(column.name, column.dtype)


def _exposing(column: ColumnSpec) -> str:
    """The expression for a column as a mart's SQL sees it."""
    return f"{identifier(ddl.text_column(column))} AS {identifier(column.name)}" if column.json else identifier(column.name)


def _selecting(name: str, dtype: pl.DataType) -> str:
    """Times as whole microseconds: the connector's nanoseconds end in the year 2262."""
    quoted = identifier(name)
    return f"DATE_PART(EPOCH_MICROSECOND, {quoted}) AS {quoted}" if isinstance(dtype, pl.Datetime) else quoted


def _parquet(contract: type[Table], frame: pl.DataFrame) -> io.BytesIO:
    """The frame as a Parquet file to load: columns named as in the table, lists as JSON text."""
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    texts = [pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1).alias(name) for name in lists]
    absent = [pl.when(pl.col(name).is_null()).then(None).otherwise(text).alias(name) for name, text in zip(lists, texts, strict=True)]
    file = io.BytesIO()
    frame.with_columns(absent).rename({name: name.upper() for name in frame.columns}).write_parquet(file, compression="snappy")
    return file


def _typed(table: Any, types: dict[str, pl.DataType]) -> pl.DataFrame:
    """An Arrow result as a frame of these types, even without rows: the connector's empty result does not carry enough type information."""
    if table is None or table.num_rows == 0:
        return pl.DataFrame(schema=types)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.select(pl.col(name).cast(dtype, strict=True) for name, dtype in types.items())


def _dtype(column: Any) -> pl.DataType:
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    name = FIELD_ID_TO_NAME[column.type_code]
    if name == "FIXED":
        return pl.Decimal(column.precision or 38, column.scale) if column.scale else pl.Int64()
    if name.startswith("TIMESTAMP"):
        return pl.Datetime("us", "UTC")
    return {"REAL": pl.Float64(), "BOOLEAN": pl.Boolean(), "DATE": pl.Date()}.get(name, pl.String())


def _conformed(contract: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """A result of `_reading` with the contract's names and types."""
    frame = frame.rename(str.lower)
    lists = [pl.col(name).str.json_decode(dtype) for name, dtype in contract.polars_schema().items() if isinstance(dtype, pl.List)]
    return frame.with_columns(lists)


def _in_order(frame: pl.DataFrame, contract: type[Table], keys: Sequence[str]) -> pl.DataFrame:
    """Partitions in the requested order, each sorted by the contract's key, as written."""
    rank = pl.DataFrame({"_key": keys, "_rank": range(len(keys))})
    ranked = frame.with_columns(_key=partition_key(contract)).join(rank, on="_key", how="left")
    return ranked.sort("_rank", *contract.key).drop("_key", "_rank")


def _wanted(contract: type[Table], keys: Sequence[str] | None) -> str:
    return "TRUE" if keys is None else _among(contract, keys)


def _among(contract: type[Table], keys: Sequence[str]) -> str:
    """A condition for rows of these partitions; bind their keys with `_binds`."""
    column = contract.partition_column()
    if not keys or column is None:
        return "TRUE" if keys else "FALSE"
    value = "CAST(? AS DATE)" if contract.grain == "day" else "?"
    return f"{identifier(column)} IN ({', '.join([value] * len(keys))})"


def _binds(contract: type[Table], keys: Sequence[str]) -> list[str]:
    return [] if contract.partition_column() is None else list(keys)


def _batches(keys: Sequence[str]) -> Iterable[list[str]]:
    for start in range(0, len(keys), _KEYS_A_STATEMENT):
        yield list(keys[start : start + _KEYS_A_STATEMENT])
