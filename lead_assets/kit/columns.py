"""Where columns come from: each contract says it of its own, a mart's SQL of its own, and here are the answers over several tables.

A source is a column, as schema.table.column, or a place outside the tables, as store.part (see `OUTSIDE`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lead_assets.contracts import TABLES
from lead_assets.contracts.base import OUTSIDE
from lead_assets.core.document import nearest
from lead_assets.core.unknown_words import UnknownWord


@dataclass(frozen=True)
class Link:
    """One step of a column's lineage: `column` is made from `source`, `distance` steps from the column asked about."""

    column: str
    source: str
    distance: int


def upstream(column: str) -> list[Link]:
    """Every column and place that a column is made from, directly or not, nearest first. Each is listed at its shortest distance."""
    return _walk(column, {name: list(sources) for name, sources in _edges()}, towards_sources=True)


def downstream(column: str) -> list[Link]:
    """Every column that is made from a column, directly or not, nearest first."""
    made: dict[str, list[str]] = {}
    for name, sources in _edges():
        for source in sources:
            made.setdefault(source, []).append(name)
    return _walk(column, made, towards_sources=False)


def known_column(name: str) -> str:
    """The name, if there is such a column. Raises UnknownWord."""
    table, _, column = name.rpartition(".")
    if name in OUTSIDE:
        return name
    if table not in TABLES:
        raise UnknownWord(f"no column {name!r}{nearest(table, TABLES)}: name it schema.table.column; 'lead-assets show' lists the tables")
    columns = TABLES[table].polars_schema().names()
    if column not in columns:
        raise UnknownWord(f"{table} has no column {column!r}{nearest(column, columns)}: it has {', '.join(columns)}")
    return name


def _edges() -> Iterator[tuple[str, tuple[str, ...]]]:
    for contract in TABLES.values():
        for column in contract.columns():
            yield f"{contract.table}.{column.name}", column.sources


def _walk(start: str, edges: dict[str, list[str]], *, towards_sources: bool) -> list[Link]:
    found: list[Link] = []
    seen, level, distance = {start}, [start], 0
    while level:
        distance += 1
        after: list[str] = []
        for name in level:
            for other in edges.get(name, ()):
                found.append(Link(name, other, distance) if towards_sources else Link(other, name, distance))
                if other not in seen:
                    seen.add(other)
                    after.append(other)
        level = after
    return found
