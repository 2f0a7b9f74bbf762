"""`link`: who is who in one table, or across two.

Rows that are equal in every compared column are looked at once: 10,000 copies of one row are one row and its twin, whose weight says whether such rows are
one person at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from lead_assets.linking.blocking import candidates
from lead_assets.linking.clusters import clustered, one_to_one
from lead_assets.linking.comparing import comparisons
from lead_assets.linking.roles import CannotLink, Prepared, prepared
from lead_assets.linking.weighing import Ints, LearnedWeights, Weigher

_PAIRS_OF = 200
"""Rows up to which a cluster's pairs are all written; of a larger one, each row's pair with the first."""


class LinkLimits(NamedTuple):
    """`threshold`: bits that an accepted pair weighs at least (0: as likely as not); `most_pairs`: pairs looked at; `memory_gb`: DuckDB's memory."""

    threshold: float = 0.0
    most_pairs: int = 8_000_000
    memory_gb: float = 3.0


class RoleWorth(NamedTuple):
    """What a column's levels are worth in bits, from equal to different, and how often they occur in pairs of one person."""

    column: str
    role: str
    bits: list[float]
    shares: list[float]


class Linked(NamedTuple):
    """`pairs`: id_l, id_r, match_weight (bits), match_probability, cluster; `clusters`: id, side ("A", "B"), cluster (the id of its first row)."""

    pairs: pl.DataFrame
    clusters: pl.DataFrame
    looked_at: int
    skipped: dict[str, int]
    left_out: dict[str, str]
    divided: int
    one_to_one: bool
    in_part: int
    """Clusters of which only each row's pair with the first is written."""
    worth: list[RoleWorth]


def link(tables: Sequence[pl.DataFrame], id_column: str, roles: Mapping[str, str], limits: LinkLimits = LinkLimits()) -> Linked:
    """Pairs of rows that are one person (or company) in one table, or across two. `roles`: column to role (see `roles.ROLES`). Raises CannotLink."""
    if len(tables) not in (1, 2):
        raise CannotLink(f"{len(tables)} tables: link one, or two")
    ready = prepared(tables, id_column, roles)
    names = [column.name for column in ready.columns]
    two = len(tables) == 2
    if ready.rows["side"].n_unique() < len(tables) or (not two and ready.rows.height < 2):
        return _nothing(ready)
    of, distinct = _distinct(ready.rows, names, copies=1 if two else 2)
    compared = comparisons(ready.columns)
    found = candidates(distinct, ready.columns, most=limits.most_pairs)
    if not len(found.left):
        return _nothing(ready)
    side = distinct["side"].to_numpy()
    total = int((side == 0).sum()) * int((side == 1).sum()) if two else distinct.height * (distinct.height - 1) // 2
    with Weigher(distinct, compared, memory_gb=limits.memory_gb) as weigher:
        learned = weigher.learn(found.left, found.right, total)
        weighed = weigher.weigh(found.left, found.right, learned, at_least=limits.threshold - 10)
        once = False
        if two:
            weighed, once = one_to_one(weighed, limits.threshold)
        if once:
            groups = clustered(distinct.height, weighed, limits.threshold, lambda left, right: weighed.head(0))
        else:
            groups = clustered(distinct.height, weighed, limits.threshold, lambda left, right: weigher.weigh(left, right, learned))
    cluster = groups.cluster[of]
    pairs, in_part = _written(ready.rows, cluster, of, distinct["twin"].to_numpy(), groups.pairs, two=two)
    ids = ready.rows["id"]
    first = np.full(distinct.height, -1, dtype=np.int64)
    _, starts = np.unique(cluster, return_index=True)
    first[cluster[starts]] = starts
    sides = pl.select(pl.when(ready.rows["side"] == 0).then(pl.lit("A")).otherwise(pl.lit("B"))).to_series()
    return Linked(
        _with_ids(pairs, ids, cluster, first),
        pl.DataFrame({"id": ids, "side": sides, "cluster": ids[first[cluster]]}),
        len(found.left),
        found.skipped,
        ready.left_out,
        groups.divided,
        once,
        in_part,
        _worth(ready, learned),
    )


