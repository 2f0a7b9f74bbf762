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

from lead_assets.linking.roles import RoleColumn

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
_EVERY_PAIR = 1_500
"""Rows up to which every pair is looked at: a million pairs take seconds."""
_WIDEST = 40
_TIMES_FOUND = 4
"""How often a pair is found, on average: by that many keys."""
_LARGE = 50_000


class CandidatePairs(NamedTuple):
    """`left` < `right`: row numbers; `skipped`: per key, pairs of rows that share it and were not looked at for that alone."""

    left: Ints
    right: Ints
    skipped: dict[str, int]


class _Key(NamedTuple):
    name: str
    one: _Atom
    other: _Atom | None
    pairs: int
    """Pairs of rows with this key, were none left out."""
    within: int
    """Pairs within the window."""

    def hashes(self) -> Hashes:
        return _hashes(self.one, self.other)


class _Atom(NamedTuple):
    column: int
    label: str
    hashes: Hashes
    known: npt.NDArray[np.bool_]
    exact: bool


def candidates(rows: pl.DataFrame, columns: Sequence[RoleColumn], *, most: int) -> CandidatePairs:
    """Pairs to compare, at most `most`: those that share more keys come first. With two sides, only pairs across them. Columns row, side, and those of
    `columns`."""
    side = rows["side"].to_numpy()
    if rows.height <= _EVERY_PAIR and rows.height * (rows.height - 1) // 2 <= most:
        left, right = np.triu_indices(rows.height, k=1)
        across = _across(side, left, right)
        return CandidatePairs(left[across].astype(np.int64), right[across].astype(np.int64), {})
    by_row = rows.select(pl.arg_sort_by([c.name for c in columns])).to_series().to_numpy().astype(np.int64)
    found: list[Ints] = []
    skipped: dict[str, int] = {}
    left_over = _TIMES_FOUND * most
    for key in sorted(_keys(rows, columns), key=lambda key: key.within):
        window = _WIDEST if key.within <= left_over else int(_WIDEST * left_over / key.within)
        looked_at = 0
        if window:
            hashes = key.hashes()
            codes = _neighbours(hashes, by_row, side if side.any() else None, window, rows.height)
            found.append(codes)
            looked_at = _pairs_within(hashes, window) if window < _WIDEST else key.within
            left_over -= looked_at
        if looked_at < key.pairs:
            skipped[key.name] = key.pairs - looked_at
    if not found:
        return CandidatePairs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), skipped)
    codes, times = np.unique(np.concatenate(found), return_counts=True)
    if len(codes) > most:
        codes = np.sort(codes[np.argsort(-times, kind="stable")[:most]])
    return CandidatePairs(codes // rows.height, codes % rows.height, skipped)


def _across(side: npt.NDArray[np.int8], left: Ints, right: Ints) -> npt.NDArray[np.bool_]:
    return side[left] != side[right] if side.any() else np.ones(len(left), dtype=bool)


def _keys(rows: pl.DataFrame, columns: Sequence[RoleColumn]) -> Iterator[_Key]:
    atoms: list[_Atom] = []
    for at, column in enumerate(columns):
        for label, series in _atoms(rows[column.name], column):
            atoms.append(_Atom(at, column.source + label, series.hash(seed=at).to_numpy(), series.is_not_null().to_numpy(), not label))
            if not label or label == " (user)":
                yield from _worth_it(atoms[-1].label, atoms[-1], None)
    for one, other in combinations(atoms, 2):
        # In a large table two vague agreements are shared by too many rows to help.
        if one.column != other.column and (rows.height <= _LARGE or one.exact or other.exact):
            yield from _worth_it(f"{one.label} + {other.label}", one, other)
    names = [column.name for column in columns if column.role == "name"]
    for one_c, other_c in combinations(names, 2):
        # Given and family name may have changed places.
        small, large = pl.min_horizontal(one_c, other_c), pl.max_horizontal(one_c, other_c)
        both = rows.select(pl.when(pl.col(one_c).is_not_null() & pl.col(other_c).is_not_null()).then(small + "\x1f" + large)).to_series()
        yield from _worth_it("both names", _Atom(-1, "both names", both.hash().to_numpy(), both.is_not_null().to_numpy(), True), None)


def _atoms(series: pl.Series, column: RoleColumn) -> Iterator[tuple[str, pl.Series]]:
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


def _hashes(one: _Atom, other: _Atom | None) -> Hashes:
    """A row that lacks the key has one of its own, so it pairs nobody."""
    alone = np.arange(len(one.hashes), dtype=np.uint64)
    if other is None:
        return np.where(one.known, one.hashes, alone)
    mixed = one.hashes * np.uint64(0x9E3779B97F4A7C15) ^ (other.hashes + np.uint64(0x632BE59BD9B4E019))
    return np.where(one.known & other.known, mixed, alone)


def _worth_it(name: str, one: _Atom, other: _Atom | None) -> Iterator[_Key]:
    sizes = _sizes(_hashes(one, other))
    pairs = int((sizes * (sizes - 1) // 2).sum())
    if pairs:
        yield _Key(name, one, other, pairs, _within(sizes, _WIDEST))


def _sizes(hashes: Hashes) -> Ints:
    """Rows per key."""
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    return np.diff(np.append(starts, len(ordered)))


def _within(sizes: Ints, window: int) -> int:
    wide = np.minimum(sizes - 1, window)
    return int((wide * sizes - wide * (wide + 1) // 2).sum())


def _pairs_within(hashes: Hashes, window: int) -> int:
    return _within(_sizes(hashes), window)


def _neighbours(hashes: Hashes, by_row: Ints, side: npt.NDArray[np.int8] | None, window: int, rows: int) -> Ints:
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
    return np.concatenate(codes) if codes else np.empty(0, dtype=np.int64)
