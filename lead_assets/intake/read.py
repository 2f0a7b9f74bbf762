"""Reads campaigns back from the archive: makes the tables of the intake room from archive and receipts alone.

They can be dropped and rebuilt to the same rows. Does not belong here: the content of a drop (see `drops`), or its arrival (see `ingest`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import polars as pl

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.core.limits import DEFAULT_LIMITS, DropLimits
from lead_assets.intake.adapters import Adapters
from lead_assets.intake.drops import read_drops
from lead_assets.intake.ingest import STREAMED_BYTES
from lead_assets.intake.parsed import Parsed, ParsedDrops
from lead_assets.stores.archive import Archive, Receipt

_ORDER = ["campaign_id", "received_at", "drop_sha256", "position", "part"]
_READERS = 8
_AHEAD_BYTES = 16 << 20
"""How many drops to fetch ahead of parsing: a bucket takes tens of milliseconds for each."""


class CampaignsRead(NamedTuple):
    """Campaigns as read from the archive: frames of `RawLead` and of `RejectedPayload`; and for each campaign, how many payloads its receipts count and
    how many files were the same bytes once more."""

    raw_leads: pl.DataFrame
    rejected: pl.DataFrame
    received: pl.DataFrame


def read_campaigns(
    archive: Archive,
    campaign_ids: Iterable[str],
    *,
    limits: DropLimits = DEFAULT_LIMITS,
    parsed: ParsedDrops | None = None,
    adapters: Adapters | None = None,
) -> CampaignsRead:
    """The campaigns' frames of `RawLead` and `RejectedPayload`, rebuilt from the archive: equal archives give equal frames.

    The third frame is (campaign_id, received, repeated_files), one row for each campaign. Each distinct drop is fetched and parsed once, however many of
    the campaigns share it, and not at all if `parsed` (which must be of the same limits and shapes) has its rows. Raises
    FileNotFoundError if the archive lost a drop. `adapters`: the shapes in force, else those that ship.
    """
    wanted = sorted(set(campaign_ids))
    with ThreadPoolExecutor(_READERS) as pool:
        looks = list(pool.map(lambda campaign_id: _look(archive, campaign_id, parsed), wanted))
    good, bad = _read(archive, [receipt for look in looks for receipt in look.to_read.values()], limits, adapters)
    by_campaign = [{key[0]: rows for key, rows in frame.partition_by("campaign_id", as_dict=True).items()} for frame in (good, bad)]
    leads, rejects = [RawLead.empty()], [RejectedPayload.empty()]
    received: list[tuple[str, int, int]] = []
    for look in looks:
        whole = look.with_rows(*(rows.get(look.campaign_id) for rows in by_campaign))
        if parsed is not None and look.is_news:
            parsed.put(look.campaign_id, whole)
        leads.append(whole.raw_leads)
        rejects.append(whole.rejected)
        further = sum(int((frame["part"] > 1).sum()) for frame in (whole.raw_leads, whole.rejected))
        received.append((look.campaign_id, look.received + further, len(look.receipts) - len(look.reading)))
    good = pl.concat(leads)
    return CampaignsRead(
        good if sum(len(look.reading) for look in looks) == 1 else good.sort(_ORDER),  # one drop is in order
        pl.concat(rejects).sort(_ORDER),
        pl.DataFrame(
            received,
            schema={"campaign_id": pl.String, "received": pl.Int64, "repeated_files": pl.Int64},
            orient="row",
        ),
    )


@dataclass(frozen=True)
class _Look:
    """One campaign: what is known about it, all its receipts, and the receipts used to read its drops (both by file name)."""

    campaign_id: str
    known: Parsed
    receipts: dict[str, Receipt]
    reading: dict[str, Receipt]

    @property
    def to_read(self) -> dict[str, Receipt]:
        return {name: receipt for name, receipt in self.reading.items() if name not in self.known.held}

    @property
    def received(self) -> int:
        return sum(receipt.records for receipt in self.reading.values())

    @property
    def is_news(self) -> bool:
        return self.receipts.keys() != self.known.receipts.keys() or self.reading.keys() != self.known.held

    def with_rows(self, good: pl.DataFrame | None, bad: pl.DataFrame | None) -> Parsed:
        """The campaign with newly read rows, and without those of receipts that are no longer used."""
        frames = (self.known.raw_leads, self.known.rejected)
        if stale := [self.known.receipts[name].sha256 for name in self.known.held - self.reading.keys()]:
            frames = (frames[0].filter(~pl.col("drop_sha256").is_in(stale)), frames[1].filter(~pl.col("drop_sha256").is_in(stale)))
        raw_leads, rejected = (old if new is None else pl.concat([old, new]) for old, new in zip(frames, (good, bad), strict=True))
        return Parsed(self.receipts, frozenset(self.reading), raw_leads, rejected)


def _look(archive: Archive, campaign_id: str, parsed: ParsedDrops | None) -> _Look:
    names = archive.receipt_names(campaign_id)
    known = parsed.get(campaign_id) if parsed is not None else Parsed()
    new = archive.read_receipts(campaign_id, [name for name in names if name not in known.receipts])
    receipts = {name: new.get(name) or known.receipts[name] for name in names}
    return _Look(campaign_id, known, receipts, _reading(receipts))


def _reading(receipts: dict[str, Receipt]) -> dict[str, Receipt]:
    """The receipts used to read a campaign's drops, one per drop; the others are for the same bytes again.

    A drop is read with the first receipt that has its newest column map: sending a file again changes nothing; sending it with a corrected map fixes it.
    """
    chosen: dict[str, str] = {}
    # Files of one tick arrived at the same time. The first one counted its payloads; repeats count none.
    for name in sorted(receipts, key=lambda name: (receipts[name].received_at, -receipts[name].records)):
        receipt = receipts[name]
        held = chosen.get(receipt.sha256)
        if held is None or receipt.column_map != receipts[held].column_map:
            chosen[receipt.sha256] = name
    return {name: receipts[name] for name in chosen.values()}


def _read(archive: Archive, receipts: list[Receipt], limits: DropLimits, adapters: Adapters | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of the receipts' drops and campaigns."""
    numbers: dict[tuple[str, str], int] = {}
    sources: list[Receipt] = []
    numbered: list[tuple[int, Receipt]] = []
    for receipt in receipts:
        source = (receipt.sha256, json.dumps(receipt.column_map, sort_keys=True))
        if source not in numbers:
            numbers[source] = len(sources)
            sources.append(receipt)
        numbered.append((numbers[source], receipt))
    if not sources:
        return RawLead.empty(), RejectedPayload.empty()
    fetched = zip(_fetched(archive, sources), (source.column_map for source in sources), strict=True)
    return read_drops(fetched, limits=limits, adapters=adapters).place(numbered)


def _fetched(archive: Archive, receipts: list[Receipt]) -> Iterator[bytes | BinaryIO]:
    """The content of the receipts' drops, in order: bytes, or a stream for large ones."""

    def content(receipt: Receipt) -> bytes:
        with _naming(receipt):
            return archive.get(receipt.sha256)

    with ThreadPoolExecutor(_READERS) as pool:
        ahead: list[Receipt] = []
        size = 0
        for receipt in receipts:
            if ahead and size + receipt.size > _AHEAD_BYTES:
                yield from pool.map(content, ahead)
                ahead, size = [], 0
            if receipt.size > STREAMED_BYTES:
                with _naming(receipt), archive.open(receipt.sha256) as stream:
                    yield stream
                continue
            ahead.append(receipt)
            size += receipt.size
        yield from pool.map(content, ahead)


@contextmanager
def _naming(receipt: Receipt) -> Iterator[None]:
    """Says which campaign a drop that is gone belongs to: a run is over many."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"campaign {receipt.campaign_id}: {error}") from None
