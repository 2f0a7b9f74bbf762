"""Values as they were sent, as columns of one type: text, numbers, times. What cannot be read is null, and `cannot` is told its index.

Does not belong here: which value fills which column (see `bags`, `adapters`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import polars as pl

from lead_assets.intake.amounts import amount
from lead_assets.intake.framed import DROP_SCHEMA
from lead_assets.intake.groups import Group
from lead_assets.intake.moments import moment, order_of
from lead_assets.intake.paths import is_blank
from lead_assets.intake.payloads import Chunk

TIMES = frozenset({"submitted_at", "outcome_at"})
_MONEY = frozenset({"loan_amount_requested", "purchase_price", "estimated_arv"})
_PLAIN_UTC = r"^\d{4}-\d\d-\d\dT[0-2]\d:[0-5]\d:[0-5]\dZ$"
_PLAIN_NUMBER = r"^\$?(?:\d{1,9}|\d{1,3}(?:,\d{3})+)(?:\.\d{1,2})?$"
_NOT_UNIFORM = (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError)
"""What polars raises for a column of mixed types; its values are then checked one by one."""

Unread = Callable[[int], None]
"""Called with the index of a value that cannot be read."""


def column_of(column: str, found: list[Any], chunk: Chunk, group: Group, unread: dict[int, list[str]]) -> pl.Series:
    """The values of one column. `unread` gets the column's name for each lead whose value cannot be read."""

    def cannot(index: int) -> None:
        unread.setdefault(index, []).append(column)

    if column in TIMES:
        return as_times(column, found, cannot, lambda: _orders(found, chunk, group))
    if DROP_SCHEMA[column] == pl.Float64:
        return as_numbers(column, found, cannot)
    return as_texts(column, found, cannot)


def as_texts(column: str, found: list[Any], cannot: Unread) -> pl.Series:
    """Values as text (see `as_text`)."""
    kinds = {*map(type, found)}
    if kinds <= {str, type(None)}:
        with contextlib.suppress(*_NOT_UNIFORM):
            return pl.Series(column, found, dtype=pl.String, strict=True)
    texts = [item if type(item) is str else as_text(item) for item in found]
    for index, text in enumerate(texts):
        if text is None and not is_blank(found[index]):
            cannot(index)
    return pl.Series(column, texts, dtype=pl.String)


def as_text(item: Any) -> str | None:
    """A scalar as text, a list of scalars separated by commas; None for objects and for truth values, which answer an unknown question."""
    kind = type(item)
    if kind is str:
        return str(item)
    if kind is int:
        return str(item)
    if kind is float:
        return str(int(item)) if item.is_integer() and abs(item) < 1e16 else repr(item)
    if kind is list and item and all(type(each) in (str, int, float) for each in item):
        return ", ".join(text for each in item if (text := as_text(each)))
    return None


def as_numbers(column: str, found: list[Any], cannot: Unread) -> pl.Series:
    """Values as Float64; text by `amounts`, which reads "1.2m" and "$450.000"."""
    kinds = set(map(type, found))
    if kinds <= {int, float, type(None)}:
        with contextlib.suppress(*_NOT_UNIFORM):
            return pl.Series(column, found, dtype=pl.Float64)
    money = column in _MONEY
    texts = pl.Series(column, [item if type(item) is str else None for item in found], dtype=pl.String)
    plain = texts.str.strip_chars()
    easy = plain_numbers(texts)
    odd = {index: _number(found[index], money) for index in (easy.is_null() & plain.is_not_null() & (plain != "")).arg_true().to_list()}
    if not kinds <= {str, type(None)}:
        with contextlib.suppress(*_NOT_UNIFORM):
            numbers = pl.Series(column, [item if type(item) in (int, float) else None for item in found], dtype=pl.Float64)
            easy = easy.zip_with(easy.is_not_null(), numbers)
        rest = easy.is_null().arg_true().to_list()
        odd |= {index: _number(item, money) for index in rest if type(item := found[index]) is not str and not is_blank(item)}
    for index, number in odd.items():
        if number is None:
            cannot(index)
    return easy.scatter(list(odd), pl.Series(list(odd.values()), dtype=pl.Float64)) if odd else easy


def plain_numbers(texts: pl.Series) -> pl.Series:
    """Numbers whose writing leaves no doubt, such as "$1,250.50"; else null."""
    plain = texts.str.strip_chars()
    # A point followed by three digits groups thousands, so such text is not plain.
    return plain.set(~plain.str.contains(_PLAIN_NUMBER).fill_null(False), None).str.replace_all(r"[$,]", "").cast(pl.Float64, strict=False)


def _number(item: Any, money: bool) -> float | None:
    try:
        if type(item) is str:
            return amount(item, money=money)
        if type(item) is list and len(item) == 1:
            return _number(item[0], money)
        return float(item) if type(item) in (int, float) else None
    except OverflowError:
        return None


def as_times(column: str, found: list[Any], cannot: Unread, orders_of: Callable[[], list[Any]]) -> pl.Series:
    """Values as times in UTC. `orders_of`: per lead, in which order an ambiguous day and month are meant."""
    texts = pl.Series(column, [item if type(item) is str else None for item in found], dtype=pl.String)
    times = plain_times(texts)
    odd: dict[int, int] = {}
    unclear = times.is_null().arg_true().to_list()
    orders = orders_of() if unclear else []
    for index in unclear:
        item = found[index]
        if is_blank(item):
            continue
        read = moment(item[0] if type(item) is list and len(item) == 1 else item, orders[index])
        if read is None or not -62_135_596_800_000_000 <= read < 253_402_300_800_000_000:
            cannot(index)
        else:
            odd[index] = read
    if odd:
        times = times.scatter(list(odd), pl.Series(list(odd.values()), dtype=pl.Int64).cast(times.dtype))
    return times


def plain_times(texts: pl.Series) -> pl.Series:
    """Times written as 2026-03-01T09:30:00Z; else null."""
    plain = texts.set(~texts.str.contains(_PLAIN_UTC).fill_null(False), None)
    return plain.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)


def _orders(found: list[Any], chunk: Chunk, group: Group) -> list[Any]:
    """Per lead, the order of day and month: its shape's, or else the one that the column shows in the lead's drop."""
    declared = group.adapter.shape.dates
    if declared or not chunk.drops:
        shown = declared or order_of(item for item in found if type(item) is str)
        return [shown] * len(found)
    of_drop: dict[int, list[str]] = {}
    for item, index in zip(found, group.members, strict=True):
        if type(item) is str:
            of_drop.setdefault(chunk.drops[index], []).append(item)
    orders = {drop: order_of(texts) for drop, texts in of_drop.items()}
    return [orders.get(chunk.drops[index]) for index in group.members]


def best_email(chosen: pl.Series, found: list[pl.Series]) -> dict[str, pl.Series]:
    """Among several addresses of a lead: the first company address, or else the first from a free provider, or else the first; as it was sent (`email`) and,
    if it is one of the former, normalised."""
    from lead_assets.core.emails import email_domains, email_kinds, read_and_normalise

    read = [read_and_normalise(series.str.strip_chars().replace("", None)) for series in found]
    kinds = [email_kinds(email_domains(normal)) for _, normal in read]
    best = [
        pl.when(kind == wanted).then(pl.struct(email=sent, email_normalized=normal))
        for wanted in ("business", "free")
        for (sent, normal), kind in zip(read, kinds, strict=True)
    ]
    unsure = pl.struct(email=chosen, email_normalized=pl.lit(None, dtype=pl.String))
    return pl.select(pl.coalesce(*best, unsure).alias("best")).to_series().struct.unnest().to_dict()
