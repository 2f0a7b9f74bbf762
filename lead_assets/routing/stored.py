"""Routing over what the warehouse has: the leads of campaigns as a table's rules see them, another table tried on them, and choosing again.

Does not belong here: choosing (see `choose`), replaying (see `what_if`), or moving by hand (see `moving`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score
from lead_assets.core.settings import Settings
from lead_assets.ledger.assignments_model import Move, Moved
from lead_assets.ledger.ledger import Ledger
from lead_assets.routing.choose import Chooser
from lead_assets.routing.matching import match, routing_frame
from lead_assets.routing.model import RoutingTable
from lead_assets.routing.table import content_of, load_routing_table
from lead_assets.routing.what_if import gains_and_losses, replay
from lead_assets.stores.opened import campaigns_of
from lead_assets.stores.warehouse.base import Warehouse

_SHOWN = 20
"""Leads that an answer lists; it counts them all."""


def with_scores(settings: Settings, warehouse: Warehouse, campaigns: Sequence[str] | None) -> list[str]:
    """The requested campaigns (None: all) whose scores are there."""
    there = set(warehouse.partitions(Score))
    return [campaign for campaign in campaigns_of(settings, campaigns) if campaign in there]


def frame_of(warehouse: Warehouse, campaigns: Sequence[str], table: RoutingTable) -> pl.DataFrame:
    """The leads of campaigns, with the columns of `routing_schema`."""
    leads, enriched, classified, scores = (
        warehouse.read(contract, campaigns) if campaigns else contract.empty() for contract in (Lead, EnrichedLead, Classification, Score)
    )
    return routing_frame(leads, enriched, classified, scores, table)


def tried(settings: Settings, warehouse: Warehouse, ledger: Ledger, table: RoutingTable, campaigns: Sequence[str] | None) -> dict[str, Any]:
    """What another table would have done with the leads that were routed: {campaigns, leads, moved, owners, examples}."""
    wanted = with_scores(settings, warehouse, campaigns)
    replayed = replay(frame_of(warehouse, wanted, table), ledger.routed(wanted), table)
    differs = replayed.filter(pl.col("now") != pl.col("then"))
    return {
        "campaigns": wanted,
        "leads": replayed.height,
        "moved": differs.height,
        "owners": gains_and_losses(replayed),
        "examples": differs.head(_SHOWN).to_dicts(),
    }


def chosen_again(
    settings: Settings, warehouse: Warehouse, ledger: Ledger, routed: pl.DataFrame, among: Collection[str], move: Move, *, dry_run: bool
) -> list[Moved]:
    """Choose again, by the rules in force, for those of the ledger's rows `routed` that are open and of campaigns `among`, with their accounts."""
    table, content = load_routing_table(settings), content_of(settings)
    of = set(routed["campaign_id"])
    wanted = [campaign for campaign in among if campaign in of]
    frame = frame_of(warehouse, wanted, table).join(routed.select("campaign_id", "lead_id"), on=["campaign_id", "lead_id"], how="semi")
    chooser = Chooser(table, content[0], match(frame, table))
    return ledger.reroute(chooser.leads, chooser, content, move, dry_run=dry_run)
