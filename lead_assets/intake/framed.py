"""Leads of one shape as a frame of `RawLead`'s columns, without those that only the receipt knows (`RECEIPT_COLUMNS`).

Does not belong here: how a value becomes its column's type (see `typed`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import RawLead, canonical_json
from lead_assets.core.columns import widened
from lead_assets.intake.adapters import Adapter, is_declared

RECEIPT_COLUMNS = ("campaign_id", "drop_sha256", "drop_name", "received_at")
DROP_SCHEMA = pl.Schema({name: dtype for name, dtype in RawLead.polars_schema().items() if name not in RECEIPT_COLUMNS})
"""What a payload itself says: RawLead without what only the drop's receipt knows."""
NOTHING = DROP_SCHEMA.to_frame()
"""The empty frame, built once: building it for each small drop would cost as much as reading the drop."""
_TEXT = [
    name
    for name, dtype in DROP_SCHEMA.items()
    if dtype == pl.String and name not in ("adapter", "payload", "extra", "given", "implied_profile", "email_normalized")
]
_LINE_END = orjson.Fragment(b"\n")


def framed(
    columns: Mapping[str, pl.Series], adapter: Adapter, unprefixed: pl.Series | pl.Expr, payloads: pl.Series | pl.Expr
) -> pl.DataFrame:
    """Typed columns of leads of one shape as a frame of `DROP_SCHEMA`: text without white space around it, ids after the shape's prefix unless
    `unprefixed`."""
    shape = adapter.shape
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(adapter.name).alias("adapter"),
        pl.lit(shape.profile, dtype=pl.String).alias("implied_profile"),
        payloads.alias("payload"),
        pl.lit("{}").alias("extra"),
    )
    bare = {name: pl.col(name).str.strip_chars() for name in _TEXT if name in columns}
    frame = widened(frame, [pl.when(value.str.len_bytes() > 0).then(value).alias(name) for name, value in bare.items()])
    if shape.id_prefix and "lead_id" in columns:
        frame = frame.with_columns(lead_id=pl.when(unprefixed).then("lead_id").otherwise(shape.id_prefix + ":" + pl.col("lead_id")))
    frame = pl.concat([NOTHING, frame], how="diagonal")  # columns that no payload has are added as nulls, all at once
    return frame.with_columns(pl.col(name).fill_null(value) for name, value in shape.set.items())


def counted(positions: list[int], parts: list[int], campaign: pl.Series) -> pl.DataFrame:
    """Leads that are counted: where each stood, and which campaign it names."""
    campaign = campaign.str.strip_chars()
    standing = {
        "position": pl.Series(positions, dtype=pl.Int64),
        "part": pl.Series(parts, dtype=pl.Int64) if parts else pl.repeat(1, len(positions), dtype=pl.Int64, eager=True),
        "source_campaign": campaign.set(campaign == "", None),
    }
    return pl.concat([NOTHING, pl.DataFrame(standing)], how="diagonal")


def documents_of(values: Sequence[Any]) -> pl.Series:
    """The values as JSON with sorted keys. One call writes them all, separated by line ends, which JSON never contains unescaped: 20 times as fast
    as one call each.
    """
    separated: list[Any] = [_LINE_END] * (2 * len(values) - 1)
    separated[::2] = values
    try:
        texts = orjson.dumps(separated, option=orjson.OPT_SORT_KEYS)[1:-1].split(b",\n,")
    except TypeError:  # an integer beyond 64 bits, which was read exactly
        texts = [canonical_json(value).encode() for value in values]
    return pl.Series(texts, dtype=pl.Binary).cast(pl.String)


def names_left(signature: tuple[str, ...], binding: dict[str, list[str]]) -> tuple[str, ...]:
    """Names whose value fills no column: unknown ones, and those that lose to another name for the same column."""
    present = set(signature)
    taken = {next((name for name in names if name in present and not is_declared(name)), None) for names in binding.values()}
    return tuple(name for name in signature if name not in taken and not is_declared(name))
