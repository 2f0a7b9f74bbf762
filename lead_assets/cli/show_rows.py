"""Formats rows for a terminal: as a table if it fits, otherwise one value per line. Nothing is computed here."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_LEAST = 9
"""Characters that a column needs to be read."""
_LONGEST = 400
"""Characters of a value that are printed; --json and --csv have all of it."""


def rows(answer: dict[str, Any]) -> None:
    out = Console(highlight=False)
    columns = answer["columns"]
    if not answer["rows"]:
        out.print(f"no rows; columns: {', '.join(columns)}", soft_wrap=True)
        return
    if len(columns) * _LEAST <= out.width:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in columns:
            numbers = all(isinstance(row[name], int | float | Decimal) or row[name] is None for row in answer["rows"])
            table.add_column(escape(name), justify="right" if numbers else "left", overflow="fold")
        for row in answer["rows"]:
            table.add_row(*(escape(_text(row[name])) for name in columns))
        out.print(table)
    else:
        width = max(map(len, columns))
        for number, row in enumerate(answer["rows"], start=1):
            out.print(f"[bold]row {number}[/]")
            for name in columns:
                if row[name] is not None:
                    out.print(f"  [cyan]{escape(name.ljust(width))}[/]  {escape(_text(row[name]))}", soft_wrap=True)
    if answer["more"]:
        out.print(f"the first {answer['count']} rows; --limit 0 shows all", style="dim")


def tables(answer: dict[str, Any]) -> None:
    out = Console(highlight=False)
    table = Table("table", "rows", "what", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    for row in answer["tables"]:
        table.add_row(row["table"], f"{row['rows']:,}", escape(row["what"]))
    out.print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.6g}" if value != int(value) else f"{value:.0f}"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = str(value).replace("\n", " ")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