def _nothing(ready: Prepared) -> Linked:
    ids = ready.rows["id"]
    sides = pl.select(pl.when(ready.rows["side"] == 0).then(pl.lit("A")).otherwise(pl.lit("B"))).to_series()
    none = pl.DataFrame(
        schema={"id_l": pl.String, "id_r": pl.String, "match_weight": pl.Float64, "match_probability": pl.Float64, "cluster": pl.String}
    )
    return Linked(none, pl.DataFrame({"id": ids, "side": sides, "cluster": ids}), 0, {}, ready.left_out, 0, False, 0, [])


def _distinct(rows: pl.DataFrame, names: Sequence[str], *, copies: int) -> tuple[Ints, pl.DataFrame]:
    """For each row the number of its representative, and at most `copies` of each distinct row, numbered anew; `twin` is the number of a row's first copy."""
    numbered = rows.select(
        pl.col("row").first().over("side", *names).alias("kind"), pl.int_range(pl.len()).over("side", *names).alias("copy")
    ).with_columns(kept=pl.col("copy") < copies)
    numbered = numbered.with_columns(number=pl.when("kept").then(pl.col("kept").cum_sum().cast(pl.Int64) - 1))
    numbered = numbered.with_columns(
        of=pl.coalesce("number", pl.col("number").max().over("kind")), twin=pl.col("number").min().over("kind")
    )
    distinct = rows.with_columns(row=numbered["number"], twin=numbered["twin"]).filter(numbered["kept"])
    return numbered["of"].to_numpy(), distinct


def _written(rows: pl.DataFrame, cluster: Ints, of: Ints, twin: Ints, weighed: pl.DataFrame, *, two: bool) -> tuple[pl.DataFrame, int]:
    """Columns row_l, row_r, weight (null for rows of a large cluster that were never compared) of the pairs inside clusters."""
    members = pl.DataFrame({"cluster": cluster, "row": np.arange(rows.height), "of": of, "side": rows["side"]}).filter(
        pl.len().over("cluster") > 1
    )
    small = members.filter(pl.len().over("cluster") <= _PAIRS_OF)
    large = members.filter(pl.len().over("cluster") > _PAIRS_OF)
    every = small.join(small, on="cluster", suffix="_r").filter(pl.col("row") < pl.col("row_r"))
    with_first = large.with_columns(row_r="row", of_r="of", side_r="side").with_columns(
        pl.col("row", "of", "side").sort_by("row").first().over("cluster")
    )
    pairs = pl.concat([every, with_first.filter(pl.col("row") != pl.col("row_r")).select(every.columns)])
    if two:
        pairs = pairs.filter(pl.col("side") != pl.col("side_r"))
    # Copies of one row weigh what the row and its twin weigh.
    ends = pairs.with_columns(row_l=pl.min_horizontal("of", "of_r"), row_r2=pl.max_horizontal("of", "of_r"))
    first = pl.Series(twin).gather(ends["row_l"]) if ends.height else ends["row_l"]
    twins = ends.with_columns(row_l=pl.when(pl.col("row_l") == pl.col("row_r2")).then(first).otherwise("row_l"))
    known = twins.join(weighed.rename({"row_r": "row_r2"}), on=["row_l", "row_r2"], how="left")
    return known.select(row_l="row", row_r="row_r", weight="weight"), large["cluster"].n_unique()


def _with_ids(pairs: pl.DataFrame, ids: pl.Series, cluster: Ints, first: Ints) -> pl.DataFrame:
    left, right = pairs["row_l"].to_numpy(), pairs["row_r"].to_numpy()
    odds = 2.0 ** pl.col("match_weight").clip(-1000, 1000)
    return (
        pl.DataFrame(
            {"id_l": ids[left], "id_r": ids[right], "match_weight": pairs["weight"].round(3), "cluster": ids[first[cluster[left]]]}
        )
        .with_columns(match_probability=odds / (1 + odds))
        .select("id_l", "id_r", "match_weight", "match_probability", "cluster")
        .sort("cluster", "id_l", "id_r")
    )


def _worth(ready: Prepared, learned: LearnedWeights) -> list[RoleWorth]:
    return [
        RoleWorth(column.source, column.role, [round(float(bit), 2) for bit in np.log2(m / u)], [round(float(share), 4) for share in m])
        for column, m, u in zip(ready.columns, learned.m, learned.u, strict=True)
    ]
