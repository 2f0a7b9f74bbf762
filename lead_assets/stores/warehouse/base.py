"""The interface of a warehouse, and the rules that all share: conforming a frame to its contract, and a table's digest.

Does not belong here: any one store's SQL or files.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import polars as pl

from lead_assets.contracts import WHOLE_HOME, Grain, Table


class ContractViolation(ValueError):
    """A frame does not match its table's contract. The text names table and columns, never values."""


class PartitionMissing(LookupError):
    """The requested partition of a table was never written."""


_ROWS_OF_TEXT = 10_000
"""Rows turned into text at a time, so that the text of a large run is never in memory as a whole."""

Noting = Callable[[str, str, int], str]
"""Makes the note stored with a partition, from its key, the hash of the rows being written (see `digests`), and their number. "": there is none until
`renote` brings one, so that of a step that breaks off nothing is kept."""


class Warehouse(Protocol):
    """Tables of contract rows. The contract's grain decides the partition keys: a campaign's key, a day as YYYY-MM-DD, or WHOLE_HOME."""

    @property
    def location(self) -> str:
        """Where an analyst can find it."""

    def place_of(self, contract: type[Table]) -> tuple[str, str, str]:
        """The kind of store, the table's full name in it, and its URI. Opens nothing."""

    def prepare(self) -> None:
        """Create whatever the contracts require and does not exist yet: empty tables, views. Safe in many processes at once."""

    def write(self, contract: type[Table], frame: pl.DataFrame, partitions: Sequence[str], noting: Noting | None = None) -> None:
        """Replace exactly the given partitions with the frame's rows, each atomically; a partition without rows becomes empty.

        `noting` makes the note stored with each partition; without it, any earlier note is removed.
        """

    def notes(self, contract: type[Table], partitions: Sequence[str]) -> dict[str, str]:
        """The notes of the given partitions, where there is one. `lead_assets.kit.notes` knows what they mean."""

    def renote(self, contract: type[Table], notes: Mapping[str, str]) -> None:
        """Replace the notes of partitions."""

    def read(self, contract: type[Table], partitions: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of the partitions (None: all), with the contract's columns and types. Raises PartitionMissing."""

    def query(
        self, sql: str, reads: Sequence[type[Table]], partitions: Sequence[str] | None = None, grain: Grain = "campaign"
    ) -> pl.DataFrame:
        """The result of a SELECT over tables named schema.table. Tables of this grain show only the given partitions (None:
        all); tables of another grain are complete. Raises PartitionMissing."""

    def partitions(self, contract: type[Table]) -> list[str]:
        """The keys of all written partitions, sorted."""


def quoted(name: str) -> str:
    """Quote a name as an SQL identifier: the only way names get into statements. Values are bound, never interpolated."""
    if not name or "\0" in name:
        raise ValueError("an identifier is empty or contains NUL: check the contract's names and the SNOWFLAKE_ settings")
    return '"' + name.replace('"', '""') + '"'


def partition_key(contract: type[Table]) -> pl.Expr:
    """The partition key of a row, as text."""
    column = contract.partition_column()
    return pl.lit(WHOLE_HOME) if column is None else pl.col(column).cast(pl.String)


def partitions_of_query(contract: type[Table], partitions: Sequence[str] | None, grain: Grain) -> Sequence[str] | None:
    """The partitions of a table that a query over partitions of some grain sees (None: all)."""
    return partitions if contract.grain == grain else None


def conform(contract: type[Table], frame: pl.DataFrame, partitions: Sequence[str]) -> pl.DataFrame:
    """The frame with the contract's columns, in its order and types, sorted by its key.

    Raises ContractViolation for unknown or missing columns, a value that does not fit its type, a null in a required column, a row of a partition
    that is not being written, or a repeated key.
    """
    wanted = contract.polars_schema()
    unknown = sorted(set(frame.columns) - set(wanted))
    missing = sorted(set(wanted) - set(frame.columns))
    if unknown or missing:
        parts = [f"unknown columns {unknown}"] if unknown else []
        parts += [f"missing columns {missing}"] if missing else []
        raise ContractViolation(f"{contract.table}: {' and '.join(parts)}: return exactly the columns of {contract.__name__}")
    try:
        frame = frame.select(pl.col(name).cast(dtype, strict=True) for name, dtype in wanted.items())
    except pl.exceptions.PolarsError as error:
        raise ContractViolation(f"{contract.table}: {_uncastable(frame, wanted)}") from error
    required = [column.name for column in contract.columns() if not column.nullable]
    nulls = frame.select(pl.col(required).null_count()).row(0, named=True) if frame.height else {}
    if holes := {name: count for name, count in nulls.items() if count}:
        raise ContractViolation(f"{contract.table}: nulls in required columns {holes}")
    strangers = set(frame.select(partition_key(contract).unique()).to_series()) - set(partitions)
    if strangers:
        raise ContractViolation(
            f"{contract.table}: rows belong to {len(strangers)} partitions that this run does not write, e.g. {min(strangers)!r}: "
            f"return rows of the run's partitions only ({len(partitions)})"
        )
    keys = list(contract.key)
    twice = frame.height - frame.select(pl.struct(keys).n_unique()).item() if frame.height else 0
    if twice:
        raise ContractViolation(f"{contract.table}: {twice} rows repeat a key {tuple(keys)}: return one row per key")
    return frame.sort(keys, maintain_order=True)


def split(contract: type[Table], frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of a conformed frame, by partition key."""
    if frame.is_empty():
        return {}
    parts = frame.with_columns(_key=partition_key(contract)).partition_by("_key", as_dict=True, maintain_order=True, include_key=False)
    return {str(key): rows for (key,), rows in parts.items()}


def _uncastable(frame: pl.DataFrame, wanted: pl.Schema) -> str:
    """Names the columns that do not fit, without their values."""
    faults = []
    for name, dtype in wanted.items():
        try:
            frame.select(pl.col(name).cast(dtype, strict=True))
        except pl.exceptions.PolarsError:
            faults.append(f"column {name} ({frame.schema[name]}) has values that do not fit {dtype}")
    return "; ".join(faults)


def digest(frame: pl.DataFrame) -> str:
    """SHA-256 (hex) of the sorted rows: equal rows have equal digests on any machine and in any warehouse."""
    lines = sorted(_as_text(frame).splitlines())
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def digest_in_order(frame: pl.DataFrame) -> str:
    """SHA-256 (hex) of a conformed frame's rows, which are already sorted. While some rows are hashed, the next are turned into text: neither needs the
    interpreter."""
    hashed = hashlib.sha256()
    if frame.height <= _ROWS_OF_TEXT // 4:
        hashed.update(_as_text(frame))
        return hashed.hexdigest()
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for part in frame.iter_slices(_ROWS_OF_TEXT // 4):
            text, coming = coming, pool.submit(_as_text, part)
            if text is not None:
                hashed.update(text.result())
        assert coming is not None
        hashed.update(coming.result())
    return hashed.hexdigest()


def digests(partitions: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """The `digest_in_order` of each partition of a table. Turning small frames into text one by one takes ten times as long."""
    found: dict[str, str] = {}
    together: list[tuple[str, pl.DataFrame]] = []
    rows = 0
    for number, (key, frame) in enumerate(partitions.items(), start=1):
        together.append((key, frame))
        rows += frame.height
        if rows >= _ROWS_OF_TEXT or number == len(partitions):
            if len(together) == 1:
                found[key] = digest_in_order(frame)
            else:
                lines = iter(_as_text(pl.concat([each for _, each in together])).splitlines(keepends=True))
                found |= {name: hashlib.sha256(b"".join(itertools.islice(lines, each.height))).hexdigest() for name, each in together}
            together, rows = [], 0
    return found


def _as_text(frame: pl.DataFrame) -> bytes:
    ordered = frame.select(sorted(frame.columns))
    text = io.BytesIO()
    ordered.with_columns(
        [pl.col(name).cast(pl.String) for name, dtype in ordered.schema.items() if isinstance(dtype, pl.Decimal)]
        + [pl.col(name).dt.convert_time_zone("UTC") for name, dtype in ordered.schema.items() if isinstance(dtype, pl.Datetime)]
    ).write_ndjson(text)
    return text.getvalue()
