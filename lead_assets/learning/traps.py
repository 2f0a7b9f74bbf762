"""Columns that would fool a model: known only after the outcome, ids, closing dates, constants. Each is named with its evidence.

A column from after the outcome makes a model look perfect and be useless: it is empty for every lead that the model is there for. Evidence comes from
the values first and from the name second; a suspicious name alone is enough only for words that have no other meaning (see traps.yaml).

Does not belong here: reading the target (see `target`), or fitting (see `fit`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import yaml

from lead_assets.core.declared import Declared
from lead_assets.learning.columns import Kind

Floats = npt.NDArray[np.float64]
Why = Literal["constant", "empty", "id", "contact", "after_the_outcome", "closing_date", "kept"]


class Trap(NamedTuple):
    column: str
    kind: Why
    why: str


# What the values must show. Measured on public exports; see benchmarks/score_model.py.
_ALONE = 0.96  # AUC of one column alone that no honest single column of a lead reaches
_ALONE_RARE = 0.99
_ABOVE_ALL_OTHERS = 0.01  # with a suspicious name: alone it predicts better than all the others together
_MAYBE_ALONE = 0.58  # with a suspicious name: alone it predicts noticeably
_ENDED_ONLY = 0.02  # filled for at most this share of one outcome …
_ENDED_OFTEN = 0.3  # … and for at least this share of the other
_FEWEST = 20  # filled rows below which a share says nothing
_UNIQUE = 0.98
_FOLDS = 5
_BINS = 24
_PRIOR = 10.0


def find_traps(frame: pl.DataFrame, kinds: Mapping[str, Kind], won: Floats) -> list[Trap]:
    """The columns to leave out, in the table's order. `won`: 1.0 or 0.0 for each row of `frame` (no open leads)."""
    found: dict[str, Trap] = {}
    created = created_column(frame, kinds)
    for name in frame.columns:
        trap = _of_shape(frame[name], kinds[name], created) or _of_filling(frame[name], kinds[name], won)
        if trap:
            found[name] = trap
    for trap in _of_dates(frame, kinds, created, set(found)):
        found[trap.column] = trap
    for trap in _of_strength(frame, kinds, won, [name for name in frame.columns if name not in found and kinds[name] != "date"]):
        found[trap.column] = trap
    return [found[name] for name in frame.columns if name in found]


