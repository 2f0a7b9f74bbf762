"""Prints the answers of `lead-assets identity` for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_out = Console()


def linked(answer: dict[str, Any]) -> None:
    _out.print(
        f"{answer['rows']:,} rows, {answer['looked_at']:,} pairs compared: {answer['pairs']:,} pairs are one, {answer['clusters']:,} in all",
        highlight=False,
    )
    if answer["columns"]:
        table = Table("column", "role", "equal", "different", title="what a column is worth, in bits", title_justify="left")
        for column in answer["columns"]:
            table.add_row(escape(column["column"]), column["role"], f"{column['bits'][0]:+.1f}", f"{column['bits'][-1]:+.1f}")
        _out.print(table)
    for column, why in answer["left_out"].items():
        _out.print(f"left out: {escape(column)}, because {why}", highlight=False)
    if answer["skipped"]:
        _out.print(
            f"not compared: {sum(answer['skipped'].values()):,} pairs that share {len(answer['skipped'])} keys of very many rows, "
            f"most by {escape(max(answer['skipped'], key=answer['skipped'].get))}",
            highlight=False,
        )
    if answer["divided"]:
        _out.print(f"{answer['divided']:,} clusters were divided, because their rows spoke against each other", highlight=False)
    if answer["one_to_one"]:
        _out.print("each table names everybody once, so a row keeps only its best partner", highlight=False)
    if answer["clusters_in_part"]:
        _out.print(
            f"{answer['clusters_in_part']:,} clusters are so large that only each row's pair with the first is written", highlight=False
        )
    _out.print(f"written to {escape(answer['path'])}", highlight=False, soft_wrap=True)


def merged(answer: dict[str, Any]) -> None:
    _out.print(f"declared the same: {escape(' and '.join(answer['merged']))}; {answer['next']}", highlight=False, soft_wrap=True)


def unmerged(answer: dict[str, Any]) -> None:
    _out.print(f"declared apart: {answer['apart']} pairs; {answer['next']}", highlight=False, soft_wrap=True)


def pair(answer: dict[str, Any]) -> None:
    table = Table("", "", "bits", title=escape(" and ".join(answer["pair"])), title_justify="left")
    table.add_row("any two", "", f"{answer['prior']:+.1f}")
    for step in answer["steps"]:
        table.add_row(step["name"], step["says"], f"{step['bits']:+.1f}" if step["bits"] else "")
    table.add_row("sum", f"one from {answer['accept']:+.1f} on", f"{answer['weight']:+.1f}")
    _out.print(table)
    if answer["decided"]:
        _out.print(f"a person declared them {answer['decided']}", highlight=False)
    said = "one" if answer["one"] else "two"
    _out.print(f"they are {said}: {escape(', '.join(sorted(set(answer['ids'].values()))))}", highlight=False, soft_wrap=True)
    if "path" in answer:
        _out.print(f"picture: {escape(answer['path'])}", highlight=False, soft_wrap=True)
