"""The ledger's sums and its calls as rows of contracts.Calls and contracts.JournaledCall.

They come from the ledger alone, so a rebuild of the warehouse gives the same rows."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lead_assets.contracts import Calls, JournaledCall
from lead_assets.ledger.ledger import Ledger


def calls(ledger: Ledger, signals: Mapping[str, str]) -> pl.DataFrame:
    """All calls so far, by day, campaign, operation and outcome. `signals`: operation → the signals that use it."""
    sums = ledger.costs(["day", "campaign", "provider", "operation", "state", "reason"])
    frame = sums.rename({"usd": "cost_usd"}).with_columns(
        pl.col("day").str.to_date("%Y-%m-%d"),
        pl.col("operation").replace_strict(dict(signals), default=None, return_dtype=pl.String).alias("signal"),
    )
    return frame.select(Calls.polars_schema().names())


def journaled(ledger: Ledger, signals: Mapping[str, str], places: Mapping[str, int]) -> pl.DataFrame:
    """All calls so far, one row each. `places`: operation → its place among its signal's sources, from 1."""
    frame = ledger.journaled().with_columns(
        pl.col("reason").fill_null(""),
        pl.col("operation").replace_strict(dict(signals), default=None, return_dtype=pl.String).alias("signal"),
        pl.col("operation").replace_strict(dict(places), default=None, return_dtype=pl.Int64).alias("place"),
    )
    return frame.select(JournaledCall.polars_schema().names())
