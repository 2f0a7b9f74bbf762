"""The column that says how a lead ended: won, lost, or still open. An open lead has not lost; it has not ended.

Does not belong here: which columns predict it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.learning.errors import CannotLearn

# As CRMs, spreadsheets and databases write it; folded as `_folded` does.
_WON = frozenset(
    [
        "1",
        "1.0",
        "yes",
        "y",
        "true",
        "t",
        "won",
        "win",
        "closed_won",
        "converted",
        "customer",
        "client",
        "success",
        "successful",
        "positive",
        "good",
        "sale",
        "sold",
        "paid",
        "subscribed",
        "accepted",
    ]
)
_LOST = frozenset(
    [
        "0",
        "0.0",
        "-1",
        "no",
        "n",
        "false",
        "f",
        "lost",
        "loss",
        "closed_lost",
        "not_converted",
        "unconverted",
        "failure",
        "failed",
        "negative",
        "bad",
        "rejected",
        "disqualified",
        "unqualified",
        "declined",
        "churned",
        "dead",
        "junk",
    ]
)
_OPEN = frozenset(
    ["open", "in_progress", "pending", "new", "working", "nurture", "nurturing", "contacted", "qualified", "undecided", "tbd", "unknown"]
)
_MOST_NAMED = 8


class Target(NamedTuple):
    """`won`: 1.0 or 0.0 per row, NaN where the lead is open. `read_as`: in words, how the values were read."""

    won: npt.NDArray[np.float64]
    read_as: str


def read_target(values: pl.Series, positive: str | None = None, *, both: bool = True) -> Target:
    """Which rows were won. `positive`: the value that means so; without it the words of CRMs are known (yes, won, converted, 1 …).

    Nulls and words like "open" are open leads. `both`: leads of one kind alone, or none with an outcome, are not enough.
    Raises CannotLearn with the values found.
    """
    folded = _folded(values)
    counts = folded.drop_nulls().value_counts(sort=True)
    found: list[str] = counts[values.name].to_list()
    if not found and both:
        raise CannotLearn(f"column {values.name!r} is empty: give the column with the outcome")
    if positive is not None:
        wanted = _folded(pl.Series([positive]))[0]
        if wanted not in found and (both or found):
            raise CannotLearn(f"no row of {values.name!r} is {positive!r}; it contains {_named(found)}")
        won, is_open = {wanted}, (set(_OPEN) - {wanted}) & set(found)
    elif set(found) <= _WON | _LOST | _OPEN:
        won, is_open = set(found) & set(_WON), set(found) & set(_OPEN)
    else:
        raise CannotLearn(f"cannot tell which values of {values.name!r} mean won: say --positive VALUE, one of {_named(found)}")
    lost = set(found) - won - is_open
    if both and (not won or not lost):
        raise CannotLearn(f"every lead with an outcome in {values.name!r} is {_named(found)}: both won and lost leads are needed to learn")
    if not won and not lost:
        return Target(np.full(len(values), np.nan), "no lead has an outcome")
    numbers = folded.replace_strict({**dict.fromkeys(won, 1.0), **dict.fromkeys(lost, 0.0)}, default=None, return_dtype=pl.Float64)
    read_as = f"won = {_named(sorted(won))}; lost = {_named(sorted(lost))}"
    return Target(numbers.fill_null(float("nan")).to_numpy(), read_as + (f"; open = {_named(sorted(is_open))}" if is_open else ""))


def _folded(values: pl.Series) -> pl.Series:
    values = values.fill_nan(None) if values.dtype.is_float() else values
    text = values.cast(pl.Int8).cast(pl.String) if values.dtype == pl.Boolean else values.cast(pl.String)
    folded = text.str.strip_chars().str.to_lowercase().str.replace_all(r"[\s\-/]+", "_")
    return pl.select(pl.when(folded.str.len_chars() > 0).then(folded)).to_series().alias(values.name)


def _named(values: list[str]) -> str:
    more = f" and {len(values) - _MOST_NAMED} more" if len(values) > _MOST_NAMED else ""
    return ", ".join(repr(value[:40]) for value in values[:_MOST_NAMED]) + more
