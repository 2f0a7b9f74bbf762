"""Looks into databases value by value, and overwrites what is to be forgotten: any SQLite file, and the schemas of a Postgres.

SQLite: with `secure_delete`, what is overwritten leaves no copy in the file (https://www.sqlite.org/pragma.html#pragma_secure_delete); `compact_sqlite` drops
free pages and empties the write-ahead log. Postgres keeps old versions of rows until VACUUM FULL writes the table anew.
Does not belong here: what the ledger's own rows mean (see `lead_assets.ledger`).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lead_assets.privacy.needles import Needles, unpack

SQLITE = b"SQLite format 3\0"
_BUSY_SECONDS = 60
_ROWS = 2_000
_PAGE_HEADS = 200
"""Bytes of a page, at most, that are not a row's texts: its header, and the row's lengths and numbers."""
_SCHEMAS = ("lead_assets_ledger", "public")


@dataclass(frozen=True)
class _TextColumns:
    """A table's columns, and those that identify a row."""

    table: str
    key: tuple[str, ...]
    names: tuple[str, ...]


def is_sqlite(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE
    return False


def rows_found(path: Path, needles: Needles) -> int:
    """Number of rows that lie in pieces, on several pages of a SQLite file, and have something to find: all others are seen in the file's bytes."""
    with _opened(path) as connection:
        return sum(1 for columns in _tables(connection) for _ in _rows_with(connection, columns, needles, in_pieces=True))


def mask_sqlite(path: Path, needles: Needles) -> int:
    """Overwrite every value with something to find. Returns the number of bytes overwritten."""
    masked = 0
    with _opened(path) as connection:
        for columns in _tables(connection):
            updates = []
            for key, values in _rows_with(connection, columns, needles):
                new = [_masked(value, needles) for value in values]
                masked += sum(count for _, count in new)
                updates.append(([value for value, _ in new], key))
            setting = ", ".join(f"{_quoted(name)} = ?" for name in columns.names)
            where = " AND ".join(f"{_quoted(name)} IS ?" for name in columns.key)
            for changed, key in updates:
                connection.execute(f"UPDATE {_quoted(columns.table)} SET {setting} WHERE {where}", (*changed, *key))
            connection.commit()
    return masked


def compact_sqlite(path: Path) -> None:
    """Drop free pages and empty the write-ahead log. Raises sqlite3.OperationalError if another process keeps the file busy for a minute."""
    with _opened(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def postgres_found(url: sa.URL, needles: Needles) -> dict[str, int]:
    """Rows with something to find, by table, in the ledger's and Dagster's schemas."""
    found: dict[str, int] = {}
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        for table, texts, binaries in _postgres_tables(connection):
            conditions, values = _like(texts, needles)
            count = 0
            if texts:
                listed = ", ".join(f'"{name}"' for name in texts)
                maybe = connection.execute(sa.text(f"SELECT {listed} FROM {table} WHERE {conditions}"), values)
                count += sum(any(needles.finds(_as_bytes(value)) for value in row) for row in maybe)
            for name in binaries:
                rows = connection.execution_options(stream_results=True).execute(
                    sa.text(f'SELECT "{name}" FROM {table} WHERE "{name}" IS NOT NULL')
                )
                count += sum(needles.finds(bytes(value)) for (value,) in rows)
            if count:
                found[table] = count
    engine.dispose()
    return found


def mask_postgres(url: sa.URL, needles: Needles) -> int:
    """Overwrite every value with something to find, and write the tables concerned anew. Returns the number of bytes overwritten."""
    masked = 0
    changed: list[str] = []
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for table, texts, binaries in _postgres_tables(connection):
            conditions, values = _like(texts, needles)
            names = [*texts, *binaries]
            listed = ", ".join(f'"{name}"' for name in names)
            where = " OR ".join([f"({conditions})"] * bool(texts) + [f'"{name}" IS NOT NULL' for name in binaries])
            for row in connection.execute(sa.text(f"SELECT ctid::text, {listed} FROM {table} WHERE {where}"), values).all():
                new = [_masked(bytes(value) if isinstance(value, memoryview) else value, needles) for value in row[1:]]
                if any(count for _, count in new):
                    masked += sum(count for _, count in new)
                    changed.append(table)
                    setting = ", ".join(f'"{name}" = :v{number}' for number, name in enumerate(names))
                    connection.execute(
                        sa.text(f"UPDATE {table} SET {setting} WHERE ctid = CAST(:at AS tid)"),
                        {"at": row[0], **{f"v{number}": value for number, (value, _) in enumerate(new)}},
                    )
    compact_postgres(engine, dict.fromkeys(changed))
    engine.dispose()
    return masked


def compact_ledger(url: sa.URL, tables: Iterable[str]) -> None:
    """Write tables of the ledger anew."""
    engine = sa.create_engine(url)
    compact_postgres(engine, [f'"{_SCHEMAS[0]}"."{table}"' for table in tables])
    engine.dispose()


def compact_postgres(engine: sa.Engine, tables: Any) -> None:
    """Write tables anew, without the old versions of their rows."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            connection.exec_driver_sql(f"VACUUM (FULL) {table}")


def _masked(value: Any, needles: Needles) -> tuple[Any, int]:
    if isinstance(value, str):
        return needles.mask_text(value)
    if isinstance(value, bytes):
        return needles.mask(value)
    return value, 0


def _as_bytes(value: Any) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value if isinstance(value, bytes) else b""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
        yield connection
    finally:
        connection.close()


def _tables(connection: sqlite3.Connection) -> list[_TextColumns]:
    """The tables with columns that may hold text."""
    found = []
    listed = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
    for table, sql in listed:
        columns = connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
        texts = tuple(name for _, name, kind, *_ in columns if _may_be_text(kind))
        if not texts:
            continue
        keys = tuple(name for _, name, *_, at in sorted(columns, key=lambda column: column[-1]) if at)
        found.append(_TextColumns(table, keys if "WITHOUT ROWID" in sql.upper() else ("rowid",), texts))
    return found


def _may_be_text(kind: str) -> bool:
    return not any(word in kind.upper() for word in ("INT", "REAL", "FLOA", "DOUB", "BOOL", "DATE", "TIME", "NUM"))


def _rows_with(
    connection: sqlite3.Connection, columns: _TextColumns, needles: Needles, *, in_pieces: bool = False
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """(key, values) of each row with something to find. `in_pieces`: only rows that may be longer than what one page takes."""
    listed = ", ".join(_quoted(name) if name != "rowid" else name for name in (*columns.key, *columns.names))
    size = " + ".join(f"coalesce(length(CAST({_quoted(name)} AS BLOB)), 0)" for name in columns.names)
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    # https://www.sqlite.org/fileformat2.html#b_tree_pages: a row may be as long as its page, a key a quarter of it.
    most = page - _PAGE_HEADS if columns.key == ("rowid",) else page // 4 - _PAGE_HEADS
    cursor = connection.execute(f"SELECT {listed} FROM {_quoted(columns.table)}{f' WHERE {size} > {most}' if in_pieces else ''}")
    width = len(columns.key)
    while rows := cursor.fetchmany(_ROWS):
        told = [[data if (text := unpack(data)) is None else text for data in map(_as_bytes, row[width:])] for row in rows]
        if not needles.finds(b"\0".join(data for each in told for data in each)):
            continue
        for row, each in zip(rows, told, strict=True):
            if any(needles.finds(data) for data in each):
                yield row[:width], row[width:]


def _postgres_tables(connection: sa.Connection) -> list[tuple[str, list[str], list[str]]]:
    """(schema.table, text columns, binary columns)."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    columns = connection.execute(
        sa.text(
            "SELECT c.table_schema, c.table_name, c.column_name, c.data_type FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name) WHERE t.table_type = 'BASE TABLE' AND c.table_schema = ANY(:schemas)"
            " ORDER BY 1, 2, c.ordinal_position"
        ),
        {"schemas": list(_SCHEMAS)},
    )
    for schema, table, name, kind in columns:
        texts, binaries = found.setdefault(f'"{schema}"."{table}"', ([], []))
        if kind in ("text", "character varying", "character"):
            texts.append(name)
        elif kind == "bytea":
            binaries.append(name)
    return [(table, texts, binaries) for table, (texts, binaries) in found.items() if texts or binaries]


def _like(columns: list[str], needles: Needles) -> tuple[str, dict[str, Any]]:
    """A condition that a row may have something to find, and its parameters."""
    conditions = " OR ".join(f'strpos(lower("{name}"), text) > 0' for name in columns)
    exists = conditions and f"EXISTS (SELECT 1 FROM unnest(CAST(:texts AS text[])) AS text WHERE {conditions})"
    return exists, {"texts": needles.texts}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if name != "rowid" else name
