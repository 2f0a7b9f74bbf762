"""An index of past leads with outcomes: how much a lead looks like those of high value (`s_look`), how unlike any of them it is (`s_novel`), and the
difference that counts (`contrast`).

    s_look   = mean cosine to the k nearest records of high value
    s_novel  = 1 − mean cosine to the k nearest of all records
    contrast = s_look − (1 − s_novel)

Belongs here: building and asking. Does not belong here: how a row becomes a vector (see `encoder`), files (see `index_files`), what two rows share
(see `shared`), or the answer of the old service (see `service`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.lookalike.encoder import Encoder, FeatureSpec
from lead_assets.lookalike.nearest import Nearest, Places, indexed
from lead_assets.lookalike.shared import Neighbours
from lead_assets.lookalike.words import Floats

K = 20
EXACT_UP_TO = 50_000
"""Records up to which every vector is compared: 1.5 ms a lead. Above, HNSW: its build takes longer and finds 99 of 100 neighbours."""
_NOWHERE = 9
"""Farther than any distance, which is at most 2."""


class WrongIndex(ValueError):
    """The folder is no index, or was built from other columns or by another version. The text says which and what to do."""


@dataclass(frozen=True)
class Records:
    """`shown`: per record `id`, `high` (of high value), `outcome` (as the label says it) and the columns that the index was built from, as text.

    `emails`: hashes of the records' e-mail addresses.
    """

    shown: pl.DataFrame
    emails: frozenset[str]
    repeated: int = 0
    """Rows left out because an earlier row has their id."""


@dataclass
class LookalikeIndex:
    """`high` and `rest`: the records of high value and all others. Apart, so that one search of each answers both questions."""

    spec: FeatureSpec
    encoder: Encoder
    high: Nearest
    rest: Nearest
    records: Records
    built_at: str
    _names: pl.Series = field(init=False)
    _places: dict[str, int] | None = field(init=False, default=None)
    _told: Neighbours | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._names = self.records.shown["id"]

    @property
    def facts(self) -> dict[str, Any]:
        """rows, high, built_at, spec."""
        return {
            "rows": len(self._names),
            "high": len(self.high),
            "built_at": self.built_at,
            "spec": self.spec.model_dump(mode="json"),
        }

    def is_known(self, email: str | None) -> bool:
        """Whether an indexed record has this e-mail address."""
        return bool(email and email.strip()) and hashed_email(str(email)) in self.records.emails

    def ask(self, table: pl.DataFrame, *, own: str | None = None) -> pl.DataFrame:
        """One row per row of `table`: s_look, s_novel, contrast, nn_all_ids, nn_high_ids, similarities (lists, nearest first).

        The figures are null without records to compare with, and for a row that says nothing in the index's columns.
        `own`: the column with a row's own id in the index; a row never finds itself.
        """
        return self.ask_vectors(self.encoder.transform(table), table[own].cast(pl.String).to_list() if own else None)

    def ask_vectors(self, vectors: Floats, own: Sequence[str | None] | None = None) -> pl.DataFrame:
        """As `ask`, for rows of `encoder.transform`. `own`: a row's own id in the index."""
        similarity, place, high_similarity, high_place = self.nearest(vectors, own)
        said: npt.NDArray[np.bool_] = np.asarray(vectors.any(axis=1))
        look, near = _mean(high_similarity, said), _mean(similarity, said)
        figures = {"s_look": look, "s_novel": 1 - near, "contrast": look - near}
        return pl.DataFrame(
            [
                *(pl.Series(name, values, dtype=pl.Float64, nan_to_null=True) for name, values in figures.items()),
                self._named("nn_all_ids", place, said),
                self._named("nn_high_ids", high_place, said),
                _listed("similarities", pl.Series(similarity.astype(np.float64).ravel(), nan_to_null=True), similarity.shape, said),
            ]
        )

    def neighbours(self, table: pl.DataFrame, found: pl.DataFrame) -> list[list[dict[str, Any]]]:
        """For each row of `table`, what `ask` found for it: id, similarity, outcome, and what the two share, in words."""
        if self._told is None:
            self._told = Neighbours(self.spec, self.records.shown)
        return self._told.of(table, found)

    def nearest(self, vectors: Floats, own: Sequence[str | None] | None = None) -> tuple[Any, Any, Any, Any]:
        """(similarity, place) among all records and (similarity, place) among those of high value: rows × at most K, nearest first; NaN and -1 where there
        are fewer."""
        extra = 1 if own is not None else 0
        high, rest = self.high.search(vectors, K + extra), self.rest.search(vectors, K + extra)
        if own is not None:
            mine = np.array([self._place(name) for name in own])[:, None]
            high, rest = _without(high, mine), _without(rest, mine)
        if not len(self.high) or not len(self.rest):
            return *(high if len(self.high) else rest), *high
        return *_first(np.hstack([high[0], rest[0]]), np.hstack([high[1], rest[1]])), *high

    def _place(self, name: str | None) -> int:
        if self._places is None:
            self._places = {each: place for place, each in enumerate(self._names)}
        return -2 if name is None else self._places.get(name, -2)

    def _named(self, column: str, places: Places, said: npt.NDArray[np.bool_]) -> pl.Series:
        flat = places.ravel()
        missing = bool(len(flat)) and flat.min() < 0
        at = pl.Series(np.where(flat < 0, 0, flat) if missing else flat).cast(pl.UInt32)
        names = self._names.gather(at)
        return _listed(column, names.set(pl.Series(flat < 0), None) if missing else names, places.shape, said)


