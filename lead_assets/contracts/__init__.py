"""What a row is: one pydantic model per warehouse table. See `base` for the vocabulary and `TABLES` for all of them."""

from lead_assets.contracts.base import WHOLE_HOME, Column, ColumnSpec, Grain, Json, Money, Table, canonical_json
from lead_assets.contracts.classification import GOLDEN_CAMPAIGN, Classification, GoldenEvaluation, Quarantined, QuarantinedSummary, Summary
from lead_assets.contracts.delivery import DeadLetter, Delivery, DeliveryIntent
from lead_assets.contracts.enriched import EnrichedLead
from lead_assets.contracts.found import declared
from lead_assets.contracts.identity import Duplicate, Lead, SuppressedLead
from lead_assets.contracts.intake import LeadFields, RawLead, RejectedPayload
from lead_assets.contracts.learned import LeadOutcome, ModelBuild
from lead_assets.contracts.lookalike import Account, LeadSimilarity, LookalikeBuild, SimilarAccount
from lead_assets.contracts.marts import CampaignFunnel
from lead_assets.contracts.outcome import EnrichmentEvent, RoutingDecision, RoutingEvaluation, Score
from lead_assets.contracts.signals import (
    CompanyOverview,
    Contacts,
    EmailAddress,
    Funding,
    JobPostings,
    LinkedinPosts,
    News,
    Organization,
    PersonProfile,
    SignalRow,
    TechStack,
)
from lead_assets.contracts.spending import Calls, ExpectedPurchase, JournaledCall
from lead_assets.contracts.who import AccountMember, IdentityLink, KnownAccount, KnownPerson, PersonLead, VagueKey
from lead_assets.contracts.worth import PreScore

_ROOMS = ("intake", "identity", "signals", "lookalike", "classification", "scoring", "routing", "delivery", "spending", "ledger", "marts")


def _place(contract: type[Table]) -> tuple[int, bool]:
    """By room, in the order the graph fills them; within signals, enriched_leads comes last."""
    room = contract.schema_name()
    return (*_ROOMS, room).index(room), contract is EnrichedLead


TABLES: dict[str, type[Table]] = {contract.table: contract for contract in sorted(declared(), key=_place)}
"""All contracts by table name, in the order the graph fills them."""

__all__ = [
    "GOLDEN_CAMPAIGN",
    "TABLES",
    "WHOLE_HOME",
    "Account",
    "AccountMember",
    "Calls",
    "CampaignFunnel",
    "Classification",
    "Column",
    "ColumnSpec",
    "CompanyOverview",
    "Contacts",
    "DeadLetter",
    "Delivery",
    "DeliveryIntent",
    "Duplicate",
    "EmailAddress",
    "EnrichedLead",
    "EnrichmentEvent",
    "ExpectedPurchase",
    "Funding",
    "GoldenEvaluation",
    "Grain",
    "IdentityLink",
    "JobPostings",
    "JournaledCall",
    "Json",
    "KnownAccount",
    "KnownPerson",
    "Lead",
    "LeadFields",
    "LeadOutcome",
    "LeadSimilarity",
    "LinkedinPosts",
    "LookalikeBuild",
    "ModelBuild",
    "Money",
    "News",
    "Organization",
    "PersonLead",
    "PersonProfile",
    "PreScore",
    "Quarantined",
    "QuarantinedSummary",
    "RawLead",
    "RejectedPayload",
    "RoutingDecision",
    "RoutingEvaluation",
    "Score",
    "SignalRow",
    "SimilarAccount",
    "Summary",
    "SuppressedLead",
    "Table",
    "TechStack",
    "VagueKey",
    "canonical_json",
]
