"""What a materialization shows of its rows: a few of them without personal data, the query that shows all, and a picture.

Does not belong here: figures (each room's own), or how pictures are drawn (see `pictures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import polars as pl
from dagster import MetadataValue

from lead_assets.contracts import WHOLE_HOME, ColumnSpec, Table
from lead_assets.kit.step import Step
from lead_assets.stores.warehouse.base import split

_ROWS, _COLUMNS, _LETTERS = 5, 8, 40


def look(
    step: Step,
    contract: type[Table],
    frame: pl.DataFrame,
    partitions: Sequence[str],
    draw: Callable[[pl.DataFrame, Step], str | None] | None,
) -> Mapping[str, Mapping[str, Any]]:
    """Partition → metadata: "preview", "query", "explorer" (the page of its leads) and, where there is one, "picture", for partitions that were made."""
    column = contract.partition_column()
    names = [each.name for each in contract.columns() if _may_be_seen(each) and each.name != column][:_COLUMNS]
    found: dict[str, dict[str, Any]] = {}
    parts = split(contract, frame)
    for key in partitions:
        rows = parts.get(key, frame.clear())
        found[key] = {"query": query(contract, key)}
        if column == "campaign_id" and "lead_id" in contract.polars_schema():
            leads = f"{step.settings.service_url.rstrip('/')}/explorer/leads?{urlencode({'campaign': key})}"
            found[key]["explorer"] = MetadataValue.url(leads)
        if rows.height and names:
            found[key]["preview"] = MetadataValue.md(_table(rows.select(names).head(_ROWS), rows.height))
        if draw is not None and (picture := draw(rows, step)) is not None:
            found[key]["picture"] = MetadataValue.md(picture)
    return found


def query(contract: type[Table], partition: str) -> str:
    """The SELECT that shows the partition's rows, in both warehouses."""
    column = contract.partition_column()
    only = "" if column is None or partition == WHOLE_HOME else f" WHERE {column} = '{partition}'"
    return f"SELECT * FROM {contract.table}{only}"


def _may_be_seen(column: ColumnSpec) -> bool:
    # A source may use an address as its lead's id, and whoever is forgotten would stay in the history by it.
    if column.name.endswith("lead_id") or any(source.endswith(".lead_id") for source in column.sources):
        return False
    return not (column.pii or column.json or isinstance(column.dtype, pl.List | pl.Struct))


def _table(rows: pl.DataFrame, of: int) -> str:
    lines = [f"| {' | '.join(rows.columns)} |", f"|{' --- |' * rows.width}"]
    lines += [f"| {' | '.join(_text(value) for value in row)} |" for row in rows.iter_rows()]
    return "\n".join([*lines, "", f"{rows.height} of {of:,} rows, without personal data"])


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    text = text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
