"""Tables of the last rooms: scores, owners, events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, Json, References, Table


class Score(Table):
    """One row per classified lead: a score from 0 to 100, the parts that add up to it, and what the lead router makes of it."""

    table: ClassVar[str] = "scoring.scores"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = ((("campaign_id", "lead_id"), "classification.classifications"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="classification.classifications.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="classification.classifications.lead_id")]
    score: Annotated[float, Column("0 to 100, to two decimals: the sum of the points of all parts", low=0, high=100)]
    tier: Annotated[Literal["hot", "warm", "cold"], Column("Tier of the score, by the thresholds in rules/scoring.yaml")]
    parts: Annotated[
        Json,
        Column(
            'What the score is made of: [{"because", "max_points", "part", "points", "rule"}], without what is unknown; max_points sum to 100'
        ),
    ]
    ruleset: Annotated[str, Column("Name and version of the scoring rules")]
    reasons: Annotated[
        list[str],
        Column(
            "The five parts that moved the score most, first the strongest: by how many points, against the campaign's average for the part, and why"
        ),
    ]
    unknown_parts: Annotated[
        list[str],
        Column(
            "Parts that are unknown for the lead and why; the others were weighted up. Names the judgement if rules answered, not a model"
        ),
    ]
    route_score: Annotated[
        float, Column("The lead router's score, 0 to 1: half rules, half the model's rating; rules only without it", low=0, high=1)
    ]
    path: Annotated[
        Literal["route", "nurture", "manual_review"],
        Column("Where the lead router sends the lead, by the thresholds in rules/scoring.yaml"),
    ]


class RoutingDecision(Table):
    """One row per scored lead: its owner, the rule that chose the owner, and why."""

    table: ClassVar[str] = "routing.decisions"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = ((("campaign_id", "lead_id"), "scoring.scores"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="scoring.scores.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="scoring.scores.lead_id")]
    account_key: Annotated[str, Column("Account that the owner is assigned to", source="identity.leads.account_key")]
    owner: Annotated[str, Column("Owner's id in the routing table")]
    territory: Annotated[str, Column("Territory that matched, or 'fallback'")]
    rule: Annotated[str, Column("Rule that matched")]
    reason: Annotated[str, Column("Why this owner, in words")]
    fallback: Annotated[bool, Column("True if no territory matched")]
    tier: Annotated[Literal["hot", "warm", "cold"], Column("Tier of the score", source="scoring.scores.tier")]
    score: Annotated[float, Column("Score", source="scoring.scores.score")]
    assigned_at: Annotated[datetime, Column("When the ledger assigned the account to this owner")]


class EnrichmentEvent(Table):
    """One row per routed lead: the event for a CDP, exactly as archived and sent."""

    table: ClassVar[str] = "delivery.enrichment_events"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = ((("campaign_id", "lead_id"), "routing.decisions"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="routing.decisions.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="routing.decisions.lead_id")]
    event_id: Annotated[str, Column("UUIDv5 of the lead and the event's content: equal content has an equal id")]
    event: Annotated[Json, Column("The event: lead, AI fields, score, routing, raw, metadata", pii="free_text")]
    schema_version: Annotated[str, Column("Version of the event format")]
    enriched_at: Annotated[datetime, Column("When the lead was classified", source="classification.classifications.enriched_at")]
    archived_as: Annotated[str, Column("Path of the NDJSON file in the archive that holds the event")]
