"""The archive: the raw bytes that came in, named by their content, and the receipts that say where they belong. Immutable; the source of truth.

Layout below the archive's root (a local folder or a bucket: any URL that fsspec knows):

    objects/<2 hex>/<sha256>                             the bytes of a drop, once
    receipts/<campaign key>/<time>-<sha12>-<receipt>.json  one receipt of a drop for one campaign
    events/<campaign key>/<sha256>.ndjson.gz             enrichment events as they were sent

Does not belong here: reading what is inside a drop (see `lead_assets.intake`).
"""

from __future__ import annotations

import functools
import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from upath import UPath


class Receipt(BaseModel):
    """That a drop came in for a campaign: enough to read it again, years later, to the same rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt_id: str
    campaign_id: str
    sha256: str
    name: str
    received_at: datetime
    size: int
    records: int
    """Payloads of this campaign in the drop, good or not, as counted when it was received: what conservation is checked against."""
    default_campaign: str
    """Partition of payloads that name no campaign themselves, or cannot be read."""
    forced_campaign: bool = False
    """True if the sender of the file named the campaign for all of it (--campaign, or the landing sub-folder)."""
    column_map: dict[str, str] = {}
    """Header overrides given with --map, from → to."""


class Archive:
    """Immutable bytes by content hash. Writing the same bytes twice is one object; no call overwrites or deletes."""

    def __init__(self, location: str) -> None:
        self.location = location

    @functools.cached_property
    def root(self) -> UPath:
        # fsspec's file systems take a tenth of a second to load, which every run would pay.
        from upath import UPath

        return UPath(self.location)

    def put(self, data: bytes) -> str:
        """Keep the bytes; returns their SHA-256 (hex)."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._write_once(self._object(sha256), data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a drop. Raises FileNotFoundError that names the hash."""
        path = self._object(sha256)
        if not path.exists():
            raise FileNotFoundError(f"archive: object {sha256} is missing below {self.root}: restore it from a backup of the archive")
        return path.read_bytes()

    def holds(self, data: bytes) -> bool:
        """True if these bytes came in before."""
        return self._object(hashlib.sha256(data).hexdigest()).exists()

    def add_receipt(self, receipt: Receipt) -> None:
        """Record a receipt. The same receipt id for the same campaign is written once."""
        stamp = receipt.received_at.strftime("%Y%m%dT%H%M%S.%fZ")
        name = f"{stamp}-{receipt.sha256[:12]}-{receipt.receipt_id}.json"
        self._write_once(self.root / "receipts" / receipt.campaign_id / name, receipt.model_dump_json().encode())

    def receipts(self, campaign_id: str) -> list[Receipt]:
        """Receipts of one campaign in order of arrival."""
        folder = self.root / "receipts" / campaign_id
        if not folder.exists():
            return []
        return [
            Receipt.model_validate_json(path.read_bytes())
            for path in sorted(folder.iterdir(), key=lambda p: p.name)
            if path.name.endswith(".json")
        ]

    def campaigns(self) -> list[str]:
        """Partition keys of all campaigns that have a receipt, sorted."""
        folder = self.root / "receipts"
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.exists() else []

    def put_events(self, campaign_id: str, data: bytes) -> str:
        """Keep a file of enrichment events; returns its path below the archive's root."""
        relative = f"events/{campaign_id}/{hashlib.sha256(data).hexdigest()}.ndjson.gz"
        self._write_once(self.root / relative, data)
        return relative

    def events(self, campaign_id: str) -> Iterator[UPath]:
        folder = self.root / "events" / campaign_id
        if folder.exists():
            yield from sorted(folder.iterdir(), key=lambda p: p.name)

    def _object(self, sha256: str) -> UPath:
        return self.root / "objects" / sha256[:2] / sha256

    def _write_once(self, path: UPath, data: bytes) -> None:
        """Whole or not at all: a local file is written aside and renamed, so a crash leaves no half object under a hash that it does not have."""
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(path, Path):
            aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
            aside.write_bytes(data)
            aside.rename(path)
        else:
            path.write_bytes(data)
