"""What `lead-assets deliver` does: drain the outbox, show what would be sent, send dead letters again.

Does not belong here: the outbox (see `lead_assets.ledger.outbox`), or what is sent (see `lead_assets.delivery`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lead_assets.contracts import Classification, EnrichedLead, Lead, RoutingDecision, Score, Summary, Table
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown
from lead_assets.delivery import planning
from lead_assets.delivery.dispatch import drain
from lead_assets.delivery.dry_run import dry_run
from lead_assets.delivery.facts import routed_leads
from lead_assets.delivery.rules import load_delivery_rules
from lead_assets.ledger.opened import opened_ledger
from lead_assets.rules.check import check_rules
from lead_assets.stores.opened import campaigns_of, warehouse_of
from lead_assets.vendors import destinations


def send(settings: Settings, campaigns: Sequence[str] | None, only: Sequence[str] | None, patience: float) -> dict[str, Any]:
    """Send what is due. Returns {rows: [{destination, confirmed, failed, …, stopped}], due}."""
    check_rules(settings)
    rules = load_delivery_rules(settings)
    _are_destinations(only)
    keys = campaigns_of(settings, campaigns) if campaigns else None
    with opened_ledger(settings) as ledger:
        drained = drain(ledger, settings, rules, campaigns=keys, only=only, patience=patience)
        return {"rows": drained.rows(), "due": ledger.outbox.due(rules.active(settings)), "failures": []}


def rehearse(
    settings: Settings, campaigns: Sequence[str] | None, only: Sequence[str] | None, out: Path, sent_too: bool = False
) -> dict[str, Any]:
    """Write the requests that would be sent now for the campaigns' tables, also for destinations that are off in this home; with `sent_too` those of what
    was sent already, too. Returns {rows, folder}."""
    _are_destinations(only)
    check_rules(settings)
    rules = load_delivery_rules(settings)
    # Without keys and without a sandbox, what is on in the sandbox is shown, too: nothing is sent.
    shown = rules.model_copy(update={"destinations": _all_on(rules.destinations, only)})
    warehouse = warehouse_of(settings)
    keys = set(campaigns_of(settings, campaigns))
    reads: dict[str, type[Table]] = {
        "decisions": RoutingDecision,
        "leads": Lead,
        "enriched": EnrichedLead,
        "classifications": Classification,
        "scores": Score,
        "summaries": Summary,
    }
    frames = {
        name: warehouse.read(contract, [key for key in warehouse.partitions(contract) if key in keys]) for name, contract in reads.items()
    }
    leads = routed_leads(**frames, rules=shown)
    sends = planning.to_send(leads, shown, settings)
    with opened_ledger(settings) as ledger:
        rows = dry_run(ledger, settings, shown, sends, out, sent_too=sent_too)
    return {"rows": rows, "folder": str(out), "failures": []}


def replay(
    settings: Settings, campaigns: Sequence[str] | None, only: Sequence[str] | None, reasons: Sequence[str] | None
) -> dict[str, Any]:
    """Make dead letters due again. Returns {replayed}."""
    _are_destinations(only)
    keys = campaigns_of(settings, campaigns) if campaigns else None
    wanted: Sequence[str | None] = only or [None]
    with opened_ledger(settings) as ledger:
        return {"replayed": sum(ledger.outbox.replay(keys, name, reasons or None) for name in wanted), "failures": []}


def _all_on(each: Any, only: Sequence[str] | None) -> Any:
    """Every destination that is on somewhere; named ones even if they are on nowhere."""
    on = {name: own is not None and (own.on != "never" if only is None else name in only) for name, own in each}
    return each.model_copy(
        update={name: own.model_copy(update={"on": "always" if on[name] else "never"}) for name, own in each if own is not None}
    )


def _are_destinations(only: Sequence[str] | None) -> None:
    for name in only or ():
        if name not in destinations():
            raise unknown("--to", name, sorted(destinations()))
