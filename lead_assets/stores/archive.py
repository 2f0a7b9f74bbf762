"""The archive: incoming raw bytes, named by content hash, and receipts that say which campaigns they belong to. Immutable; the source of truth.

Layout below the archive's root (a local folder or a bucket, see `lead_assets.stores.objects`):

    objects/<2 hex>/<sha256>                                     the bytes of a drop, stored once
    index/<2 hex>/<sha256>/<campaign key>/<receipt's name>       the receipts of a drop, by its hash: recognises repeated files
    receipts/<campaign key>/<time>-<sha12>-<receipt>.json        one receipt of a drop for one campaign
    events/<campaign key>/<sha256>.ndjson.gz                     enrichment events as sent
    outcomes/<time>-<sha12>.json                                 one receipt of a file that says how leads ended; its bytes are below objects/
    features/<campaign key>/<time>-<sha12>.parquet               what was known of leads when they were first scored
    redactions/<sha256>/<erasure>.json                           says that a drop is no longer the bytes of its name: somebody was forgotten
    erasures/<erasure>/receipt.json                              what was removed where, and what proves it

A drop keeps its name when somebody in it is forgotten: tables name it, its receipts count the same payloads, and the same file sent again is still recognised.
Does not belong here: reading the contents of a drop (see `lead_assets.intake`), or what is replaced in it (see `lead_assets.privacy.redaction`).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict

from lead_assets.stores.objects import Entry, Objects, open_objects

A = TypeVar("A")
B = TypeVar("B")

_READERS = 8
"""Number of small objects to read in parallel: a bucket takes tens of milliseconds for each, however small."""


class Receipt(BaseModel):
    """Records that a drop arrived for a campaign, with all that is needed to read the same rows from it years later."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt_id: str
    campaign_id: str
    sha256: str
    name: str
    received_at: datetime
    size: int
    records: int
    """Number of the campaign's payloads in the drop, good or bad, counted on receipt; the conservation check compares with it. Zero if the same bytes had
    already arrived for the campaign."""
    default_campaign: str
    """Partition for payloads that name no campaign or cannot be read."""
    forced_campaign: bool = False
    """True if the campaign was given for the whole file (--campaign, or the landing sub-folder)."""
    column_map: dict[str, str] = {}
    """Header overrides given with --map, from → to."""

    @property
    def file_name(self) -> str:
        return f"{_time(self.received_at)}-{self.sha256[:12]}-{self.receipt_id}.json"


