"""Tables of the lookalike room: what is known about each company, and which companies are alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, References, Sources, Table

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
