"""Answers analysts' questions about the tables: any SELECT, or the first rows of a table.

Does not belong here: what a query may read and how it is masked (see `lead_assets.stores.warehouse.questions`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from lead_assets.cli.errors import CommandError
from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown
from lead_assets.stores.opened import warehouse_of
from lead_assets.stores.warehouse.questions import ask

SHOWN = 100
"""Rows printed for people unless they ask for more."""


def frame(settings: Settings, sql: str, *, pii: bool = False, limit: int | None = None) -> pl.DataFrame:
    """The rows of a SELECT. Raises QuestionError."""
    return ask(warehouse_of(settings), sql, pii=pii, limit=limit)


def rows_of(settings: Settings, table: str, *, pii: bool = False, limit: int | None = None) -> pl.DataFrame:
    """The first rows of a table, by its key. Raises UnknownWord."""
    contract = TABLES.get(table)
    if contract is None:
        raise unknown("no table", table, TABLES)
    return frame(settings, f"SELECT * FROM {table} ORDER BY {', '.join(contract.key)}", pii=pii, limit=limit)


def tables(settings: Settings) -> dict[str, Any]:
    """Every table with its rows: {"tables": [{"table", "rows", "what"}]}."""
    warehouse = warehouse_of(settings)
    union = " UNION ALL ".join(f"SELECT '{name}' AS name, COUNT(*) AS n FROM {name}" for name in TABLES)
    counted = dict(warehouse.query(union, list(TABLES.values())).iter_rows())
    return {"tables": [{"table": name, "rows": counted[name], "what": contract.description()} for name, contract in TABLES.items()]}


def answer(frame: pl.DataFrame, limit: int | None) -> dict[str, Any]:
    """Rows for --json and for a terminal: {"columns", "rows", "count", "more"}. `frame` has one row more than the limit if there are more."""
    more = limit is not None and frame.height > limit
    shown = frame.head(limit) if limit is not None else frame
    return {"columns": shown.columns, "rows": shown.to_dicts(), "count": shown.height, "more": more}


def most(limit: int | None, *, whole: bool) -> int | None:
    """The number of rows to print: as asked for (0: all), else all for programs and some for people."""
    if limit is not None and limit < 0:
        raise CommandError("--limit: give a number of rows, or 0 for all")
    return (limit or None) if limit is not None else (None if whole else SHOWN)
