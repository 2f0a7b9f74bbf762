"""Ingests drops: stores their bytes in the archive before reading anything, counts their payloads, and gives each campaign a receipt.

Does not belong here: finding files (see `landing`), reading a drop's content (see `drops`), making tables from it (see `read`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal

from lead_assets.core.campaign_keys import campaign_key, inbound_key
from lead_assets.core.limits import DEFAULT_LIMITS, DropLimits
from lead_assets.intake.adapters import Adapters
from lead_assets.intake.drops import Counted, DropSeen, Keeping, count_drops
from lead_assets.intake.headers import check_column_map
from lead_assets.intake.parsed import ParsedDrops
from lead_assets.stores.archive import Archive, Receipt

STREAMED_BYTES = 16 << 20
"""Files above this size are passed as streams, and never held in memory."""
_WORTH_KEEPING = 256 << 10
"""Bytes; rows of smaller drops are read sooner than they are put beside others."""
_MOST_KEPT = 96 << 20
"""Bytes of rows in memory that are kept of one drop, some 100,000 leads; the rows of a larger one are read when they are needed."""
_WRITERS = 8
"""Files archived in parallel: a bucket takes tens of milliseconds per write."""


@dataclass(frozen=True)
class Arrival:
    """A file that has arrived: its bytes, or a seekable stream.

    `campaign` is set if its sender named one for all of it; `receipt_id` makes taking it repeatable (see `ingest`).
    """

    data: bytes | BinaryIO
    name: str
    campaign: str | None = None
    receipt_id: str | None = None


@dataclass(frozen=True)
class IngestedDrop:
    """The result for a drop: payloads that are leads (`campaigns`: rows by campaign) and payloads that were rejected.

    status `duplicate_file`: the same bytes arrived earlier for these campaigns; a receipt is kept, but nothing is counted or read a second time.
    `already_ingested`: this receipt (by its id) already exists, and nothing was written.
    """

    sha256: str
    name: str
    status: Literal["ingested", "duplicate_file", "already_ingested"]
    campaigns: dict[str, int] = field(default_factory=dict)
    rejected_by_campaign: dict[str, int] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    """Headers in the column map that the drop does not have, so that they had no effect."""
    encoding: str | None = None
    """The guessed encoding, if the bytes were the only evidence; shown to the user."""

    codes: dict[str, int] = field(default_factory=dict)
    """Why payloads were rejected: code → how many, whether or not the drop came before."""

    @property
    def rows(self) -> int:
        return sum(self.campaigns.values())

    @property
    def rejected(self) -> int:
        return sum(self.rejected_by_campaign.values())


def ingest(
    archive: Archive,
    data: bytes | BinaryIO,
    *,
    name: str,
    received_at: datetime,
    campaign: str | None = None,
    column_map: Mapping[str, str] | None = None,
    receipt_id: str | None = None,
    limits: DropLimits = DEFAULT_LIMITS,
    adapters: Adapters | None = None,
    parsed: ParsedDrops | None = None,
) -> IngestedDrop:
    """Keep the bytes, count their payloads by campaign, and write a receipt for each campaign.

    `campaign` is set if the sender named one for the whole file. `receipt_id` makes the call repeatable: with the same id it adds
    nothing, and finishes what a crash left undone. Raises ValueError for a campaign without
    a name, a column map onto unknown fields, or a time without a zone; nothing for any content. `adapters`: the shapes in force (default: the shipped ones).
    `parsed` (of the same limits and shapes) gets the rows of a drop of some size, so that it is read once.
    """
    arrival = Arrival(data, name, campaign, receipt_id)
    (drop,) = ingest_many(
        archive, [arrival], received_at=received_at, column_map=column_map, limits=limits, adapters=adapters, parsed=parsed
    )
    return drop


def ingest_many(
    archive: Archive,
    arrivals: Sequence[Arrival],
    *,
    received_at: datetime,
    column_map: Mapping[str, str] | None = None,
    limits: DropLimits = DEFAULT_LIMITS,
    adapters: Adapters | None = None,
    parsed: ParsedDrops | None = None,
) -> list[IngestedDrop]:
    """`ingest` for files that arrived together, with the same receipts; many small files cost a fraction of ingesting them one by one."""
    column_map = dict(column_map or {})
    check_column_map(column_map)
    if received_at.tzinfo is None:
        raise ValueError("received_at has no time zone: give it in UTC")
    drops: list[IngestedDrop] = []
    for group in _apart(arrivals):
        drops += _ingest_group(archive, group, received_at.astimezone(UTC), column_map, limits, adapters, parsed)
    return drops


@dataclass(frozen=True)
class _InArchive:
    """An arrival whose bytes are in the archive, and earlier receipts: with its own receipt id (`mine`), and others."""

    arrival: Arrival
    sha256: str
    size: int
    new: bool
    receipt_id: str
    mine: list[Receipt]
    others: list[Receipt]
    received_at: datetime
    default_campaign: str

    @property
    def forced(self) -> bool:
        return self.arrival.campaign is not None


def _apart(arrivals: Sequence[Arrival]) -> Iterator[list[Arrival]]:
    """The arrivals in groups without two files of the same bytes: the second must find the receipts of the first. A stream comes alone."""
    if len(arrivals) == 1:
        yield list(arrivals)
        return
    group: dict[bytes, Arrival] = {}
    for arrival in arrivals:
        if group and (not isinstance(arrival.data, bytes) or arrival.data in group):
            yield list(group.values())
            group = {}
        if isinstance(arrival.data, bytes):
            group[arrival.data] = arrival
        else:
            yield [arrival]
    if group:
        yield list(group.values())


def _ingest_group(
    archive: Archive,
    arrivals: list[Arrival],
    received_at: datetime,
    column_map: dict[str, str],
    limits: DropLimits,
    adapters: Adapters | None,
    parsed: ParsedDrops | None,
) -> list[IngestedDrop]:
    with _several_at_once(len(arrivals)) as each_of:
        kept = list(each_of(lambda arrival: _keep(archive, arrival, received_at), arrivals))
        seen = DropSeen()
        defaults = [(each.default_campaign, each.forced) for each in kept]
        contents = ((data, column_map) for data in _contents(archive, kept))
        # Of bytes that came before, somebody else may be reading the rows.
        alone = parsed is not None and len(kept) == 1 and kept[0].new and kept[0].size >= _WORTH_KEEPING
        keeping = Keeping(_MOST_KEPT) if alone else None
        counts = count_drops(contents, defaults, limits=limits, seen=seen, adapters=adapters, keeping=keeping)
        entered = list(
            each_of(
                lambda each, counted, unmapped, encoding, codes: _enter(archive, each, counted, column_map, unmapped, encoding, codes),
                kept,
                counts,
                seen.unmapped,
                seen.encodings,
                [dict(seen.codes.get(number, {})) for number in range(len(kept))],
            )
        )
    if parsed is not None and keeping is not None and (rows := keeping.drops(seen)):
        parsed.add(entered[0][1], rows)
    return [drop for drop, _ in entered]


def _contents(archive: Archive, kept: Sequence[_InArchive]) -> Iterator[bytes | BinaryIO]:
    """The content of each drop. A stream is read from the archive, because the sender's file may have changed since it was stored."""
    for each in kept:
        if isinstance(each.arrival.data, bytes):
            yield each.arrival.data
        else:
            with archive.open(each.sha256) as stream:
                yield stream


