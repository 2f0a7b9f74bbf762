"""Small frames of contract rows for tests of stores and later rooms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from lead_assets.contracts import WHOLE_HOME, ColumnSpec, Score, Table


def scores(campaign_id: str, count: int, **changes: Any) -> pl.DataFrame:
    rows = [
        {
            "campaign_id": campaign_id,
            "lead_id": f"ld_{index}",
            "score": float(index % 100),
            "tier": "warm",
            "parts": "[]",
            "ruleset": "b2b-rules-1",
            "reasons": [],
            "unknown_parts": [],
            "route_score": 0.5,
            "path": "manual_review",
            "quarantined": False,
        }
        | changes
        for index in range(count)
    ]
    return Score.frame(rows)


def full(contract: type[Table], partition: str) -> pl.DataFrame:
    """One row of a partition with a value in every column, each as awkward as its type allows."""
    return contract.frame([{column.name: _awkward(column) for column in contract.columns()} | _place(contract, partition)])


def bare(contract: type[Table], partition: str) -> pl.DataFrame:
    """One row of a partition with a null in every column that may hold one."""
    row = {column.name: None if column.nullable else _awkward(column) for column in contract.columns()}
    return contract.frame([row | _place(contract, partition)])


def two_partitions(contract: type[Table]) -> list[str]:
    """Keys of two partitions, or of the only one that a table of the whole home has."""
    return {"campaign": ["a", "b"], "day": ["2026-02-28", "2026-03-01"], "home": [WHOLE_HOME]}[contract.grain]


def _place(contract: type[Table], partition: str) -> dict[str, Any]:
    """What puts a row into a partition."""
    return {
        "campaign": {"campaign_id": partition},
        "day": {"day": date.fromisoformat(partition)} if contract.grain == "day" else {},
        "home": {},
    }[contract.grain]


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
