"""The local warehouse: Parquet files that DuckDB reads.

A partition is one file, replaced by rename: `<folder>/<schema>/<table>/campaign_id=<key>/part.parquet`, or `day=<YYYY-MM-DD>`, or `home=all`, by the
table's grain. `warehouse.duckdb` beside them holds only views over the files and is itself replaced by rename. Why not tables in a DuckDB file: that
allows one writer process, which locks out readers; backfills would fail on its lock, and an analyst with an open shell would stop the
pipeline. Here any number of runs write and any number of analysts read, without a lock.
"""

from __future__ import annotations

import contextlib
import os
import threading
import urllib.parse
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lead_assets.contracts import TABLES, Grain, Table
from lead_assets.stores.warehouse.base import Noting, PartitionMissing, conform, digests, partitions_of_query, quoted, split
from lead_assets.stores.warehouse.questions import MASKED, masked_select, masked_view

if TYPE_CHECKING:
    import duckdb

Stamp = tuple[int, int, int]
"""When a file was written (nanoseconds), its inode and its size in bytes."""

_FILE = "part.parquet"
_MAGIC = b"PAR1"
_NOTE = "note.json"  # beside it: says what it was made from
# A missing extension must be an error, never a download.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
_KEPT_BYTES = 64 << 20
"""Most bytes of rows that stay in memory after they were written, for the next step of the same run."""
_EMPTY = ""  # key of a typed file without rows, which is not a partition: it gives the view its types before the first write


