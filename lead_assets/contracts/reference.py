"""The table reference, docs/TABLES.md, written from the contracts: `python -m lead_assets.contracts.reference > docs/TABLES.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from lead_assets.contracts import TABLES, ColumnSpec, Grain, Table
from lead_assets.contracts.base import OUTSIDE

_MOST_SOURCES = 3
"""More are left to `lead-assets lineage`."""

_GRAINS: dict[Grain, str] = {
    "campaign": "one partition per campaign",
    "day": "one partition per day",
    "home": "one partition for the whole home folder",
}


def reference() -> str:
    """The whole reference as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Tables"
    yield ""
    yield "Generated from the contracts in `lead_assets/contracts` by `make tables`; a test keeps it current. Times are UTC, money is in US dollars."
    yield "Types are SQL types as DuckDB shows them. DuckDB carries the descriptions as comments: `SELECT column_name, comment FROM duckdb_columns()`."
    yield "Personal data is marked by kind (the tag `pii` in Dagster's column schema). `lead-assets lineage TABLE.COLUMN` says what a column is made from."
    for contract in TABLES.values():
        yield from ("", f"## {contract.table}", "", contract.description(), "")
        key = ", ".join(f"`{name}`" for name in contract.key)
        yield f"One row per ({key}); {_GRAINS[contract.grain]}; Dagster asset `{contract.table.replace('.', '/')}`."
        yield from ("", "| column | type | null | personal data | what it holds |", "| --- | --- | --- | --- | --- |")
        yield from (_row(contract, column) for column in contract.columns())


def _row(contract: type[Table], column: ColumnSpec) -> str:
    elsewhere = len(column.sources) > 1 or any(source.split(".")[-1] != column.name for source in column.sources)
    told = elsewhere and len(column.sources) <= _MOST_SOURCES and not set(column.sources) & OUTSIDE.keys()
    origin = f" (from {', '.join(f'`{source}`' for source in column.sources)})" if told else ""
    description = column.description.replace("|", "\\|")
    return f"| `{column.name}` | {column.sql_type} | {'yes' if column.nullable else ''} | {column.pii or ''} | {description}{origin} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
