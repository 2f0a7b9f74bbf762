"""Reads drops: turns their bytes into a frame of leads and a frame of rejects, with the campaign of each row.

Equal bytes and column maps always give equal rows: nothing here knows when or for whom a drop arrived, until `place` gets receipts.
Many small drops are read as one, so the cost of a frame is shared by thousands of payloads.
Does not belong here: the archive (see `ingest`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

import polars as pl

from lead_assets.contracts import RawLead, RejectedPayload, Table
from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.garbage import no_garbage_sought
from lead_assets.core.limits import DEFAULT_LIMITS, DropLimits
from lead_assets.intake.adapters import Adapters, shipped_adapters
from lead_assets.intake.framed import NOTHING
from lead_assets.intake.headers import fold_header
from lead_assets.intake.parse import parse
from lead_assets.intake.paths import path
from lead_assets.intake.payloads import Chunk, Reject
from lead_assets.intake.rows import rows
from lead_assets.stores.archive import Receipt

_SMALL_BYTES = 64 << 10
"""Drops up to this size are combined."""
_TOGETHER_BYTES = 4 << 20
_TOGETHER_PAYLOADS = 4_096
_MOST_NAMES = 100_000
_AT_ONCE = 2
_WORTH_A_THREAD = 1_000
"""Payloads."""
_NO_LEADS = NOTHING.clone().insert_column(0, pl.Series("drop", [], dtype=pl.Int64)).with_columns(own_campaign=pl.lit(None, dtype=pl.String))

_REJECT_SCHEMA = pl.Schema(
    {
        "drop": pl.Int64(),
        "position": pl.Int64(),
        "part": pl.Int64(),
        "code": pl.String(),
        "reason": pl.String(),
        "field": pl.String(),
        "raw_text": pl.String(),
        "raw_bytes": pl.Int64(),
        "own_campaign": pl.String(),
    }
)


_NO_REJECTS = _REJECT_SCHEMA.to_frame()


class Counted(NamedTuple):
    """What a campaign gets from a drop: leads, rejects, and their payloads. A payload with several leads counts for its first."""

    leads: int
    rejects: int
    payloads: int


@dataclass(frozen=True)
class Drops:
    """The content of drops. Both frames have `drop`, the drop's number from 0 in reading order, and `own_campaign`: the partition key of the
    campaign named in the payload, or null."""

    leads: pl.DataFrame
    rejects: pl.DataFrame
    unmapped: tuple[tuple[str, ...], ...]
    """For each drop, the names in its `column_map` that it does not have, because its table lacks them or it is not a table."""

    def counts(self, defaults: Sequence[tuple[str, bool]]) -> list[dict[str, Counted]]:
        """For each drop, campaign → its counts, sorted by campaign.

        `defaults`: for each drop, the campaign for payloads that name none, and whether it overrides all of them.
        """
        counted: list[dict[str, Counted]] = [{} for _ in defaults]
        self.count(defaults, counted)
        return [dict(sorted(each.items())) for each in counted]

    def count(self, defaults: Sequence[tuple[str, bool]], counted: list[dict[str, Counted]]) -> None:
        """Add these drops to `counts`."""
        for frame, is_lead in ((self.leads, 1), (self.rejects, 0)):
            counts = frame.group_by("drop", "own_campaign").agg(pl.len(), (pl.col("part") == 1).sum().alias("payloads"))
            for number, own, count, payloads in counts.iter_rows():
                default, forced = defaults[number]
                campaign = default if forced or own is None else own
                good, bad, received = counted[number].get(campaign, (0, 0, 0))
                counted[number][campaign] = Counted(good + count * is_lead, bad + count * (1 - is_lead), received + payloads)

    def place(self, receipts: Sequence[tuple[int, Receipt]]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows of the receipts' campaigns, as `RawLead` and `RejectedPayload`. Each receipt comes with the number of its drop; at most one for a
        drop and campaign."""
        if len(receipts) == 1:
            number, receipt = receipts[0]
            return self._of(number, receipt, self.leads, RawLead), self._of(number, receipt, self.rejects, RejectedPayload)
        arrivals = pl.DataFrame(
            [
                (
                    number,
                    receipt.default_campaign,
                    receipt.forced_campaign,
                    receipt.campaign_id,
                    receipt.sha256,
                    receipt.name,
                    receipt.received_at,
                )
                for number, receipt in receipts
            ],
            schema=_GIVEN_SCHEMA
            | {
                "campaign_id": pl.String(),
                "drop_sha256": pl.String(),
                "drop_name": pl.String(),
                "received_at": pl.Datetime("us", "UTC"),
            },
            orient="row",
        )
        given = arrivals.select(*_GIVEN_SCHEMA).unique()
        return tuple(  # type: ignore[return-value]
            _with_campaign(frame, given)
            .join(arrivals, on=[*_GIVEN_SCHEMA, "campaign_id"], how="inner", maintain_order="left")
            .select(contract.polars_schema().names())
            for frame, contract in ((self.leads, RawLead), (self.rejects, RejectedPayload))
        )

    @staticmethod
    def _of(number: int, receipt: Receipt, frame: pl.DataFrame, contract: type[Table]) -> pl.DataFrame:
        """`place` for one receipt, as one large file has."""
        default, campaign = receipt.default_campaign, receipt.campaign_id
        chosen = pl.lit(default) if receipt.forced_campaign else pl.coalesce("own_campaign", pl.lit(default))
        mine = frame.select((pl.col("drop") == number) & (chosen == campaign)).to_series()
        return (
            (frame if mine.all() else frame.filter(mine))
            .with_columns(
                pl.lit(campaign).alias("campaign_id"),
                pl.lit(receipt.sha256).alias("drop_sha256"),
                pl.lit(receipt.name).alias("drop_name"),
                pl.lit(receipt.received_at).cast(pl.Datetime("us", "UTC")).alias("received_at"),
            )
            .select(contract.polars_schema().names())
        )


