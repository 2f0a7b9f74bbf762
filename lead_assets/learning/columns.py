"""What kind of values a column has: number, category, text or date. Cleans them as far as CRM exports need it.

Does not belong here: which columns may be used (see `traps`), and how a model sees them (see `features`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import polars as pl

Kind = Literal["number", "category", "text", "date"]

_MISSING = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none", "select", "unknown", "not specified", "(blank)", "?"})
_NUMBER_SHARE = 0.98
_DATE_SHARE = 0.95
_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d-%m-%Y", "%b %d, %Y", "%d %b %Y", "%d-%b-%Y", "%B %d, %Y",
)  # fmt: skip
_WORDS_OF_A_TEXT = 4
_VALUES_OF_A_TEXT = 200


class Typed(NamedTuple):
    """`frame`: numbers as Float64, dates as Datetime, the rest as String with placeholders for "nothing" as null. `kinds`: per column."""

    frame: pl.DataFrame
    kinds: dict[str, Kind]


def typed(frame: pl.DataFrame) -> Typed:
    """Each column as what it contains. Nested columns become JSON-like text."""
    series = [_typed(frame[name]) for name in frame.columns]
    return Typed(pl.DataFrame([each for each, _ in series]), {each.name: kind for each, kind in series})


def as_kind(values: pl.Series, kind: Kind) -> pl.Series:
    """A column of another table, read as the kind that the model knows it as; what cannot be read is null."""
    if kind == "number":
        return _numbers(values).alias(values.name)
    if kind == "date":
        return _dates(values).alias(values.name)
    return _text(values)


def _typed(values: pl.Series) -> tuple[pl.Series, Kind]:
    if values.dtype.is_numeric():
        return _finite(values), "number"
    if values.dtype in (pl.Date, pl.Datetime):
        return values.cast(pl.Datetime("us")).alias(values.name), "date"
    text = _text(values)
    present = len(text) - text.null_count()
    if present and values.dtype != pl.Boolean:
        numbers = _numbers(text)
        if len(numbers) - numbers.null_count() >= _NUMBER_SHARE * present:
            return numbers, "number"
        dates = _dates(text)
        if len(dates) - dates.null_count() >= _DATE_SHARE * present:
            return dates, "date"
    words = text.str.count_matches(r"\S+").mean()
    if present and isinstance(words, float) and words >= _WORDS_OF_A_TEXT and text.n_unique() > _VALUES_OF_A_TEXT:
        return text, "text"
    return text, "category"


def _finite(values: pl.Series) -> pl.Series:
    numbers = values.cast(pl.Float64)
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series().alias(values.name)


def _text(values: pl.Series) -> pl.Series:
    if values.dtype.is_nested():
        values = pl.Series(values.name, [None if value is None else str(value) for value in values.to_list()], dtype=pl.String)
    text = values.cast(pl.String).str.strip_chars()
    return pl.select(pl.when(~text.str.to_lowercase().is_in(list(_MISSING))).then(text)).to_series().alias(values.name)


def _numbers(values: pl.Series) -> pl.Series:
    if values.dtype.is_numeric():
        return _finite(values)
    plain = values.cast(pl.String).str.replace_all(r"[\s$€£¥%]", "")
    grouped = plain.str.contains(r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$")
    plain = pl.select(pl.when(grouped).then(plain.str.replace_all(",", "")).otherwise(plain)).to_series()
    return _finite(plain.cast(pl.Float64, strict=False)).alias(values.name)


def _dates(values: pl.Series) -> pl.Series:
    if values.dtype in (pl.Date, pl.Datetime):
        return values.cast(pl.Datetime("us"))
    text = values.cast(pl.String).str.strip_chars().str.replace(r"(:\d\d)(\.\d+)?\s?(Z|[+-]\d\d:?\d\d)?$", "$1")
    best: pl.Series | None = None
    for form in _FORMATS:
        read = text.str.to_datetime(form, strict=False, time_unit="us", exact=True)
        if best is None or read.null_count() < best.null_count():
            best = read
        if read.null_count() == values.null_count():
            break
    assert best is not None
    return best.alias(values.name)
