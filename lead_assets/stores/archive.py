"""The archive: the raw bytes that came in, named by their content, and the receipts that say where they belong. Immutable; the source of truth.

Layout below the archive's root (a local folder or a bucket, see `lead_assets.stores.objects`):

    objects/<2 hex>/<sha256>                                     the bytes of a drop, once
    index/<2 hex>/<sha256>/<campaign key>/<receipt's name>       the receipts of a drop, by its hash: what tells a file that comes again
    receipts/<campaign key>/<time>-<sha12>-<receipt>.json        one receipt of a drop for one campaign
    events/<campaign key>/<sha256>.ndjson.gz                     enrichment events as they were sent

Does not belong here: reading what is inside a drop (see `lead_assets.intake`).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from lead_assets.stores.objects import Entry, Objects, open_objects

A = TypeVar("A")
B = TypeVar("B")

_READERS = 8
"""Small objects read at once: a bucket answers each in tens of milliseconds, however small."""


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
    """Payloads of this campaign in the drop, good or not, as counted when it was received: what conservation is checked against. Of bytes that had come in
    for the campaign before, none."""
    default_campaign: str
    """Partition of payloads that name no campaign themselves, or cannot be read."""
    forced_campaign: bool = False
    """True if the sender of the file named the campaign for all of it (--campaign, or the landing sub-folder)."""
    column_map: dict[str, str] = {}
    """Header overrides given with --map, from → to."""

    @property
    def file_name(self) -> str:
        return f"{self.received_at.strftime('%Y%m%dT%H%M%S.%fZ')}-{self.sha256[:12]}-{self.receipt_id}.json"


class Archive:
    """Immutable bytes by content hash. Writing the same bytes twice is one object; no call overwrites or deletes."""

    def __init__(self, location: str) -> None:
        self.location = location

    @functools.cached_property
    def objects(self) -> Objects:
        return open_objects(self.location)

    def put(self, data: bytes) -> str:
        """Keep the bytes; returns their SHA-256 (hex)."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.objects.put(_object(sha256), data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a drop. Raises FileNotFoundError that names the hash."""
        try:
            return self.objects.get(_object(sha256))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"archive: object {sha256} is missing below {self.location}: restore it from a backup of the archive"
            ) from None

    def holds(self, data: bytes) -> bool:
        """True if these bytes came in before."""
        return self.objects.holds(_object(hashlib.sha256(data).hexdigest()))

    def add_receipt(self, receipt: Receipt) -> None:
        """Record a receipt. The same receipt id for the same campaign is written once."""
        # The index first: what a crash leaves between the two, `receipts_of` finds and finishes.
        self.objects.put(f"{_index(receipt.sha256)}{receipt.campaign_id}/{receipt.file_name}", receipt.model_dump_json().encode())
        self._file(receipt)

    def receipts(self, campaign_id: str) -> list[Receipt]:
        """Receipts of one campaign in order of arrival."""
        return list(self.read_receipts(campaign_id, self.receipt_names(campaign_id)).values())

    def receipt_names(self, campaign_id: str) -> list[str]:
        """File names of a campaign's receipts in order of arrival. A receipt never changes: who knows its name need not read it again."""
        prefix = f"receipts/{campaign_id}/"
        return [name.removeprefix(prefix) for name in self.objects.names(prefix) if name.endswith(".json")]

    def read_receipts(self, campaign_id: str, names: Sequence[str]) -> dict[str, Receipt]:
        """The campaign's receipts of these file names, in their order."""
        found = self._in_parallel(lambda name: self.objects.get(f"receipts/{campaign_id}/{name}"), names)
        return {name: Receipt.model_validate_json(data) for name, data in zip(names, found, strict=True)}

    def receipts_of(self, sha256: str) -> list[Receipt]:
        """Receipts of one drop in all campaigns, in order of arrival. Reads the drop's own index, whatever else the archive holds."""
        names = [name for name in self.objects.names(_index(sha256)) if name.endswith(".json")]
        found = [Receipt.model_validate_json(data) for data in self._in_parallel(self.objects.get, names)]
        self._in_parallel(self._file, found)
        return sorted(found, key=lambda receipt: (receipt.received_at, receipt.receipt_id, receipt.campaign_id))

    def campaigns(self) -> list[str]:
        """Partition keys of all campaigns that have a receipt, sorted."""
        return self.objects.folders("receipts/")

    def put_events(self, campaign_id: str, data: bytes) -> str:
        """Keep a file of enrichment events; returns its name below the archive's root. The name says nothing of what is in it."""
        name = f"events/{campaign_id}/{hashlib.sha256(data).hexdigest()}.ndjson.gz"
        self.objects.put(name, data)
        return name

    def events(self, campaign_id: str) -> Iterator[Entry]:
        """The campaign's files of enrichment events, by name; `read` gives their bytes."""
        return self.objects.entries(f"events/{campaign_id}/")

    def read(self, name: str) -> bytes:
        """The bytes of an object by its name below the archive's root. Raises FileNotFoundError."""
        return self.objects.get(name)

    def _file(self, receipt: Receipt) -> None:
        self.objects.put(f"receipts/{receipt.campaign_id}/{receipt.file_name}", receipt.model_dump_json().encode())

    @staticmethod
    def _in_parallel(work: Callable[[A], B], items: Sequence[A]) -> list[B]:
        if len(items) < 2:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(_READERS, len(items))) as pool:
            return list(pool.map(work, items))


def _object(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"


def _index(sha256: str) -> str:
    return f"index/{sha256[:2]}/{sha256}/"