def created_column(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> str | None:
    """The date at which leads came in, if the table has one: filled for nearly all rows, and either named so or the only date."""
    dates = [name for name in frame.columns if kinds[name] == "date" and frame[name].null_count() <= 0.1 * frame.height]
    dates = [name for name in dates if not _says(name, "after") and not _says(name, "maybe_after")]
    named = [name for name in dates if _says(name, "created")] or (dates if len(dates) == 1 else [])
    return min(named, key=lambda name: frame[name].drop_nulls().dt.epoch("us").mean() or 0.0, default=None)


def strength(values: pl.Series, kind: Kind, won: Floats) -> float:
    """AUC of this column alone, out of fold: the share won among rows with the same value (numbers: in the same of 24 quantiles)."""
    from sklearn.metrics import roc_auc_score

    codes = _codes(values, kind)
    folds = np.random.default_rng(0).integers(0, _FOLDS, size=len(won))
    rates = np.empty(len(won))
    size = int(codes.max()) + 1
    for fold in range(_FOLDS):
        learn, judge = folds != fold, folds == fold
        base = won[learn].mean()
        total = np.bincount(codes[learn], minlength=size) + _PRIOR
        good = np.bincount(codes[learn], weights=won[learn], minlength=size) + _PRIOR * base
        rates[judge] = (good / total)[codes[judge]]
    return float(roc_auc_score(won, rates))


def _of_shape(values: pl.Series, kind: Kind, created: str | None) -> Trap | None:
    name, present = values.name, values.drop_nulls()
    if present.is_empty():
        return Trap(name, "empty", "no row has a value")
    if kind != "text" and present.n_unique() == 1 and values.null_count() == 0:
        return Trap(name, "constant", "all rows have the same value")
    if present.dtype == pl.String:
        for what, pattern in _CONTACTS.items():
            if present.str.contains(pattern).mean() > 0.8:  # type: ignore[operator]
                return Trap(name, "contact", f"its values are {what}: they say who, not how the lead ends")
    unique = present.n_unique() / len(present)
    if kind in ("category", "text") and len(present) >= _FEWEST and unique >= _UNIQUE and not (kind == "text" and _wordy(present)):
        return Trap(name, "id", f"{unique:.0%} of its values occur once, so that it only names the row")
    if kind == "number" and len(present) >= _FEWEST and unique >= _UNIQUE and (present == present.round()).all():
        dense = (present.max() - present.min() + 1) / len(present)  # type: ignore[operator]
        ordered = present.is_sorted() or present.is_sorted(descending=True)
        if _says(name, "id") or dense < 3 or ordered:
            return Trap(
                name, "id", f"whole numbers of which {unique:.0%} occur once" + (", in order" if ordered else "") + ": a number of the row"
            )
    return None


def _of_filling(values: pl.Series, kind: Kind, won: Floats) -> Trap | None:
    """Filled, or different from its usual value, for one outcome only."""
    filled = values.is_not_null().to_numpy()
    what = "has a value"
    if filled.all() and kind == "number":
        usual = values.mode().sort()[0]
        filled, what = (values != usual).to_numpy(), f"is other than {usual:g}"
    if _FEWEST <= filled.sum() < len(filled):
        of_won, of_lost = filled[won == 1].mean(), filled[won == 0].mean()
        if min(of_won, of_lost) <= _ENDED_ONLY and max(of_won, of_lost) >= _ENDED_OFTEN:
            why = f"{what} for {of_won:.0%} of won and {of_lost:.0%} of lost leads: filled in when the outcome is known"
            return Trap(values.name, "closing_date" if kind == "date" else "after_the_outcome", why)
    return None


def _of_dates(frame: pl.DataFrame, kinds: Mapping[str, Kind], created: str | None, known: set[str]) -> Iterable[Trap]:
    for name in frame.columns:
        if kinds[name] != "date" or name in known or name == created:
            continue
        if _says(name, "after") or _says(name, "maybe_after"):
            yield Trap(name, "closing_date", "its name says that it is set when a lead is worked or closed")
        elif created:
            later = (frame[name] > frame[created]).drop_nulls()
            share = int(later.sum()) / max(len(later), 1)
            if len(later) >= _FEWEST and share > 0.5:
                yield Trap(name, "closing_date", f"later than {created!r} in {share:.0%} of rows: not known when the lead came in")


def _of_strength(frame: pl.DataFrame, kinds: Mapping[str, Kind], won: Floats, names: list[str]) -> Iterable[Trap]:
    alone = {name: strength(frame[name], kinds[name], won) for name in names}
    # Few outcomes make a high AUC easy to reach by chance.
    limit = _ALONE if min(won.sum(), len(won) - won.sum()) >= 5 * _FEWEST else _ALONE_RARE
    sure = [name for name in names if alone[name] >= limit or _says(name, "after")]
    maybe = [name for name in names if name not in sure and _says(name, "maybe_after") and alone[name] >= _MAYBE_ALONE]
    for name in sure:
        if alone[name] >= limit:
            yield Trap(name, "after_the_outcome", f"alone it predicts the outcome with an AUC of {alone[name]:.3f}: it repeats it")
        else:
            yield Trap(name, "after_the_outcome", f"its name says that it is filled in once a lead has ended (AUC alone {alone[name]:.3f})")
    for name in maybe:
        why = f"its name says that it changes while a lead is worked, and alone it predicts with an AUC of {alone[name]:.3f}"
        yield Trap(name, "after_the_outcome", why)
    rest = [name for name in names if name not in sure and name not in maybe]
    strongest = max(rest, key=lambda name: alone[name], default=None)
    if strongest and alone[strongest] >= 0.85:
        others = together(frame, kinds, won, [name for name in rest if name != strongest])
        if alone[strongest] >= others + 0.05:
            why = f"alone it predicts with an AUC of {alone[strongest]:.3f}, all other columns together with {others:.3f}"
            yield Trap(strongest, "after_the_outcome", why)


def together(frame: pl.DataFrame, kinds: Mapping[str, Kind], won: Floats, names: list[str]) -> float:
    """AUC of these columns in a quick model, out of fold; 0.5 without columns."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    if not names:
        return 0.5
    matrix = np.column_stack([_codes(frame[name], kinds[name]) % 255 for name in names])
    quick = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.15, early_stopping=False, random_state=0)
    return float(roc_auc_score(won, cross_val_predict(quick, matrix, won, cv=3, method="predict_proba")[:, 1]))


def _codes(values: pl.Series, kind: Kind) -> npt.NDArray[np.int64]:
    if kind in ("number", "date"):
        numbers = (values.dt.epoch("us") if kind == "date" else values).cast(pl.Float64)
        present = numbers.drop_nulls().unique()
        if len(present) <= _BINS:
            return np.asarray(numbers.rank("dense").fill_null(0).to_numpy(), dtype=np.int64)
        edges = np.unique(np.nanquantile(numbers.to_numpy(), np.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = np.searchsorted(edges, numbers.fill_null(0).to_numpy(), side="right") + 1
        return np.where(numbers.is_null().to_numpy(), 0, codes)
    return np.asarray(values.cast(pl.String).rank("dense").fill_null(0).to_numpy(), dtype=np.int64)


_CONTACTS = {
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "web addresses": r"^(https?://|www\.)\S+$",
    "phone numbers": r"^\+?[\d\s().-]{8,}\d$",
}


def _wordy(values: pl.Series) -> bool:
    return bool((values.str.count_matches(r"\p{L}+") >= 3).mean() > 0.5)  # type: ignore[operator]


class _Names(Declared):
    after: list[str]
    maybe_after: list[str]
    before: list[str]
    created: list[str]
    id: list[str]
    of_leads: list[str]


@cache
def _names() -> _Names:
    return _Names.model_validate(yaml.safe_load(Path(__file__).with_name("traps.yaml").read_text("utf-8")))


def _says(column: str, list_name: Literal["after", "maybe_after", "created", "id"]) -> bool:
    """Whether a column's name contains one of the listed phrases. Words about the past undo "after"."""
    names = _names()
    words = [word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+", column)]
    own = [word for word in words if word not in names.of_leads] or words
    alone = list_name == "maybe_after"
    phrases = [phrase.split() for phrase in getattr(names, list_name)]
    says = any(own == phrase if alone and len(phrase) == 1 else _contains(words, phrase) for phrase in phrases)
    if says and list_name in ("after", "maybe_after"):
        return not any(_contains(words, phrase.split()) for phrase in names.before)
    return says


def _contains(words: list[str], phrase: list[str]) -> bool:
    rest = iter(words)
    return all(word in rest for word in phrase)
