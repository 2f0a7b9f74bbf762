"""Prints the answers of the commands about privacy for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_out = Console()
_MOST_LINES = 20


def added(answer: dict[str, Any]) -> None:
    _out.print(f"{answer['added']:,} added, {answer['already']:,} known already", highlight=False)
    if answer["unread"]:
        lines = ", ".join(map(str, answer["unread"][:_MOST_LINES]))
        more = f" and {len(answer['unread']) - _MOST_LINES:,} more" if len(answer["unread"]) > _MOST_LINES else ""
        _out.print(
            f"not read: number {lines}{more}: no e-mail address, phone or domain; write a phone as +14155550123, or add --country",
            highlight=False,
        )


def suppressions(answer: dict[str, Any]) -> None:
    if "suppressed" in answer:
        _out.print(f"{answer['kind']}: {'suppressed' if answer['suppressed'] else 'not suppressed'}", highlight=False)
        for why in answer["why"]:
            _out.print(f"  {escape(why)}", highlight=False)
        return
    table = Table("kind", "reason", "hashes", "newest", title="suppressions", title_justify="left")
    for row in answer["lists"]:
        table.add_row(row["kind"], escape(row["reason"]), f"{row['hashes']:,}", row["newest"][:10])
    _out.print(table)
