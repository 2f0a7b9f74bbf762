"""Does again what failed of one lead: dead letters, a quarantined answer, signals missed because a provider was down. Each exactly once: the outbox gives a
dead letter back once, a replay is journaled under its fix, and the ledger buys an answer once.

Does not belong here: routes (see `queues_api`), the tables, which the lead's campaign makes again (see `jobs`).
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from lead_assets.classification.classify import cases_of, of_the_run
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.contracts import EnrichedLead, Lead, Quarantined
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import PASSING
from lead_assets.model.replay import replay
from lead_assets.service.enriching import OneLead, through_the_rooms
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import Warehouse


def retry(
    campaign: str, lead_id: str, *, ledger: Ledger, settings: Settings, archive: Archive, warehouse: Warehouse, fix: str | None = None
) -> dict[str, Any]:
    """What was done again: dead_letters (due again), quarantined and accepted (answers asked again, and how many now meet the contract), signals
    (signal → its state now, of those that were missed for a temporary reason). `fix`: see `lead_assets.model.replay`."""
    due = ledger.outbox.replay([campaign], leads=[lead_id])
    quarantined, accepted = _answers(campaign, lead_id, ledger, settings, warehouse, fix)
    missed = _missed(campaign, lead_id, warehouse)
    signals: dict[str, str] = {}
    if missed:
        lead = _of(warehouse, Lead, campaign).filter(pl.col("lead_id") == lead_id)
        found = through_the_rooms(lead, OneLead(), ledger=ledger, settings=settings, archive=archive, warehouse=warehouse)
        signals = {name: found.signals[name]["state"] for name in missed if name in found.signals}
    return {"dead_letters": due, "quarantined": quarantined, "accepted": accepted, "signals": signals}


def _answers(campaign: str, lead_id: str, ledger: Ledger, settings: Settings, warehouse: Warehouse, fix: str | None) -> tuple[int, int]:
    quarantine = _of(warehouse, Quarantined, campaign)
    mine = quarantine.filter(pl.col("lead_id") == lead_id)
    if mine.is_empty():
        return 0, 0
    leads, enriched = _of(warehouse, Lead, campaign), _of(warehouse, EnrichedLead, campaign)
    book = load_rulebook(settings)
    done = replay(mine, cases_of(of_the_run(leads, enriched), enriched, book), book, ledger=ledger, settings=settings, fix=fix)
    return done.selected, done.accepted


def _missed(campaign: str, lead_id: str, warehouse: Warehouse) -> list[str]:
    rows = _of(warehouse, EnrichedLead, campaign).filter(pl.col("lead_id") == lead_id)
    reasons = json.loads(rows["miss_reasons"][0] or "{}") if rows.height else {}
    return sorted(name for name, reason in reasons.items() if reason in PASSING)


def _of(warehouse: Warehouse, contract: Any, campaign: str) -> pl.DataFrame:
    return warehouse.read(contract, [campaign]) if campaign in warehouse.partitions(contract) else contract.empty()
