"""What a row is: one pydantic model per warehouse table. See `base` for the vocabulary and `TABLES` for all of them."""

from lead_assets.contracts.base import WHOLE_HOME, Column, ColumnSpec, Grain, Json, Money, Table, canonical_json
from lead_assets.contracts.classification import GOLDEN_CAMPAIGN, Classification, GoldenEvaluation, Quarantined, QuarantinedSummary, Summary
from lead_assets.contracts.identity import Duplicate, Lead, SuppressedLead
from lead_assets.contracts.intake import LeadFields, RawLead, RejectedPayload
from lead_assets.contracts.lookalike import Account, SimilarAccount
from lead_assets.contracts.outcome import CampaignFunnel, EnrichmentEvent, RoutingDecision, Score
from lead_assets.contracts.signals import (
    CompanyOverview,
    Contacts,
    EmailAddress,
    EnrichedLead,
    Funding,
    JobPostings,
    LinkedinPosts,
    News,
    Organization,
    PersonProfile,
    SignalRow,
    TechStack,
)

TABLES: dict[str, type[Table]] = {
    contract.table: contract
    for contract in (
        RawLead,
        RejectedPayload,
        Lead,
        Duplicate,
        SuppressedLead,
        CompanyOverview,
        TechStack,
        Funding,
        News,
        LinkedinPosts,
        Organization,
        PersonProfile,
        JobPostings,
        Contacts,
        EmailAddress,
        EnrichedLead,
        Account,
        SimilarAccount,
        Classification,
        Quarantined,
        Score,
        Summary,
        QuarantinedSummary,
        RoutingDecision,
        EnrichmentEvent,
        CampaignFunnel,
        GoldenEvaluation,
    )
}
"""Every warehouse table by name, in the order the graph fills them."""

__all__ = [
    "GOLDEN_CAMPAIGN",
    "TABLES",
    "WHOLE_HOME",
    "Account",
    "CampaignFunnel",
    "Classification",
    "Column",
    "ColumnSpec",
    "CompanyOverview",
    "Contacts",
    "Duplicate",
    "EmailAddress",
    "EnrichedLead",
    "EnrichmentEvent",
    "Funding",
    "GoldenEvaluation",
    "Grain",
    "JobPostings",
    "Json",
    "Lead",
    "LeadFields",
    "LinkedinPosts",
    "Money",
    "News",
    "Organization",
    "PersonProfile",
    "Quarantined",
    "QuarantinedSummary",
    "RawLead",
    "RejectedPayload",
    "RoutingDecision",
    "Score",
    "SignalRow",
    "SimilarAccount",
    "Summary",
    "SuppressedLead",
    "Table",
    "TechStack",
    "canonical_json",
]
