"""What each pair weighs: Splink compares, and m, u and the prior are learned from the table without labels.

u of a level is its share among random pairs that are not one person; m its share among candidates, each counted by how likely it is one person (expectation
maximisation after Fellegi and Sunter). Candidates hold nearly all true pairs, so unlike one training run per blocking rule this learns every column at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.linking.comparing import Comparison, settings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_SAMPLE = 1_000_000
_RANDOM = 300_000
_ROUNDS = 60
_SMOOTH_M = 10.0
"""Pairs that what is expected of one person counts for."""
_SMOOTH_U = 0.5
_BY_CHANCE = 1_000
_OF_DECLARED = 2.0**-40
"""u of a level whose weight is declared: only m / u counts."""
_MOST_DIFFERENT = 0.75
"""The share of one person's pairs that may differ in a column. Without it, a table in which nobody stands twice would teach that people who share an industry
are one person, whose e-mail always differs."""


class LearnedWeights(NamedTuple):
    """m and u per comparison and level, from equal to different, and the probability that two random rows are one person."""

    m: list[Floats]
    u: list[Floats]
    prior: float


def as_declared(bits: Sequence[Sequence[float]], prior: float) -> LearnedWeights:
    """Weights that somebody declared: per comparison the bits of its levels, from equal to different, and the bits (below 0) that any two rows start with."""
    u = [np.full(len(levels), _OF_DECLARED) for levels in bits]
    m = [_OF_DECLARED * 2.0 ** np.asarray(levels, dtype=np.float64) for levels in bits]
    return LearnedWeights(m, u, 1 / (1 + 2.0**-prior))


class Weigher:
    """Compares pairs of one table's rows. Holds a DuckDB connection: use as a context."""

    def __init__(self, rows: pl.DataFrame, compared: Sequence[Comparison], *, memory_gb: float) -> None:
        self.rows, self.compared = rows, compared
        self._connection = duckdb.connect()
        self._connection.execute(
            f"SET memory_limit = '{memory_gb:.1f}GB'; SET enable_progress_bar = false; SET preserve_insertion_order = false"
        )
        self._table = rows.drop("id", "side", "twin", strict=False).to_arrow()
        self._shares = {one.column.name: self._share_of_values(one.column.name) for one in compared if one.counts_rarity}

    def __enter__(self) -> Weigher:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @functools.cached_property
    def _unlike(self) -> Ints:
        return _unlike(self.rows, [one.column.name for one in self.compared])

    def learn(self, left: Ints, right: Ints, total_pairs: int, *, seed: int = 7) -> LearnedWeights:
        """From candidates `left`, `right` of `total_pairs` possible ones."""
        chance = np.random.default_rng(seed)
        share = 1.0
        if len(left) > _SAMPLE:
            share = _SAMPLE / len(left)
            drawn = np.sort(chance.choice(len(left), _SAMPLE, replace=False))
            left, right = left[drawn], right[drawn]
        start = LearnedWeights(
            [np.array(one.start) for one in self.compared],
            [np.full(len(one.start), 1 / len(one.start)) for one in self.compared],
            1e-4,
        )
        seen, seen_counts = self._patterns(left, right, start)
        one, other = _random_pairs(self._unlike, self.rows["side"].to_numpy(), chance)
        random, random_counts = self._patterns(one, other, start)
        return _maximised(start, seen, seen_counts / share, random, random_counts, total_pairs, self.rows.height)

    def weigh(self, left: Ints, right: Ints, learned: LearnedWeights, *, at_least: float | None = None) -> pl.DataFrame:
        """Columns row_l, row_r, weight (bits for and against one person, the prior included)."""
        predicted = self._predicted(left, right, learned, at_least=at_least)
        return self._connection.sql(f"SELECT row_l, row_r, match_weight AS weight FROM {predicted} ORDER BY row_l, row_r").pl()

    def _share_of_values(self, name: str) -> Any:
        counts = self.rows[name].gather(self._unlike).drop_nulls().value_counts(name="tf")
        return counts.select(name, (pl.col("tf") / pl.col("tf").sum()).alias(f"tf_{name}")).to_arrow()

    def _patterns(self, left: Ints, right: Ints, learned: LearnedWeights) -> tuple[npt.NDArray[np.int64], Floats]:
        """Distinct combinations of levels (-1: unknown, 0: different, higher: more alike), and how often each occurs."""
        predicted = self._predicted(left, right, learned, with_levels=True)
        gammas = ", ".join(f'"gamma_{one.column.name}"' for one in self.compared)
        frame = self._connection.sql(f"SELECT {gammas}, count(*)::DOUBLE AS pairs FROM {predicted} GROUP BY ALL ORDER BY ALL").pl()
        return frame.drop("pairs").to_numpy().astype(np.int64), frame["pairs"].to_numpy()

    def _predicted(
        self, left: Ints, right: Ints, learned: LearnedWeights, *, at_least: float | None = None, with_levels: bool = False
    ) -> str:
        """The name of a table of Splink's predictions for the pairs."""
        import pyarrow as pa
        from splink import DuckDBAPI, Linker

        api = DuckDBAPI(self._connection)
        model = settings(self.compared, [list(m) for m in learned.m], [list(u) for u in learned.u], learned.prior, with_levels=with_levels)
        linker = Linker(api.register(self._table), model, log_level="ERROR", validate_settings=False)
        for name, shares in self._shares.items():
            linker.table_management.register_term_frequency_lookup(api.register(shares), name)
        pairs = pa.table({"match_key": pa.repeat("0", len(left)), "join_key_l": left, "join_key_r": right})
        linker.table_management.register_blocked_pairs_for_predict(api.register(pairs))
        return linker.inference.predict(threshold_match_weight=at_least, warning_mode="never").physical_name


