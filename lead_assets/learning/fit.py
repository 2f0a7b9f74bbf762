"""Learns from a table with outcomes: finds the columns that would fool it, compares the models on rows they have not seen, calibrates, and keeps the better.

Belongs here: the order of these steps, and what is reported. Does not belong here: each step's work (`target`, `traps`, `members`, `measure`), or
storing the model (`artifact`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.learning.calibrate import Calibration
from lead_assets.learning.columns import Kind, typed
from lead_assets.learning.errors import CannotLearn, WrongModel
from lead_assets.learning.measure import Measures, measures
from lead_assets.learning.members import MEMBERS, Boosting, Logistic, log_odds
from lead_assets.learning.target import read_target
from lead_assets.learning.traps import Trap, created_column, find_traps

Floats = npt.NDArray[np.float64]

FEWEST_OF_EACH = 25
"""Won and lost leads below which nothing is learned. With fewer, five folds hold less than five of a kind and no figure means anything."""
_MOST_ROWS = 300_000
_FOLDS = 5
_EARNED = 0.0005  # log loss by which the blend of both must beat one model alone


@dataclass
class ScoreModel:
    """A fitted model. `judge` reads any table with its columns; those it lacks count as missing."""

    target: str
    name: str
    members: list[Logistic | Boosting]
    calibration: Calibration
    cv: Measures
    curve: list[tuple[float, float]]
    """(probability, won) of the rows in cross-validation, for pictures: at most 2,000 of them, by probability."""
    moved: dict[str, float] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        return list(self.members[0].features.kinds)

    def judge(self, frame: pl.DataFrame) -> Floats:
        """The probability of won for each row, 0 to 1. Raises WrongModel if the table has none of the columns."""
        if not set(self.columns) & set(frame.columns):
            raise WrongModel(
                f"the table has none of the model's columns ({', '.join(self.columns[:8])} …): give a table like the one it learned from"
            )
        read, _missing = self.members[0].features.read(frame)
        return self.calibration.probability(np.column_stack([member.judge(read) for member in self.members]))

    def missing(self, frame: pl.DataFrame) -> list[str]:
        return [name for name in self.columns if name not in frame.columns]


class Learned(NamedTuple):
    model: ScoreModel
    rows: int
    positives: int
    open: int
    dropped: list[str]
    warnings: list[Trap]
    read_as: str


def learn(table: pl.DataFrame, target: str, *, positive: str | None = None, drop: Sequence[str] = (), keep: Sequence[str] = ()) -> Learned:
    """The best model of who is won. `drop`: columns to leave out; `keep`: columns to use although they look like traps.

    Raises CannotLearn with what is missing.
    """
    for name in (target, *drop, *keep):
        if name not in table.columns:
            raise CannotLearn(f"the table has no column {name!r}; it has {', '.join(table.columns)}")
    outcome = read_target(table[target], positive)
    ended = ~np.isnan(outcome.won)
    won, is_open = outcome.won[ended], int((~ended).sum())
    _enough(won)
    if not set(table.columns) - {target, *drop}:
        raise CannotLearn(f"the table has no column beside {', '.join([target, *drop])}: there is nothing to learn from")
    frame, kinds = typed(table.drop([target, *drop]).filter(pl.Series(ended)))
    traps = find_traps(frame, kinds, won)
    warnings = [trap if trap.column not in keep else Trap(trap.column, "kept", trap.why) for trap in traps]
    left_out = [trap.column for trap in traps if trap.column not in keep]
    used: dict[str, Kind] = {name: kind for name, kind in kinds.items() if name not in left_out}
    if not used:
        raise CannotLearn(
            f"no column is left to learn from: {', '.join(left_out)} were left out; see the warnings, and --keep to use one anyway"
        )
    created = created_column(frame, kinds)
    if created and created not in left_out:
        order = frame[created].arg_sort(nulls_last=False).to_numpy()
        frame, won = frame[order], won[order]
    frame = frame.select(list(used))
    if frame.height > _MOST_ROWS:
        frame, won = frame.tail(_MOST_ROWS), won[-_MOST_ROWS:]
    model = _fitted(target, frame, used, won, created if created in used else None)
    return Learned(model, len(outcome.won), int(won.sum()), is_open, [*drop, *left_out], warnings, outcome.read_as)


def _enough(won: Floats) -> None:
    for count, word in ((int(won.sum()), "won"), (int(len(won) - won.sum()), "lost")):
        if count < FEWEST_OF_EACH:
            raise CannotLearn(
                f"{count} {word} leads are too few to learn from: {FEWEST_OF_EACH - count} more are needed ({FEWEST_OF_EACH} of each)"
            )


def _fitted(target: str, frame: pl.DataFrame, kinds: dict[str, Kind], won: Floats, created: str | None) -> ScoreModel:
    splits = _splits(won, over_time=created is not None)
    work: list[Callable[[], Any]] = []
    for member in MEMBERS:
        work += [_on(member, frame, kinds, created, won, learn, judge) for learn, judge in splits]
        work.append(_on(member, frame, kinds, created, won, np.arange(len(won)), None))
    done = _in_parallel(work)
    each = len(splits) + 1
    odds, fold = np.full((len(won), len(MEMBERS)), np.nan), np.zeros(len(won), dtype=np.int64)
    for index in range(len(MEMBERS)):
        for number, ((_learn, judge), (_fit, judged)) in enumerate(zip(splits, done[index * each : index * each + each - 1], strict=True)):
            odds[judge, index], fold[judge] = judged, number
    seen = ~np.isnan(odds[:, 0])
    chosen, ranked, probability = _chosen(odds[seen], won[seen])
    members = [done[index * each + each - 1][0] for index in chosen]
    name = MEMBERS[chosen[0]].name if len(chosen) == 1 else " + ".join(MEMBERS[index].name for index in chosen)
    order = np.argsort(probability)[:: max(1, len(probability) // 2000)]
    curve = [(round(float(probability[row]), 5), float(won[seen][row])) for row in order]
    calibration = Calibration().fit(odds[seen][:, chosen], won[seen])
    model = ScoreModel(target, name, members, calibration, measures(won[seen], ranked, probability, fold[seen]), curve)
    model.moved = _moved(model, frame)
    return model


def _splits(won: Floats, *, over_time: bool) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows to learn from and rows to judge. Over time, each fold is judged by what came before it."""
    from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit

    if over_time:
        splits = [(learn, judge) for learn, judge in TimeSeriesSplit(_FOLDS).split(won) if 5 <= won[learn].sum() <= len(learn) - 5]
        if splits and 0 < np.concatenate([won[judge] for _, judge in splits]).mean() < 1:
            return splits
    return list(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(won, won))


