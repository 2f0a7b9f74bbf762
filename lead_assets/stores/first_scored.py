"""What was known of leads when they were first scored, kept in the archive: whoever learns from a lead that has ended must not see what became known since.

Belongs here: storing it once, and finding it again. Does not belong here: which columns count (see `scoring.features` and `lookalike.home`).
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from lead_assets.stores.archive import Archive, time_of

KEYS = ["campaign_id", "lead_id"]
AS_OF, WHOLE = "scored_at", "all_columns_known"


def remember(archive: Archive, known: pl.DataFrame, scored_before: pl.DataFrame, at: datetime) -> None:
    """Stores what is known (KEYS and any columns) of leads that are scored for the first time. `scored_before`: KEYS of those with a score already."""
    first = known.join(scored_before.select(KEYS), on=KEYS, how="anti")
    for (campaign,), rows in first.partition_by("campaign_id", as_dict=True).items():
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        archive.add_features(str(campaign), buffer.getvalue(), at)


def as_first_scored(archive: Archive, leads: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """KEYS, AS_OF, WHOLE and `columns` of those of the leads (KEYS) that were ever scored, each as it stood at its first score.

    WHOLE is false where an earlier release stored fewer columns; these are null.
    """
    wanted: Collection[str] = set(leads["campaign_id"])
    frames = [_read(archive, name, columns) for name in archive.feature_names() if name.split("/")[1] in wanted]
    if not frames:
        schema: dict[str, Any] = {**dict.fromkeys(KEYS, pl.String), AS_OF: pl.Datetime("us", "UTC"), WHOLE: pl.Boolean}
        return pl.DataFrame(schema={**schema, **dict.fromkeys(columns, pl.String)})
    every = pl.concat(frames, how="diagonal_relaxed")
    lacking = [pl.lit(None, dtype=pl.String).alias(name) for name in columns if name not in every.columns]
    found = every.with_columns(lacking).join(leads.select(KEYS).unique(), on=KEYS, how="semi")
    return found.sort(AS_OF).unique(KEYS, keep="first", maintain_order=True).select(*KEYS, AS_OF, WHOLE, *columns)


def _read(archive: Archive, name: str, columns: Sequence[str]) -> pl.DataFrame:
    rows = pl.read_parquet(io.BytesIO(archive.read(name)))
    return rows.with_columns(pl.lit(time_of(name)).alias(AS_OF), pl.lit(set(columns) <= set(rows.columns)).alias(WHOLE))
