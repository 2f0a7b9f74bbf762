"""The assets of the delivery room."""

from collections.abc import Sequence

import polars as pl

from lead_assets.contracts import (
    Classification,
    DeadLetter,
    Delivery,
    DeliveryIntent,
    EnrichedLead,
    EnrichmentEvent,
    Lead,
    RoutingDecision,
    Score,
    Summary,
)
from lead_assets.core.garbage import no_garbage_sought
from lead_assets.delivery.events import enrichment_events as make_events
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import counts_by, figures_by, joined, named, tables
from lead_assets.stores.objects import open_objects

_EVENTS = ["lead_assets.delivery.events", "lead_assets.delivery.archived", "lead_assets.delivery.assets"]


@tables(
    EnrichmentEvent,
    reads={
        "decisions": RoutingDecision,
        "leads": Lead,
        "enriched": EnrichedLead,
        "classifications": Classification,
        "scores": Score,
    },
    logic=_EVENTS,
    outside=lambda step, _: step.archive.location,
    kinds=["json"],
)
def enrichment_events(
    step: Step,
    decisions: pl.DataFrame,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
) -> Made:
    derived = open_objects(step.settings.derived_location)
    frame = make_events(decisions, leads, enriched, classifications, scores, step.archive, derived)
    return Made(frame, figures_by(frame, files=pl.col("archived_as").n_unique()))


@tables(
    DeliveryIntent,
    reads={
        "decisions": RoutingDecision,
        "leads": Lead,
        "enriched": EnrichedLead,
        "classifications": Classification,
        "scores": Score,
        "summaries": Summary,
    },
    logic=["lead_assets.delivery.facts", "lead_assets.delivery.fields", "lead_assets.delivery.planning", "lead_assets.vendors"],
    rules=["delivery.yaml"],
    buys=True,
)
def intents(
    step: Step,
    decisions: pl.DataFrame,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    summaries: pl.DataFrame,
) -> Made:
    from lead_assets.delivery.dispatch import drain
    from lead_assets.delivery.facts import routed_leads
    from lead_assets.delivery.planning import planned
    from lead_assets.delivery.rules import load_delivery_rules

    rules = load_delivery_rules(step.settings)
    sends = step.ledger.buying == "always" and bool(rules.active(step.settings))
    # Nothing of what it makes on the way has a name here: it is gone before garbage is sought again.
    with no_garbage_sought():
        frame = planned(
            routed_leads(decisions, leads, enriched, classifications, scores, summaries, rules),
            rules,
            step.settings,
            step.ledger if sends else None,
            step.partitions,
        )
    if sends:
        # What cannot be sent within some seconds is left to the outbox's sensor, or to `lead-assets deliver`.
        drain(step.ledger, step.settings, rules, campaigns=step.partitions)
    return Made(frame, named("by_destination", counts_by(frame, "destination")))


@tables(
    Delivery,
    DeadLetter,
    after=[DeliveryIntent],
    logic=["lead_assets.delivery.history"],
    outside=lambda step, campaign: _last_sends(step).get(campaign, 0),
)
def deliveries(step: Step) -> Sequence[Made]:
    from lead_assets.delivery.history import histories

    sent, dead = histories(step.ledger, step.partitions)
    figures = joined(named("states", counts_by(sent, "state")), figures_by(sent, uncertain_sends=pl.col("uncertain").sum()))
    every = {Delivery: Made(sent, figures), DeadLetter: Made(dead, named("by_reason", counts_by(dead, "reason")))}
    return [every[contract] for contract in (Delivery, DeadLetter) if contract in step.contracts]


def _last_sends(step: Step) -> dict[str, int]:
    if "last_sends" not in step.memo:
        step.memo["last_sends"] = step.ledger.outbox.last_sends()
    found: dict[str, int] = step.memo["last_sends"]
    return found