def _on(
    member: type[Logistic] | type[Boosting],
    frame: pl.DataFrame,
    kinds: dict[str, Kind],
    created: str | None,
    won: Floats,
    learn: npt.NDArray[np.int64],
    judge: npt.NDArray[np.int64] | None,
) -> Callable[[], tuple[Logistic | Boosting, Floats | None]]:
    def work() -> tuple[Logistic | Boosting, Floats | None]:
        fitted = member(kinds, created).fit(frame[learn], won[learn])
        return fitted, None if judge is None else fitted.judge(frame[judge])

    return work


def _in_parallel(work: list[Callable[[], Any]]) -> list[Any]:
    """Each piece on one core. Scikit-learn's own threads wait by spinning: on a busy machine two of them were sixty times slower than one."""
    from threadpoolctl import threadpool_limits

    def alone(piece: Callable[[], Any]) -> Any:
        with threadpool_limits(1):
            return piece()

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(alone, work))


def _chosen(odds: Floats, won: Floats) -> tuple[list[int], Floats, Floats]:
    """Which members, and ranks and probabilities of rows that neither they nor the calibration had seen. Both members only if both earn it."""
    from sklearn.metrics import log_loss

    tried = {picked: _out_of_fold(odds[:, list(picked)], won) for picked in ((0,), (1,), (0, 1))}
    loss = {picked: float(log_loss(won, ranked)) for picked, (ranked, _) in tried.items()}
    single = min(((0,), (1,)), key=lambda picked: loss[picked])
    best = (0, 1) if loss[0, 1] < loss[single] - _EARNED else single
    return list(best), *tried[best]


def _out_of_fold(odds: Floats, won: Floats) -> tuple[Floats, Floats]:
    from sklearn.model_selection import StratifiedKFold

    ranked, probability = np.empty(len(won)), np.empty(len(won))
    for learn, judge in StratifiedKFold(_FOLDS, shuffle=True, random_state=1).split(won, won):
        calibration = Calibration().fit(odds[learn], won[learn])
        ranked[judge], probability[judge] = calibration.ranked(odds[judge]), calibration.probability(odds[judge])
    return ranked, probability


def _moved(model: ScoreModel, frame: pl.DataFrame) -> dict[str, float]:
    """For each column, how far the log odds move on average when its values are shuffled among rows, largest first."""
    sample = frame.sample(min(frame.height, 2000), seed=0)
    base = log_odds(model.judge(sample))
    moved = {
        name: float(np.abs(log_odds(model.judge(sample.with_columns(sample[name].shuffle(seed=0)))) - base).mean())
        for name in frame.columns
    }
    return {name: round(value, 4) for name, value in sorted(moved.items(), key=lambda item: -item[1])}
