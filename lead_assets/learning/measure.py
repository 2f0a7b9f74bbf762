"""How good probabilities are, against what happened. Every figure is of rows that the model had not seen.

Does not belong here: pictures, or deciding between models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_BINS = 10


class Measures(TypedDict):
    """`auc`: area under the ROC curve. `pr_auc`: average precision. `ece`: expected calibration error over ten bins of equal count
    (Naeini et al. 2015). `brier`: mean squared error of the probability. `lift_at_10`: share won in the best tenth ÷ share won overall."""

    auc: float
    pr_auc: float
    ece: float
    brier: float
    lift_at_10: float


def measures(won: Floats, ranked: Floats, probability: Floats, folds: npt.NDArray[np.int64]) -> Measures:
    """All figures, rounded. `ranked` orders the leads and `probability` is its calibration.

    What is about order (`auc`, `pr_auc`, `lift_at_10`) is measured within each fold and averaged: folds over time differ in their share of won leads, and
    telling early from late leads is no merit. Folds with one outcome only do not count; at least one must have both.
    """
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    both = [rows for fold in np.unique(folds) if 0 < won[rows := np.flatnonzero(folds == fold)].mean() < 1]
    weights = [len(rows) for rows in both]

    def average(figure: Callable[[Floats, Floats], float]) -> float:
        return float(np.average([figure(won[rows], ranked[rows]) for rows in both], weights=weights))

    return {
        "auc": round(average(roc_auc_score), 4),
        "pr_auc": round(average(average_precision_score), 4),
        "ece": round(expected_calibration_error(won, probability), 4),
        "brier": round(float(brier_score_loss(won, probability)), 4),
        "lift_at_10": round(average(lambda happened, order: _lift(happened, order, 0.1)), 2),
    }


def calibration(won: Floats, probability: Floats) -> list[tuple[int, float, float]]:
    """Per bin of equal count, lowest first: rows, mean probability, share won."""
    order = np.argsort(probability, kind="stable")
    return [
        (len(rows), float(probability[rows].mean()), float(won[rows].mean()))
        for rows in np.array_split(order, min(_BINS, len(order)))
        if len(rows)
    ]


def expected_calibration_error(won: Floats, probability: Floats) -> float:
    return sum(rows * abs(said - happened) for rows, said, happened in calibration(won, probability)) / len(won)


def _lift(won: Floats, ranked: Floats, share: float) -> float:
    best = np.argsort(-ranked, kind="stable")[: max(1, round(share * len(won)))]
    return float(won[best].mean() / won.mean())
