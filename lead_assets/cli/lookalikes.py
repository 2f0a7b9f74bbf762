"""What `lead-assets lookalike` does: reads the table, builds or asks an index, writes the result.

Does not belong here: the index (see `lead_assets.lookalike.index`), or printing (see `show_lookalikes`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.settings import Settings
from lead_assets.core.tabular import UnreadableTable, read_table, write_table

_USUAL_ID = "customer_id"
_AT_ONCE = 10_000
_ADDED = ("s_look", "s_novel", "contrast", "is_duplicate", "reason", "nn_all_ids", "nn_high_ids", "neighbours")


def columns(text: str | None, categories: str | None, numbers: str | None) -> dict[str, tuple[str, ...]]:
    """The kinds of columns that were named, each split at its commas."""
    named = {"text": text, "categories": categories, "numbers": numbers}
    return {kind: tuple(name.strip() for name in listed.split(",") if name.strip()) for kind, listed in named.items() if listed is not None}


def build(
    settings: Settings,
    source: str,
    out: Path,
    columns: dict[str, tuple[str, ...]],
    *,
    label: str,
    positive: str | None,
    id_column: str | None,
    email_column: str,
    embedding: str,
) -> dict[str, Any]:
    """Builds and stores an index. Raises ValueError with what is missing, or UnreadableTable."""
    from lead_assets.lookalike import index, index_files
    from lead_assets.lookalike.encoder import spec_of

    spec = spec_of(columns, embedding)
    table = read_source(settings, source)
    if id_column is None and _USUAL_ID in table.columns:
        id_column = _USUAL_ID
    built = index.build(table, spec, label=label, positive=positive, id_column=id_column, email_column=email_column)
    index_files.save(built, out)
    return {
        **built.facts,
        "repeated_ids": built.records.repeated,
        "missing": built.encoder.missing(table),
        "notes": [*_notes(built), *_unread(table, spec.numbers)],
        "path": str(out),
    }


def score(
    settings: Settings,
    index_path: Path,
    source: str,
    out: Path,
    columns: dict[str, tuple[str, ...]],
    *,
    own: str | None,
    email_column: str,
) -> dict[str, Any]:
    """Writes the input with s_look, s_novel, contrast, is_duplicate, reason, nn_all_ids, nn_high_ids and neighbours, in its order.

    Raises WrongIndex, ValueError with what is missing, or UnreadableTable.
    """
    from lead_assets.lookalike import index_files
    from lead_assets.lookalike.index import check

    index = index_files.load(index_path)
    if columns:
        index_files.same_columns(index_path, index.spec, columns)
    table = read_source(settings, source)
    check(table, index.spec)
    if own is not None and own not in table.columns:
        raise ValueError(f"the table has no column {own!r}: name another with --own")
    replaced = [name for name in table.columns if name in _ADDED]
    parts = [_scored(index, table[start : start + _AT_ONCE], own, email_column) for start in range(0, max(table.height, 1), _AT_ONCE)]
    scored = pl.concat(parts)
    write_table(scored, out)
    return {
        "rows": scored.height,
        "scored": scored.height - scored["s_novel"].null_count(),
        "duplicates": int(scored["is_duplicate"].sum()),
        "missing": index.encoder.missing(table),
        "mean_contrast": None if (mean := scored["contrast"].mean()) is None else round(float(mean), 4),  # type: ignore[arg-type]
        "notes": [
            *_notes(index),
            *_unread(table, index.spec.numbers),
            *([f"columns of the table that were replaced: {', '.join(replaced)}"] if replaced else []),
        ],
        "index": index.facts,
        "path": str(out),
    }


def read_source(settings: Settings, source: str) -> pl.DataFrame:
    """A file, an object of a bucket, or one of the product's own tables. Raises UnreadableTable, or UnknownWord for a table that does not exist."""
    from lead_assets.cli import exports
    from lead_assets.contracts import TABLES

    if source.startswith("gs://"):
        return _from_bucket(source)
    if source in TABLES and not Path(source).exists():
        return exports.rows(settings, source)
    return read_table(Path(source.removeprefix("file://")))


def _from_bucket(source: str) -> pl.DataFrame:
    from lead_assets.stores.objects import open_objects

    folder, _, name = source.rpartition("/")
    if not name or folder == "gs:/":
        raise UnreadableTable(f"{source}: names no file: write gs://bucket/file")
    with tempfile.TemporaryDirectory(prefix="lead-assets-") as scratch:
        copy = Path(scratch) / name
        try:
            with copy.open("w+b") as file:
                open_objects(folder).fetch(name, file)
        except FileNotFoundError:
            raise UnreadableTable(f"{source}: there is no such file") from None
        return read_table(copy)


def _scored(index: Any, table: pl.DataFrame, own: str | None, email_column: str) -> pl.DataFrame:
    from lead_assets.lookalike.shared import NEIGHBOURS

    found = index.ask(table, own=own)
    emails = table[email_column].cast(pl.String).to_list() if email_column in table.columns else [None] * table.height
    known = pl.Series("is_duplicate", [index.is_known(email) for email in emails], dtype=pl.Boolean)
    return table.with_columns(
        found["s_look"],
        found["s_novel"],
        found["contrast"],
        known,
        pl.select(reason=pl.when(known).then(pl.lit("email_exact_match"))).to_series(),
        found["nn_all_ids"],
        found["nn_high_ids"],
        pl.Series("neighbours", index.neighbours(table, found), dtype=NEIGHBOURS),
    )


def _unread(table: pl.DataFrame, numbers: Sequence[str]) -> list[str]:
    """Which columns of numbers have values that are none."""
    told = []
    for name in numbers:
        if name in table.columns:
            values = table[name].drop_nulls()
            read = values.cast(pl.Float64, strict=False)
            if unread := len(values) - int(read.is_finite().sum()):
                told.append(f"{name}: {unread} of {len(values)} values are not numbers and count as empty")
    return told


def _notes(index: Any) -> list[str]:
    facts = index.facts
    notes = []
    if not facts["high"]:
        notes.append("no record is of high value: s_look and contrast are empty until one is")
    elif facts["high"] < 20:
        notes.append(f"only {facts['high']} records are of high value: s_look is the mean of fewer than 20")
    if facts["high"] == facts["rows"]:
        notes.append("every record is of high value: contrast is 0, because there is nothing to compare with")
    return notes
