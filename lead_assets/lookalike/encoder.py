"""Any table's rows as unit vectors: text embedded, categories by their frequency, numbers scaled; the last two reduced together. Learned once, from the
indexed table, so that a single row later is read with the index's statistics and not with its own.

Belongs here: turning columns into vectors. Does not belong here: neighbours (see `index`), or the similarity of accounts (see `features`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.core.declared import Declared

Floats = npt.NDArray[np.float32]

TEXT_SIZE = 64
TABULAR_SIZE = 16
_BUCKETS = 2**16
_TEXT_SHARE = 0.6
"""Of the squared length of a full vector; the rest is of categories and numbers."""


class FeatureSpec(Declared):
    """Which columns make up a vector, and how their text is read. An index refuses a spec other than its own."""

    text: tuple[str, ...] = ("job_title", "bio")
    categories: tuple[str, ...] = ("industry", "country")
    numbers: tuple[str, ...] = ("company_size", "web_activity_score", "email_engagement_score")
    embedding: str = "tfidf"
    """`tfidf`, `wordllama` (English; extra `wordllama`), or the folder of a sentence-transformers model (extra of its own)."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.text, *self.categories, *self.numbers)


class Encoder:
    """Learned from a table with `fit`; then `transform` gives a unit vector for each row of any table, or zeros for a row that says nothing."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec

    def fit(self, table: pl.DataFrame) -> Self:
        from sklearn.decomposition import PCA

        self.frequencies: dict[str, dict[str, float]] = {}
        for name in self.spec.categories:
            counts = _categories(table, name).drop_nulls().value_counts(normalize=True)
            self.frequencies[name] = dict(zip(counts[name].to_list(), counts["proportion"].to_list(), strict=True))
        numbers = {name: _numbers(table, name).drop_nulls().to_numpy() for name in self.spec.numbers}
        self.middles = {name: float(values.mean()) if len(values) else 0.0 for name, values in numbers.items()}
        self.spreads = {name: float(values.std()) or 1.0 if len(values) else 1.0 for name, values in numbers.items()}
        plain = self._plain(table)
        size = min(TABULAR_SIZE, plain.shape[1], max(table.height - 1, 1))
        self.reduced = PCA(size, random_state=0).fit(plain) if size and table.height > 1 else None
        self.words = _embedding(self.spec.embedding).fit(self._texts(table)) if self.spec.text else None
        return self

    def transform(self, table: pl.DataFrame) -> Floats:
        """rows × size, float32, each of length 1 or 0. Columns that the table lacks count as empty (see `missing`)."""
        parts: list[Any] = []
        if self.words is not None:
            parts.append(_unit(self.words.transform(self._texts(table))) * _TEXT_SHARE**0.5)
        plain = self._plain(table)
        if plain.shape[1]:
            tabular = self.reduced.transform(plain) if self.reduced is not None else plain
            said = self._says(table)
            parts.append(_unit(tabular) * (1 - _TEXT_SHARE) ** 0.5 * said[:, None])
        if not parts:
            return np.zeros((table.height, 1), dtype=np.float32)
        return np.ascontiguousarray(_unit(np.hstack(parts)), dtype=np.float32)

    def missing(self, table: pl.DataFrame) -> list[str]:
        return [name for name in self.spec.columns if name not in table.columns]

    def _plain(self, table: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Categories by frequency (0 if unknown), numbers in standard deviations from the mean (0 if missing)."""
        columns = [
            *(
                _categories(table, name).replace_strict(known, default=0.0, return_dtype=pl.Float64).fill_null(0.0).to_numpy()
                for name, known in self.frequencies.items()
            ),
            *(
                ((_numbers(table, name) - self.middles[name]) / self.spreads[name]).fill_null(0.0).clip(-8, 8).to_numpy()
                for name in self.spec.numbers
            ),
        ]
        return np.column_stack(columns) if columns else np.empty((table.height, 0))

    def _says(self, table: pl.DataFrame) -> npt.NDArray[np.float64]:
        there = [_categories(table, name) for name in self.spec.categories] + [_numbers(table, name) for name in self.spec.numbers]
        return np.any([values.is_not_null().to_numpy() for values in there], axis=0).astype(float)

    def _texts(self, table: pl.DataFrame) -> list[str]:
        present = [pl.col(name).cast(pl.String).fill_null("") for name in self.spec.text if name in table.columns]
        if not present:
            return [""] * table.height
        return table.select(pl.concat_str(present, separator=" ").str.strip_chars()).to_series().to_list()


class TfIdf:
    """Parts of words of two to four letters, hashed, weighed by rarity, in their 64 main directions. Any language, nothing to download."""

    def fit(self, texts: Sequence[str]) -> Self:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfTransformer

        counted = self._counted(texts)
        self.weights = TfidfTransformer(sublinear_tf=True).fit(counted)
        size = min(TEXT_SIZE, max(len(texts) - 1, 1))
        self.svd = TruncatedSVD(size, n_iter=4, random_state=0).fit(self.weights.transform(counted))
        return self

    def transform(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.asarray(self.svd.transform(self.weights.transform(self._counted(texts))))

    @staticmethod
    def _counted(texts: Sequence[str]) -> Any:
        from sklearn.feature_extraction.text import HashingVectorizer

        return HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=_BUCKETS, alternate_sign=False, norm=None).transform(texts)


class WordLlamaWords:
    """wordllama's 256 dimensions (MIT; its weights and tokenizer are in its wheel). English."""

    def fit(self, texts: Sequence[str]) -> Self:
        return self

    def transform(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        import wordllama

        from pathlib import Path

        # The wheel keeps its tokenizer where the library looks for a cache, so the package itself is named as the cache.
        folder = Path(wordllama.__file__).parent
        model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        return np.asarray(model.embed([text or " " for text in texts]), dtype=np.float64)


class SentenceTransformerWords:
    """A sentence-transformers model in a local folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def fit(self, texts: Sequence[str]) -> Self:
        return self

    def transform(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(self.folder, local_files_only=True)
        return np.asarray(model.encode(list(texts), show_progress_bar=False), dtype=np.float64)


def _embedding(name: str) -> Any:
    if name == "tfidf":
        return TfIdf()
    return WordLlamaWords() if name == "wordllama" else SentenceTransformerWords(name)


def _categories(table: pl.DataFrame, name: str) -> pl.Series:
    if name not in table.columns:
        return pl.Series(name, [None] * table.height, dtype=pl.String)
    text = table[name].cast(pl.String).str.strip_chars().str.to_lowercase()
    return pl.select(pl.when(text.str.len_chars() > 0).then(text)).to_series().alias(name)


def _numbers(table: pl.DataFrame, name: str) -> pl.Series:
    if name not in table.columns:
        return pl.Series(name, [None] * table.height, dtype=pl.Float64)
    numbers = table[name].cast(pl.Float64, strict=False)
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series().alias(name)


def _unit(vectors: Any) -> Any:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors, dtype=float), where=length > 1e-9)
