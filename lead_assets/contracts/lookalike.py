"""Tables of the lookalike room: what is known about each company, which companies are alike, and how much leads look like those that were won."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Grain, Json, References, Sources, Table

Outcome = Literal["won", "lost", "no_response"]
"""Outcomes of leads in past campaigns, best first."""

_COMPARED = ("industry", "headcount_min", "headcount_max", "country_code", "region", "technologies", "company_description", "known_at")


class Account(Table):
    """One row per company in a campaign with something to compare. No personal data; leads with free mailboxes have no company."""

    table: ClassVar[str] = "lookalike.accounts"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "account_key")

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="signals.enriched_leads.campaign_id")]
    account_key: Annotated[str, Column("Account: the company's domain", source="signals.enriched_leads.account_key")]
    company_name: Annotated[
        str,
        Column(
            "Company name: as a lead wrote it if it matches the domain, otherwise derived from the domain",
            source="identity.leads.company_clean",
        ),
    ]
    industry: Annotated[
        str | None, Column("Industry: from a provider, otherwise as a lead wrote it", source="signals.enriched_leads.company_industry")
    ] = None
    headcount_min: Annotated[
        int | None,
        Column("Lower bound of headcount: from a provider, otherwise as a lead wrote it", source="signals.enriched_leads.headcount_min"),
    ] = None
    headcount_max: Annotated[
        int | None,
        Column("Upper bound of headcount, from the same source as the lower bound", source="signals.enriched_leads.headcount_max"),
    ] = None
    country_code: Annotated[str | None, Column("Country of its first lead with a known country", source="identity.leads.country_code")] = (
        None
    )
    region: Annotated[str | None, Column("Region of the head office", source="signals.enriched_leads.company_region")] = None
    technologies: Annotated[list[str] | None, Column("Technologies by name", source="signals.enriched_leads.technologies")] = None
    company_description: Annotated[str | None, Column("What the company does", source="signals.enriched_leads.company_description")] = None
    known_at: Annotated[datetime, Column("When its first lead in the campaign was received", source="intake.raw_leads.received_at")]
    won_known_at: Annotated[
        datetime | None, Column("When the first payload saying won was received", source="intake.raw_leads.outcome")
    ] = None
    lost_known_at: Annotated[
        datetime | None, Column("When the first payload saying lost was received", source="intake.raw_leads.outcome")
    ] = None
    no_response_known_at: Annotated[
        datetime | None, Column("When the first payload saying no_response was received", source="intake.raw_leads.outcome")
    ] = None
    synthetic: Annotated[bool, Column("True if any value came from the sandbox", source="signals.enriched_leads.synthetic")]


class SimilarAccount(Table):
    """One row per account and similar company: the few most similar companies among those known when the account arrived."""

    table: ClassVar[str] = "lookalike.similarities"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "account_key", "rank")
    refers: ClassVar[References] = ((("campaign_id", "account_key"), "lookalike.accounts"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="lookalike.accounts.campaign_id")]
    account_key: Annotated[str, Column("Account", source="lookalike.accounts.account_key")]
    rank: Annotated[int, Column("1 is the most similar")]
    similar_account_key: Annotated[str, Column("The similar account, from any campaign", source="lookalike.accounts.account_key")]
    similar_company: Annotated[str, Column("Its name", source="lookalike.accounts.company_name")]
    similarity: Annotated[float, Column("0 to 1: the weights in rules/lookalike.yaml, each multiplied by how well the two agree, summed")]
    shared: Annotated[list[str], Column("What the two have in common, in words")]
    outcome: Annotated[Outcome | None, Column("Outcome of its leads, as known when the account arrived; won takes precedence")] = None
    similar_known_at: Annotated[datetime, Column("When its first lead was received", source="lookalike.accounts.known_at")]
    synthetic: Annotated[bool, Column("True if any compared value came from the sandbox")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        compared = tuple(f"lookalike.accounts.{name}" for name in _COMPARED)
        return {
            "rank similarity shared": compared,
            "outcome": tuple(
                f"lookalike.accounts.{name}" for name in ("won_known_at", "lost_known_at", "no_response_known_at", "known_at")
            ),
            "synthetic": "lookalike.accounts.synthetic",
        }


_OF_A_RECORD = (
    *(f"identity.leads.{name}" for name in ("title", "industry", "country_code", "seniority", "department")),
    *(f"identity.leads.{name}" for name in ("web_activity_score", "email_engagement_score")),
    *(f"signals.enriched_leads.{name}" for name in ("company_description", "company_industry", "headcount_min")),
)


class LookalikeBuild(Table):
    """The index of leads that have ended: one row for the newest build, whether or not there were enough leads for one."""

    table: ClassVar[str] = "lookalike.index"
    key: ClassVar[tuple[str, ...]] = ("data_hash",)
    grain: ClassVar[Grain] = "home"

    data_hash: Annotated[str, Column("SHA-256 of the records that it was built from")]
    artifact: Annotated[str | None, Column("SHA-256 of the index in the archive; null if there are too few records")] = None
    rows: Annotated[int, Column("Records: leads that were won or lost", source="scoring.outcomes.outcome")]
    as_scored: Annotated[
        int,
        Column(
            "Of these, compared as they were when first scored; the others, scored by an earlier release, are compared as they are today"
        ),
    ]
    won: Annotated[int, Column("Of these, won", source="scoring.outcomes.outcome")]
    lost: Annotated[int, Column("Of these, lost", source="scoring.outcomes.outcome")]
    customers: Annotated[
        int,
        Column("Won customers who are not leads here: only their e-mail address is recognised", source="scoring.outcomes.email_hash"),
    ]
    compared: Annotated[list[str], Column("Columns that are compared: texts, categories and numbers")]
    verdict: Annotated[Literal["in_use", "too_few"], Column("in_use: new campaigns are compared with it; too_few: it was not built")]
    reason: Annotated[str, Column("Why, in words; with too few records, how many more are needed")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": ("scoring.outcomes.outcome", "scoring.outcomes.email_hash", *_OF_A_RECORD)}


class LeadSimilarity(Table):
    """One row per enriched lead: how much it looks like leads that were won, by the index that its campaign is pinned to."""

    table: ClassVar[str] = "lookalike.lead_similarities"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    s_look: Annotated[float | None, Column("Mean cosine to the 20 nearest records that were won", low=-1, high=1)] = None
    s_novel: Annotated[float | None, Column("1 less the mean cosine to the 20 nearest of all records", low=0, high=2)] = None
    contrast: Annotated[
        float | None, Column("s_look - (1 - s_novel): above 0, more like the won ones than like anybody", low=-2, high=2)
    ] = None
    is_duplicate: Annotated[
        bool | None, Column("True if the e-mail address is that of another lead that was won, or of a customer; null without an index")
    ] = None
    neighbours: Annotated[
        Json,
        Column(
            'The nearest records, without the lead itself: [{"id", "outcome", "shares", "similarity"}]; id: campaign/lead; shares: what both '
            "have in common, in words"
        ),
    ]
    reason: Annotated[str | None, Column("Why the figures are null; email_exact_match for a duplicate")] = None

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        known = ("models.learned", "identity.leads.email_normalized")
        return {"is_duplicate": known, "*": (*_OF_A_RECORD, *known)}
