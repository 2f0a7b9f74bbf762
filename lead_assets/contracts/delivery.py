"""Tables of the delivery room, besides the events: what is to be sent, what was, and what could not be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, Json, References, Sources, Table


class DeliveryIntent(Table):
    """One row per routed lead, destination and kind of message: what is to be sent. A row with the same content is sent once."""

    table: ClassVar[str] = "delivery.intents"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id", "destination", "kind")
    refers: ClassVar[References] = ((("campaign_id", "lead_id"), "routing.decisions"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="routing.decisions.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="routing.decisions.lead_id")]
    destination: Annotated[str, Column("Destination: hubspot, slack, segment, …")]
    kind: Annotated[str, Column("What is sent there: contact, note, lead, alert, identify, …")]
    content: Annotated[str, Column("Hash of what makes it another message; behind a /, of how it is put, which counts until it has left")]
    owner: Annotated[str | None, Column("Owner it is for; null if it is not for one person", source="routing.decisions.owner")] = None
    not_before: Annotated[datetime | None, Column("When it may be sent, if not at once")] = None
    due_by: Annotated[datetime | None, Column("By when an owner should have it: the time to first touch in rules/delivery.yaml")] = None

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        told = (
            "routing.decisions.owner",
            "identity.leads.email_normalized",
            *(f"identity.leads.{name}" for name in ("notes", "source", "company", "title", "property_address", "property_type")),
            *(f"identity.leads.{name}" for name in ("loan_amount_requested", "purchase_price", "estimated_arv")),
            "scoring.scores.score",
            "classification.summaries.brief",
            "rules.files",
        )
        times = {
            "not_before": ("classification.classifications.enriched_at", "rules.files"),
            "due_by": ("routing.decisions.sla_due_at", "identity.leads.received_at", "rules.files"),
        }
        return {"destination kind": "rules.files", "content": told, **times}


class Delivery(Table):
    """One row per message that was to be sent, from the ledger's outbox: where it stands, and its history."""

    table: ClassVar[str] = "delivery.deliveries"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id", "destination", "kind", "revision")

    campaign_id: Annotated[str, Column("Campaign: the partition key")]
    lead_id: Annotated[str, Column("Lead id")]
    destination: Annotated[str, Column("Destination")]
    kind: Annotated[str, Column("What is sent there")]
    revision: Annotated[int, Column("0 for the first content, then one more for each new content", low=0)]
    state: Annotated[
        Literal["waiting", "sending", "sent", "confirmed", "uncertain", "failed", "dead", "held"],
        Column(
            "waiting: to be sent; sending: the request may have left; sent: taken, but not yet confirmed; confirmed: the destination has it; uncertain: the "
            "answer was lost; failed: to be sent again; dead: given up; held: not to be sent for now"
        ),
    ]
    reason: Annotated[
        str | None,
        Column(
            "Why, e.g. rate_limited, invalid_email, suppressed, capped, quiet_hours, withdrawn; of a confirmed one what is special: owner_kept, found, digest"
        ),
    ] = None
    owner: Annotated[str | None, Column("Owner it is for; null if it is not for one person")] = None
    attempts: Annotated[int, Column("Requests that left with it, without those that were too fast", low=0)]
    uncertain: Annotated[
        int, Column("Attempts whose answer was lost: a destination that cannot drop repetitions may have it that many times more", low=0)
    ]
    created_at: Annotated[datetime, Column("When the intent was stored")]
    first_sent_at: Annotated[datetime | None, Column("When a request first left with it")] = None
    confirmed_at: Annotated[datetime | None, Column("When the destination confirmed it")] = None
    due_by: Annotated[datetime | None, Column("By when an owner should have it")] = None
    history: Annotated[Json, Column('Every state in order: [{"at", "attempt", "reason", "state"}]')]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": "ledger.outbox"}


class DeadLetter(Table):
    """One row per message that was given up. `lead-assets deliver replay` sends them again."""

    table: ClassVar[str] = "delivery.dead_letters"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id", "destination", "kind", "revision")
    refers: ClassVar[References] = ((("campaign_id", "lead_id", "destination", "kind", "revision"), "delivery.deliveries"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="delivery.deliveries.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="delivery.deliveries.lead_id")]
    destination: Annotated[str, Column("Destination", source="delivery.deliveries.destination")]
    kind: Annotated[str, Column("What was to be sent there", source="delivery.deliveries.kind")]
    revision: Annotated[int, Column("Its revision", source="delivery.deliveries.revision", low=0)]
    reason: Annotated[str, Column("Why it was given up: the destination's own word where it has one")]
    attempts: Annotated[int, Column("Requests that left with it", low=0)]
    uncertain: Annotated[int, Column("Attempts whose answer was lost", low=0)]
    died_at: Annotated[datetime, Column("When it was given up")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": "ledger.outbox"}
