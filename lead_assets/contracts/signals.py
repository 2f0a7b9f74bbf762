"""Rows of the signals room: what providers say of a lead's company or person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Json, Money, References, Table

State = Literal["found", "not_found", "unknown"]


class SignalRow(Table):
    """The columns every signal table has: whose signal, what became of it, who said it, when and at what cost."""

    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    subject: Annotated[str | None, Column("What was asked about, e.g. the company domain; null if the lead has none", pii="profile")] = None
    state: Annotated[State, Column("found, not_found (the provider has nothing), unknown (no valid answer: see reason)")]
    reason: Annotated[str | None, Column("Why there is no value: no_result, no_subject, no_key, over_budget, provider_error, …")] = None
    provider: Annotated[str | None, Column("Provider whose answer this is")] = None
    as_of: Annotated[datetime | None, Column("When the provider answered")] = None
    stale: Annotated[bool, Column("True if the answer is older than its time to live and no newer one could be had")]
    synthetic: Annotated[bool, Column("True if the answer came from the sandbox and says nothing about the real world")]
    cost_usd: Annotated[
        Money,
        Column("This lead's share of what the answer cost, US dollars: an answer's price counts once, on its first lead"),
    ]


class CompanyOverview(SignalRow):
    """Company overview a lead: description, industry, region, revenue, founding year, headcount."""

    table: ClassVar[str] = "signals.company_overview"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    company_description: Annotated[str | None, Column("What the company does")] = None
    company_industry: Annotated[str | None, Column("Industry")] = None
    company_region: Annotated[str | None, Column("Region of the head office")] = None
    estimated_revenue: Annotated[str | None, Column("Estimated revenue band, as the provider prints it")] = None
    founded_year: Annotated[int | None, Column("Year founded")] = None
    headcount: Annotated[str | None, Column("Headcount band, as the provider prints it, e.g. '51-200'")] = None
    headcount_min: Annotated[int | None, Column("Lower bound of the headcount band")] = None
    headcount_max: Annotated[int | None, Column("Upper bound of the headcount band; null if open")] = None


class TechStack(SignalRow):
    """Technologies a lead's company uses, as seen on its website."""

    table: ClassVar[str] = "signals.tech_stack"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    technologies: Annotated[list[str] | None, Column("Technologies by name, sorted")] = None
    technologies_by_tag: Annotated[Json | None, Column('Technologies by kind: {"analytics": ["…"]}')] = None
    spending_trend: Annotated[float | None, Column("Change of technology spend as a fraction, e.g. 0.23")] = None


class Funding(SignalRow):
    """Funding rounds of a lead's company."""

    table: ClassVar[str] = "signals.funding"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    funding_total_usd: Annotated[float | None, Column("All funding raised, US dollars")] = None
    funding_rounds: Annotated[int | None, Column("Number of known rounds")] = None
    latest_round: Annotated[str | None, Column("Name of the latest round, e.g. 'Series A'")] = None
    latest_round_on: Annotated[date | None, Column("Date of the latest round")] = None
    latest_round_usd: Annotated[float | None, Column("Amount of the latest round, US dollars")] = None
    investors: Annotated[list[str] | None, Column("Investors of all rounds, sorted")] = None
    funding_history: Annotated[Json | None, Column("The rounds as the provider lists them")] = None


class News(SignalRow):
    """What has lately been written about a lead's company."""

    table: ClassVar[str] = "signals.news"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    news_summary: Annotated[str | None, Column("Summary of recent news, Markdown")] = None


class LinkedinPosts(SignalRow):
    """What the lead has lately posted on LinkedIn."""

    table: ClassVar[str] = "signals.linkedin_posts"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    post_count: Annotated[int | None, Column("Number of posts that were bought")] = None
    latest_post_on: Annotated[date | None, Column("Day of the latest post")] = None
    total_reactions: Annotated[int | None, Column("Reactions to these posts")] = None
    post_texts: Annotated[list[str] | None, Column("Texts, newest first", pii="free_text")] = None
    posts: Annotated[Json | None, Column("Posts as the provider lists them", pii="free_text")] = None


class Organization(SignalRow):
    """A lead's company as a contact database has it."""

    table: ClassVar[str] = "signals.organization"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    organization_id: Annotated[str | None, Column("The provider's id of the company")] = None
    organization_name: Annotated[str | None, Column("Name of the company")] = None
    company_description: Annotated[str | None, Column("What the company does")] = None
    company_industry: Annotated[str | None, Column("Industry")] = None
    employees: Annotated[int | None, Column("Estimated number of employees")] = None
    founded_year: Annotated[int | None, Column("Year founded")] = None
    annual_revenue_usd: Annotated[float | None, Column("Estimated revenue a year, US dollars")] = None
    funding_total_usd: Annotated[float | None, Column("All funding raised, US dollars")] = None
    latest_round: Annotated[str | None, Column("Name of the latest funding round")] = None
    technologies: Annotated[list[str] | None, Column("Technologies by name, sorted")] = None
    hq_city: Annotated[str | None, Column("City of the head office")] = None
    hq_state: Annotated[str | None, Column("State of the head office")] = None
    hq_country: Annotated[str | None, Column("Country of the head office")] = None