class DuckDBWarehouse:
    """Implements `base.Warehouse`; see the module docstring."""

    def __init__(self, folder: Path) -> None:
        # Absolute and resolved, because the views name their files and an analyst may open them from another folder.
        self.folder = folder.resolve()
        self._catalog_is_current = False
        self._written = _Written()

    @property
    def location(self) -> str:
        return str(self.database)

    def place_of(self, contract: type[Table]) -> tuple[str, str, str]:
        return "duckdb", f"warehouse.{contract.table}", self._table(contract).as_uri()

    @property
    def database(self) -> Path:
        """The file an analyst opens: `duckdb warehouse.duckdb`."""
        return self.folder / "warehouse.duckdb"

    def write(self, contract: type[Table], frame: pl.DataFrame, partitions: Sequence[str], noting: Noting | None = None) -> None:
        by_key = split(contract, conform(contract, frame, partitions))
        parts = {key: by_key.get(key, contract.empty()) for key in partitions}
        contents = digests(parts) if noting is not None else {}
        self.prepare()
        for key, rows in parts.items():
            path = self._partition(contract, key)
            # The note first: if a crash leaves the old rows, they have none that is sealed.
            note = noting(key, contents[key], rows.height) if noting is not None else ""
            if note:
                self._write_note(path, note)
            else:
                path.with_name(_NOTE).unlink(missing_ok=True)
            self._written.keep(path, rows, self._replace(path, rows))

    def notes(self, contract: type[Table], partitions: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for key in partitions:
            path = self._partition(contract, key)
            with contextlib.suppress(FileNotFoundError):
                note = path.with_name(_NOTE).read_text(encoding="utf-8")
                if _is_whole(path):
                    found[key] = note
        return found

    def renote(self, contract: type[Table], notes: Mapping[str, str]) -> None:
        for key, note in notes.items():
            self._write_note(self._partition(contract, key), note)

    def _write_note(self, path: Path, note: str) -> None:
        with self._aside(path.with_name(_NOTE)) as aside:
            aside.write_text(note, encoding="utf-8")

    def read(self, contract: type[Table], partitions: Sequence[str] | None = None) -> pl.DataFrame:
        keys = self.partitions(contract) if partitions is None else partitions
        paths = [self._existing(contract, key) for key in keys]
        if not paths:
            return contract.empty()
        kept = [rows for path in paths if (rows := self._written.of(path)) is not None]
        if len(kept) == len(paths):
            return pl.concat(kept)
        # Files written before the contract gained a column read it as null.
        return pl.scan_parquet(
            paths, schema=contract.polars_schema(), missing_columns="insert", extra_columns="ignore", glob=False, hive_partitioning=False
        ).collect()

    def query(
        self, sql: str, reads: Sequence[type[Table]], partitions: Sequence[str] | None = None, grain: Grain = "campaign"
    ) -> pl.DataFrame:
        import duckdb

        self.prepare()
        files: dict[type[Table], Sequence[str]] = {}
        for contract in reads:
            seen = partitions_of_query(contract, partitions, grain)
            existing = [self._all(contract)] if seen is None else [str(self._existing(contract, key)) for key in seen]
            files[contract] = [str(self._partition(contract, _EMPTY)), *existing]
        try:
            return _result(sql, files, by_name=None in (partitions_of_query(contract, partitions, grain) for contract in reads))
        except duckdb.Error:
            # A file was written before the contract gained a column, or somebody has deleted a table's folder, and its empty file with it.
            for contract in reads:
                if not self._partition(contract, _EMPTY).exists():
                    self._replace(self._partition(contract, _EMPTY), contract.empty())
            return _result(sql, files, by_name=True)

    def partitions(self, contract: type[Table]) -> list[str]:
        folder, prefix = self._table(contract), _prefix(contract)
        if not folder.exists():
            return []
        keys = (urllib.parse.unquote(path.parent.name.removeprefix(prefix)) for path in folder.glob(f"{prefix}*/{_FILE}"))
        return sorted(key for key in keys if key != _EMPTY)

    def stamps(self, contract: type[Table]) -> dict[str, Stamp]:
        """What tells each partition's file from the one that it replaced, by key."""
        prefix = _prefix(contract)
        found: dict[str, Stamp] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self._table(contract)) as folders:
            for folder in folders:
                key = urllib.parse.unquote(folder.name.removeprefix(prefix))
                if folder.name.startswith(prefix) and key != _EMPTY:
                    with contextlib.suppress(FileNotFoundError):
                        found[key] = _stamp(f"{folder.path}/{_FILE}")
        return found

    def prepare(self) -> None:
        """Bring `warehouse.duckdb` and the empty files in line with the contracts. Safe in many processes at once."""
        if self._catalog_is_current and self.database.exists():
            return
        statements = "\n".join(self._views())
        note = self.folder / ".views.sql"
        if self.database.exists() and note.exists() and note.read_text("utf-8") == statements:
            self._catalog_is_current = True
            return
        import duckdb

        for contract in TABLES.values():
            self._replace(self._partition(contract, _EMPTY), contract.empty())
        with self._aside(self.database) as aside, duckdb.connect(str(aside), config=_CONFIG) as connection:
            connection.begin()  # one disk write for all
            for statement in self._views():
                connection.execute(statement)
            connection.commit()
        with self._aside(note) as aside:
            aside.write_text(statements, "utf-8")
        self._catalog_is_current = True

    def _views(self) -> Iterator[str]:
        yield from (f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}" for schema in sorted({c.schema_name() for c in TABLES.values()}))
        yield f"CREATE SCHEMA IF NOT EXISTS {MASKED}"
        for contract in TABLES.values():
            yield _view(contract, [self._all(contract)], json_type="JSON")
            yield from _comments(contract)
            yield f"CREATE OR REPLACE VIEW {masked_view(contract)} AS {masked_select(contract)}"
            yield f"COMMENT ON VIEW {masked_view(contract)} IS {_text(f'{contract.table} with personal data masked. {contract.description()}')}"

    def _table(self, contract: type[Table]) -> Path:
        return self.folder / contract.schema_name() / contract.table_name()

    def _all(self, contract: type[Table]) -> str:
        """Patterns for the files of all partitions and for the empty file."""
        return str(self._table(contract) / f"{_prefix(contract)}*" / _FILE)

    def _partition(self, contract: type[Table], key: str) -> Path:
        # A campaign key is a safe folder name; nothing else may become a path.
        return self._table(contract) / f"{_prefix(contract)}{urllib.parse.quote(key, safe='')}" / _FILE

    def _existing(self, contract: type[Table], key: str) -> Path:
        path = self._partition(contract, key)
        if not path.exists():
            asset = contract.table.replace(".", "/")
            raise PartitionMissing(f"{contract.table} has no partition {key!r} yet: materialize {asset} for it first")
        return path

    def _replace(self, path: Path, frame: pl.DataFrame) -> Stamp:
        with self._aside(path) as aside:
            frame.write_parquet(aside, compression="zstd", compression_level=1, statistics=True)
            # Before the rename, which changes none of it: afterwards the file may be another process's already.
            return _stamp(aside)

    @staticmethod
    @contextlib.contextmanager
    def _aside(path: Path) -> Iterator[Path]:
        """A path to write to, which replaces `path` atomically when the block succeeds."""
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        try:
            yield aside
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


