"""Rows of the lookalike room: what the house knows of each company, and which companies are alike."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, References, Table

Outcome = Literal["won", "lost", "no_response"]
"""What became of a lead in a past campaign, best first."""


class Account(Table):
    """One row a company of a campaign's leads that there is something to compare of. No person's data; leads of free mailboxes have no company."""

    table: ClassVar[str] = "lookalike.accounts"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "account_key")

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="signals.enriched_leads.campaign_id")]
    account_key: Annotated[str, Column("Account: the company's domain", source="signals.enriched_leads.account_key")]
    company_name: Annotated[
        str,
        Column(
            "Name of the company: as a lead wrote it if the domain says the same, else read from the domain",
            source="identity.leads.company_clean",
        ),
    ]
    industry: Annotated[
        str | None, Column("Industry: a provider's, else as a lead wrote it", source="signals.enriched_leads.company_industry")
    ] = None
    headcount_min: Annotated[
        int | None, Column("Lower bound of headcount: a provider's, else as a lead wrote it", source="signals.enriched_leads.headcount_min")
    ] = None
    headcount_max: Annotated[
        int | None, Column("Upper bound of headcount, from where the lower one is", source="signals.enriched_leads.headcount_max")
    ] = None
    country_code: Annotated[str | None, Column("Country of its first lead that has one", source="identity.leads.country_code")] = None
    region: Annotated[str | None, Column("Region of the head office", source="signals.enriched_leads.company_region")] = None
    technologies: Annotated[list[str] | None, Column("Technologies by name", source="signals.enriched_leads.technologies")] = None
    company_description: Annotated[str | None, Column("What the company does", source="signals.enriched_leads.company_description")] = None
    known_at: Annotated[datetime, Column("When its first lead in the campaign was received", source="intake.raw_leads.received_at")]
    won_known_at: Annotated[
        datetime | None, Column("When the first payload was received that says won", source="intake.raw_leads.outcome")
    ] = None
    lost_known_at: Annotated[
        datetime | None, Column("When the first payload was received that says lost", source="intake.raw_leads.outcome")
    ] = None
    no_response_known_at: Annotated[
        datetime | None, Column("When the first payload was received that says no_response", source="intake.raw_leads.outcome")
    ] = None
    synthetic: Annotated[bool, Column("True if any value came from the sandbox", source="signals.enriched_leads.synthetic")]


class SimilarAccount(Table):
    """One row for each of the few companies most like a campaign's account, of those that were known when the account came in."""

    table: ClassVar[str] = "lookalike.similarities"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "account_key", "rank")
    refers: ClassVar[References] = ((("campaign_id", "account_key"), "lookalike.accounts"),)

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="lookalike.accounts.campaign_id")]
    account_key: Annotated[str, Column("Account", source="lookalike.accounts.account_key")]
    rank: Annotated[int, Column("1 is the most similar")]
    similar_account_key: Annotated[str, Column("The account it is like, of any campaign", source="lookalike.accounts.account_key")]
    similar_company: Annotated[str, Column("Its name", source="lookalike.accounts.company_name")]
    similarity: Annotated[float, Column("0 to 1: the sum of the shares of rules/lookalike.yaml, each by how far the two agree")]
    shared: Annotated[list[str], Column("What the two have in common, in words")]
    outcome: Annotated[Outcome | None, Column("What had become of its leads when the account came in; won beats the rest")] = None
    similar_known_at: Annotated[datetime, Column("When its first lead was received", source="lookalike.accounts.known_at")]
    synthetic: Annotated[bool, Column("True if any value that was compared came from the sandbox")]
