"""All leads as a file, made part by part, so that a million leads take no more memory than `_AT_ONCE`.

Does not belong here: the formats (see `lead_assets.core.table_formats`), who may have what (see `write_api`).
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from typing import Any

import polars as pl

from lead_assets.core.table_formats import encode, for_spreadsheet, write_xlsx
from lead_assets.service.enriching import literal
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.questions import ask

_AT_ONCE = 20_000
_CHUNK = 1 << 18


def count(warehouse: Warehouse, campaign_id: str | None) -> int:
    """How many leads an export has."""
    condition = f" WHERE campaign_id = {literal(campaign_id)}" if campaign_id is not None else ""
    return int(ask(warehouse, f"SELECT COUNT(*) AS n FROM identity.leads{condition}")["n"][0])


def exported(warehouse: Warehouse, file_format: str, campaign_id: str | None, *, pii: bool) -> Iterator[bytes]:
    """Rows of identity.leads by campaign and id, masked without `pii`, as the parts of a file: csv, json, parquet or xlsx."""
    frames = _frames(warehouse, campaign_id, pii=pii)
    if file_format == "csv":
        for number, frame in enumerate(frames):
            data = encode(frame, "csv")
            yield data if number == 0 else data.partition(b"\n")[2]
    elif file_format == "json":
        yield b"["
        is_first = True
        for frame in frames:
            if inner := encode(frame, "json").strip()[1:-1]:
                yield (b"" if is_first else b",") + inner
                is_first = False
        yield b"]\n"
    elif file_format == "parquet":
        yield from _parquet(frames)
    else:
        with tempfile.TemporaryFile() as file:
            write_xlsx(map(for_spreadsheet, frames), file)
            file.seek(0)
            while chunk := file.read(_CHUNK):
                yield chunk


def _frames(warehouse: Warehouse, campaign_id: str | None, *, pii: bool) -> Iterator[pl.DataFrame]:
    """At least one frame. Each begins after the last row of the one before, so that leads which arrive meanwhile move nothing."""
    own = [f"campaign_id = {literal(campaign_id)}"] if campaign_id is not None else []
    after: list[str] = []
    while True:
        condition = f" WHERE {' AND '.join(own + after)}" if own or after else ""
        frame = ask(warehouse, f"SELECT * FROM identity.leads{condition} ORDER BY campaign_id, lead_id LIMIT {_AT_ONCE}", pii=pii)
        if after and frame.is_empty():
            return
        yield frame
        if frame.height < _AT_ONCE:
            return
        after = [f"(campaign_id, lead_id) > ({literal(frame['campaign_id'][-1])}, {literal(frame['lead_id'][-1])})"]


class _Sink(io.RawIOBase):
    """Takes what a writer writes until it is asked for it, and counts on."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _parquet(frames: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    first = next(frames).to_arrow()
    sink = _Sink()
    with ParquetWriter(pa.PythonFile(sink, mode="w"), first.schema, compression="zstd") as writer:
        writer.write_table(first)
        yield sink.taken()
        for frame in frames:
            writer.write_table(frame.to_arrow().cast(first.schema))
            yield sink.taken()
    yield sink.taken()
