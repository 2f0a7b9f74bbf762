"""Tables of the scoring room over the whole home: how leads ended, and what was learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, Grain, Json, Sources, Table


class LeadOutcome(Table):
    """How each lead ended, by the newest statement about it; and what was said of somebody who is no lead here."""

    table: ClassVar[str] = "scoring.outcomes"
    key: ClassVar[tuple[str, ...]] = ("outcome_id",)
    grain: ClassVar[Grain] = "home"

    outcome_id: Annotated[str, Column("Campaign and lead; for somebody who is not a lead, the file's hash and the row")]
    campaign_id: Annotated[
        str | None, Column("Campaign of the lead; null if the outcome belongs to no known lead", source="identity.leads.campaign_id")
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
        Column("How the lead was found: its own payload, its e-mail address, its id in the CRM, or only its company; null if none was"),
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


class ModelBuild(Table):
    """What was learned from the outcomes: one row for the newest attempt, whether or not its model is in use."""

    table: ClassVar[str] = "scoring.score_model"
    key: ClassVar[tuple[str, ...]] = ("data_hash",)
    grain: ClassVar[Grain] = "home"

    data_hash: Annotated[str, Column("SHA-256 of the table that was learned from")]
    artifact: Annotated[str | None, Column("SHA-256 of the model in the archive; null if there was too little to learn from")] = None
    model: Annotated[str | None, Column("Which models judge together")] = None
    rows: Annotated[int, Column("Leads that have ended")]
    won: Annotated[int, Column("Of these, won")]
    lost: Annotated[int, Column("Of these, lost")]
    open: Annotated[int, Column("Leads that have not ended: not learned from, and not counted as lost")]
    before_outcome: Annotated[
        int,
        Column(
            "Ended leads that were scored before they ended, so that the model sees what was known then. Of the others, only what they brought counts"
        ),
    ]
    features: Annotated[list[str], Column("Columns that the model uses, the most influential first")]
    left_out: Annotated[Json, Column('Columns that would fool a model: [{"column", "kind", "why"}]')]
    metrics: Annotated[
        Json,
        Column(
            "On leads that the model had not seen: auc, pr_auc, ece, brier, lift_at_10; held_out: log loss of this model and of the one in use"
        ),
    ]
    verdict: Annotated[
        Literal["promoted", "in_use", "not_better", "too_few"],
        Column("promoted: used from now on; in_use: the model in use; not_better: on held-out leads the model in use is at least as good"),
    ]
    reason: Annotated[str, Column("Why, in words; with too few outcomes, how many more are needed")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {
            "rows won lost open": "scoring.outcomes.outcome",
            "before_outcome": ("scoring.outcomes.outcome_at", "scoring.outcomes.known_at", "archive.drops"),
            "*": ("scoring.outcomes.outcome", "archive.drops", "models.learned"),
        }
