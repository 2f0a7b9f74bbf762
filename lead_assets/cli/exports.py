"""A table's rows as CSV, JSON or Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import polars as pl

from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import UnknownWord, unknown
from lead_assets.stores.opened import campaigns_of, warehouse_of

_ISO_8601 = "%Y-%m-%dT%H:%M:%S%.6f%:z"


def rows(settings: Settings, table: str, campaigns: Sequence[str] | None = None) -> pl.DataFrame:
    """A table's rows, sorted by its key, optionally only for some campaigns. Raises UnknownWord for a table or campaign that does not exist
    or a table without campaigns, and PartitionMissing for a campaign that has not been run yet."""
    contract = TABLES.get(table)
    if contract is None:
        raise unknown("no table", table, TABLES)
    wanted = campaigns_of(settings, campaigns) if campaigns else None
    warehouse = warehouse_of(settings)
    if wanted is None or contract.grain == "campaign":
        return warehouse.read(contract, wanted).sort(contract.key)
    if "campaign_id" not in contract.polars_schema():
        raise UnknownWord(f"--campaign: rows of {table} do not belong to a campaign: export it without --campaign")
    return warehouse.read(contract).filter(pl.col("campaign_id").is_in(wanted)).sort(contract.key)


def encode(frame: pl.DataFrame, file_format: str) -> bytes:
    """The frame as bytes of one of FORMATS."""
    return FORMATS[file_format](frame)


def _csv(frame: pl.DataFrame) -> bytes:
    # CSV has no lists, so they become JSON text.
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    as_json = [pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1).alias(name) for name in lists]
    return frame.with_columns(as_json).write_csv(datetime_format=_ISO_8601).encode()


def _json(frame: pl.DataFrame) -> bytes:
    return (frame.write_json() + "\n").encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[pl.DataFrame], bytes]] = {"csv": _csv, "json": _json, "parquet": _parquet}
