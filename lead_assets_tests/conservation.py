"""What a campaign received beside what became of it: counts for tests that nothing is lost or made up."""

from __future__ import annotations

import polars as pl

from lead_assets.identity.resolve import Resolved
from lead_assets.intake.read import CampaignsRead


def of_payloads(read: CampaignsRead) -> pl.DataFrame:
    """Frame (campaign_id, received, good, rejected), one row per campaign: received = good + rejected if nothing is lost.

    `received` is the receipts' count from when the drops arrived. A repeated file counts nothing.
    """
    frame = read.received.select("campaign_id", "received")
    for column, counted in (("good", read.raw_leads), ("rejected", read.rejected)):
        count = counted.group_by("campaign_id").agg(pl.len().cast(pl.Int64).alias(column))
        frame = frame.join(count, on="campaign_id", how="left", maintain_order="left").with_columns(pl.col(column).fill_null(0))
    return frame


def of_leads(raw: pl.DataFrame, resolved: Resolved) -> pl.DataFrame:
    """One row per campaign: received, leads, duplicate, suppressed and lost (= received minus the three; must be 0)."""
    counts = raw.group_by("campaign_id").agg(received=pl.len())
    for name, frame in (("leads", resolved.leads), ("duplicate", resolved.duplicates), ("suppressed", resolved.suppressed)):
        counted = frame.group_by("campaign_id").agg(pl.len().alias(name))
        counts = counts.join(counted, on="campaign_id", how="full", coalesce=True)
    numbers = pl.col("received", "leads", "duplicate", "suppressed").fill_null(0).cast(pl.Int64)
    return (
        counts.with_columns(numbers)
        .with_columns(lost=pl.col("received") - pl.col("leads") - pl.col("duplicate") - pl.col("suppressed"))
        .sort("campaign_id")
    )
