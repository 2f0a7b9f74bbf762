"""Small frames of contract rows for tests of stores and later rooms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from lead_assets.contracts import ColumnSpec, Score, Table


def scores(campaign_id: str, count: int, **changes: Any) -> pl.DataFrame:
    rows = [
        {
            "campaign_id": campaign_id,
            "lead_id": f"ld_{index}",
            "score": float(index % 100),
            "tier": "warm",
            "parts": "[]",
            "ruleset": "b2b-rules-1",
        }
        | changes
        for index in range(count)
    ]
    return Score.frame(rows)


def full(contract: type[Table], campaign_id: str) -> pl.DataFrame:
    """One row with a value in every column, each as awkward as its type allows."""
    return contract.frame([{column.name: _awkward(column) for column in contract.columns()} | {"campaign_id": campaign_id}])


def bare(contract: type[Table], campaign_id: str) -> pl.DataFrame:
    """One row with a null in every column that may hold one."""
    row = {column.name: None if column.nullable else _awkward(column) for column in contract.columns()}
    return contract.frame([row | {"campaign_id": campaign_id}])


def _awkward(column: ColumnSpec) -> Any:
    if column.json:
        return '{"a":250000.0,"b":[1,null,1e-7,12345678901234567890],"c":"\\u0000 \\"é\\" 日本","d":{}}'
    if isinstance(column.dtype, pl.List):
        return ["x", 'ü"y\\', None, "", "日本 🏦"]
    values: dict[pl.DataType, Any] = {
        pl.String(): 'it\'s; DROP TABLE x -- "é" 日本 🏦 \n\t\\ %_',
        pl.Int64(): 2**53 + 1,
        pl.Float64(): 0.1 + 0.2,
        pl.Boolean(): True,
        pl.Date(): date(2026, 2, 28),
        pl.Datetime("us", "UTC"): datetime(2999, 12, 31, 23, 59, 59, 123457, tzinfo=UTC),
        pl.Decimal(18, 6): Decimal("123456789012.000001"),
    }
    return values[column.dtype]