@contextmanager
def _several_at_once(count: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map`, with threads if there is more than one thing to do."""
    if count == 1:
        yield map
        return
    with ThreadPoolExecutor(min(_WRITERS, count)) as pool:
        yield pool.map


def _keep(archive: Archive, arrival: Arrival, received_at: datetime) -> _InArchive:
    forced = arrival.campaign is not None
    default = campaign_key(arrival.campaign) if arrival.campaign is not None else inbound_key(received_at)
    if isinstance(arrival.data, bytes):
        size = len(arrival.data)
        sha256, new = archive.put_new(arrival.data)
    else:
        sha256, size, new = archive.keep(arrival.data)
    receipt_id = arrival.receipt_id or uuid.uuid4().hex
    earlier = [] if new else archive.receipts_of(sha256)
    mine = [receipt for receipt in earlier if receipt.receipt_id == receipt_id]
    others = [receipt for receipt in earlier if receipt.receipt_id != receipt_id]
    if mine:
        received_at, default = mine[0].received_at, mine[0].default_campaign
        others = [receipt for receipt in others if receipt.received_at < received_at]
    elif not forced:
        # The day of receipt names the campaign for leads without one. The same file a day later is a duplicate, not a second campaign.
        default = next((receipt.default_campaign for receipt in others if not receipt.forced_campaign), default)
    return _InArchive(arrival, sha256, size, new, receipt_id, mine, others, received_at, default)


def _enter(
    archive: Archive,
    kept: _InArchive,
    counts: dict[str, Counted],
    column_map: dict[str, str],
    unmapped: tuple[str, ...],
    encoding: str | None,
    codes: dict[str, int],
) -> tuple[IngestedDrop, list[Receipt]]:
    """Write the missing receipts, and return them. `counts`: what each campaign gets; `codes`: why payloads were rejected."""
    name = kept.mine[0].name if kept.mine else kept.arrival.name
    entered = {receipt.campaign_id for receipt in kept.mine}
    read_before = {receipt.campaign_id for receipt in kept.others if receipt.column_map == column_map}
    rows: dict[str, int] = {}
    rejected: dict[str, int] = {}
    written: list[Receipt] = []
    for campaign_id, (good, bad, payloads) in counts.items():
        repeated = campaign_id in read_before
        rows[campaign_id], rejected[campaign_id] = (0, 0) if repeated else (good, bad)
        if campaign_id in entered:
            continue
        receipt = Receipt(
            receipt_id=kept.receipt_id,
            campaign_id=campaign_id,
            sha256=kept.sha256,
            name=name,
            received_at=kept.received_at,
            size=kept.size,
            records=0 if repeated else payloads,
            default_campaign=kept.default_campaign,
            forced_campaign=kept.forced,
            column_map=column_map,
        )
        archive.add_receipt(receipt)
        written.append(receipt)
    status: Literal["ingested", "duplicate_file", "already_ingested"] = "ingested"
    if set(rows) <= entered:
        status = "already_ingested"
    elif set(rows) <= read_before:
        status = "duplicate_file"
    return IngestedDrop(kept.sha256, name, status, rows, rejected, unmapped, encoding, codes), written
