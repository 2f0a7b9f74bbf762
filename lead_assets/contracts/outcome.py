"""Tables of the last rooms: scores, owners, events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Grain, Json, References, Sources, Table


class Score(Table):
    """One row per lead that was classified or quarantined: a score from 0 to 100, the parts that add up to it, and what the lead router makes of it."""

    table: ClassVar[str] = "scoring.scores"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
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
        Column("Where the lead router sends the lead, by the thresholds in rules/scoring.yaml; a quarantined lead goes to manual review"),
    ]
    quarantined: Annotated[
        bool,
        Column("True if the model's answer broke its contract (classification.quarantine): scored without it, and neither routed nor sent"),
    ]
    ai_adoption_score: Annotated[
        int | None,
        Column(
            "The company's AI adoption by its stack, open jobs and description; null if none is known",
            source="signals.enriched_leads.technologies",
            low=0,
            high=100,
        ),
    ] = None
    size_score: Annotated[
        int | None,
        Column("The company's size, 0 to 100; null if not known", source="signals.enriched_leads.headcount_min", low=0, high=100),
    ] = None
    funding_score: Annotated[
        int | None,
        Column("The company's funding, 0 to 100; null if not known", source="signals.enriched_leads.funding_total_usd", low=0, high=100),
    ] = None
    win_probability: Annotated[
        float | None,
        Column("Probability that the lead will be won, by the model that the campaign is pinned to; null without one", low=0, high=1),
    ] = None
    contrast: Annotated[
        float | None,
        Column(
            "Above 0: more like won leads than like leads in general, by the index that the campaign is pinned to",
            source="lookalike.lead_similarities.contrast",
            low=-2,
            high=2,
        ),
    ] = None

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        judged = tuple(
            f"classification.classifications.{name}" for name in ("loan_type", "investor_experience", "icp_fit", "urgency_score")
        )
        known = ("email_kind", "phone_e164", "property_address", "estimated_arv", "loan_amount_requested")
        engaged = ("seniority", "web_activity_score", "email_engagement_score")
        facts = (*judged, *(f"identity.leads.{name}" for name in (*known, *engaged)), "signals.enriched_leads.headcount_min")
        rating = ("classification.classifications.lead_rating", "classification.classifications.answer")
        routed = (
            "signals.enriched_leads.company_industry",
            "signals.enriched_leads.headcount_min",
            "identity.leads.industry",
            "identity.leads.title",
        )
        return {
            "ruleset": "rules.files",
            "parts unknown_parts": (
                *facts,
                *rating,
                "signals.enriched_leads.enrichment_quality",
                "models.learned",
                "lookalike.lead_similarities.contrast",
            ),
            "quarantined": "classification.quarantine.code",
            "win_probability": "models.learned",
            "score reasons": "scoring.scores.parts",
            "tier": "scoring.scores.score",
            "route_score": tuple(dict.fromkeys((*facts, *rating, *routed))),
            "path": "scoring.scores.route_score",
        }


Authority = Literal["existing_owner", "crm_owner", "named_account", "rule", "fallback", "moved"]


class RoutingDecision(Table):
    """One row per scored lead: its owner, who or what chose the owner, and why."""

    table: ClassVar[str] = "routing.decisions"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = ((("campaign_id", "lead_id"), "scoring.scores"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="scoring.scores.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="scoring.scores.lead_id")]
    account_key: Annotated[str, Column("Account that the owner is assigned to", source="identity.leads.account_key")]
    owner: Annotated[str, Column("Owner's id in the routing table")]
    owner_email: Annotated[str | None, Column("Owner's address, by the routing table in force; null if it has none", pii="email")] = None
    owner_crm_id: Annotated[str | None, Column("Owner's id in the CRM, by the routing table in force; null if it has none")] = None
    team: Annotated[str | None, Column("Team that the lead went to, otherwise the owner's first team; null if there is none")] = None
    path: Annotated[
        Literal["route", "nurture", "manual_review", "hold"],
        Column("What is to be done: what the rule says (nurture, hold), otherwise the score's path", source="scoring.scores.path"),
    ]
    authority: Annotated[
        Authority,
        Column(
            "What decided, in this order: the account's owner here, its owner in the CRM, a named account, a rule, the fallback; moved: a person"
        ),
    ]
    territory: Annotated[
        str, Column("Rule of the routing table that matched, 'fallback', or another authority; for an owned account, of its owner")
    ]
    rule: Annotated[str, Column("The rule's conditions")]
    reason: Annotated[str, Column("Why this owner, in words")]
    fallback: Annotated[bool, Column("True if no rule matched, or nobody whom rules name could take the lead")]
    facts: Annotated[
        Json,
        Column("The lead's values of every field that the routing table asked for; `lead-assets route explain` tries the rules on them"),
    ]
    passed_over: Annotated[Json, Column('Who could have been the owner but was not: [{"who", "why"}], e.g. "is away until 2026-12-27"')]
    routing_table: Annotated[str | None, Column("Digest of the routing table that decided; null for decisions older than this column")] = (
        None
    )
    tier: Annotated[Literal["hot", "warm", "cold"], Column("Tier of the score", source="scoring.scores.tier")]
    score: Annotated[float, Column("Score", source="scoring.scores.score")]
    assigned_at: Annotated[datetime, Column("When the ledger gave the lead to this owner")]
    sla_due_at: Annotated[
        datetime | None,
        Column("When the owner should have answered, in their own working time from assigned_at; null if the routing table gives no time"),
    ] = None

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        assigned = "ledger.assignments"
        judged = tuple(f"classification.classifications.{name}" for name in ("profile", "loan_type", "icp_fit"))
        places = ("identity.leads.country_code", "identity.leads.state_code", "identity.leads.region")
        companies = ("signals.enriched_leads.hq_country_code", "signals.enriched_leads.hq_region", "signals.enriched_leads.headcount_min")
        tested = (
            *judged,
            *places,
            *companies,
            "identity.leads.campaign_id",
            "scoring.scores.tier",
            "scoring.scores.score",
            "identity.leads.account_key",
        )
        return {
            "assigned_at": assigned,
            "sla_due_at": ("routing.decisions.assigned_at", "routing.decisions.owner", "rules.files"),
            "owner_email owner_crm_id": ("routing.decisions.owner", "rules.files"),
            "routing_table": "rules.files",
            "facts": tested,
            "reason": ("routing.decisions.owner", "routing.decisions.territory", "routing.decisions.rule"),
            "*": (assigned, *tested),
        }


class RoutingEvaluation(Table):
    """One row per lead that somebody labelled with its right owner, and who has it."""

    table: ClassVar[str] = "routing.evaluation"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign of the labelled lead")]
    lead_id: Annotated[str, Column("Labelled lead; the label may name it by its address")]
    expected: Annotated[str, Column("The owner it should have, from owner_labels.csv")]
    owner: Annotated[str | None, Column("The owner it has; null if it was not routed")] = None
    correct: Annotated[bool, Column("True if it has the owner it should have")]
    authority: Annotated[str | None, Column("What decided", source="routing.decisions.authority")] = None
    territory: Annotated[str | None, Column("Rule that decided", source="routing.decisions.territory")] = None
    reason: Annotated[str | None, Column("Why this owner, in words", source="routing.decisions.reason")] = None

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {
            "campaign_id expected": "rules.labels",
            "lead_id": ("rules.labels", "identity.leads.lead_id"),
            "owner": "routing.decisions.owner",
            "correct": ("rules.labels", "routing.decisions.owner"),
        }


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
    archived_as: Annotated[
        str, Column("Path of the NDJSON file in the archive that contains the event: the one that was written when it was new")
    ]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        answered = (
            "classification.classifications.answer",
            "classification.classifications.enriched_at",
            "classification.classifications.model",
        )
        scored = ("scoring.scores.score", "scoring.scores.tier", "scoring.scores.parts", "scoring.scores.path")
        decided = ("routing.decisions.owner", "routing.decisions.territory", "routing.decisions.reason")
        told = ("identity.leads.email_normalized", "identity.leads.payload", "identity.leads.account_key")
        return {"schema_version": "rules.files", "event": (*answered, *scored, *decided, *told), "*": "delivery.enrichment_events.event"}