_GIVEN_SCHEMA: dict[str, pl.DataType] = {"drop": pl.Int64(), "default_campaign": pl.String(), "forced_campaign": pl.Boolean()}
"""What decides the campaign of a drop's rows, besides the rows themselves."""


def read_drops(
    drops: Iterable[tuple[bytes | BinaryIO, Mapping[str, str]]],
    *,
    limits: DropLimits = DEFAULT_LIMITS,
    documents: bool = True,
    adapters: Adapters | None = None,
) -> Drops:
    """All payloads of drops (bytes, or seekable streams), each with its column map, in order. Raises nothing for any content.
    `adapters`: the shapes in force (default: the shipped ones).

    Without `documents`, leads have only what identifies them: enough for counting, in half the time.
    """
    seen = DropSeen()
    parts = list(read_parts(drops, limits=limits, documents=documents, seen=seen, adapters=adapters))
    return _whole(parts, seen)


def _whole(parts: Sequence[Drops], seen: DropSeen) -> Drops:
    return Drops(
        pl.concat([_NO_LEADS, *(part.leads for part in parts)]),
        pl.concat([_NO_REJECTS, *(part.rejects for part in parts)]).sort("drop", "position", "part"),
        tuple(seen.unmapped),
    )


class Keeping:
    """The rows of drops that are counted, kept so that they need not be read once more; nothing, once they are more than `most` bytes in memory."""

    def __init__(self, most: int) -> None:
        self._parts: list[Drops] = []
        self._left = most

    @property
    def is_full(self) -> bool:
        return self._left < 0

    def add(self, part: Drops) -> None:
        if not self.is_full:
            self._parts.append(part)
            self._left -= int(part.leads.estimated_size() + part.rejects.estimated_size())
        if self.is_full:
            self._parts.clear()

    def drops(self, seen: DropSeen) -> Drops | None:
        """All of them; None if they were too many."""
        return None if self.is_full else _whole(self._parts, seen)


