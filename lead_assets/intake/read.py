"""Campaigns read back from the archive: the tables of the intake room, made from archive and receipts alone.

They can be dropped and rebuilt to the same rows. Does not belong here: what is in a drop (see `drops`), how it came in (see `ingest`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.intake.drops import read_drop
from lead_assets.intake.ingest import DEFAULT_MAX_PAYLOAD_BYTES
from lead_assets.stores.archive import Archive, Receipt


class CampaignsRead(NamedTuple):
    """Campaigns as read from the archive: frames of `RawLead` and of `RejectedPayload`."""

    raw_leads: pl.DataFrame
    rejected: pl.DataFrame


def read_campaigns(archive: Archive, campaign_ids: Iterable[str], *, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> CampaignsRead:
    """Frames `RawLead` and `RejectedPayload` of the campaigns, rebuilt from the archive: equal archives give equal frames.

    Each distinct drop is fetched and parsed once, however many of the campaigns share it. Raises FileNotFoundError if the archive lost a drop.
    """
    drops: dict[tuple[str, str], list[Receipt]] = {}
    leads, rejects = [RawLead.empty()], [RejectedPayload.empty()]
    for campaign_id in sorted(set(campaign_ids)):
        reading, repeats = _reading(archive.receipts(campaign_id))
        rejects.append(_repeated(repeats))
        for receipt in reading:
            drops.setdefault((receipt.sha256, json.dumps(receipt.column_map, sort_keys=True)), []).append(receipt)
    for (sha256, _), receipts in drops.items():
        drop = read_drop(archive.get(sha256), max_payload_bytes=max_payload_bytes, column_map=receipts[0].column_map)
        good, bad = drop.place(receipts)
        leads.append(good)
        rejects.append(bad)
    order = ["campaign_id", "received_at", "drop_sha256", "position"]
    return CampaignsRead(pl.concat(leads).sort(order), pl.concat(rejects).sort(order))


def conservation(archive: Archive, campaign_ids: Iterable[str], raw: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """Frame (campaign_id, received, good, rejected), one row a campaign, for the check that received = good + rejected.

    `received` is what the receipts say was counted when the drops came in; a file that came again counts one, for its one row among the rejects.
    """
    wanted = sorted(set(campaign_ids))
    received: list[int] = []
    for campaign_id in wanted:
        reading, repeats = _reading(archive.receipts(campaign_id))
        received.append(sum(receipt.records for receipt in reading) + len(repeats))
    frame = pl.DataFrame({"campaign_id": wanted, "received": received}, schema={"campaign_id": pl.String, "received": pl.Int64})
    for column, counted in (("good", raw), ("rejected", rejected)):
        count = counted.group_by("campaign_id").agg(pl.len().cast(pl.Int64).alias(column))
        frame = frame.join(count, on="campaign_id", how="left", maintain_order="left").with_columns(pl.col(column).fill_null(0))
    return frame


def _reading(receipts: list[Receipt]) -> tuple[list[Receipt], list[Receipt]]:
    """Of a campaign's receipts: those whose drop is read, one a drop, and those that brought it again.

    A drop is read by the first receipt with its newest column map: sending a file again changes nothing, sending it with a corrected map mends it.
    """
    chosen: dict[str, Receipt] = {}
    # Files of one tick came at one time. Which was the first tells its count: those that came again count one.
    for receipt in sorted(receipts, key=lambda receipt: (receipt.received_at, -receipt.records)):
        held = chosen.get(receipt.sha256)
        if held is None or receipt.column_map != held.column_map:
            chosen[receipt.sha256] = receipt
    reading = list(chosen.values())
    return reading, [receipt for receipt in receipts if receipt is not chosen[receipt.sha256]]


def _repeated(repeats: list[Receipt]) -> pl.DataFrame:
    return RejectedPayload.frame(
        {
            "campaign_id": receipt.campaign_id,
            "drop_sha256": receipt.sha256,
            "drop_name": receipt.name,
            "position": 0,
            "received_at": receipt.received_at,
            "code": "duplicate_file",
            "reason": "the same bytes came in for this campaign more than once: they are read once, nothing is to be done",
            "field": None,
            "raw_text": "",
            "raw_bytes": receipt.size,
        }
        for receipt in repeats
    )
