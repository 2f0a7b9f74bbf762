"""Links records to those that are linked already: only what changed, and whatever that touches, is compared again, and the outcome is that of doing all again.

It is the same because nothing that decides about two records depends on others: weights are declared, a key of few records compares them all, and one of
too many is looked at again as a whole when anything in it changes. Clusters that hang together by no changed pair are those of before.

Belongs here: nodes, pairs and clusters of people and accounts alike. Does not belong here: what is compared (`records`), or the ids of clusters (`naming`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.identity.records import RecordKind
from lead_assets.ledger.identities import Decided
from lead_assets.linking.clusters import clustered, components
from lead_assets.linking.comparing import Comparison
from lead_assets.linking.roles import RoleColumn
from lead_assets.linking.weighing import Weigher, as_declared

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_AT_ONCE = 4_000_000
"""Pairs weighed at a time."""
_FEW = 100_000
"""Pairs up to which one query of ours weighs them: Splink takes two seconds of CPU to be imported and to plan, in which a query weighs far more."""
_MEMORY_GB = 2.0
_ROUNDING = 0.001
_MARK = "\x1f"
_UNKNOWN = "\x1e"


class KnownLinks(NamedTuple):
    """What is known from the last time. `members`: member, node, entity_id; `links`: one, other, weight, by_key; `large`: key, block, rows."""

    members: pl.DataFrame
    links: pl.DataFrame
    large: pl.DataFrame


class Clusters(NamedTuple):
    """`members`: member, since, node, cluster (a node), kept_id (its entity, where its cluster is that of before); `links`: one, other, weight, by_key (false
    for pairs inside a cluster that share no key); `large`: key, block, rows, compared: keys that are too vague to compare all their records."""

    members: pl.DataFrame
    links: pl.DataFrame
    large: pl.DataFrame
    looked_at: int
    touched: int


def linked_again(records: pl.DataFrame, kind: RecordKind, decided: Sequence[Decided], before: KnownLinks | None) -> Clusters:
    """Clusters of records (member, since, and the kind's columns). Records that say the same are one node; one that says too little to be anybody is alone."""
    work = _Work(records, kind, decided, before)
    with work.weigher() as weigher:
        return work.clusters(weigher)


class _Work:
    def __init__(self, records: pl.DataFrame, kind: RecordKind, decided: Sequence[Decided], before: KnownLinks | None) -> None:
        self.kind, self.before = kind, before
        apart = [member for each in decided if not each.same for member in (each.one, each.other)]
        self.members, self.nodes = _nodes(records, kind, apart)
        self.rich = np.flatnonzero(self.nodes["rich"].to_numpy())
        self.count = self.nodes.height
        self.decided = self._decided(decided)
        self.new = ~self._is_in(before.members["node"]) if before is not None else np.ones(self.count, dtype=bool)

    def weigher(self) -> Weighing:
        return Weighing(self.nodes, self.kind)

    def clusters(self, weigher: Weighing) -> Clusters:
        keys = [_KeyBlocks(name, *self._blocks(at)) for at, name in enumerate(self.kind.keys)]
        touched, large = self._touched(keys)
        left, right = self._pairs(keys, touched)
        weighed = weigher.weigh(left, right, at_least=self.kind.near)
        links, cut = self._links(weighed, touched)
        together = pl.concat([links.select("row_l", "row_r"), self.decided.filter("same").select("row_l", "row_r")])
        hanging = components(self.count, together)
        dirty = np.concatenate([np.flatnonzero(touched), cut, self.decided["row_l"].to_numpy(), self.decided["row_r"].to_numpy()])
        affected = np.isin(hanging, hanging[dirty]) if self.before is not None else np.ones(self.count, dtype=bool)
        cluster, inside = self._clustered(links, affected, weigher)
        return Clusters(self._members(cluster, affected), self._kept_links(links, inside, affected), large, len(left), int(affected.sum()))

    def _is_in(self, nodes: pl.Series) -> Bools:
        return self.nodes["node"].is_in(nodes.unique().implode()).to_numpy()

    def _decided(self, decided: Sequence[Decided]) -> pl.DataFrame:
        """Columns row_l, row_r, same of the decisions about members that are here."""
        rows = pl.DataFrame(decided, schema={"one": pl.String, "other": pl.String, "same": pl.Boolean}, orient="row")
        at = self.members.join(self.nodes.select("node", "row"), on="node").select("member", "row")
        both = rows.join(at, left_on="one", right_on="member").join(at, left_on="other", right_on="member", suffix="_other")
        return both.select(row_l=pl.min_horizontal("row", "row_other"), row_r=pl.max_horizontal("row", "row_other"), same="same").sort(
            "row_l", "row_r"
        )

    def _texts(self, at: int, rows: Ints) -> pl.Series:
        exprs = list(self.kind.keys.values())[at]
        return self.nodes[rows].select(pl.concat_str(exprs, separator=_MARK)).to_series()

    def _blocks(self, at: int) -> tuple[Ints, npt.NDArray[np.uint64]]:
        texts = self._texts(at, self.rich)
        known = texts.is_not_null().to_numpy()
        rows, hashes = self.rich[known], texts.hash(seed=at).to_numpy()[known]
        order = np.argsort(hashes, kind="stable")
        return rows[order], hashes[order]

    def _in_order(self, rows: Ints) -> Ints:
        """The rows in the order of names, in which a vague key's records are neighbours."""
        return rows[self.nodes[rows].select(pl.arg_sort_by([*self.kind.columns, "node"])).to_series().to_numpy()]

    def _touched(self, keys: Sequence[_KeyBlocks]) -> tuple[Bools, pl.DataFrame]:
        """Nodes whose pairs are looked for again, and the keys that are too vague."""
        touched = self.new.copy()
        found: list[tuple[str, int, int, int]] = []
        for at, key in enumerate(keys):
            large = np.flatnonzero(key.sizes > self.kind.largest)
            stable = self._stable(at, key, large)
            known = self._large_before(key.name)
            for which, block in zip(large, stable, strict=True):
                rows = key.rows_of(which)
                if known.pop(block, None) != len(rows) or self.new[rows].any():
                    touched[rows] = True
                found.append((key.name, block, len(rows), _within(len(rows), self.kind.neighbours)))
            if known:
                # A key that was too vague is not any more: all its records are now compared.
                several = np.flatnonzero(key.sizes > 0)
                for which, block in zip(several, self._stable(at, key, several), strict=True):
                    if block in known:
                        touched[key.rows_of(which)] = True
        schema = {"key": pl.String, "block": pl.Int64, "rows": pl.Int64, "compared": pl.Int64}
        return touched, pl.DataFrame(found, schema=schema, orient="row").sort("key", "block")

    def _stable(self, at: int, key: _KeyBlocks, which: Ints) -> list[int]:
        """Numbers of blocks that are the same on any machine and next year."""
        if not len(which):
            return []
        first = key.rows[key.starts[which]]
        texts = self._texts(at, first)
        return _hashed(pl.select(pl.concat_str(pl.lit(key.name + _MARK), pl.lit(texts))).to_series()).to_list()

    def _large_before(self, name: str) -> dict[int, int]:
        if self.before is None:
            return {}
        return dict(self.before.large.filter(pl.col("key") == name).select("block", "rows").iter_rows())

    def _pairs(self, keys: Sequence[_KeyBlocks], touched: Bools) -> tuple[Ints, Ints]:
        """Pairs that share a key, of which one at least is touched."""
        found = [np.empty(0, dtype=np.int64)]
        for key in keys:
            has = np.add.reduceat(touched[key.rows], key.starts) > 0 if len(key.rows) else np.empty(0, dtype=bool)
            small = np.flatnonzero(has & (key.sizes > 1) & (key.sizes <= self.kind.largest))
            for rows, block in key.some(small):
                found.append(_every_pair(rows, block, touched, self.count))
            large = np.flatnonzero(has & (key.sizes > self.kind.largest))
            for which in large:
                rows = key.rows_of(which)
                found.append(_neighbours(self._in_order(rows), self.kind.neighbours, touched, self.count))
            if len(found) > 1:
                found = [np.unique(np.concatenate(found))]
        codes = np.concatenate(found)
        return codes // max(self.count, 1), codes % max(self.count, 1)

    def _links(self, weighed: pl.DataFrame, touched: Bools) -> tuple[pl.DataFrame, Ints]:
        """Columns row_l, row_r, weight of all pairs that share a key and are near; and the rows that lost one."""
        if self.before is None:
            return weighed, np.empty(0, dtype=np.int64)
        was = self.before.links.filter("by_key")
        at = self.nodes.select("node", "row")
        was = was.join(at, left_on="one", right_on="node", how="left").join(at, left_on="other", right_on="node", how="left", suffix="_r")
        # One end is gone, or touched.
        marked = pl.Series("touched", touched)
        is_touched = [pl.lit(marked).gather(pl.col(name).fill_null(0)) for name in ("row", "row_r")] if was.height else []
        stays = pl.all_horizontal(pl.col("row").is_not_null(), pl.col("row_r").is_not_null(), *(~each for each in is_touched))
        was = was.with_columns(stays=stays)
        kept = was.filter("stays").select(row_l=pl.min_horizontal("row", "row_r"), row_r=pl.max_horizontal("row", "row_r"), weight="weight")
        cut = was.filter(~pl.col("stays"))
        ends = pl.concat([cut["row"], cut["row_r"]]).drop_nulls().unique()
        return pl.concat([kept, weighed]).sort("row_l", "row_r"), ends.to_numpy()

    def _clustered(self, links: pl.DataFrame, affected: Bools, weigher: Weighing) -> tuple[Ints, pl.DataFrame]:
        """A cluster (a row) for each affected row, and the weighed pairs inside clusters (row_l, row_r, weight)."""
        rows = np.flatnonzero(affected)
        number = np.full(self.count, -1, dtype=np.int64)
        number[rows] = np.arange(len(rows))
        sub = _renumbered(links, number)

        def weigh(left: Ints, right: Ints) -> pl.DataFrame:
            found = weigher.weigh(rows[left], rows[right], at_least=None)
            return _renumbered(found, number)

        groups = clustered(len(rows), sub, self.kind.accept, weigh)
        cluster = groups.cluster
        decided = _renumbered(self.decided, number)
        if decided.height:
            cluster = _as_decided(cluster, decided, pl.concat([groups.pairs, sub]).unique(["row_l", "row_r"]), self.kind.accept)
        back = groups.pairs.with_columns(pl.Series("row_l", rows[groups.pairs["row_l"].to_numpy()], dtype=pl.Int64))
        back = back.with_columns(pl.Series("row_r", rows[groups.pairs["row_r"].to_numpy()], dtype=pl.Int64))
        of_all = np.full(self.count, -1, dtype=np.int64)
        of_all[rows] = rows[cluster]
        return of_all, back

    def _members(self, cluster: Ints, affected: Bools) -> pl.DataFrame:
        ids = self.nodes["node"]
        frame = pl.DataFrame({"node": ids, "cluster": ids[np.where(affected, cluster, np.arange(self.count))], "affected": affected})
        members = self.members.join(frame, on="node", how="left", maintain_order="left")
        if self.before is None:
            return members.drop("affected").with_columns(kept_id=pl.lit(None, pl.String))
        entity = self.before.members.select("node", kept_id="entity_id").unique("node", keep="first", maintain_order=True)
        joined = members.join(entity, on="node", how="left", maintain_order="left")
        return joined.with_columns(kept_id=pl.when(~pl.col("affected")).then("kept_id")).drop("affected")

    def _kept_links(self, links: pl.DataFrame, inside: pl.DataFrame, affected: Bools) -> pl.DataFrame:
        ids = self.nodes["node"]
        extra = inside.join(links, on=["row_l", "row_r"], how="anti")
        both = pl.concat([links.with_columns(by_key=pl.lit(True)), extra.select(links.columns).with_columns(by_key=pl.lit(False))])
        named = pl.DataFrame(
            {
                "one": ids[both["row_l"].to_numpy()],
                "other": ids[both["row_r"].to_numpy()],
                "weight": both["weight"],
                "by_key": both["by_key"],
            }
        )
        if self.before is not None:
            calm = ids.filter(pl.Series(~affected)).implode()
            was = self.before.links.filter(~pl.col("by_key") & pl.col("one").is_in(calm) & pl.col("other").is_in(calm))
            named = pl.concat([named, was.select(named.columns)])
        return named


class _KeyBlocks:
    """A key's rows in the order of its blocks."""

    def __init__(self, name: str, rows: Ints, hashes: npt.NDArray[np.uint64]) -> None:
        self.name, self.rows = name, rows
        self.starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])) if len(rows) else np.empty(0, dtype=np.int64)
        self.sizes = np.diff(np.append(self.starts, len(rows)))

    def rows_of(self, which: int | np.signedinteger) -> Ints:
        return self.rows[self.starts[which] : self.starts[which] + self.sizes[which]]

    def some(self, which: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Rows, and the number of their block, of the given blocks, some at a time."""
        sizes = self.sizes[which]
        pairs = np.cumsum(sizes * sizes)
        for part in np.split(which, np.searchsorted(pairs, np.arange(_AT_ONCE, pairs[-1], _AT_ONCE)) if len(which) else []):
            if len(part):
                of = np.repeat(np.arange(len(part)), self.sizes[part])
                place = np.arange(len(of)) - np.repeat(np.cumsum(self.sizes[part]) - self.sizes[part], self.sizes[part])
                yield self.rows[np.repeat(self.starts[part], self.sizes[part]) + place], of


class Weighing:
    """Weighs pairs of nodes by declared bits, in parts. Opens DuckDB when the first pair comes."""

    def __init__(self, nodes: pl.DataFrame, kind: RecordKind) -> None:
        self._nodes, self._kind = nodes, kind
        self._compared = [
            Comparison(
                RoleColumn(each.column, each.name, each.name, False),
                [level.sql for level in each.levels],
                [1.0] * (len(each.levels) + 1),
                False,
            )
            for each in kind.compared
        ]
        self._weights = as_declared([each.bits for each in kind.compared], kind.prior)

    def __enter__(self) -> Weighing:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def weigh(self, left: Ints, right: Ints, *, at_least: float | None) -> pl.DataFrame:
        """Columns row_l, row_r, weight."""
        if not len(left):
            return pl.DataFrame(schema={"row_l": pl.Int64, "row_r": pl.Int64, "weight": pl.Float64})
        weighed = self._by_query(left, right) if len(left) <= _FEW else self._by_splink(left, right, at_least)
        # As it is stored, so that a kept pair and one weighed again are equal.
        weighed = weighed.with_columns(pl.col("weight").round(3))
        return weighed if at_least is None else weighed.filter(pl.col("weight") >= round(at_least, 3))

    def _by_query(self, left: Ints, right: Ints) -> pl.DataFrame:
        found = levels(self._nodes, left, right, self._kind)
        worth = [
            pl.col(str(at)).replace_strict([-1, *range(len(each.bits))], [0.0, *each.bits], return_dtype=pl.Float64)
            for at, each in enumerate(self._kind.compared)
        ]
        ends = {"row_l": np.asarray(left, dtype=np.int64), "row_r": np.asarray(right, dtype=np.int64)}
        return pl.DataFrame(ends).with_columns(found.select(weight=pl.sum_horizontal(worth) + self._kind.prior)).sort("row_l", "row_r")

    def _by_splink(self, left: Ints, right: Ints, at_least: float | None) -> pl.DataFrame:
        used = np.unique(np.concatenate([left, right]))
        rows = self._nodes[used].select(pl.Series("row", np.arange(len(used))), *self._kind.columns, side=pl.lit(0, pl.Int8))
        found = []
        with Weigher(rows, self._compared, memory_gb=_MEMORY_GB) as weigher:
            for start in range(0, len(left), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                weighed = weigher.weigh(
                    np.searchsorted(used, left[part]),
                    np.searchsorted(used, right[part]),
                    self._weights,
                    at_least=None if at_least is None else at_least - _ROUNDING,
                )
                found.append(weighed)
        together = pl.concat(found)
        return together.select(
            pl.Series("row_l", used[together["row_l"].to_numpy()], dtype=pl.Int64),
            pl.Series("row_r", used[together["row_r"].to_numpy()], dtype=pl.Int64),
            "weight",
        )


def levels(nodes: pl.DataFrame, left: Ints, right: Ints, kind: RecordKind) -> pl.DataFrame:
    """How far pairs of rows agree: a column "0", "1" … per thing that is compared, with the level from equal (0) to different; -1 if it is not known of both.
    The same levels as Splink's; a test holds the two to one sum."""
    ends = [nodes[rows].select(pl.col(kind.columns).name.suffix(end)) for rows, end in ((left, "_l"), (right, "_r"))]
    asked = []
    for at, each in enumerate(kind.compared):
        unknown = f'"{each.column}_l" IS NULL OR "{each.column}_r" IS NULL'
        reached = " ".join(f"WHEN {level.sql} THEN {number}" for number, level in enumerate(each.levels))
        asked.append(f'CASE WHEN {unknown} THEN -1 {reached} ELSE {len(each.levels)} END AS "{at}"')
    both = pl.concat(ends, how="horizontal").to_arrow()
    with duckdb.connect() as connection:
        connection.register("pairs", both)
        found: pl.DataFrame = connection.sql(f"SELECT {', '.join(asked)} FROM pairs").pl()
    return found


def _nodes(records: pl.DataFrame, kind: RecordKind, apart: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`members`: member, since, node; `nodes`: row, node, rich and the kind's columns, in the order of nodes."""
    most = pl.sum_horizontal(pl.when(pl.col(each.column).is_not_null()).then(each.bits[0]).otherwise(0.0) for each in kind.compared)
    frame = records.with_columns(rich=(most + kind.prior >= kind.accept).fill_null(False))
    own = ~pl.col("rich") | pl.col("member").is_in(sorted(set(apart)))
    says = pl.concat_str([pl.col(column).fill_null(_UNKNOWN) for column in kind.columns], separator=_MARK)
    text = frame.select(pl.when(own).then(says + _MARK + pl.col("member")).otherwise(says)).to_series()
    frame = frame.with_columns(_hashed(text).alias("node"))
    nodes = frame.select("node", "rich", *kind.columns).unique("node", keep="any").sort("node").with_row_index("row")
    return frame.select("member", "since", "node"), nodes.with_columns(pl.col("row").cast(pl.Int64))


def _hashed(texts: pl.Series) -> pl.Series:
    """A number below 2^63 per text, the same on any machine."""
    table = pl.DataFrame({"text": texts}).to_arrow()
    with duckdb.connect() as connection:
        connection.register("texts", table)
        found: pl.DataFrame = connection.sql("SELECT (md5_number_lower(text) >> 1)::BIGINT AS node FROM texts").pl()
    return found["node"]


def _every_pair(rows: Ints, block: Ints, touched: Bools, count: int) -> Ints:
    """Codes of all pairs of one block each, at least one of which is touched."""
    frame = pl.DataFrame({"row": rows, "block": block, "touched": touched[rows]})
    both = frame.filter("touched").join(frame, on="block", suffix="_r")
    both = both.filter((pl.col("row") < pl.col("row_r")) | (~pl.col("touched_r")))
    codes = both.select(pl.min_horizontal("row", "row_r") * count + pl.max_horizontal("row", "row_r")).to_series()
    return codes.to_numpy()


def _neighbours(rows: Ints, width: int, touched: Bools, count: int) -> Ints:
    codes = [np.empty(0, dtype=np.int64)]
    for step in range(1, width + 1):
        one, other = rows[:-step], rows[step:]
        some = touched[one] | touched[other]
        codes.append(np.minimum(one, other)[some] * count + np.maximum(one, other)[some])
    return np.concatenate(codes)


def _within(rows: int, width: int) -> int:
    wide = min(rows - 1, width)
    return wide * rows - wide * (wide + 1) // 2


def _renumbered(pairs: pl.DataFrame, number: Ints) -> pl.DataFrame:
    """The pairs whose ends both have a number, with these."""
    left, right = (pl.Series(name, number[pairs[name].to_numpy()], dtype=pl.Int64) for name in ("row_l", "row_r"))
    return pairs.with_columns(left, right).filter((left >= 0) & (right >= 0))


def _as_decided(cluster: Ints, decided: pl.DataFrame, weighed: pl.DataFrame, accept: float) -> Ints:
    """Clusters in which what was declared the same is one, and what was declared apart is not: a cluster that holds both is put together anew, by its
    strongest pairs first, but for those that would join what is apart."""
    cluster = cluster.copy()
    same = decided.filter("same")
    joined = components(
        len(cluster), pl.concat([same.select("row_l", "row_r"), pl.DataFrame({"row_l": np.arange(len(cluster)), "row_r": cluster})])
    )
    cluster = joined
    apart = decided.filter(~pl.col("same"))
    for label in np.unique(cluster[apart["row_l"].to_numpy()][_equal_ends(cluster, apart)]):
        members = np.flatnonzero(cluster == label)
        inside = [frame.filter(pl.Series(_equal_ends(cluster, frame)) & (pl.Series(cluster[frame["row_l"].to_numpy()]) == label)) for frame in
                  (same, apart, weighed.filter(pl.col("weight") >= accept))]  # fmt: skip
        cluster[members] = _put_together(members, *inside)
    return cluster


def _equal_ends(cluster: Ints, pairs: pl.DataFrame) -> Bools:
    ends: Bools = cluster[pairs["row_l"].to_numpy()] == cluster[pairs["row_r"].to_numpy()]
    return ends


def _put_together(members: Ints, same: pl.DataFrame, apart: pl.DataFrame, weighed: pl.DataFrame) -> Ints:
    """The first member of each member's part."""
    part = {int(row): int(row) for row in members}
    holds: dict[int, set[int]] = {row: {row} for row in part}
    foes: dict[int, set[int]] = {row: set() for row in part}
    for one, other in apart.select("row_l", "row_r").iter_rows():
        foes[one].add(other)
        foes[other].add(one)
    strongest = weighed.sort("weight", "row_l", "row_r", descending=[True, False, False])
    for one, other in [*same.select("row_l", "row_r").iter_rows(), *strongest.select("row_l", "row_r").iter_rows()]:
        a, b = sorted((part[one], part[other]))
        if a == b or not foes[a].isdisjoint(holds[b]):
            continue
        for row in holds[b]:
            part[row] = a
        holds[a] |= holds.pop(b)
        foes[a] |= foes.pop(b)
    return np.array([part[int(row)] for row in members], dtype=np.int64)
