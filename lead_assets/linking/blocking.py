"""Which pairs of rows are looked at: those that agree on two things, or on one that few rows share.

Rows are sorted by a key, and each is paired with its next neighbours of the same key. So a small block is complete, and a huge one costs its rows times the
window instead of their square. Does not belong here: whether a pair is one person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.linking.roles import Column

Ints = npt.NDArray[np.int64]
_EVERY_PAIR = 1_500
"""Rows up to which every pair is looked at: a million pairs take seconds."""
_WIDEST = 40
_SINGLE_ROLES = ("date", "email", "phone", "address", "company", "text", "name", "exact", "postcode")


class Candidates(NamedTuple):
    """`left` < `right`: row numbers; `looked_at` and `skipped`: pairs with an equal key, and those of them that were beyond the window or the limit."""

    left: Ints
    right: Ints
    skipped: dict[str, int]


class _Key(NamedTuple):
    name: str
    hashes: npt.NDArray[np.uint64]
    pairs: int
    """Pairs of rows with this key, were none left out."""
    within: int
    """Pairs within the window."""


def candidates(rows: pl.DataFrame, columns: Sequence[Column], *, most: int) -> Candidates:
    """Pairs to compare, at most about `most`. With two sides, only pairs across them. Columns row, side, and those of `columns`."""
    side = rows["side"].to_numpy()
    if rows.height <= _EVERY_PAIR:
        left, right = np.triu_indices(rows.height, k=1)
        across = _across(side, left, right)
        return Candidates(left[across].astype(np.int64), right[across].astype(np.int64), {})
    by_row = rows.select(pl.arg_sort_by([c.name for c in columns])).to_series().to_numpy().astype(np.int64)
    found = np.empty(0, dtype=np.int64)
    skipped: dict[str, int] = {}
    two_sides = bool(side.any())
    keys = sorted(_keys(rows, columns), key=lambda key: key.within)
    for key in keys:
        window = _window(key, most - len(found), len(keys))
        if window:
            found = np.union1d(found, _neighbours(key.hashes, by_row, side if two_sides else None, window, rows.height))
        looked_at = _pairs_within(key.hashes, window) if window else 0
        if looked_at < key.pairs:
            skipped[key.name] = key.pairs - looked_at
    return Candidates(found // rows.height, found % rows.height, skipped)


def _across(side: npt.NDArray[np.int8], left: Ints, right: Ints) -> npt.NDArray[np.bool_]:
    return side[left] != side[right] if side.any() else np.ones(len(left), dtype=bool)


def _window(key: _Key, left_over: int, keys: int) -> int:
    """How many neighbours, so that the key's pairs fit into what is left of the limit."""
    if key.within <= left_over / 3 or left_over <= 0:
        return _WIDEST if left_over > 0 else 0
    return max(0, int(_WIDEST * left_over / 3 / key.within))


def _keys(rows: pl.DataFrame, columns: Sequence[Column]) -> Iterator[_Key]:
    atoms: list[tuple[int, str, npt.NDArray[np.uint64], npt.NDArray[np.bool_]]] = []
    for at, column in enumerate(columns):
        for label, series in _atoms(rows[column.name], column):
            known = series.is_not_null().to_numpy()
            hashes = series.hash(seed=at).to_numpy()
            atoms.append((at, f"{column.source}{label}", hashes, known))
            if not label or label in (" (user)", " (day and month)"):
                yield from _worth_it(column.source + label, hashes, known)
    for (one, one_name, one_hash, one_known), (other, other_name, other_hash, other_known) in combinations(atoms, 2):
        if one != other:
            mixed = one_hash * np.uint64(0x9E3779B97F4A7C15) ^ (other_hash + np.uint64(0x632BE59BD9B4E019))
            yield from _worth_it(f"{one_name} + {other_name}", mixed, one_known & other_known)
    names = [column.name for column in columns if column.role == "name"]
    for one_c, other_c in combinations(names, 2):
        # Given and family name may have changed places.
        small, large = pl.min_horizontal(one_c, other_c), pl.max_horizontal(one_c, other_c)
        both = rows.select(pl.when(pl.col(one_c).is_not_null() & pl.col(other_c).is_not_null()).then(small + "\x1f" + large)).to_series()
        yield from _worth_it("both names", both.hash().to_numpy(), both.is_not_null().to_numpy())


def _atoms(series: pl.Series, column: Column) -> Iterator[tuple[str, pl.Series]]:
    """What two rows may agree on: the value, and the parts of it that most slips leave alone."""
    yield "", series
    if column.role == "name":
        yield " (start)", series.str.head(3)
        yield " (end)", series.str.tail(3)
    elif column.role == "date":
        yield " (year and month)", series.str.head(6)
        yield " (day and month)", series.str.slice(4)
        yield " (year and day)", series.str.head(4) + series.str.slice(6)
    elif column.role == "email":
        yield " (user)", series.str.replace(r"@.*$", "")
    elif column.role == "phone":
        yield " (end)", series.str.tail(6)
    elif column.role == "postcode":
        yield " (start)", series.str.head(3)
    elif column.role in ("address", "company", "text"):
        yield " (start)", series.str.replace_all(" ", "").str.head(6)


def _worth_it(name: str, hashes: npt.NDArray[np.uint64], known: npt.NDArray[np.bool_]) -> Iterator[_Key]:
    """A key of rows that lack it is one of its own, so it pairs nobody."""
    keyed = np.where(known, hashes, np.arange(len(hashes), dtype=np.uint64))
    _, sizes = np.unique(keyed, return_counts=True)
    sizes = sizes.astype(np.int64)
    pairs = int((sizes * (sizes - 1) // 2).sum())
    wide = np.minimum(sizes - 1, _WIDEST)
    within = int((wide * sizes - wide * (wide + 1) // 2).sum())
    if pairs:
        yield _Key(name, keyed, pairs, within)


def _pairs_within(hashes: npt.NDArray[np.uint64], window: int) -> int:
    _, sizes = np.unique(hashes, return_counts=True)
    wide = np.minimum(sizes - 1, window).astype(np.int64)
    return int((wide * sizes - wide * (wide + 1) // 2).sum())


def _neighbours(hashes: npt.NDArray[np.uint64], by_row: Ints, side: npt.NDArray[np.int8] | None, window: int, rows: int) -> Ints:
    """Codes left * rows + right of each row and its next `window` rows with the same key."""
    at = by_row[np.argsort(hashes[by_row], kind="stable")]
    sorted_hashes = hashes[at]
    codes = []
    for step in range(1, window + 1):
        same = np.flatnonzero(sorted_hashes[:-step] == sorted_hashes[step:])
        if not len(same):
            break
        one, other = at[same], at[same + step]
        left, right = np.minimum(one, other), np.maximum(one, other)
        if side is not None:
            across = side[left] != side[right]
            left, right = left[across], right[across]
        codes.append(left * rows + right)
    return np.unique(np.concatenate(codes)) if codes else np.empty(0, dtype=np.int64)
