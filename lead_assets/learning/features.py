"""What a model sees of a table's columns. Learned from the training rows alone, so that judging a row never uses its own outcome.

Belongs here: turning typed columns into numbers. Does not belong here: which columns (see `traps`), or the models (see `fit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.learning.columns import Kind, as_kind

Floats = npt.NDArray[np.float64]

_CATEGORIES = 500
"""Values of one column that keep an identity of their own, the most common ones."""
_RARE = 5
_PRIOR = 20.0
_TEXT_PARTS = 12
_QUANTILES = 10


class Features:
    """Two views of a table: `boosted` (NaN for missing, categories as codes and as rates of won) and `linear` (standardised, one-hot)."""

    def __init__(self, kinds: Mapping[str, Kind], created: str | None) -> None:
        self.kinds = dict(kinds)
        self.created = created
        self.numbers = [name for name, kind in kinds.items() if kind == "number"]
        self.dates = [name for name, kind in kinds.items() if kind == "date"]
        self.categories = [name for name, kind in kinds.items() if kind == "category"]
        self.texts = [name for name, kind in kinds.items() if kind == "text"]

    def fit(self, frame: pl.DataFrame) -> Self:
        self.medians = {name: _median(frame[name]) for name in self.numbers}
        self.edges = {name: _edges(frame[name]) for name in self.numbers}
        self.known = {name: _common(frame[name]) for name in self.categories}
        self.latest = {name: float(frame[name].dt.epoch("us").max() or 0) for name in self.dates}  # type: ignore[arg-type]
        self.words = {name: _Words().fit(frame[name]) for name in self.texts}
        return self

    def names(self) -> list[str]:
        """The column of the table that each column of `plain` comes from."""
        words = [name for name in self.texts for _ in range(_TEXT_PARTS + 1)]
        dates = [name for name in self.dates for _ in range(3 if name == self.created else 1)]
        return [*self.numbers, *dates, *words, *self.categories]

    def plain(self, frame: pl.DataFrame) -> Floats:
        """rows × columns of `names`: numbers as they are, parts of dates, parts of texts, categories as codes; NaN for missing."""
        columns = [
            *(frame[name].to_numpy().astype(float) for name in self.numbers),
            *(part for name in self.dates for part in self._date_parts(frame, name)),
            *(part for name in self.texts for part in self.words[name].transform(frame[name])),
            *(self._codes(frame[name]) for name in self.categories),
        ]
        return np.column_stack(columns) if columns else np.empty((frame.height, 0))

    def linear(self, frame: pl.DataFrame) -> Any:
        """A sparse matrix for a linear model: each number by its decile, as itself and as missing; each category as one column."""
        from scipy import sparse

        blocks: list[Any] = []
        for name in self.numbers:
            values = frame[name].to_numpy().astype(float)
            missing = np.isnan(values)
            place = np.searchsorted(self.edges[name], np.where(missing, self.medians[name], values), side="right")
            blocks.append(_one_hot(np.where(missing, len(self.edges[name]) + 1, place), len(self.edges[name]) + 2))
            rank = np.where(missing, 0.5, place / max(len(self.edges[name]), 1))
            blocks.append(sparse.csr_array((rank - 0.5)[:, None]))
        for name in self.dates:
            blocks.extend(sparse.csr_array(np.nan_to_num(part)[:, None] / 12) for part in self._date_parts(frame, name)[:1])
        for name in self.texts:
            blocks.extend(sparse.csr_array(part[:, None]) for part in self.words[name].transform(frame[name]))
        blocks += [
            _one_hot(np.nan_to_num(self._codes(frame[name]), nan=0).astype(int), len(self.known[name]) + 2) for name in self.categories
        ]
        return sparse.hstack(blocks).tocsr() if blocks else sparse.csr_array((frame.height, 0))

    def read(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
        """Another table's columns as these kinds, and the names of those it lacks (null then)."""
        missing = [name for name in self.kinds if name not in frame.columns]
        columns = [
            as_kind(frame[name], kind) if name in frame.columns else pl.Series(name, [None] * frame.height, dtype=_DTYPES[kind])
            for name, kind in self.kinds.items()
        ]
        return pl.DataFrame(columns), missing

    def _codes(self, values: pl.Series) -> Floats:
        """1 … n for a known value, n + 1 for another, NaN for null."""
        known = self.known[values.name]
        codes = values.replace_strict(
            dict(zip(known, range(1, len(known) + 1), strict=True)), default=len(known) + 1, return_dtype=pl.Float64
        )
        return np.where(values.is_null().to_numpy(), np.nan, codes.to_numpy().astype(float))

    def _date_parts(self, frame: pl.DataFrame, name: str) -> list[Floats]:
        values = frame[name]
        if name != self.created:
            since = frame[self.created].dt.epoch("us") if self.created else self.latest[name]
            years = (since - values.dt.epoch("us")) / (365.25 * 24 * 3600 * 1_000_000)
            return [years.cast(pl.Float64).to_numpy().astype(float)]
        parts = (values.dt.month(), values.dt.weekday(), values.dt.hour())
        return [part.cast(pl.Float64).to_numpy().astype(float) for part in parts]


def rates(codes: Floats, won: Floats, size: int) -> Floats:
    """The share won per code (0 is missing), drawn towards the average by 20 rows' worth."""
    at = np.nan_to_num(codes, nan=0).astype(int)
    total = np.bincount(at, minlength=size)
    good = np.bincount(at, weights=won, minlength=size)
    return np.asarray((good + _PRIOR * won.mean()) / (total + _PRIOR))


_DTYPES: dict[Kind, Any] = {"number": pl.Float64, "date": pl.Datetime("us"), "category": pl.String, "text": pl.String}


class _Words:
    """A text as its length and the main directions of its words (TF-IDF, truncated SVD)."""

    def fit(self, values: pl.Series) -> Self:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.tfidf = TfidfVectorizer(min_df=5, max_features=20_000, sublinear_tf=True)
        self.svd = None
        texts = values.fill_null("").to_list()
        try:
            weighed = self.tfidf.fit_transform(texts)
        except ValueError:  # no word stands in five texts
            return self
        if weighed.shape[1] > _TEXT_PARTS:
            self.svd = TruncatedSVD(_TEXT_PARTS, random_state=0).fit(weighed)
        return self

    def transform(self, values: pl.Series) -> list[Floats]:
        length = values.str.len_chars().cast(pl.Float64).fill_null(0).log1p().to_numpy()
        if self.svd is None:
            return [length, *(np.zeros(len(values)) for _ in range(_TEXT_PARTS))]
        return [length, *self.svd.transform(self.tfidf.transform(values.fill_null("").to_list())).T]


def _median(values: pl.Series) -> float:
    middle = values.median()
    return float(middle) if isinstance(middle, int | float) else 0.0


def _edges(values: pl.Series) -> Floats:
    present = values.drop_nulls().to_numpy()
    if not len(present):
        return np.empty(0)
    return np.unique(np.quantile(present, np.linspace(0, 1, _QUANTILES + 1)[1:-1]))


def _common(values: pl.Series) -> list[str]:
    counts = values.drop_nulls().value_counts(sort=True).filter(pl.col("count") >= _RARE).head(_CATEGORIES)
    return sorted(counts[values.name].to_list())


def _one_hot(codes: Sequence[int] | npt.NDArray[Any], width: int) -> Any:
    from scipy import sparse

    rows = np.arange(len(codes))
    return sparse.csr_array((np.ones(len(codes)), (rows, np.asarray(codes))), shape=(len(codes), width))
