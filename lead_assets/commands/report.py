"""What the tables say after a run: the funnel per campaign, owners, row counts and digests.

Does not belong here: running anything (see `runs`) or formatting for a terminal (see `cli`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from lead_assets.contracts import TABLES, CampaignFunnel, RoutingDecision
from lead_assets.warehouse.base import Warehouse, digest


def funnel(warehouse: Warehouse, campaigns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of marts.campaign_funnel for those of the campaigns that have one, with the leads per owner."""
    present = [key for key in warehouse.partitions(CampaignFunnel) if key in set(campaigns)]
    owners = owners_of(warehouse, campaigns)
    rows = warehouse.read(CampaignFunnel, present).sort("campaign_id").rows(named=True)
    return [{**row, "cost_usd": float(row["cost_usd"]), "owners": owners.get(row["campaign_id"], {})} for row in rows]


def owners_of(warehouse: Warehouse, campaigns: Sequence[str]) -> dict[str, dict[str, int]]:
    """campaign → owner → routed leads, most first."""
    present = [key for key in warehouse.partitions(RoutingDecision) if key in set(campaigns)]
    counts = (
        warehouse.read(RoutingDecision, present)
        .group_by("campaign_id", "owner")
        .len()
        .sort("campaign_id", "len", "owner", descending=[False, True, False])
    )
    owners: dict[str, dict[str, int]] = {}
    for campaign, owner, count in counts.iter_rows():
        owners.setdefault(campaign, {})[owner] = count
    return owners


def tables(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """Name "schema.table" → {"rows", "hash"} of every table. Equal tables have equal hashes on any machine."""
    result: dict[str, dict[str, Any]] = {}
    for name, contract in TABLES.items():
        frame: pl.DataFrame = warehouse.read(contract)
        result[name] = {"rows": frame.height, "hash": digest(frame)}
    return result
