"""Which pairs make one cluster: what hangs together by accepted pairs, divided again where its members speak against each other.

Does not belong here: what a pair weighs (see `weighing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_WHOLE = 120
"""Members up to which every pair of a cluster is weighed and checked."""
_STRICTER = 4.0
"""Bits that a pair must weigh more, each time that a cluster is too large to be checked."""
_WEAK = 4.0
"""Bits that two groups of rows may lack on average to be one person, because many pairs say more than one; half a bit for one pair more, at first."""
_FARTHEST = 20.0
"""Bits against one person that one pair can add to its cluster's average: one column in full disagreement must not outweigh all others."""
_SURELY_TWO = 5.0
"""Bits by which the best partner must beat another one, for the other to be nobody's."""
_FEW = 0.02
"""The share of linked rows with several partners below which two tables are taken to name everybody once."""


class Clustered(NamedTuple):
    """`cluster`: a number per row, the smallest row of its cluster; `pairs`: row_l, row_r, weight of the pairs inside clusters that were weighed."""

    cluster: Ints
    pairs: pl.DataFrame
    divided: int
    """Clusters that hung together, and were divided."""


def clustered(rows: int, weighed: pl.DataFrame, threshold: float, weigh: Callable[[Ints, Ints], pl.DataFrame]) -> Clustered:
    """Clusters of `rows` rows from row_l, row_r, weight. `weigh` weighs pairs that were not looked at yet."""
    known = weighed.filter(pl.col("weight") >= threshold - _WEAK)
    cluster = components(rows, known)
    cluster = _not_too_large(rows, known, cluster, threshold)
    missing = _missing(cluster, weighed)
    inside = pl.concat([weighed.filter(_one_cluster(weighed, cluster)), weigh(*missing)]) if len(missing[0]) else weighed
    inside = inside.filter(_one_cluster(inside, cluster))
    against = inside.filter(pl.col("weight") < threshold)
    divided = 0
    if against.height:
        for members, matrix in _contested(cluster, inside, cluster[against["row_l"].to_numpy()]):
            parts = _parts(matrix, threshold)
            divided += bool((parts != parts[0]).any())
            cluster[members] = members[parts]
        inside = inside.filter(_one_cluster(inside, cluster))
    return Clustered(cluster, inside.sort("row_l", "row_r"), divided)


def one_to_one(weighed: pl.DataFrame, threshold: float) -> tuple[pl.DataFrame, bool]:
    """Of two tables' accepted pairs: those to keep, and whether each table names everybody once. If it does, a row's clearly weaker partners are dropped."""
    accepted = weighed.filter(pl.col("weight") >= threshold)
    several = [accepted.group_by(end).len().filter(pl.col("len") > 1).height for end in ("row_l", "row_r")]
    if not accepted.height or max(several) > _FEW * min(accepted["row_l"].n_unique(), accepted["row_r"].n_unique()):
        return accepted, False
    best = [pl.col("weight").max().over(end) for end in ("row_l", "row_r")]
    return accepted.filter(pl.all_horizontal(pl.col("weight") > of - _SURELY_TWO for of in best)), True


def components(rows: int, pairs: pl.DataFrame) -> Ints:
    """For each row the smallest one that it hangs together with by pairs (row_l, row_r)."""
    if pairs.is_empty():
        return np.arange(rows)
    # Imported here: most drops have no pair, and the import takes longer than one lead's identity.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(pairs.height, dtype=np.int8), (pairs["row_l"].to_numpy(), pairs["row_r"].to_numpy())), shape=(rows, rows))
    _, label = connected_components(graph, directed=False)
    first = np.full(label.max(initial=-1) + 1, rows, dtype=np.int64)
    np.minimum.at(first, label, np.arange(rows))
    found: Ints = first[label]
    return found