class PersonProfile(SignalRow):
    """A lead as a contact database has them: position, company, mailbox."""

    table: ClassVar[str] = "signals.person"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    person_name: Annotated[str | None, Column("Name", pii="name")] = None
    person_title: Annotated[str | None, Column("Job title")] = None
    person_headline: Annotated[str | None, Column("Headline of the profile", pii="free_text")] = None
    person_seniority: Annotated[str | None, Column("Seniority, as the provider names it")] = None
    person_departments: Annotated[list[str] | None, Column("Departments, as the provider names them, sorted")] = None
    person_email: Annotated[str | None, Column("E-mail address", pii="email")] = None
    person_email_status: Annotated[str | None, Column("What the provider knows of the address: verified, extrapolated, …")] = None
    person_company_domain: Annotated[str | None, Column("Domain of the present employer")] = None
    person_city: Annotated[str | None, Column("City", pii="address")] = None
    person_state: Annotated[str | None, Column("State", pii="address")] = None
    person_country: Annotated[str | None, Column("Country")] = None


class JobPostings(SignalRow):
    """Open jobs of a lead's company."""

    table: ClassVar[str] = "signals.job_postings"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    posting_count: Annotated[int | None, Column("Number of open jobs that were bought")] = None
    latest_posting_on: Annotated[date | None, Column("Day of the newest posting")] = None
    posting_titles: Annotated[list[str] | None, Column("Titles, each once, sorted")] = None
    postings: Annotated[Json | None, Column("The postings as the provider lists them")] = None


EmailGrade = Literal["valid", "probable", "accept_all", "invalid", "unknown"]


class EmailAddress(SignalRow):
    """The best e-mail address that is known of a lead, how good it is, and where it is from."""

    table: ClassVar[str] = "signals.email"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    email_address: Annotated[str | None, Column("E-mail address", pii="email")] = None
    email_grade: Annotated[
        EmailGrade | None,
        Column("valid, probable (likely, not confirmed), accept_all (its server takes any address), invalid, unknown"),
    ] = None
    email_score: Annotated[int | None, Column("The provider's own confidence, 0 to 100")] = None
    email_from: Annotated[
        Literal["own", "guess", "finder", "match"] | None,
        Column("own: the lead gave it; guess: from name and domain, verified; finder, match: a provider knows it"),
    ] = None


class Contacts(SignalRow):
    """People found at a lead's company, as the provider shows them before they are bought."""

    table: ClassVar[str] = "signals.contacts"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    contact_count: Annotated[int | None, Column("Number of people listed, at most the configured limit")] = None
    contact_titles: Annotated[list[str] | None, Column("Their job titles, each once, sorted")] = None
    contacts: Annotated[
        Json | None,
        Column('[{"id", "name", "title", "seniority", "email", "linkedin_url"}]; a surname may be obscured', pii="name"),
    ] = None


class EnrichedLead(Table):
    """One row a lead: the signals' values beside the lead's identity, who said each value, and which signals are missing and why."""

    table: ClassVar[str] = "signals.enriched_leads"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    account_key: Annotated[str, Column("What ownership goes by", source="identity.leads.account_key")]
    company_domain: Annotated[str | None, Column("Registrable domain of the company", source="identity.leads.company_domain")] = None
    company_description: Annotated[str | None, Column("What the company does", source="signals.company_overview.company_description")] = (
        None
    )
    company_industry: Annotated[str | None, Column("Industry", source="signals.company_overview.company_industry")] = None
    company_region: Annotated[str | None, Column("Region of the head office", source="signals.company_overview.company_region")] = None
    estimated_revenue: Annotated[str | None, Column("Revenue band", source="signals.company_overview.estimated_revenue")] = None
    founded_year: Annotated[int | None, Column("Year founded", source="signals.company_overview.founded_year")] = None
    headcount: Annotated[str | None, Column("Headcount band", source="signals.company_overview.headcount")] = None
    headcount_min: Annotated[int | None, Column("Lower bound of headcount", source="signals.company_overview.headcount_min")] = None
    headcount_max: Annotated[int | None, Column("Upper bound of headcount", source="signals.company_overview.headcount_max")] = None
    technologies: Annotated[list[str] | None, Column("Technologies by name", source="signals.tech_stack.technologies")] = None
    funding_total_usd: Annotated[float | None, Column("All funding raised, US dollars", source="signals.funding.funding_total_usd")] = None
    latest_round: Annotated[str | None, Column("Name of the latest funding round", source="signals.funding.latest_round")] = None
    latest_round_on: Annotated[date | None, Column("Date of the latest round", source="signals.funding.latest_round_on")] = None
    news_summary: Annotated[str | None, Column("Summary of recent news", source="signals.news.news_summary")] = None
    post_texts: Annotated[
        list[str] | None,
        Column("What the lead has lately posted", pii="free_text", source="signals.linkedin_posts.post_texts"),
    ] = None
    posting_count: Annotated[int | None, Column("Open jobs of the company", source="signals.job_postings.posting_count")] = None
    posting_titles: Annotated[list[str] | None, Column("Titles of the open jobs", source="signals.job_postings.posting_titles")] = None
    contact_titles: Annotated[
        list[str] | None, Column("Job titles of people found at the company", source="signals.contacts.contact_titles")
    ] = None
    email_address: Annotated[str | None, Column("Best known e-mail address", pii="email", source="signals.email.email_address")] = None
    email_grade: Annotated[EmailGrade | None, Column("How good that address is", source="signals.email.email_grade")] = None
    provenance: Annotated[Json, Column('Who said each value and when: {"column": {"provider", "as_of"}}')]
    signals_found: Annotated[list[str], Column("Names of the signals that were found, sorted")]
    signals_missed: Annotated[list[str], Column("Names of the signals that were not, sorted")]
    miss_reasons: Annotated[Json, Column('Why each missed signal is missing: {"signal": "reason"}')]
    enrichment_quality: Annotated[
        float | None, Column("Share of the signals asked for that were found, 0 to 1; null if none was asked for")
    ] = None
    signals_cost_usd: Annotated[Money, Column("What this lead's signals cost, US dollars")]
    synthetic: Annotated[bool, Column("True if any value came from the sandbox")]
