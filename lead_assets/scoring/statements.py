"""What a file says of how leads ended: an export of a CRM as CSV, Parquet, workbook or JSON, or HubSpot's deals as its API answers them.

Belongs here: from bytes to one statement per row. Does not belong here: which lead is meant (see `outcomes`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.columns import map_distinct
from lead_assets.core.emails import normalise_emails, read_emails
from lead_assets.core.tabular import UnreadableTable, table_of
from lead_assets.learning.columns import as_kind
from lead_assets.scoring.outcome_rules import OutcomeColumns, OutcomeRules, words_of
from lead_assets.stores.archive import Archive

STATEMENT: dict[str, Any] = {
    "row": pl.Int64,
    "outcome": pl.String,
    "stage": pl.String,
    "outcome_at": pl.Datetime("us", "UTC"),
    "email": pl.String,
    "lead_id": pl.String,
    "domain": pl.String,
}
"""`row` counts from 1; `outcome` is won, lost or open; `email` is normalised, `domain` in lower case without www."""

FILE_COLUMNS: dict[str, Any] = {**STATEMENT, "known_at": pl.Datetime("us", "UTC"), "source": pl.String, "record": pl.String}
"""Statements of all files: beside what was read, when the file was received, who says so, and an id of the row."""

FIELDS = tuple(OutcomeColumns.model_fields)
_JSON = (".json", ".ndjson", ".jsonl")
_LONGEST_STAGE = 80
_YES = ["true", "1", "1.0", "yes", "y", "t", "ja", "oui", "si", "sí", "sim"]
_NO = ["false", "0", "0.0", "no", "n", "f", "nein", "non", "não"]
_MOST_NAMED = 8
# Milliseconds since 1970, as HubSpot's older exports have dates, from 1990 to 2100.
_MILLISECONDS = (631_152_000_000, 4_102_444_800_000)


@dataclass(frozen=True)
class StatementsRead:
    """`columns`: field → column that was used. `unread`: stages that no rule knows, with the number of rows; these rows say nothing."""

    statements: pl.DataFrame
    rows: int
    columns: dict[str, str]
    unread: dict[str, int]


def read_statements(data: bytes, name: str, rules: OutcomeRules, columns: Mapping[str, str]) -> StatementsRead:
    """The statements of a file. `columns`: field → column, before what the rules say.

    Raises UnreadableTable for a file without a column for the outcome or for the lead, and for a column that it lacks.
    """
    table = _from_json(data, name) if Path(name).suffix.lower() in _JSON else table_of(data, name)
    used = _columns(table, name, rules, columns)
    text = {field: _text(table[column]) for field, column in used.items()}
    nothing = pl.Series([None] * table.height, dtype=pl.String)
    stage = text.get("stage", nothing)
    outcome = _outcome(stage, text.get("won", nothing), text.get("closed", nothing), rules)
    unread = stage.filter(outcome.is_null() & stage.is_not_null())
    emails = read_emails(text.get("email", nothing))
    frame = pl.DataFrame(
        {
            "row": pl.int_range(1, table.height + 1, eager=True),
            "outcome": outcome,
            "stage": stage.str.slice(0, _LONGEST_STAGE),
            "outcome_at": _times(text.get("outcome_at", nothing)),
            "email": normalise_emails(emails)["email_normalized"],
            "lead_id": text.get("lead_id", nothing),
            "domain": text.get("domain", nothing)
            .str.to_lowercase()
            .str.replace(r"^(https?://)?(www\.)?", "")
            .str.replace(r"[/?#:].*$", ""),
        },
        schema=STATEMENT,
    )
    # An open deal's date is the one at which somebody hopes to close it.
    frame = frame.with_columns(outcome_at=pl.when(pl.col("outcome") != "open").then("outcome_at"))
    said = frame.filter(pl.col("outcome").is_not_null() & pl.any_horizontal(pl.col("email", "lead_id", "domain").is_not_null()))
    return StatementsRead(said, table.height, used, _named(unread.to_list()))


def stated_in(archive: Archive, rules: OutcomeRules) -> tuple[pl.DataFrame, int]:
    """The statements of all files in the archive, in FILE_COLUMNS, and how many rows have a stage that no rule knows."""
    frames, unread = [pl.DataFrame(schema=FILE_COLUMNS)], 0
    for receipt in archive.outcomes():
        read = read_statements(archive.get(receipt.sha256), receipt.name, rules, receipt.columns)
        unread += sum(read.unread.values())
        source = {"known_at": pl.lit(receipt.received_at), "source": pl.lit(receipt.source)}
        frames.append(
            read.statements.with_columns(record=pl.format(f"{receipt.sha256[:16]}/{{}}", "row"), **source).select(list(FILE_COLUMNS))
        )
    return pl.concat(frames, how="vertical_relaxed").cast(FILE_COLUMNS), unread  # type: ignore[arg-type]


def _columns(table: pl.DataFrame, name: str, rules: OutcomeRules, given: Mapping[str, str]) -> dict[str, str]:
    for field, column in given.items():
        if field not in FIELDS:
            raise UnreadableTable(f"--map {field}={column}: there is no field {field!r}; use one of {', '.join(FIELDS)}")
        if column not in table.columns:
            raise UnreadableTable(f"{name}: there is no column {column!r}; it has {', '.join(table.columns[:20])}")
    headers = {words_of(column): column for column in reversed(table.columns)}
    used = dict(given)
    for field in FIELDS:
        if field not in used and (found := next((headers[word] for word in getattr(rules.columns, field) if word in headers), None)):
            used[field] = found
    has = f"{name}: its columns are {', '.join(table.columns[:20])}"
    if not {"stage", "won"} & set(used):
        raise UnreadableTable(f"{has}; none is known to say how a lead ended: name it with --map stage=COLUMN")
    if not {"email", "lead_id", "domain"} & set(used):
        raise UnreadableTable(f"{has}; none says which lead is meant: name one with --map email=COLUMN, lead_id=COLUMN or domain=COLUMN")
    return used


def _outcome(stage: pl.Series, won: pl.Series, closed: pl.Series, rules: OutcomeRules) -> pl.Series:
    """What is flagged goes before what the stage is called, because stages may be called anything, or be numbers."""
    flags = pl.DataFrame({"won": _flag(won), "closed": _flag(closed), "stage": map_distinct(stage, rules.meaning)})
    ended = pl.col("closed") & pl.col("won").not_()
    still = pl.col("closed").not_() & pl.col("won").fill_null(False).not_()
    said = pl.when(pl.col("won")).then(pl.lit("won")).when(ended).then(pl.lit("lost")).when(still).then(pl.lit("open"))
    # "won: no" alone may be lost or not ended yet.
    return flags.select(outcome=said.otherwise("stage")).to_series()


def _flag(values: pl.Series) -> pl.Series:
    folded = values.str.to_lowercase()
    return pl.select(pl.when(folded.is_in(_YES)).then(True).when(folded.is_in(_NO)).then(False)).to_series()


def _times(values: pl.Series) -> pl.Series:
    number = values.cast(pl.Float64, strict=False)
    stamp = pl.when(number.is_between(*_MILLISECONDS)).then(number.cast(pl.Int64, strict=False) * 1000).cast(pl.Datetime("us"))
    return pl.select(pl.coalesce(stamp, as_kind(values, "date"))).to_series().dt.replace_time_zone("UTC").alias("outcome_at")


def _text(values: pl.Series) -> pl.Series:
    if values.dtype.is_float() and (values.drop_nulls() == values.drop_nulls().round()).all():
        values = values.cast(pl.Int64, strict=False)
    text = (
        values.cast(pl.String) if not values.dtype.is_nested() else pl.Series(values.name, [json.dumps(each) for each in values.to_list()])
    )
    text = text.str.strip_chars()
    return text.set(text == "", None)


def _from_json(data: bytes, name: str) -> pl.DataFrame:
    """Objects of an array, of `results` (HubSpot's lists), or one per line. A deal's `properties` count as its own."""
    try:
        told = (
            json.loads(data) if Path(name).suffix.lower() == ".json" else [json.loads(line) for line in data.splitlines() if line.strip()]
        )
    except ValueError:
        raise UnreadableTable(f"{name}: is not JSON; export it again") from None
    pages = [told] if isinstance(told, dict) else told
    if not isinstance(pages, list):
        raise UnreadableTable(f"{name}: contains no objects")
    rows = [_flat(each) for page in pages if isinstance(page, dict) for each in page.get("results", [page]) if isinstance(each, dict)]
    if not rows:
        raise UnreadableTable(f"{name}: contains no objects")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return pl.DataFrame({column: [row.get(column) for row in rows] for column in columns}, schema=dict.fromkeys(columns, pl.String))


def _flat(deal: Mapping[str, Any]) -> dict[str, str | None]:
    properties = deal.get("properties")
    told = {**deal, **(properties if isinstance(properties, dict) else {})}
    contacts = deal.get("associations", {}).get("contacts", {}).get("results", []) if isinstance(deal.get("associations"), dict) else []
    if contacts and isinstance(contacts[0], dict) and contacts[0].get("id"):
        told["associated contact ids"] = str(contacts[0]["id"])
    shown = ((name, value) for name, value in told.items() if not isinstance(value, dict | list))
    return {name: None if value is None else str(value) for name, value in shown}


def _named(stages: Iterable[str]) -> dict[str, int]:
    return dict(Counter(stage[:_LONGEST_STAGE] for stage in stages).most_common(_MOST_NAMED))
