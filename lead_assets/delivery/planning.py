"""What is to be sent about routed leads: rows for the table, intents for the outbox.

Does not belong here: sending (see `dispatch`), or a destination's mapping (see its folder in `lead_assets.vendors`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import polars as pl

from lead_assets.contracts import DeliveryIntent
from lead_assets.contracts.base import column_of_values
from lead_assets.core.settings import Settings
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.outbox_model import Planned, ToSend
from lead_assets.vendors import destinations
from lead_assets.vendors.sending import RoutedLead


def planned(
    leads: Sequence[RoutedLead], rules: DeliveryRules, settings: Settings, ledger: Ledger | None, campaigns: Collection[str]
) -> pl.DataFrame:
    """Rows of `contracts.DeliveryIntent` for these leads of the campaigns; what is to be sent is stored in the ledger's outbox, if one is given."""
    sends = to_send(leads, rules, settings)
    if ledger is not None:
        plan(ledger, sends, campaigns)
    return as_rows(sends)


def to_send(leads: Sequence[RoutedLead], rules: DeliveryRules, settings: Settings) -> list[ToSend]:
    """What every destination that is on is to get, campaign by campaign."""
    by_campaign: defaultdict[str, list[RoutedLead]] = defaultdict(list)
    for lead in leads:
        by_campaign[lead.campaign_id].append(lead)
    active = rules.active(settings)
    return [
        each
        for those in by_campaign.values()
        for name, own in active.items()
        for each in destinations()[name].destination.to_send(those, own)
    ]


def plan(ledger: Ledger, sends: Sequence[ToSend], campaigns: Collection[str]) -> Planned:
    """Store them in the outbox. What was to be sent to a destination that is off by now is withdrawn, too."""
    return ledger.outbox.plan(sends, campaigns, set(destinations()))


def as_rows(sends: Sequence[ToSend]) -> pl.DataFrame:
    """Rows of `contracts.DeliveryIntent`."""
    schema = DeliveryIntent.polars_schema()
    columns = [column_of_values(name, [getattr(send, name) for send in sends], dtype) for name, dtype in schema.items()]
    return pl.DataFrame(columns).sort("campaign_id", "lead_id", "destination", "kind")