def build(
    table: pl.DataFrame,
    spec: FeatureSpec,
    *,
    label: str = "is_high_value",
    positive: str | None = None,
    id_column: str | None = None,
    email_column: str = "email",
) -> LookalikeIndex:
    """An index of a table's rows. `label`: 1/0, yes/no, won/lost and the like, or `positive` is the value of high value; open and empty is not high.

    `id_column`: a row whose id an earlier row has is left out. Without it a record's id is its row number, from 0.
    Raises ValueError for an empty table and columns that are not there, and CannotLearn for a label whose words are not known.
    """
    for what, name in {"--label-col": label, "--id-col": id_column}.items():
        if name is not None and name not in table.columns:
            raise ValueError(f"the table has no column {name!r}: name another with {what}; it has {', '.join(table.columns[:20])}")
    check(table, spec)
    if table.is_empty():
        raise ValueError("the table has no rows: an index needs at least one past lead")
    rows = table.height
    if id_column is not None:
        table = (
            table.unique(id_column, keep="first", maintain_order=True)
            if table[id_column].null_count() == 0
            else _named_rows(table, id_column)
        )
    encoder = Encoder(spec).fit(table)
    vectors = encoder.transform(table)
    high = _high(table[label], positive)
    shown = pl.DataFrame(
        {
            "id": table[id_column].cast(pl.String) if id_column else pl.int_range(table.height, eager=True).cast(pl.String),
            "high": high,
            "outcome": _outcome(table[label], high),
            **{name: table[name].cast(pl.String) for name in spec.columns if name in table.columns},
        }
    )
    emails = table[email_column].drop_nulls().cast(pl.String).to_list() if email_column in table.columns else []
    records = Records(shown, frozenset(hashed_email(email) for email in emails if email.strip()), rows - table.height)
    exact = len(vectors) <= EXACT_UP_TO
    built_at = datetime.now(UTC).isoformat(timespec="seconds")
    best, rest = (indexed(vectors[at], at, exact=exact) for at in (np.flatnonzero(high), np.flatnonzero(~high)))
    return LookalikeIndex(spec, encoder, best, rest, records, built_at)


def check(table: pl.DataFrame, spec: FeatureSpec) -> None:
    """Raises ValueError if the table has none of the columns, or one of them is not a plain value."""
    known = [name for name in spec.columns if name in table.columns]
    if not known:
        raise ValueError(
            f"the table has none of the columns {', '.join(spec.columns)}: it has {', '.join(table.columns[:20]) or 'none'}; "
            "name its columns with --text-cols, --cat-cols and --num-cols"
        )
    if nested := [name for name in known if table[name].dtype.is_nested()]:
        raise ValueError(f"column {nested[0]!r} has lists or records: an index compares texts, categories and numbers")


def hashed_email(email: str) -> str:
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()


def _named_rows(table: pl.DataFrame, id_column: str) -> pl.DataFrame:
    number = pl.lit("row ") + pl.int_range(1, pl.len() + 1).cast(pl.String)
    return table.with_columns(pl.col(id_column).cast(pl.String).fill_null(number)).unique(id_column, keep="first", maintain_order=True)


def _high(label: pl.Series, positive: str | None) -> npt.NDArray[np.bool_]:
    from lead_assets.learning.target import read_target

    return np.asarray(read_target(label, positive, both=False).won == 1)


def _outcome(label: pl.Series, high: npt.NDArray[np.bool_]) -> pl.Series:
    """Words as the label has them; "high value" and "not high value" for 1/0 and true/false."""
    if label.dtype == pl.String:
        return label.str.strip_chars()
    said = pl.Series(np.where(high, "high value", "not high value"))
    return said.set(label.is_null(), None)


def _without(found: tuple[Any, Any], mine: Places) -> tuple[Any, Any]:
    """The K nearest other than a row's own place."""
    similarity, place = found
    if not place.shape[1]:
        return found
    return _first(np.where(place == mine, np.nan, similarity), np.where(place == mine, -1, place))


def _first(similarity: Floats, place: Places) -> tuple[Floats, Places]:
    """The K nearest of each row, of equally near ones the first record; NaN and -1 last.

    Distance and place are sorted as one number, which takes a quarter of the time of sorting one by the other.
    """
    far = np.float32(1) - similarity
    if missing := bool(np.isnan(far.sum())):
        far = np.where(place < 0, np.float32(_NOWHERE), far)
    keys = (far.view(np.int32).astype(np.int64) << 32) | (place & 0xFFFFFFFF)
    keys.sort(axis=1)
    keys = keys[:, :K]
    near, at = np.float32(1) - (keys >> 32).astype(np.int32).view(np.float32), keys & 0xFFFFFFFF
    if missing:
        gone = near < -1.5
        near[gone], at[gone] = np.nan, -1
    return near, at


def _mean(similarity: Any, said: npt.NDArray[np.bool_]) -> Any:
    """Of each row in float64; NaN for none."""
    if similarity.shape[1] and said.all() and not np.isnan(similarity.sum()):
        return similarity.mean(axis=1, dtype=np.float64)
    there = np.isfinite(similarity) & said[:, None]
    total = np.where(there, similarity, 0.0).sum(axis=1, dtype=np.float64)
    return np.divide(total, there.sum(axis=1), out=np.full(len(similarity), np.nan), where=there.any(axis=1))


def _listed(name: str, flat: pl.Series, shape: tuple[int, ...], said: npt.NDArray[np.bool_]) -> pl.Series:
    """A list per row of what is not null; empty for a row that says nothing."""
    rows, width = shape
    if not width or not rows:
        return pl.Series(name, [[]] * rows, dtype=pl.List(flat.dtype))
    lists = flat.reshape((rows, width)).arr.to_list().alias(name)
    lists = lists.list.drop_nulls() if flat.null_count() else lists
    if said.all():
        return lists
    return pl.select(pl.when(pl.Series(said)).then(lists).otherwise(pl.lit([], dtype=lists.dtype))).to_series().alias(name)
