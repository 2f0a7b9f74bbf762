"""Rejected payloads as files for their senders: NDJSON in a separate bucket, which senders may read without access to the warehouse.

This is a copy; the table `intake.rejected_payloads` is authoritative. Does not belong here: why a payload was rejected (see `rows`, `payloads`).
"""

from __future__ import annotations

import gzip
import hashlib

import orjson
import polars as pl

from lead_assets.stores.objects import Objects


def publish(rejected: pl.DataFrame, objects: Objects) -> list[str]:
    """Write the rejects (columns of `RejectedPayload`), one file per campaign and content; returns the file names. Equal rejects give the same file."""
    written = []
    for (campaign_id,), group in (
        rejected.sort("campaign_id", "received_at", "drop_sha256", "position")
        .partition_by("campaign_id", as_dict=True, maintain_order=True)
        .items()
    ):
        lines = (
            orjson.dumps(
                {name: value for name, value in row.items() if value is not None}, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
            )
            for row in group.iter_rows(named=True)
        )
        data = gzip.compress(b"".join(lines), mtime=0)
        name = f"failed-leads/{campaign_id}/{hashlib.sha256(data).hexdigest()}.ndjson.gz"
        objects.put(name, data)
        written.append(name)
    return written
