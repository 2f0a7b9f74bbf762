"""Results of a run, read from the tables: the funnel per campaign, owners, row counts and digests.

Does not belong here: running anything (see `runs`) or formatting for a terminal (see `cli`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import polars as pl

from lead_assets.contracts import TABLES, CampaignFunnel, Classification, Delivery, RoutingDecision, SignalRow, Table
from lead_assets.core.settings import Settings
from lead_assets.kit.notes import Note
from lead_assets.signals.signal import load_signals
from lead_assets.stores.warehouse.base import Warehouse, digest_in_order
from lead_assets.vendors import load_vendors
from lead_assets.vendors.anthropic import VENDOR as MODEL


def funnel(warehouse: Warehouse, campaigns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of marts.campaign_funnel for the given campaigns, where they exist, with the leads per owner."""
    present = [key for key in warehouse.partitions(CampaignFunnel) if key in set(campaigns)]
    owners = owners_of(warehouse, campaigns)
    rows = warehouse.read(CampaignFunnel, present).sort("campaign_id").rows(named=True)
    return [{**row, "cost_usd": float(row["cost_usd"]), "owners": owners.get(row["campaign_id"], {})} for row in rows]


def owners_of(warehouse: Warehouse, campaigns: Sequence[str]) -> dict[str, dict[str, int]]:
    """campaign → owner → routed leads, highest first."""
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


def delivered(warehouse: Warehouse, campaigns: Sequence[str]) -> dict[str, dict[str, int]]:
    """destination → state → messages, from delivery.deliveries."""
    present = [key for key in warehouse.partitions(Delivery) if key in set(campaigns)]
    counts = warehouse.read(Delivery, present).group_by("destination", "state").len().sort("destination", "state")
    found: dict[str, dict[str, int]] = {}
    for destination, state, count in counts.iter_rows():
        found.setdefault(destination, {})[state] = count
    return found


def missed(warehouse: Warehouse, campaigns: Sequence[str]) -> dict[str, dict[str, int]]:
    """Missing answers and why: signal (or "classification", answered by rules) → reason → leads.

    Only those that a later run may get: a failed provider, no key, no budget. A provider that has nothing about a subject does not count.
    """
    result: dict[str, dict[str, int]] = {}
    for contract in TABLES.values():
        if issubclass(contract, SignalRow):
            name, reasons = (
                contract.table_name(),
                pl.col("reason").filter((pl.col("state") == "unknown") & ~pl.col("reason").is_in(["no_subject", "off"])),
            )
        elif contract is Classification:
            name, reasons = "classification", pl.col("fallback_reason")
        else:
            continue
        present = [key for key in warehouse.partitions(contract) if key in set(campaigns)]
        counted = warehouse.read(contract, present).select(reasons.drop_nulls().alias("reason"))["reason"].value_counts()
        if counted.height:
            result[name] = dict(counted.sort("count", "reason", descending=[True, False]).iter_rows())
    return result


def without_key(settings: Settings, missed: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """Providers not asked because a credential is missing: {"provider", "variable", "unknown", "by_rules"}, with the signals that stayed unknown and
    the leads that rules classified instead. Providers that were not needed are left out."""
    for_want_of_key = {name: reasons["no_key"] for name, reasons in missed.items() if "no_key" in reasons}
    sources = {
        name: {source.provider for source in signal.sources} for name, signal in load_signals(settings).items() if name in for_want_of_key
    }
    rows = []
    for vendor in load_vendors().values():
        unknown = [name for name, providers in sources.items() if vendor.name in providers]
        by_rules = for_want_of_key.get("classification", 0) if vendor.name == MODEL.name else 0
        if (unknown or by_rules) and vendor.key(settings) is None:
            rows.append({"provider": vendor.name, "variable": vendor.key_variable, "unknown": unknown, "by_rules": by_rules})
    return rows


def tables(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """Name "schema.table" → {"rows", "hash"} for every table. Equal tables have equal hashes on any machine.

    A table's hash is computed from the hashes of its partitions, which are noted when written, so only notes are read.
    """
    return {name: _table(warehouse, contract) for name, contract in TABLES.items()}


def _table(warehouse: Warehouse, contract: type[Table]) -> dict[str, Any]:
    partitions = warehouse.partitions(contract)
    noted = {key: note for key, text in warehouse.notes(contract, partitions).items() if (note := Note.read(text)) is not None}
    known = {key: (note.content, note.rows) for key, note in noted.items()}
    for key in partitions:
        if key not in known:  # written by something other than the graph
            rows = warehouse.read(contract, [key])
            known[key] = digest_in_order(rows), rows.height
    contents = sorted(content for content, rows in known.values() if rows)
    return {"rows": sum(rows for _, rows in known.values()), "hash": hashlib.sha256("\n".join(contents).encode()).hexdigest()}
