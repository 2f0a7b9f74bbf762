"""What every warehouse promises, and the rules all of them share: conforming a frame to its contract, and a table's digest.

Does not belong here: any one store's SQL or files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import polars as pl

from lead_assets.contracts import WHOLE_HOME, Grain, Table


class ContractViolation(ValueError):
    """A frame is not what its table's contract says. The text names table and columns, never values."""


class PartitionMissing(LookupError):
    """A table was asked for a partition that was never written."""


Noting = Callable[[str, pl.DataFrame], str]
"""The note to keep with a partition: of its key and its rows, as they are written."""


class Warehouse(Protocol):
    """Tables of contract rows. What a partition is follows from the contract's grain: a campaign's key, a day as YYYY-MM-DD, or WHOLE_HOME."""

    @property
    def location(self) -> str:
        """Where an analyst finds it."""

    def prepare(self) -> None:
        """Make what the contracts say and is not there yet: empty tables, views. Safe in many processes at once."""

    def write(self, contract: type[Table], frame: pl.DataFrame, partitions: Sequence[str], noting: Noting | None = None) -> None:
        """Replace all and only the given partitions by the frame's rows, each atomically; a partition without rows is emptied.

        `noting` makes the note that is kept with each partition; without it the partition has none, whatever it had before.
        """

    def notes(self, contract: type[Table], partitions: Sequence[str]) -> dict[str, str]:
        """The notes of those of the partitions that are there and have one. What they say is the business of `lead_assets.kit.notes`."""

    def renote(self, contract: type[Table], notes: Mapping[str, str]) -> None:
        """Replace the notes of partitions."""

    def read(self, contract: type[Table], partitions: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of the partitions (None: all there are), in the contract's columns and types. Raises PartitionMissing."""

    def query(
        self, sql: str, reads: Sequence[type[Table]], partitions: Sequence[str] | None = None, grain: Grain = "campaign"
    ) -> pl.DataFrame:
        """The result of a SELECT over the tables it reads (named schema.table). Tables of this grain hold the rows of the given partitions only (None:
        of all there are); tables of another grain are whole. Raises PartitionMissing."""

    def partitions(self, contract: type[Table]) -> list[str]:
        """Partition keys that were written, sorted."""


def quoted(name: str) -> str:
    """The one door by which a name becomes an identifier in a statement. Values are bound; where they cannot be, they are no part of it."""
    if not name or "\0" in name:
        raise ValueError("an identifier is empty or holds a NUL: check the contract's names and the SNOWFLAKE_ settings")
    return '"' + name.replace('"', '""') + '"'


def partition_key(contract: type[Table]) -> pl.Expr:
    """The key of a row's partition, as text."""
    column = contract.partition_column()
    return pl.lit(WHOLE_HOME) if column is None else pl.col(column).cast(pl.String)


def partitions_of_query(contract: type[Table], partitions: Sequence[str] | None, grain: Grain) -> Sequence[str] | None:
    """Which partitions of a table a query over partitions of some grain sees (None: all there are)."""
    return partitions if contract.grain == grain else None


def conform(contract: type[Table], frame: pl.DataFrame, partitions: Sequence[str]) -> pl.DataFrame:
    """The frame with the contract's columns, order and types, sorted by the contract's key.

    Raises ContractViolation: unknown or missing columns, a value that does not fit its type, a null in a required column, a row of a partition
    that is not being written, a key that occurs twice.
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
            f"{contract.table}: rows of {len(strangers)} partitions that this run does not write, e.g. {min(strangers)!r}: "
            f"return rows of the run's partitions only ({len(partitions)})"
        )
    keys = list(contract.key)
    twice = frame.height - frame.select(pl.struct(keys).n_unique()).item() if frame.height else 0
    if twice:
        raise ContractViolation(f"{contract.table}: {twice} rows repeat a key {tuple(keys)}: one row a key")
    return frame.sort(keys, maintain_order=True)


def split(contract: type[Table], frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """A conformed frame's rows by the key of their partition."""
    if frame.is_empty():
        return {}
    parts = frame.with_columns(_key=partition_key(contract)).partition_by("_key", as_dict=True, maintain_order=True, include_key=False)
    return {str(key): rows for (key,), rows in parts.items()}


def _uncastable(frame: pl.DataFrame, wanted: pl.Schema) -> str:
    """Which columns do not fit, without their values."""
    faults = []
    for name, dtype in wanted.items():
        try:
            frame.select(pl.col(name).cast(dtype, strict=True))
        except pl.exceptions.PolarsError:
            faults.append(f"column {name} is {frame.schema[name]} and has values that do not fit {dtype}")
    return "; ".join(faults)


def digest(frame: pl.DataFrame) -> str:
    """SHA-256 (hex) over the sorted rows' content: equal rows have equal digests on any machine and in any warehouse."""
    lines = sorted(_as_text(frame).splitlines())
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def digest_in_order(frame: pl.DataFrame) -> str:
    """SHA-256 (hex) over the content of a conformed frame's rows, which have one order already."""
    return hashlib.sha256(_as_text(frame)).hexdigest()


def _as_text(frame: pl.DataFrame) -> bytes:
    ordered = frame.select(sorted(frame.columns))
    return (
        ordered.with_columns(
            [pl.col(name).cast(pl.String) for name, dtype in ordered.schema.items() if isinstance(dtype, pl.Decimal)]
            + [pl.col(name).dt.convert_time_zone("UTC") for name, dtype in ordered.schema.items() if isinstance(dtype, pl.Datetime)]
        )
        .write_ndjson()
        .encode()
    )
