"""Where a secret or a person's data could come to light, and the search for it there. Everything that is packed is unpacked first: a search that
looks at compressed bytes finds nothing and says all is well.

Does not belong here: what is planted (see `test_secrets`) or that the search finds it (see `test_canaries`).
"""

from __future__ import annotations

import gzip
import logging
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import polars as pl

from lead_assets_tests.conftest import Done

Places = Mapping[str, bytes]
"""Name of a place → all that can be read there."""


def seen(home: Path, said: Iterable[Done], logged: Sequence[logging.LogRecord]) -> Places:
    """What people and log collectors see: output, logs, and Dagster's event log with its metadata, runs with config and tags, and compute logs."""
    return {
        "output": "".join(done.stdout + done.stderr for done in said).encode(),
        "logs": "\n".join(f"{record.name} {record.getMessage()} {record.exc_text or ''}" for record in logged).encode(),
        **_files(home / "dagster"),
    }


def stored(home: Path) -> Places:
    """What the work is done on: ledger, archive, tables."""
    return {"ledger.sqlite": _readable(home / "ledger.sqlite"), **_files(home / "archive"), **_files(home / "warehouse")}


def found(canary: str, places: Places) -> list[str]:
    """Names of the places that hold it, in whatever case."""
    return [name for name, data in places.items() if canary.encode().lower() in data.lower()]


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder.parent)): _readable(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _readable(path: Path) -> bytes:
    data = path.read_bytes()
    if data.startswith(b"SQLite format 3\0"):
        return _values(path)
    if data.startswith(b"PAR1"):
        return pl.read_parquet(path).write_ndjson().encode()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _values(path: Path) -> bytes:
    """Every value of every table. The file itself would not do: a long value is spread over pages that need not follow each other."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        rows = [row for table in tables for row in connection.execute(f'SELECT * FROM "{table}"').fetchall()]
    return b"\n".join(_unpacked(value) for row in rows for value in row)


def _unpacked(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value
