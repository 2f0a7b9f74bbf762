"""Tables of the classification room: model answers that met their contract, and those that did not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Grain, Json, Money, References, Sources, Table

GOLDEN_CAMPAIGN = "golden-evaluation"
"""Stands in for a campaign id on the labelled leads that measure classifiers, in their rows and in the ledger. No table has a partition of this name."""


ASKED_ABOUT: tuple[str, ...] = (
    *(f"identity.leads.{name}" for name in ("name_first", "company_clean", "title", "seniority", "department", "industry", "company_size")),
    *(f"identity.leads.{name}" for name in ("country_code", "state_code", "city", "source", "submitted_at", "notes", "property_type")),
    *(f"identity.leads.{name}" for name in ("loan_amount_requested", "purchase_price", "estimated_arv")),
    *(f"identity.leads.{name}" for name in ("web_activity_score", "email_engagement_score")),
    *(f"signals.enriched_leads.{name}" for name in ("company_description", "company_industry", "company_region", "headcount")),
    *(f"signals.enriched_leads.{name}" for name in ("headcount_min", "estimated_revenue", "founded_year")),
)
"""What a classifier sees of a lead: the facts of all profiles."""

_DECIDED = "loan_type investor_experience icp_fit persona buying_stage pain_points urgency_score outreach_message classification_rationale"


class Classification(Table):
    """One row per classified lead: an answer that met its profile's contract, from a model or, if none was available, from rules."""

    table: ClassVar[str] = "classification.classifications"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="signals.enriched_leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="signals.enriched_leads.lead_id")]
    profile: Annotated[str, Column("Classification profile: lending, b2b")]
    schema_version: Annotated[str, Column("Version of the profile's contract, e.g. lending-1")]
    loan_type: Annotated[Literal["bridge_rtl", "rental", "unknown"] | None, Column("lending: the loan the lead wants")] = None
    investor_experience: Annotated[Literal["first_time", "experienced", "unknown"] | None, Column("lending: the investor's experience")] = (
        None
    )
    icp_fit: Annotated[Literal["strong", "moderate", "weak", "unknown"] | None, Column("b2b: how well the company fits")] = None
    persona: Annotated[
        Literal["economic_buyer", "champion", "technical_evaluator", "end_user", "unknown"] | None, Column("b2b: role in the purchase")
    ] = None
    buying_stage: Annotated[
        Literal["awareness", "consideration", "decision", "unknown"] | None, Column("b2b: stage of the buying process")
    ] = None
    pain_points: Annotated[list[str] | None, Column("b2b: problems that the lead mentions, a few words each", pii="free_text")] = None
    urgency_score: Annotated[int | None, Column("Urgency, from 1 (none) to 5 (within days)")] = None
    outreach_message: Annotated[str | None, Column("First message to the lead; null when rules answered", pii="free_text")] = None
    classification_rationale: Annotated[str | None, Column("The classifier's reasons, in its own words", pii="free_text")] = None
    lead_rating: Annotated[
        int | None,
        Column(
            "The model's own judgement, 0 to 100: how likely the lead is to become a customer; null if rules answered, or an older answer stands",
            low=0,
            high=100,
        ),
    ] = None
    rating_reasons: Annotated[list[str] | None, Column("The model's reasons for its rating, the strongest first", pii="free_text")] = None
    answer: Annotated[Json, Column("The whole validated answer, as a JSON object", pii="free_text")]
    model: Annotated[str, Column("Model that answered, or rules-v1")]
    fallback_reason: Annotated[str | None, Column("Why rules answered instead of a model: no_key, over_budget, provider_error, …")] = None
    attempts: Annotated[int, Column("Calls made for this answer, including the repair and the second look; 0 for rules")]
    input_tokens: Annotated[int, Column("Input tokens of all attempts, including cache reads and writes")]
    output_tokens: Annotated[int, Column("Output tokens of all attempts")]
    cost_usd: Annotated[Money, Column("Cost of all attempts in US dollars")]
    enriched_at: Annotated[datetime, Column("When the model answered (from the ledger); for rules, when the lead was received")]
    synthetic: Annotated[bool, Column("True if the answer came from the sandbox")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return _of_an_answer("identity.leads.received_at")


class Quarantined(Table):
    """Leads whose answer did not meet the contract. They are scored without it, never routed or sent, and can be replayed after a fix."""

    table: ClassVar[str] = "classification.quarantine"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="signals.enriched_leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="signals.enriched_leads.lead_id")]
    profile: Annotated[str, Column("Classification profile")]
    schema_version: Annotated[str, Column("Version of the profile's contract")]
    code: Annotated[
        str,
        Column(
            "Machine-readable reason, e.g. invalid_enum, placeholder, refusal; canary_answered, dictated, evidence_disagrees, rules_disagree: a fooled model"
        ),
    ]
    reason: Annotated[str, Column("What is wrong, field by field")]
    attempt: Annotated[int, Column("Number of attempts made")]
    raw_text: Annotated[str, Column("The model's last answer, verbatim", pii="free_text")]
    model: Annotated[str, Column("Model that answered")]
    input_tokens: Annotated[int, Column("Input tokens of all attempts")]
    output_tokens: Annotated[int, Column("Output tokens of all attempts")]
    cost_usd: Annotated[Money, Column("Cost of all attempts in US dollars")]
    quarantined_at: Annotated[datetime, Column("When the model's last answer came (from the ledger)")]
    synthetic: Annotated[bool, Column("True if the answer came from the sandbox")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return _of_an_answer()


class Summary(Table):
    """One row per lead in a tier that gets a brief (see rules/classification.yaml): what its owner should know before the first conversation."""

    table: ClassVar[str] = "classification.summaries"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="scoring.scores.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="scoring.scores.lead_id")]
    profile: Annotated[str, Column("Profile of the brief")]
    schema_version: Annotated[str, Column("Version of the profile's contract, e.g. brief-1")]
    brief: Annotated[str, Column("Who the lead is, what they want and why they are worth the owner's time", pii="free_text")]
    next_step: Annotated[str, Column("What to do first", pii="free_text")]
    answer: Annotated[Json, Column("The whole validated answer, as a JSON object", pii="free_text")]
    model: Annotated[str, Column("Model that answered, or rules-v1")]
    fallback_reason: Annotated[str | None, Column("Why rules answered instead of a model: no_key, over_budget, provider_error, …")] = None
    attempts: Annotated[int, Column("Calls made for this answer, including the repair and the second look; 0 for rules")]
    input_tokens: Annotated[int, Column("Input tokens of all attempts, including cache reads and writes")]
    output_tokens: Annotated[int, Column("Output tokens of all attempts")]
    cost_usd: Annotated[Money, Column("Cost of all attempts in US dollars")]
    enriched_at: Annotated[datetime, Column("When the model answered (from the ledger); for rules, when the lead was received")]
    synthetic: Annotated[bool, Column("True if the answer came from the sandbox")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        asked = (
            "scoring.scores.score",
            "scoring.scores.reasons",
            "lookalike.similarities.similar_company",
            "lookalike.similarities.shared",
        )
        return {
            "profile schema_version": "rules.files",
            "enriched_at": ("ledger.answers", "identity.leads.received_at"),
            "answer": ("ledger.answers", *ASKED_ABOUT, *asked),
            "brief next_step": "classification.summaries.answer",
            "*": "ledger.answers",
        }


class QuarantinedSummary(Quarantined):
    """Leads whose brief did not meet the contract, so that their owner has none."""

    table: ClassVar[str] = "classification.summary_quarantine"

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        asked = (
            "scoring.scores.score",
            "scoring.scores.reasons",
            "lookalike.similarities.similar_company",
            "lookalike.similarities.shared",
        )
        return {
            "profile schema_version": "rules.files",
            "code reason raw_text": ("ledger.answers", *ASKED_ABOUT, *asked),
            "*": "ledger.answers",
        }


class GoldenEvaluation(Table):
    """One row per labelled field of a golden lead: a person's label and the classifier's answer."""

    table: ClassVar[str] = "classification.golden_evaluation"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id", "field")
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Always golden-evaluation: the name under which the ledger records the cost of labelled leads")]
    lead_id: Annotated[str, Column("Golden lead")]
    kind: Annotated[str, Column("Kind of test case: scenario, plain, sparse, vague, contradictory, multilingual, adversarial")]
    profile: Annotated[str, Column("Classification profile")]
    field: Annotated[str, Column("Field of the profile's contract")]
    expected: Annotated[str, Column("The label; a numeric range is written low..high")]
    answered: Annotated[str | None, Column("The answer; null if it was quarantined")] = None
    correct: Annotated[bool, Column("True if the answer equals the label or lies in its range")]
    code: Annotated[str | None, Column("Why it was quarantined")] = None
    model: Annotated[str, Column("Model that answered, or rules-v1")]
    attempts: Annotated[int, Column("Calls made for the lead's answer")]
    cost_usd: Annotated[Money, Column("Cost of the lead's answer in US dollars, counted on its first field only")]
    synthetic: Annotated[bool, Column("True if the answer came from the sandbox")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {
            "campaign_id lead_id kind field expected": "rules.labels",
            "profile": "rules.files",
            "correct": ("ledger.answers", "rules.labels"),
            "*": "ledger.answers",
        }


def _of_an_answer(*without_a_model: str) -> Mapping[str, Sources]:
    """Where the columns of an answer come from. `without_a_model`: what its time is if rules answered."""
    judged: Sources = ("ledger.answers", *ASKED_ABOUT)
    if without_a_model:
        read: dict[str, Sources] = {"answer": judged, f"{_DECIDED} lead_rating rating_reasons": "classification.classifications.answer"}
        read["enriched_at"] = ("ledger.answers", *without_a_model)
    else:
        read = {"raw_text": judged, "code reason": "classification.quarantine.raw_text"}
    return {
        "profile": ("rules.files", "identity.leads.implied_profile", "identity.leads.campaign_id"),
        "schema_version": "rules.files",
        **read,
        "*": "ledger.answers",
    }