class OutcomeReceipt(BaseModel):
    """Records that a file arrived that says how leads ended: an export of a CRM, or an answer of its API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    name: str
    received_at: datetime
    source: str
    """`file`, or the system that was asked."""
    columns: dict[str, str] = {}
    """What was said of its columns: field → column."""


class Archive:
    """Immutable bytes by content hash. Writing the same bytes twice gives one object; nothing is overwritten or deleted, except by `redact`."""

    def __init__(self, location: str) -> None:
        self.location = location

    @functools.cached_property
    def objects(self) -> Objects:
        return open_objects(self.location)

    def put(self, data: bytes) -> str:
        """Store the bytes; returns their SHA-256 (hex)."""
        return self.put_new(data)[0]

    def put_new(self, data: bytes) -> tuple[str, bool]:
        """`put`, and whether the bytes are new."""
        sha256 = hashlib.sha256(data).hexdigest()
        return sha256, self.objects.put(_object(sha256), data)

    def keep(self, stream: BinaryIO) -> tuple[str, int, bool]:
        """`put` for a stream of any length: its SHA-256 (hex), its size, and whether it is new."""
        return self.objects.keep(stream, _object)

    def open(self, sha256: str) -> BinaryIO:
        """The bytes of a drop as a seekable stream, for drops of any size. Raises FileNotFoundError naming the hash."""
        return self._found(sha256, self.objects.open)

    def get(self, sha256: str) -> bytes:
        """The bytes of a drop. Raises FileNotFoundError naming the hash."""
        return self._found(sha256, self.objects.get)

    def redact(self, sha256: str, data: bytes, erasure: str, record: bytes) -> None:
        """Replace a drop's bytes, under its name, by what is left of it, and record why. The record comes first: a crash between the two repeats both."""
        self.objects.put(f"redactions/{sha256}/{erasure}.json", record)
        self.objects.replace(_object(sha256), data)

    def holds(self, data: bytes) -> bool:
        """True if these bytes are already stored."""
        return self.objects.holds(_object(hashlib.sha256(data).hexdigest()))

    def add_receipt(self, receipt: Receipt) -> None:
        """Record a receipt. Writing the same receipt id for the same campaign again has no effect."""
        # Write the index first: if a crash comes between the two writes, `receipts_of` finds the index entry and finishes the job.
        self.objects.put(f"{_index(receipt.sha256)}{receipt.campaign_id}/{receipt.file_name}", receipt.model_dump_json().encode())
        self._file(receipt)

    def receipts(self, campaign_id: str) -> list[Receipt]:
        """The receipts of one campaign, in order of arrival."""
        return list(self.read_receipts(campaign_id, self.receipt_names(campaign_id)).values())

    def receipt_names(self, campaign_id: str) -> list[str]:
        """The file names of a campaign's receipts, in order of arrival. Receipts never change, so one already read need not be read again."""
        prefix = f"receipts/{campaign_id}/"
        return [name.removeprefix(prefix) for name in self.objects.names(prefix) if name.endswith(".json")]

    def read_receipts(self, campaign_id: str, names: Sequence[str]) -> dict[str, Receipt]:
        """The campaign's receipts with these file names, in the same order."""
        found = self._in_parallel(lambda name: self.objects.get(f"receipts/{campaign_id}/{name}"), names)
        return {name: Receipt.model_validate_json(data) for name, data in zip(names, found, strict=True)}

    def receipts_of(self, sha256: str) -> list[Receipt]:
        """The receipts of one drop in all campaigns, in order of arrival. Reads only the drop's own index, so the size of the archive does not matter."""
        names = [name for name in self.objects.names(_index(sha256)) if name.endswith(".json")]
        found = [Receipt.model_validate_json(data) for data in self._in_parallel(self.objects.get, names)]
        self._in_parallel(self._file, found)
        return sorted(found, key=lambda receipt: (receipt.received_at, receipt.receipt_id, receipt.campaign_id))

    def campaigns(self) -> list[str]:
        """The partition keys of all campaigns with a receipt, sorted."""
        return self.objects.folders("receipts/")

    def put_events(self, campaign_id: str, data: bytes) -> str:
        """Store a file of enrichment events; returns its name below the archive's root. The name reveals nothing about the content."""
        name = f"events/{campaign_id}/{hashlib.sha256(data).hexdigest()}.ndjson.gz"
        self.objects.put(name, data)
        return name

    def events(self, campaign_id: str) -> Iterator[Entry]:
        """The campaign's event files; `read` returns their bytes."""
        return self.objects.entries(f"events/{campaign_id}/")

    def event_names(self, campaign_id: str) -> list[str]:
        """The names of the campaign's event files, which is much cheaper than `events`."""
        return [name for name in self.objects.names(f"events/{campaign_id}/") if name.endswith(".ndjson.gz")]

    def add_outcomes(
        self, data: bytes, name: str, received_at: datetime, *, source: str, columns: dict[str, str]
    ) -> tuple[OutcomeReceipt, bool]:
        """Store a file of outcomes; returns its receipt, and whether it is new. The same bytes, read in the same way, are one file."""
        sha256, new = self.put_new(data)
        if not new:
            for known in self.outcomes():
                if (known.sha256, known.columns) == (sha256, columns):
                    return known, False
        receipt = OutcomeReceipt(sha256=sha256, name=name, received_at=received_at, source=source, columns=columns)
        self.objects.put(f"outcomes/{_time(received_at)}-{sha256[:12]}.json", receipt.model_dump_json().encode())
        return receipt, True

    def outcomes(self) -> list[OutcomeReceipt]:
        """The receipts of all files of outcomes, in order of arrival."""
        found = self._in_parallel(self.objects.get, self.outcome_names())
        return [OutcomeReceipt.model_validate_json(data) for data in found]

    def outcome_names(self) -> list[str]:
        """The names of these receipts, which never change."""
        return [name for name in self.objects.names("outcomes/") if name.endswith(".json")]

    def add_features(self, campaign_id: str, data: bytes, at: datetime) -> None:
        """Store what was known of a campaign's leads when they were scored, unless just that is already stored."""
        sha12 = hashlib.sha256(data).hexdigest()[:12]
        if not any(name.endswith(f"-{sha12}.parquet") for name in self.objects.names(f"features/{campaign_id}/")):
            self.objects.put(f"features/{campaign_id}/{_time(at)}-{sha12}.parquet", data)

    def feature_names(self) -> list[str]:
        """The names of all that `add_features` stored, by campaign and in order of time; `read` returns their bytes, `time_of` when they were stored."""
        return [name for name in self.objects.names("features/") if name.endswith(".parquet")]

    def read(self, name: str) -> bytes:
        """The bytes of an object, given its name below the archive's root. Raises FileNotFoundError."""
        return self.objects.get(name)

    def _found(self, sha256: str, look: Callable[[str], A]) -> A:
        try:
            return look(_object(sha256))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"archive: object {sha256} is missing below {self.location}: restore it from a backup of the archive"
            ) from None

    def _file(self, receipt: Receipt) -> None:
        self.objects.put(f"receipts/{receipt.campaign_id}/{receipt.file_name}", receipt.model_dump_json().encode())

    @staticmethod
    def _in_parallel(work: Callable[[A], B], items: Sequence[A]) -> list[B]:
        if len(items) < 2:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(_READERS, len(items))) as pool:
            return list(pool.map(work, items))


_TIME = "%Y%m%dT%H%M%S.%fZ"


def time_of(name: str) -> datetime:
    """The time in the name of an object that begins with one."""
    return datetime.strptime(name.rpartition("/")[2].partition("-")[0], _TIME).replace(tzinfo=UTC)


def _time(at: datetime) -> str:
    return at.strftime(_TIME)


def _object(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"


def _index(sha256: str) -> str:
    return f"index/{sha256[:2]}/{sha256}/"