class _Written:
    """Rows that this process has written and that are still what the file says: nobody has replaced it since. The newest, up to `_KEPT_BYTES`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: OrderedDict[Path, tuple[Stamp, pl.DataFrame, int]] = OrderedDict()
        self._bytes = 0

    def keep(self, path: Path, rows: pl.DataFrame, stamp: Stamp) -> None:
        size = int(rows.estimated_size())
        with self._lock:
            self._drop(path)
            if size <= _KEPT_BYTES:
                self._rows[path] = stamp, rows, size
                self._bytes += size
            while self._bytes > _KEPT_BYTES:
                self._drop(next(iter(self._rows)))

    def of(self, path: Path) -> pl.DataFrame | None:
        with self._lock:
            if path not in self._rows:
                return None
            stamp, rows, _ = self._rows[path]
            with contextlib.suppress(FileNotFoundError):
                if stamp == _stamp(path):
                    self._rows.move_to_end(path)
                    return rows
            self._drop(path)
            return None

    def _drop(self, path: Path) -> None:
        if (found := self._rows.pop(path, None)) is not None:
            self._bytes -= found[2]


def _is_whole(path: Path) -> bool:
    """Whether the file ends as a Parquet file does: one that a full disk or a broken copy has cut off is made again. Raises FileNotFoundError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        return size > len(_MAGIC) and file.seek(-len(_MAGIC), os.SEEK_END) >= 0 and file.read() == _MAGIC


def _stamp(path: Path | str) -> Stamp:
    seen = os.stat(path)
    return seen.st_mtime_ns, seen.st_ino, seen.st_size


_connections = threading.local()


def _connection() -> duckdb.DuckDBPyConnection:
    """This thread's own database in memory, empty between two queries. To open one takes as long as most queries."""
    import duckdb

    if not hasattr(_connections, "open"):
        _connections.open = duckdb.connect(":memory:", config=_CONFIG)
        _connections.open.execute("SET TimeZone = 'UTC'")  # days are UTC days, whatever the machine's time zone
        _connections.open.execute("SET enable_external_file_cache = false")  # a partition's file is replaced under the same name
    opened: duckdb.DuckDBPyConnection = _connections.open
    return opened


def _result(sql: str, files: Mapping[type[Table], Sequence[str]], *, by_name: bool) -> pl.DataFrame:
    """by_name: files may lack columns. DuckDB then opens every file before it plans the query, which takes longer than most queries."""
    connection = _connection()
    try:
        for contract, each in files.items():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(contract.schema_name())}")
            connection.execute(_view(contract, each, by_name=by_name))
        frame = pl.from_arrow(connection.sql(sql).to_arrow_table())
        assert isinstance(frame, pl.DataFrame)
        return frame
    finally:
        for contract in files:
            connection.execute(f"DROP VIEW IF EXISTS {_qualified(contract)}")


def _prefix(contract: type[Table]) -> str:
    """The prefix of partition folders. Folders of a grain that the table once had are ignored."""
    return f"{contract.partition_column() or contract.grain}="


def _view(contract: type[Table], files: Sequence[str], json_type: str | None = None, *, by_name: bool = True) -> str:
    """json_type: the SQL type of JSON columns; None leaves them as text, as stored. by_name: a column that a file lacks is null."""
    listed = ", ".join(_text(file) for file in files)
    names = [(quoted(column.name), column.json and json_type) for column in contract.columns()]
    columns = ", ".join(f"CAST({name} AS {other}) AS {name}" if other else name for name, other in names)
    return (
        f"CREATE OR REPLACE VIEW {_qualified(contract)} AS "
        f"SELECT {columns} FROM read_parquet([{listed}], union_by_name = {str(by_name).lower()}, hive_partitioning = false)"
    )


def _comments(contract: type[Table]) -> Iterator[str]:
    """The contract's descriptions as comments, visible with `FROM duckdb_columns()`."""
    yield f"COMMENT ON VIEW {_qualified(contract)} IS {_text(contract.description())}"
    for column in contract.columns():
        yield f"COMMENT ON COLUMN {_qualified(contract)}.{quoted(column.name)} IS {_text(column.description)}"


def _qualified(contract: type[Table]) -> str:
    return f"{quoted(contract.schema_name())}.{quoted(contract.table_name())}"


def _text(text: str) -> str:
    """Quote as a literal: file names and comments cannot be bound."""
    return "'" + text.replace("'", "''") + "'"
