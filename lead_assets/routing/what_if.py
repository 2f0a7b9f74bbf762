"""What another routing table would have done with the leads that were routed: history replayed in its order, each lead at its time.

The replay begins with nothing: no accounts, no turns. So a table compared with the one that was in force from the beginning differs by nothing but what people
have moved since, what the CRM said meanwhile, and values of leads that have changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from lead_assets.ledger.assignments_model import InCrm
from lead_assets.routing.choose import Chooser
from lead_assets.routing.matching import Matched, match
from lead_assets.routing.model import RoutingTable
from lead_assets.routing.rehearse import Rehearsal

_KEYS = ["campaign_id", "lead_id"]


def replay(leads: pl.DataFrame, routed: pl.DataFrame, table: RoutingTable, crm: Mapping[str, InCrm] | None = None) -> pl.DataFrame:
    """campaign_id, lead_id, account_key, now (the owner in the ledger), then (by `table`), territory (by `table`), sorted by key.

    `leads`: columns of `routing_schema`; `routed`: the ledger's rows (`Ledger.routed`).
    """
    matched = match(leads.join(routed.select(_KEYS), on=_KEYS, how="semi"), table)
    times = matched.keys.join(routed.select(*_KEYS, "routed_at", "closed_at", "owner"), on=_KEYS, how="left", maintain_order="left")
    # Leads were given away in the order of their times, and at one time in that of arrival, which `match` has made.
    order = times.with_row_index("__at").sort("routed_at", "__at", maintain_order=True)["__at"].to_list()
    chooser = Chooser(table, "what-if", _in_order(matched, order))
    at: list[datetime] = [times["routed_at"][index] for index in order]
    then = Rehearsal(crm=crm).route(chooser, at, [times["closed_at"][index] for index in order])
    territory = pl.col("said").str.json_path_match("$.territory")
    return (
        then.select(*_KEYS, "account_key", pl.col("owner").alias("then"), territory.alias("territory"))
        .join(times.select(*_KEYS, pl.col("owner").alias("now")), on=_KEYS, how="left")
        .select(*_KEYS, "account_key", "now", "then", "territory")
        .sort(_KEYS)
    )


def _in_order(matched: Matched, order: list[int]) -> Matched:
    return Matched(matched.keys[order], [matched.fact_of[index] for index in order], matched.facts, matched.rules)


def gains_and_losses(replayed: pl.DataFrame) -> list[dict[str, Any]]:
    """Per owner: leads now, leads then, gained, lost; whoever changes most first."""
    moves = replayed.filter(pl.col("now") != pl.col("then"))
    owners = pl.concat([replayed["now"], replayed["then"].alias("now")]).unique().alias("owner").to_frame()
    counted = owners
    for frame, column, name in (
        (replayed, "now", "now"),
        (replayed, "then", "then"),
        (moves, "then", "gained"),
        (moves, "now", "lost"),
    ):
        sums = frame.group_by(pl.col(column).alias("owner")).agg(pl.len().cast(pl.Int64).alias(f"_{name}"))
        counted = counted.join(sums, on="owner", how="left")
    found = counted.select("owner", *(pl.col(f"_{name}").fill_null(0).alias(name) for name in ("now", "then", "gained", "lost")))
    return found.sort(pl.col("gained") + pl.col("lost"), "owner", descending=[True, False]).to_dicts()
