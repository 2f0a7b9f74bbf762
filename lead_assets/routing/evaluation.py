"""Whether leads have the owners that people say they should have.

Labels are rows of owner_labels.csv in LEAD_ASSETS_RULES_DIR: campaign_id, owner, and lead_id or email. Without the file, the table is empty.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.contracts import RoutingEvaluation
from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings

FILE = "owner_labels.csv"
ENOUGH = 0.95
"""The share of labelled leads that have to have the right owner."""
_SHOWN = 20
_LABELS = {"campaign_id": pl.String(), "lead_id": pl.String(), "email": pl.String(), "owner": pl.String()}


def _file(settings: Settings) -> Path | None:
    file = settings.rules_dir / FILE if settings.rules_dir is not None else None
    return file if file is not None and file.is_file() else None


def content_of_labels(settings: Settings) -> str | None:
    """A hash of the labels; None without any."""
    file = _file(settings)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file is not None else None


def load_labels(settings: Settings) -> pl.DataFrame:
    """campaign_id, lead_id, email (in lower case), owner; lead_id or email may be null. Raises RulesError for a file that is not one of labels."""
    file = _file(settings)
    if file is None:
        return pl.DataFrame(schema=_LABELS)
    try:
        rows = pl.read_csv(file, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise RulesError(
            [f"{file}: is not a CSV file ({type(error).__name__}): write campaign_id,lead_id,owner in the first line"]
        ) from None
    rows = rows.rename(lambda name: name.strip().lower())
    if not {"campaign_id", "owner"} <= set(rows.columns) or not {"lead_id", "email"} & set(rows.columns):
        raise RulesError([f"{file} line 1: lacks a column: write campaign_id, owner, and lead_id or email"])
    columns = [
        (pl.col(name).str.strip_chars() if name in rows.columns else pl.lit(None, pl.String)).replace("", None).alias(name)
        for name in _LABELS
    ]
    return rows.select(columns).with_columns(pl.col("email").str.to_lowercase())


def evaluate(labels: pl.DataFrame, leads: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Rows of routing.evaluation. `leads`: campaign_id, lead_id, email_normalized; `decisions`: campaign_id, lead_id, owner, authority, territory, reason.

    A label whose lead is unknown counts as wrong, under its lead_id, or "(no such lead)" with its number.
    """
    by_address = leads.filter(pl.col("email_normalized").is_not_null()).unique(["campaign_id", "email_normalized"], keep="first")
    addresses = by_address.select("campaign_id", pl.col("email_normalized").alias("email"), pl.col("lead_id").alias("__found"))
    named = labels.with_row_index("__row").join(addresses, on=["campaign_id", "email"], how="left", maintain_order="left")
    nobody = pl.format("(no such lead) {}", pl.col("__row") + 1)
    named = named.with_columns(lead_id=pl.coalesce("lead_id", "__found", nobody), expected="owner").drop("owner")
    named = named.unique(["campaign_id", "lead_id"], keep="last", maintain_order=True)
    rows = named.join(decisions, on=["campaign_id", "lead_id"], how="left").with_columns(
        correct=(pl.col("owner") == pl.col("expected")).fill_null(False)
    )
    columns = RoutingEvaluation.polars_schema()
    return rows.select(columns.names()).cast(columns).sort("campaign_id", "lead_id")


def figures(rows: pl.DataFrame) -> dict[str, Any]:
    """labelled, accuracy (not without labels: nothing is known then), and the first misses, named by campaign and lead."""
    wrong = rows.filter(~pl.col("correct"))
    return {
        "labelled": rows.height,
        **({} if rows.is_empty() else {"accuracy": round(1 - wrong.height / rows.height, 4)}),
        "misses": [
            {name: row[name] for name in ("campaign_id", "lead_id", "expected", "owner", "territory")}
            for row in wrong.head(_SHOWN).iter_rows(named=True)
        ],
    }
