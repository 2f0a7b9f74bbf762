"""What a lead is worth before money is spent on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Json, References, Sources, Table

_OF_A_LEAD = (
    *("seniority", "company_size", "email_kind", "phone_e164", "notes"),
    *("web_activity_score", "email_engagement_score", "loan_amount_requested", "property_address"),
)


class PreScore(Table):
    """One row per lead: a pre-score from what is free and what the company signals say, which decides what else is bought, and in which order."""

    table: ClassVar[str] = "signals.pre_scores"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    pre_score: Annotated[
        float,
        Column("0 to 100: the points of all parts of which something is known, as a share of the most they can give", low=0, high=100),
    ]
    tier: Annotated[
        Literal["hot", "warm", "cold"],
        Column("Tier of the pre-score, by the thresholds under pre_score in rules/signals.yaml; scoring.scores has the tier of the score"),
    ]
    parts: Annotated[
        Json, Column('What the pre-score is made of: [{"part", "points", "max_points", "because"}]; points is null if nothing is known')
    ]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        """The columns that the parts of the pre-score use in the shipped rules/signals.yaml."""
        return {"*": (*(f"identity.leads.{name}" for name in _OF_A_LEAD), "signals.company_overview.headcount_min")}
