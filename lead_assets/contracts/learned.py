"""Tables of the scoring room over the whole home: how leads ended, and what was learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, Grain, Sources, Table


class LeadOutcome(Table):
    """How each lead ended, by the newest statement about it; and what was said of somebody who is no lead here."""

    table: ClassVar[str] = "scoring.outcomes"
    key: ClassVar[tuple[str, ...]] = ("outcome_id",)
    grain: ClassVar[Grain] = "home"

    outcome_id: Annotated[str, Column("Campaign and lead; or, for somebody who is no lead, the file's hash and the row")]
    campaign_id: Annotated[
        str | None, Column("Campaign of the lead; null if nobody is meant whom we know", source="identity.leads.campaign_id")
    ] = None
    lead_id: Annotated[str | None, Column("Lead id", source="identity.leads.lead_id")] = None
    account_key: Annotated[str | None, Column("The lead's account, or the domain that was stated", source="identity.leads.account_key")] = (
        None
    )
    outcome: Annotated[
        Literal["won", "lost", "open"],
        Column("How it ended, by the words in rules/outcomes.yaml; open: it has not ended", source="intake.raw_leads.outcome"),
    ]
    stage: Annotated[str | None, Column("The stage as it was stated")] = None
    outcome_at: Annotated[
        datetime | None, Column("When it ended, as stated; null if open or not stated", source="intake.raw_leads.outcome_at")
    ] = None
    known_at: Annotated[datetime, Column("When the first statement of this outcome was received", source="intake.raw_leads.received_at")]
    source: Annotated[str, Column("Who says so: lead (its own payload), file, or the system that was asked")]
    matched_on: Annotated[
        Literal["payload", "email", "lead_id", "account"] | None,
        Column(
            "What said which lead is meant: its own payload, its e-mail address, its id in the CRM, or only its company; null if nobody is"
        ),
    ] = None
    email_hash: Annotated[str | None, Column("SHA-256 of the normalised e-mail address: recognises a customer who comes back")] = None

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {
            "outcome_id": ("identity.leads.campaign_id", "identity.leads.lead_id", "archive.drops"),
            "email_hash": ("identity.leads.email_normalized", "archive.drops"),
            "matched_on": ("identity.leads.email_normalized", "identity.leads.lead_id", "identity.leads.account_key", "archive.drops"),
            "*": ("archive.drops", "intake.raw_leads.outcome"),
        }