def count_drops(
    drops: Iterable[tuple[bytes | BinaryIO, Mapping[str, str]]],
    defaults: Sequence[tuple[str, bool]],
    *,
    limits: DropLimits,
    seen: DropSeen,
    adapters: Adapters | None = None,
    keeping: Keeping | None = None,
) -> list[dict[str, Counted]]:
    """`Drops.counts` for drops of any size, with only a few megabytes in memory, and what `keeping` holds."""
    counted: list[dict[str, Counted]] = [{} for _ in defaults]
    for part in read_parts(drops, limits=limits, documents=False, seen=seen, adapters=adapters, keeping=keeping):
        part.count(defaults, counted)
        if keeping:
            keeping.add(part)
    return [dict(sorted(each.items())) for each in counted]


@dataclass
class DropSeen:
    """What was seen of drops beside their payloads, one entry for each drop, once all of it was read. `unmapped`: see `Drops`; `encodings`: in which each was
    read, where nothing but its bytes says so."""

    unmapped: list[tuple[str, ...]] = field(default_factory=list)
    encodings: list[str | None] = field(default_factory=list)
    codes: dict[int, Counter[str]] = field(default_factory=dict)
    """For the number of a drop, how many of its payloads were rejected for which reason."""


def read_parts(
    drops: Iterable[tuple[bytes | BinaryIO, Mapping[str, str]]],
    *,
    limits: DropLimits,
    documents: bool,
    seen: DropSeen,
    adapters: Adapters | None = None,
    keeping: Keeping | None = None,
) -> Iterator[Drops]:
    """`read_drops` in parts of some megabytes, or of many small drops, with documents also as long as `keeping` is not full. `unmapped` is empty in the
    parts: see `seen`."""
    keys: dict[str | None, str | None] = {None: None, "": None}
    adapters = adapters or shipped_adapters()
    for places, (frame, faulty) in _read(_together(_chunks(drops, limits, seen)), limits, documents, adapters, keeping):
        if isinstance(places, int):
            leads = frame.select(pl.lit(places, dtype=pl.Int64).alias("drop"), pl.all())
            rejected = [(places, reject) for reject in faulty]
        else:
            standing = frame["position"]
            leads = frame.with_columns(
                position=pl.Series([position for _, position in places], dtype=pl.Int64).gather(standing)
            ).insert_column(0, pl.Series("drop", [number for number, _ in places], dtype=pl.Int64).gather(standing))
            rejected = [(places[reject.position][0], reject._replace(position=places[reject.position][1])) for reject in faulty]
        for number, reject in rejected:
            seen.codes.setdefault(number, Counter())[reject.fault.code] += 1
        named = leads["source_campaign"].unique().drop_nulls().to_list()
        keys |= {name: _key(name) for name in {*named, *(reject.campaign for _, reject in rejected)} if name not in keys}
        own = {name: keys[name] for name in named if keys[name]}
        yield Drops(
            leads.with_columns(
                own_campaign=pl.col("source_campaign").replace_strict(own, default=None, return_dtype=pl.String)
                if own
                else pl.lit(None, dtype=pl.String)
            ),
            pl.DataFrame(
                [(number, *_reject_row(reject), keys[reject.campaign]) for number, reject in rejected], schema=_REJECT_SCHEMA, orient="row"
            )
            if rejected
            else _NO_REJECTS,
            (),
        )
        if len(keys) > _MOST_NAMES:
            keys = {None: None, "": None}


def _read(
    chunks: Iterable[tuple[Chunk, int | list[tuple[int, int]]]],
    limits: DropLimits,
    documents: bool,
    adapters: Adapters,
    keeping: Keeping | None,
) -> Iterator[tuple[int | list[tuple[int, int]], tuple[pl.DataFrame, list[Reject]]]]:
    """For each chunk, in order, where it stood and its rows; those of large drops are read two at once."""

    def read(chunk: Chunk) -> tuple[pl.DataFrame, list[Reject]]:
        whole = documents or (keeping is not None and not keeping.is_full)
        return rows(chunk, documents=whole, adapters=adapters, max_payload_bytes=limits.payload_bytes)

    waiting: deque[tuple[int, Future[tuple[pl.DataFrame, list[Reject]]]]] = deque()
    with no_garbage_sought(), ThreadPoolExecutor(_AT_ONCE) as pool:
        for chunk, places in chunks:
            together = isinstance(places, int) and len(chunk) > _WORTH_A_THREAD
            while waiting and (len(waiting) >= _AT_ONCE or not together):
                number, work = waiting.popleft()
                yield number, work.result()
            if isinstance(places, int) and together:
                waiting.append((places, pool.submit(read, chunk)))
            else:
                yield places, read(chunk)
        for number, work in waiting:
            yield number, work.result()


