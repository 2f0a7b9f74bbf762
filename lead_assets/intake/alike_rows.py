"""Leads of lines that are written alike, read as columns without an object for each.

What is not plain is left to `rows`, which reads payload by payload. Does not belong here: how such lines are found (see `alike`).
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from lead_assets.intake.adapters import Adapter, Adapters
from lead_assets.intake.alike import Alike
from lead_assets.intake.framed import DROP_SCHEMA, counted, framed, names_left
from lead_assets.intake.headers import fold_header
from lead_assets.intake.identified import are_addresses, identify
from lead_assets.intake.payloads import Chunk
from lead_assets.intake.typed import TIMES, plain_numbers, plain_times


class ReadAtOnce(NamedTuple):
    """What was read of lines that are written alike: the leads, and the indices of lines that have to be read one by one."""

    frame: pl.DataFrame
    left: list[int]


def rows_of_columns(chunk: Chunk, lines: Alike, adapters: Adapters, documents: bool, max_payload_bytes: int) -> ReadAtOnce | None:
    """The leads of lines that are written alike, where their keys decide their shape and each column has one key; None where most have to be read one by one.

    A line is left to be read by itself if its value is not plain: a day that has to be interpreted, an amount in words, an address that is none.
    """
    signature = tuple(lines.leaves)
    candidates = adapters.candidates(signature, is_table=False)
    adapter = adapters.winner(list(candidates.adapters)) if candidates.are_sure else None
    if not isinstance(adapter, Adapter) or not adapter.is_flat or (documents and adapter.shape.gives):
        return None
    binding = adapter.binding(signature, {})
    if any(len(names) > 1 or lines.leaves[names[0]].kind == "truth" for names in binding.values()):
        return None
    # What a name means beside others in a payload may not depend on which payloads are read together.
    if any(fold_header(name) in adapters.headers.whole_or_rest for name in signature):
        return None
    if not documents and ("email" not in binding or "source_campaign" in adapter.shape.set):
        return None
    wanted = {column: names[0] for column, names in binding.items() if documents or column in ("email", "source_campaign")}
    try:
        found = lines.columns(signature if documents else list(wanted.values()))
    except pl.exceptions.PolarsError:  # not UTF-8
        return None
    plain = found["is_alike"] & (lines.lines.str.len_bytes() <= max_payload_bytes)
    columns: dict[str, pl.Series] = {}
    for column, name in wanted.items():
        typed = _plain_values(column, found[f"={name}"], lines.leaves[name].kind)
        if typed is None:
            return None
        columns[column], is_plain = typed
        plain &= is_plain
    if not documents:
        named = columns.get("source_campaign", columns["email"].clear(found.height))
        return _left_out(counted(chunk.positions, [], named), plain & are_addresses(columns["email"]))
    columns["position"] = pl.Series(chunk.positions, dtype=pl.Int64)
    columns["part"] = pl.repeat(1, found.height, dtype=pl.Int64, eager=True)
    frame = framed(columns, adapter, pl.lit(False), lines.documents(found, signature))
    if unheld := names_left(signature, binding):
        frame = frame.with_columns(lines.documents(found, unheld).alias("extra"))
    unread: dict[int, list[str]] = {}
    frame, faults = identify(frame, unread)
    odd = sorted({*unread, *faults})
    return _left_out(frame, plain.scatter(odd, False) if odd else plain)


def _left_out(frame: pl.DataFrame, plain: pl.Series) -> ReadAtOnce | None:
    left = (~plain.fill_null(False)).arg_true().to_list()
    if len(left) > frame.height // 4:
        return None
    return ReadAtOnce(frame.filter(plain) if left else frame, left)


def _plain_values(column: str, found: pl.Series, kind: str) -> tuple[pl.Series, pl.Series] | None:
    """The values of a column that are read without a second look, typed, and for each whether it is such a one; None if none is."""
    said = found.str.strip_chars().str.len_bytes() > 0
    if column in TIMES:
        times = plain_times(found)
        return (times, times.is_not_null() | ~said.fill_null(False)) if kind in ("text", "null") else None
    if DROP_SCHEMA[column] == pl.Float64:
        numbers = found.cast(pl.Float64, strict=False) if kind == "number" else plain_numbers(found)
        return numbers, numbers.is_not_null() | ~said.fill_null(False)
    return found, pl.repeat(True, found.len(), eager=True)