def _unlike(rows: pl.DataFrame, names: Sequence[str]) -> Ints:
    """Rows of which no two are equal in all columns but one. How common a value is must not depend on how often one person was recorded: in a table that is
    mostly one person's records, that person's name would otherwise be no evidence at all."""
    kept = rows.select("row", *names)
    values = rows.select(pl.col(names).n_unique()).row(0, named=True)
    for name in names:
        others = [other for other in names if other != name]
        # In a few columns of a few values, many people are equal.
        if math.prod(values[other] for other in others) > _BY_CHANCE * rows.height:
            kept = kept.unique(others, keep="first", maintain_order=True)
    return kept["row"].to_numpy()


def _random_pairs(among: Ints, side: npt.NDArray[np.int8], chance: np.random.Generator) -> tuple[Ints, Ints]:
    rows = len(among)
    if rows * (rows - 1) // 2 <= _RANDOM:
        one, other = np.triu_indices(rows, k=1)
    else:
        one, other = chance.integers(0, rows, _RANDOM), chance.integers(0, rows, _RANDOM)
    one, other = among[one], among[other]
    if side.any():
        across = side[one] != side[other]
        one, other = one[across], other[across]
    codes = np.unique(np.minimum(one, other) * len(side) + np.maximum(one, other))
    codes = codes[codes // len(side) != codes % len(side)]
    return codes // len(side), codes % len(side)


def _maximised(
    start: LearnedWeights,
    seen: npt.NDArray[np.int64],
    seen_counts: Floats,
    random: npt.NDArray[np.int64],
    random_counts: Floats,
    total_pairs: int,
    rows: int,
) -> LearnedWeights:
    m, prior = list(start.m), min(0.1, 0.5 * rows / max(total_pairs, 1))
    u = [_share(random[:, at], random_counts, len(one), _SMOOTH_U, None) for at, one in enumerate(m)]
    for _ in range(_ROUNDS):
        belief = _belief(seen, m, u, prior)
        expected = float((belief * seen_counts).sum())
        updated = [
            _bounded(_share(seen[:, at], seen_counts * belief, len(one), _SMOOTH_M, start.m[at]), start.m[at]) for at, one in enumerate(m)
        ]
        moved = max(float(np.abs(new - old).max()) for new, old in zip(updated, m, strict=True))
        m = updated
        prior = min(0.5, max(expected, 0.5) / max(total_pairs, 1))
        other = 1 - _belief(random, m, u, prior)
        u = [_share(random[:, at], random_counts * other, len(one), _SMOOTH_U, None) for at, one in enumerate(m)]
        if moved < 1e-4:
            break
    return LearnedWeights(m, u, prior)


def _bounded(m: Floats, toward: Floats) -> Floats:
    if m[-1] <= _MOST_DIFFERENT:
        return m
    alike = m[:-1] + toward[:-1] * 1e-3
    return np.append(alike / alike.sum() * (1 - _MOST_DIFFERENT), _MOST_DIFFERENT)


def _belief(patterns: npt.NDArray[np.int64], m: Sequence[Floats], u: Sequence[Floats], prior: float) -> Floats:
    """How likely each pattern is one person."""
    logs = np.full(len(patterns), np.log(prior / (1 - prior)))
    for at in range(len(m)):
        ratio = np.append(np.log(m[at] / u[at])[::-1], 0.0)
        logs += ratio[patterns[:, at]]
    return 1 / (1 + np.exp(-np.clip(logs, -500, 500)))


def _share(gammas: npt.NDArray[np.int64], weights: Floats, levels: int, smooth: float, toward: Floats | None) -> Floats:
    """Shares of the levels from equal to different; `smooth` pairs count for what is expected, or for each level."""
    known = gammas >= 0
    counts: Floats = np.bincount(gammas[known], weights=weights[known], minlength=levels)[::-1].astype(np.float64)
    smoothed: Floats = counts + smooth * (np.ones(levels) if toward is None else toward)
    shares: Floats = smoothed / smoothed.sum()
    return shares
