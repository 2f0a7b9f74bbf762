"""Ids of people and accounts, which stay what they are: the ledger's register says which id each member's cluster had.

Two clusters that become one keep the older id; of a divided one, the part with the oldest member that nobody touched keeps it. A new id is a hash of the
cluster's first member, so that a home built from nothing gets the ids that it had, but for those whose first member was edited or deleted, or left for another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import polars as pl

from lead_assets.identity.standing import KnownLinks
from lead_assets.ledger.identities import EntityKind, Identities, Registered

_FEW = 5_000
"""Members up to which the register is asked for them alone."""


def named(members: pl.DataFrame, kind: EntityKind, register: Identities, before: KnownLinks | None) -> pl.DataFrame:
    """Column entity_id for `Clusters.members`. Records in the register what it did not know."""
    asked = members["member"].to_list() if members.height <= _FEW else None
    if asked is None and before is not None:
        # What is kept is in the register already.
        new = members.filter(pl.col("kept_id").is_null() | ~pl.col("member").is_in(before.members["member"].implode()))
        asked = new["member"].to_list() if new.height <= members.height // 4 else None
    rows = register.known(kind, asked)
    known = pl.DataFrame(rows, schema={"member": pl.String, "known_id": pl.String, "known_since": pl.Int64}, orient="row")
    frame = members.with_columns(arrived=pl.col("since").dt.epoch("us")).join(known, on="member", how="left", maintain_order="left")
    frame = frame.join(_unchanged(frame, before), on="member", how="left", maintain_order="left")
    ids = _ids_of_clusters(frame, kind, register)
    frame = frame.join(ids, on="cluster", how="left", maintain_order="left")
    frame = frame.with_columns(entity_id=pl.coalesce("kept_id", "new_id"))
    # A copy of what is known joins a cluster that was not looked at again: the others know since when.
    looked = pl.lit(True) if asked is None else pl.col("member").is_in(pl.Series(asked, dtype=pl.String).implode())
    since = _since_of_kept(frame.filter(looked), kind, register)
    frame = frame.join(since, on="entity_id", how="left", maintain_order="left").with_columns(
        entity_since=pl.coalesce("new_since", "kept_since", "known_since", "arrived")
    )
    other = frame.filter(looked & (pl.col("entity_id") != pl.col("known_id")).fill_null(True))
    register.record(kind, list(other.select("member", "entity_id", "entity_since").iter_rows()))
    return frame.select(*members.columns, "entity_id")


def _unchanged(frame: pl.DataFrame, before: KnownLinks | None) -> pl.DataFrame:
    """Columns member, unchanged: it says what it said before. If nothing is known of before, the register is all there is."""
    if before is None:
        return frame.select("member", unchanged=pl.col("known_id").is_not_null())
    same = before.members.select("member", "node", unchanged=pl.lit(True))
    return frame.join(same, on=["member", "node"], how="left").select("member", pl.col("unchanged").fill_null(False))


def _ids_of_clusters(frame: pl.DataFrame, kind: EntityKind, register: Identities) -> pl.DataFrame:
    """Columns cluster, new_id, new_since for clusters that are not those of before."""
    open_ = frame.filter(pl.col("kept_id").is_null()).sort("arrived", "member").with_row_index("place")
    in_use = frame["kept_id"].drop_nulls().unique()
    claims = (
        open_.drop_nulls("known_id")
        .filter(~pl.col("known_id").is_in(in_use.implode()))
        .group_by("cluster", "known_id")
        .agg(
            pl.col("known_since").min(),
            untouched=pl.col("unchanged").any(),
            first=pl.coalesce(pl.col("place").filter("unchanged").min(), pl.col("place").min()),
        )
    )
    alone = (pl.len().over("cluster") == 1) & (pl.len().over("known_id") == 1)
    plain = claims.filter(alone).select("cluster", new_id="known_id", new_since="known_since")
    given = dict(zip(plain["cluster"].to_list(), plain.select("new_id", "new_since").rows(), strict=True))
    given |= _disputed(claims.filter(~alone))
    first = open_.unique("cluster", keep="first", maintain_order=True).select("cluster", "member", "arrived")
    without = first.filter(~pl.col("cluster").is_in(list(given)))
    given |= _founded(without, kind, register, {entity for entity, _ in given.values()} | set(in_use.to_list()))
    return pl.DataFrame(
        [(cluster, *entity) for cluster, entity in given.items()],
        schema={"cluster": pl.Int64, "new_id": pl.String, "new_since": pl.Int64},
        orient="row",
    )


def _disputed(claims: pl.DataFrame) -> dict[int, tuple[str, int]]:
    """Cluster → id and since, where a cluster has several ids to choose from, or an id several clusters. The oldest id first, and the cluster with its oldest
    member that was not touched: where members only arrive, that is the member whose hash the id is, so a home built from nothing gives the same id."""
    given: dict[int, tuple[str, int]] = {}
    used: set[str] = set()
    listed = claims.sort("known_since", "first", "known_id").select("cluster", "known_id", "known_since", "untouched").rows()
    for touched in (False, True):
        for cluster, entity_id, since, untouched in listed:
            if (untouched or touched) and cluster not in given and entity_id not in used:
                given[cluster] = (entity_id, since)
                used.add(entity_id)
    return given


def _founded(first: pl.DataFrame, kind: EntityKind, register: Identities, used: set[str]) -> Mapping[int, tuple[str, int]]:
    """Ids of clusters that have none, from their first member; if it once founded another cluster that still has the id, from the next hash."""
    found: dict[int, tuple[str, int]] = {}
    left = [(cluster, member, arrived) for cluster, member, arrived in first.select("cluster", "member", "arrived").iter_rows()]
    attempt = 0
    while left:
        wanted = [_id(kind, member, attempt) for _, member, _ in left]
        taken = register.taken(kind, wanted) | used
        again = []
        for entity_id, (cluster, member, arrived) in zip(wanted, left, strict=True):
            if entity_id in taken:
                again.append((cluster, member, arrived))
            else:
                found[cluster] = (entity_id, arrived)
        left, attempt = again, attempt + 1
    return found


def _id(kind: EntityKind, member: str, attempt: int) -> str:
    text = f"{kind}\x1f{member}" if attempt == 0 else f"{kind}\x1f{member}\x1f{attempt}"
    return f"{kind}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _since_of_kept(frame: pl.DataFrame, kind: EntityKind, register: Identities) -> pl.DataFrame:
    """Columns entity_id, kept_since of kept clusters that a member joins which the register does not know."""
    joined = frame.filter(pl.col("kept_id").is_not_null() & (pl.col("known_id") != pl.col("kept_id")).fill_null(True))
    ids = joined["kept_id"].unique().to_list() if joined.height <= _FEW else []
    rows: list[Registered] = register.members(kind, ids) if ids else []
    since = pl.DataFrame(
        [(row.entity_id, row.since) for row in rows], schema={"entity_id": pl.String, "kept_since": pl.Int64}, orient="row"
    )
    return since.group_by("entity_id").agg(pl.col("kept_since").min())