def _chunks(
    drops: Iterable[tuple[bytes | BinaryIO, Mapping[str, str]]], limits: DropLimits, seen: DropSeen
) -> Iterator[tuple[int, Chunk, int]]:
    """(number of the drop, chunk, size of the drop, or of the part of it in the chunk) for all drops."""
    for number, (data, column_map) in enumerate(drops):
        headers: set[str] = set()
        encoding = None
        size = len(data) if isinstance(data, bytes) else _SMALL_BYTES + 1
        for chunk in parse(data, limits=limits, column_map=column_map, as_columns=size > _SMALL_BYTES and not column_map):
            chunk.column_map = column_map
            if column_map:
                names = chunk.headers if chunk.headers is not None else {name: "" for value in chunk.values for name in value}
                headers.update(map(fold_header, names))
                headers.update(fold_header(text) for text in column_map if chunk.headers is None and _leads_somewhere(text, chunk))
            encoding = encoding or chunk.encoding
            yield number, chunk, size
        seen.unmapped.append(tuple(header for header in column_map if fold_header(header) not in headers))
        seen.encodings.append(encoding)


def _leads_somewhere(text: str, chunk: Chunk) -> bool:
    try:
        where = path(text)
    except ValueError:
        return False
    return any(where.values(value) for value in chunk.values)


def _together(chunks: Iterable[tuple[int, Chunk, int]]) -> Iterator[tuple[Chunk, int | list[tuple[int, int]]]]:
    """The chunks, each with its drop's number; those of small drops that are written alike put together. Payloads of what was put together are numbered
    from 0 on; the list says, for each number, of which drop the payload is and where it stood there."""
    gathered, places, size = Chunk(), list[tuple[int, int]](), 0
    for number, chunk, drop_size in chunks:
        large = drop_size > _SMALL_BYTES
        alike = chunk.headers == gathered.headers and chunk.kind == gathered.kind and chunk.column_map == gathered.column_map
        apart = large or not alike
        if places and (apart or size > _TOGETHER_BYTES or len(places) > _TOGETHER_PAYLOADS):
            yield gathered, places
            gathered, places, size = Chunk(), list[tuple[int, int]](), 0
        if large:
            yield chunk, number
            continue
        gathered.headers, gathered.kind, gathered.column_map = chunk.headers, chunk.kind, chunk.column_map
        gathered.drops += [number] * len(chunk.positions)
        size += drop_size
        gathered.positions += range(len(places), len(places) + len(chunk.positions))
        places += ((number, position) for position in chunk.positions)
        gathered.raws += chunk.raws
        gathered.values += chunk.values
        gathered.rejects += (reject._replace(position=len(places) + index) for index, reject in enumerate(chunk.rejects))
        places += ((number, reject.position) for reject in chunk.rejects)
    if places:
        yield gathered, places


def _with_campaign(frame: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """The frame joined with the given values for each row's drop (one row per variant), plus the resulting `campaign_id`."""
    chosen = pl.when("forced_campaign").then("default_campaign").otherwise(pl.coalesce("own_campaign", "default_campaign"))
    return frame.join(given, on="drop", how="inner", maintain_order="left").with_columns(campaign_id=chosen)


def _reject_row(reject: Reject) -> tuple[int, int, str, str, str | None, str, int]:
    fault = reject.fault
    return reject.position, reject.part, fault.code, fault.reason, fault.field, reject.raw_text, reject.raw_bytes


def _key(name: str) -> str | None:
    try:
        return campaign_key(name)
    except ValueError:  # nothing is left to make a campaign key from
        return None
