"""Rows of any contract with plausible values; a test names only the values it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from lead_assets.contracts import Table

AT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)


def rows(contract: type[Table], given: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """A frame of the contract: the given values, a plain value in required columns that are not given, null elsewhere."""
    filled = [
        {column.name: row.get(column.name, None if column.nullable else _plain(column.dtype, column.json)) for column in contract.columns()}
        for row in given
    ]
    for row in filled:
        row.update({name: Decimal(value) for name, value in row.items() if name.endswith("_usd") and isinstance(value, str)})
    return contract.frame(filled)


def _plain(dtype: pl.DataType, json: bool) -> Any:
    if json:
        return "{}"
    if isinstance(dtype, pl.List):
        return []
    plain = {pl.String: "x", pl.Int64: 0, pl.Float64: 0.0, pl.Boolean: False, pl.Datetime: AT, pl.Date: AT.date()}
    return next((value for kind, value in plain.items() if isinstance(dtype, kind)), Decimal(0))
