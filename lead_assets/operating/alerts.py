"""One look at everything that may be wrong, and telling each channel what it has not been told.

Belongs here: which incidents go where, and the order of looking, telling and recording. Does not belong here: finding (see `incidents`) and
sending (see `channels`). The sensor that calls it is in `lead_assets.automation`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from dagster import DagsterInstance

from lead_assets.core.settings import Settings
from lead_assets.ledger.incidents import LISTED
from lead_assets.ledger.ledger import Ledger
from lead_assets.operating import incidents
from lead_assets.operating.channels import Message, NotToldError, tell, without
from lead_assets.operating.freshness import FreshnessVerdict
from lead_assets.operating.incidents import Incident
from lead_assets.operating.rules import AlertRules, Kind
from lead_assets.stores.warehouse.base import Warehouse

_SHOWN = 20
_STATES: tuple[Kind, ...] = ("budget_used", "circuit_open", "quarantine_rate", "campaign_stale")
"""Kinds that end when they are no longer found. A failed check ends when it passes, and a failed run counts for a day."""


@dataclass(frozen=True)
class Looked:
    """What a tick found and did. `problems`: why a channel could not be told, without secrets."""

    found: int
    told: int
    problems: tuple[str, ...]
    event: int
    """The last verdict that was read."""


def look_and_tell(
    settings: Settings,
    rules: AlertRules,
    instance: DagsterInstance,
    ledger: Ledger,
    warehouse: Warehouse,
    freshness: Sequence[FreshnessVerdict],
    *,
    after: int | None,
    now: datetime,
) -> Looked:
    """Find what is wrong, tell the channels of it, and close what is over. `after`: the last verdict that the call before has read; None: verdicts count from
    now on, because what was before alerts were switched on is no news."""
    seen = incidents.checks(instance, incidents.newest_verdict(instance) if after is None else after)
    active = [verdict.campaign_id for verdict in freshness if verdict.state != "inactive"]
    quarantine = rules.alerts.quarantine_rate
    states = [
        *incidents.used_budgets(ledger.budgets(), rules.alerts.budget_used.at),
        *incidents.open_circuits(ledger.circuits()),
        *incidents.quarantines(warehouse, active, quarantine.above, quarantine.of_at_least),
        *incidents.stale_campaigns(freshness),
    ]
    runs = list(incidents.failed_runs(instance, now))
    found = [*runs, *seen.begun, *states]
    lasting = {incident.key for incident in [*states, *runs]}
    over = {each.key for each in ledger.open_incidents() if each.kind in (*_STATES, "run_failed") and each.key not in lasting}
    ledger.close_incidents(over | seen.ended)
    told, problems = _tell(settings, rules, ledger, found)
    return Looked(len(found), told, problems, seen.cursor)


def _tell(settings: Settings, rules: AlertRules, ledger: Ledger, found: Sequence[Incident]) -> tuple[int, tuple[str, ...]]:
    wanted = [
        (incident.key, channel, incident.kind, _said(incident)) for incident in found for channel in (LISTED, *rules.to(incident.kind))
    ]
    claimed = ledger.claim_incidents(wanted) - {(incident.key, LISTED) for incident in found}
    told, problems = 0, []
    for name in sorted({channel for _, channel in claimed}):
        channel = rules.channels[name]
        mine = [incident for incident in found if (incident.key, name) in claimed]
        if (lacking := without(channel, settings)) is not None:
            problems.append(f"channel '{name}': set {lacking}, or remove the channel in rules/alerts.yaml")
            ledger.incidents_told([], [(incident.key, name) for incident in mine])
            continue
        for group in incidents.by_group(mine).values():
            pairs = [(incident.key, name) for incident in group]
            try:
                tell(channel, message(group, settings.ui_url), settings)
            except NotToldError as error:
                problems.append(f"channel '{name}': {error}")
                ledger.incidents_told([], pairs)
            else:
                told += len(pairs)
                ledger.incidents_told(pairs)
    return told, tuple(problems)


def message(group: Sequence[Incident], ui_url: str) -> Message:
    """What is said of incidents of one kind."""
    first, more = group[0], len(group) - 1
    key = hashlib.sha256("\n".join(sorted(incident.key for incident in group)).encode()).hexdigest()[:32]
    listed = [f"• {incident.what}" for incident in group[:_SHOWN]] if more else []
    if len(group) > _SHOWN:
        listed.append(f"• and {len(group) - _SHOWN} more: `lead-assets incidents` lists all")
    title = first.what if not more else f"{first.what}, and {more} more like it"
    return Message(key, title, (*listed, f"Next: {first.next_step}"), f"{ui_url.rstrip('/')}{first.path}")


def _said(incident: Incident) -> str:
    return orjson.dumps({"what": incident.what, "next": incident.next_step, "path": incident.path}).decode()