def _not_too_large(rows: int, pairs: pl.DataFrame, cluster: Ints, threshold: float) -> Ints:
    """Only stronger pairs hold a cluster together that is too large to be checked, until it is small or no pair is weak."""
    at_least = threshold
    while True:
        large = np.bincount(cluster, minlength=rows)[cluster] > _WHOLE
        inside = pairs.filter(pl.Series(large[pairs["row_l"].to_numpy()]))
        at_least += _STRICTER
        if not inside.height or not inside.filter(pl.col("weight") < at_least).height or at_least > threshold + 10 * _STRICTER:
            return cluster
        stricter = components(rows, inside.filter(pl.col("weight") >= at_least))
        cluster = np.where(large, stricter, cluster)


def _one_cluster(pairs: pl.DataFrame, cluster: Ints) -> pl.Series:
    return pl.Series(cluster[pairs["row_l"].to_numpy()] == cluster[pairs["row_r"].to_numpy()])


def _missing(cluster: Ints, weighed: pl.DataFrame) -> tuple[Ints, Ints]:
    """Pairs of clusters that can be checked, which were not looked at."""
    size = np.bincount(cluster, minlength=len(cluster))[cluster]
    members = pl.DataFrame({"cluster": cluster, "row": np.arange(len(cluster))}).filter(pl.Series((size > 2) & (size <= _WHOLE)))
    every = members.join(members, on="cluster", suffix="_r").filter(pl.col("row") < pl.col("row_r")).select(row_l="row", row_r="row_r")
    missing = every.join(weighed, on=["row_l", "row_r"], how="anti").sort("row_l", "row_r")
    return missing["row_l"].to_numpy(), missing["row_r"].to_numpy()


def _contested(cluster: Ints, inside: pl.DataFrame, contested: Ints) -> Iterator[tuple[Ints, Floats]]:
    """Members (ascending) and the matrix of their pairs' weights, of each contested cluster."""
    marked = np.zeros(len(cluster), dtype=bool)
    marked[contested] = True
    rows = np.flatnonzero(marked[cluster])
    rows = rows[np.argsort(cluster[rows], kind="stable")]
    left, right, weight = (inside[name].to_numpy() for name in ("row_l", "row_r", "weight"))
    pairs = np.flatnonzero(marked[cluster[left]])
    pairs = pairs[np.argsort(cluster[left[pairs]], kind="stable")]
    left, right, weight = left[pairs], right[pairs], weight[pairs]
    labels, row_starts = np.unique(cluster[rows], return_index=True)
    pair_starts = np.searchsorted(cluster[left], labels)
    row_ends, pair_ends = np.append(row_starts[1:], len(rows)), np.append(pair_starts[1:], len(left))
    for row_start, row_end, start, end in zip(row_starts, row_ends, pair_starts, pair_ends, strict=True):
        members = rows[row_start:row_end]
        if len(members) > _WHOLE:
            continue
        matrix = np.zeros((len(members), len(members)))
        one, other = np.searchsorted(members, left[start:end]), np.searchsorted(members, right[start:end])
        matrix[one, other] = matrix[other, one] = weight[start:end]
        yield members, matrix


def _parts(matrix: Floats, threshold: float) -> npt.NDArray[np.intp]:
    """For each member the first member of its part. The two parts that are most alike on average become one, until none are alike enough: one chance likeness
    does not join two people, and one odd row does not divide one."""
    size = len(matrix)
    total = np.clip(matrix - threshold, -_FARTHEST, _FARTHEST)
    members = np.ones(size)
    part = np.arange(size)
    np.fill_diagonal(total, -np.inf)
    while True:
        pairs = np.outer(members, members)
        score = total / pairs + np.minimum(_WEAK, np.log2(pairs))
        at = int(score.argmax())
        one, other = min(divmod(at, size)), max(divmod(at, size))
        if score[one, other] < 0:
            return part
        total[one] += total[other]
        total[:, one] = total[one]
        total[one, one] = -np.inf
        total[other] = total[:, other] = -np.inf
        members[one] += members[other]
        part[part == other] = one
