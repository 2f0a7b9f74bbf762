"""The models that are fitted and compared: a regularised logistic regression, and boosted trees, fitted three times and averaged.

Trees see a category as the share won among rows with it (target encoding), always of rows other than the one that is judged. On all four public tables
tried, of 4,000 to 22,000 rows, that was better than categories as scikit-learn's own splits see them, and trees of 8 leaves were better than
16, 24 and 31.

Does not belong here: which of them is used, or how good it is (see `fit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.learning.columns import Kind
from lead_assets.learning.features import Features, rates

Floats = npt.NDArray[np.float64]

_LEAST = 1e-6
_PARTS = 5
_TREES: dict[str, Any] = {
    "max_leaf_nodes": 8,
    "max_iter": 350,
    "learning_rate": 0.04,
    "min_samples_leaf": 15,
    "l2_regularization": 5.0,
    "max_features": 0.5,
    "early_stopping": False,
}
_MANY = 15_000
_OF_MANY: dict[str, Any] = {**_TREES, "max_leaf_nodes": 12, "max_iter": 600, "min_samples_leaf": 8, "max_features": 0.3}
"""With more rows than `_MANY`. Larger trees gained 0.001 of AUC on one public table of 22,000 rows and nothing on two others; on 4,000 rows they lost 0.005."""
_SEEDS = 3


@cache
def _pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def log_odds(probability: Floats) -> Floats:
    held = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(held / (1 - held)))


class Logistic:
    """Logistic regression with an L2 penalty over deciles and categories."""

    name = "logistic"

    def __init__(self, kinds: dict[str, Kind], created: str | None) -> None:
        self.features = Features(kinds, created)

    def fit(self, frame: pl.DataFrame, won: Floats) -> Self:
        from sklearn.linear_model import LogisticRegression

        self.features.fit(frame)
        self.model = LogisticRegression(C=0.1, max_iter=1000).fit(self.features.linear(frame), won)
        return self

    def judge(self, frame: pl.DataFrame) -> Floats:
        """Log odds of won, one per row."""
        return np.asarray(self.model.decision_function(self.features.linear(frame)))


class Boosting:
    """The average of several histogram gradient boostings (Ke et al. 2017), in log odds."""

    name = "boosting"

    def __init__(self, kinds: dict[str, Kind], created: str | None) -> None:
        self.features = Features(kinds, created)

    def fit(self, frame: pl.DataFrame, won: Floats) -> Self:
        from sklearn.ensemble import HistGradientBoostingClassifier

        plain = self.features.fit(frame).plain(frame)
        names = self.features.names()
        self.categories = [index for index, name in enumerate(names) if self.features.kinds[name] == "category"]
        self.sizes = {index: int(np.nan_to_num(plain[:, index]).max()) + 2 for index in self.categories}
        self.sizes = {index: max(size, len(self.features.known[names[index]]) + 2) for index, size in self.sizes.items()}
        self.rates = {index: rates(plain[:, index], won, self.sizes[index]) for index in self.categories}
        self.models: list[Any] = []
        trees = _TREES if len(won) <= _MANY else _OF_MANY
        # A column of which these rows have no value cannot be cut into bins. It may have some in other parts of the table.
        known = np.asarray(~np.isnan(plain).all(axis=0))
        self.others = [index for index in range(len(names)) if index not in self.categories and known[index]]
        for seed in range(_SEEDS):
            seen = np.column_stack([plain[:, self.others], self._rates_of_others(plain, won, seed)])
            self.models.append(HistGradientBoostingClassifier(**trees, random_state=seed).fit(seen, won))
        return self

    def judge(self, frame: pl.DataFrame) -> Floats:
        """Log odds of won, one per row."""
        plain = self.features.plain(frame)
        learned = [self._looked_up(plain, index, self.rates[index]) for index in self.categories]
        seen = np.column_stack([plain[:, self.others], *learned])
        # On one thread, as everywhere here (see `fit`): on a busy machine, several that wait for each other by spinning took minutes for a second's work.
        with _pools().limit(limits=1, user_api="openmp"):
            return np.asarray(np.mean([log_odds(model.predict_proba(seen)[:, 1]) for model in self.models], axis=0))

    def _rates_of_others(self, plain: Floats, won: Floats, seed: int) -> Floats:
        """Each row's rates, from the other four fifths of the rows: its own outcome must not be among them."""
        part = np.random.default_rng(seed).integers(0, _PARTS, size=len(won))
        seen = np.empty((len(won), len(self.categories)))
        for column, index in enumerate(self.categories):
            for each in range(_PARTS):
                others = part != each
                learned = rates(plain[others, index], won[others], self.sizes[index])
                seen[~others, column] = self._looked_up(plain[~others], index, learned)
        return seen

    @staticmethod
    def _looked_up(plain: Floats, index: int, learned: Floats) -> Floats:
        return np.asarray(learned[np.nan_to_num(plain[:, index], nan=0).astype(int)])


MEMBERS: Sequence[type[Logistic] | type[Boosting]] = (Logistic, Boosting)
