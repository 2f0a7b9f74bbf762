"""A drop comes in: its bytes go to the archive before anything looks inside them, its payloads are counted, and each campaign gets a receipt.

Does not belong here: finding files (see `landing`), reading a drop's content (see `drops`), making tables of it (see `read`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from lead_assets.core.campaign_keys import campaign_key, inbound_key
from lead_assets.intake.csv_payloads import check_column_map
from lead_assets.intake.drops import read_drop
from lead_assets.stores.archive import Archive, Receipt

DEFAULT_MAX_PAYLOAD_BYTES = 1 << 20


@dataclass(frozen=True)
class IngestedDrop:
    """What became of a drop: payloads that are leads (`campaigns`: rows by campaign) and payloads that were rejected.

    status `duplicate_file`: these bytes had come in for these campaigns before; a receipt is kept, nothing is read twice. `already_ingested`: this very
    receipt (by its id) was there before, and nothing was written.
    """

    sha256: str
    name: str
    status: Literal["ingested", "duplicate_file", "already_ingested"]
    campaigns: dict[str, int] = field(default_factory=dict)
    rejected_by_campaign: dict[str, int] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    """Headers that the column map names and the drop has not: nothing was renamed by them."""

    @property
    def rows(self) -> int:
        return sum(self.campaigns.values())

    @property
    def rejected(self) -> int:
        return sum(self.rejected_by_campaign.values())


def ingest(
    archive: Archive,
    data: bytes,
    *,
    name: str,
    received_at: datetime,
    campaign: str | None = None,
    column_map: Mapping[str, str] | None = None,
    receipt_id: str | None = None,
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
) -> IngestedDrop:
    """Keep the bytes, count their payloads by campaign, and write a receipt for each campaign.

    `campaign` is set if the sender named one for the whole file. `receipt_id` makes the call repeatable: with the same id it adds
    nothing, and finishes what a crash left undone. Raises ValueError for a campaign without
    a name, a column map onto unknown fields, or a time without a zone; nothing for any bytes.
    """
    column_map = dict(column_map or {})
    check_column_map(column_map)
    if received_at.tzinfo is None:
        raise ValueError("received_at has no time zone: give it in UTC")
    received_at = received_at.astimezone(UTC)
    forced = campaign is not None
    default = campaign_key(campaign) if campaign is not None else inbound_key(received_at)
    known = archive.holds(data)
    sha256 = hashlib.sha256(data).hexdigest() if known else archive.put(data)
    receipt_id = receipt_id or uuid.uuid4().hex
    earlier = archive.receipts_of(sha256) if known else []
    mine = [receipt for receipt in earlier if receipt.receipt_id == receipt_id]
    others = [receipt for receipt in earlier if receipt.receipt_id != receipt_id]
    if mine:
        received_at, default, name = mine[0].received_at, mine[0].default_campaign, mine[0].name
        others = [receipt for receipt in others if receipt.received_at < received_at]
    elif not forced:
        # The day of receipt names the campaign of leads without one. The same file a day later is the same file, not a second campaign.
        default = next((receipt.default_campaign for receipt in others if not receipt.forced_campaign), default)
    drop = read_drop(data, max_payload_bytes=max_payload_bytes, column_map=column_map, documents=False)
    counts = drop.counts(default, forced=forced)
    read_before = {receipt.campaign_id for receipt in others if receipt.column_map == column_map}
    rows: dict[str, int] = {}
    rejected: dict[str, int] = {}
    for campaign_id, good, bad in counts.iter_rows():
        repeated = campaign_id in read_before
        rows[campaign_id], rejected[campaign_id] = (0, 1) if repeated else (good, bad)
        if any(receipt.campaign_id == campaign_id for receipt in mine):
            continue
        archive.add_receipt(
            Receipt(
                receipt_id=receipt_id,
                campaign_id=campaign_id,
                sha256=sha256,
                name=name,
                received_at=received_at,
                size=len(data),
                records=1 if repeated else good + bad,
                default_campaign=default,
                forced_campaign=forced,
                column_map=column_map,
            )
        )
    if set(rows) <= {receipt.campaign_id for receipt in mine}:
        return IngestedDrop(sha256, name, "already_ingested", rows, rejected, drop.unmapped)
    return IngestedDrop(sha256, name, "duplicate_file" if set(rows) <= read_before else "ingested", rows, rejected, drop.unmapped)
