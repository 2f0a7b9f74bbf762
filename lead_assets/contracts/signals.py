"""What providers say about a lead's company or person: one contract per signal.

Each signal column says whether it fills a column of signals.enriched_leads (`enriches=True`, or the column's name) or stays in the signal's own
table (`enriches=False`). When several signals fill the same column, `rank` sets the preference. `enriched` is built from this.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic.fields import FieldInfo

from lead_assets.contracts.base import OF_A_LEAD, Column, Json, Money, References, Sources, Table, column_of

State = Literal["found", "not_found", "unknown"]


class SignalRow(Table):
    """The columns of every signal table: the lead, the outcome, the provider, the time and the cost."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if unsaid := [name for name, field in cls.value_fields().items() if column_of(field).enriches is None]:
            raise TypeError(
                f"{cls.__name__}: does {', '.join(unsaid)} go into signals.enriched_leads? Give its Column enriches=True, the name of "
                "the column it fills, or enriches=False to keep it in the signal's own table"
            )

    @classmethod
    def value_fields(cls) -> dict[str, FieldInfo]:
        """The signal's own columns, without those common to all signals."""
        return {name: field for name, field in cls.model_fields.items() if name not in SignalRow.model_fields}

    refers: ClassVar[References] = OF_A_LEAD
    asks_about: ClassVar[tuple[str, ...]] = ("identity.leads.company_domain",)
    """The columns that say whom the signal is about: by the subject declared in rules/signals.yaml."""

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    subject: Annotated[str | None, Column("What was asked about, e.g. the company domain; null if the lead has none", pii="profile")] = None
    state: Annotated[State, Column("found, not_found (the provider has nothing), unknown (no valid answer: see reason)")]
    reason: Annotated[
        str | None, Column("Why there is no value: no_result, no_subject, no_key, over_budget, not_worth_it, provider_error, …")
    ] = None
    needs: Annotated[
        str | None,
        Column("What would have to change for the signal to be bought, if the reason is not_worth_it: pre-score 31, needs 45"),
    ] = None
    provider: Annotated[
        str | None,
        Column("Provider that gave this answer; given: the lead brings it itself (see identity.leads.given), and nobody was asked"),
    ] = None
    as_of: Annotated[datetime | None, Column("When the provider answered")] = None
    stale: Annotated[bool, Column("True if the answer is older than its time to live and no newer one was available")]
    synthetic: Annotated[bool, Column("True if the answer came from the sandbox, so it says nothing about the real world")]
    cost_usd: Annotated[
        Money,
        Column("Cost of the answer in US dollars, counted once: on the first lead that uses it"),
    ]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        """A signal's values are answers, or what the lead brings itself; its subject is what it asks about."""
        return {
            "subject": cls.asks_about,
            "needs": ("signals.pre_scores.pre_score", "signals.pre_scores.tier"),
            "reason": ("ledger.answers", "signals.pre_scores.pre_score", "signals.pre_scores.tier"),
            "cost_usd synthetic stale": "ledger.answers",
            "*": ("ledger.answers", "identity.leads.given", *cls.asks_about),
        }


class CompanyOverview(SignalRow):
    """Overview of a lead's company: description, industry, region, revenue, founding year, headcount."""

    table: ClassVar[str] = "signals.company_overview"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    company_description: Annotated[str | None, Column("What the company does", enriches=True)] = None
    company_industry: Annotated[str | None, Column("Industry", enriches=True)] = None
    company_region: Annotated[str | None, Column("Region of the head office", enriches=True)] = None
    estimated_revenue: Annotated[str | None, Column("Estimated revenue band, as the provider prints it", enriches=True)] = None
    founded_year: Annotated[int | None, Column("Year founded", enriches=True)] = None
    headcount: Annotated[str | None, Column("Headcount band, as the provider prints it, e.g. '51-200'", enriches=True)] = None
    headcount_min: Annotated[int | None, Column("Lower bound of the headcount band", enriches=True)] = None
    headcount_max: Annotated[int | None, Column("Upper bound of the headcount band; null if open", enriches=True)] = None


class TechStack(SignalRow):
    """Technologies that a lead's company uses, as seen on its website."""

    table: ClassVar[str] = "signals.tech_stack"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    technologies: Annotated[list[str] | None, Column("Technologies, sorted by name", enriches=True)] = None
    technologies_by_tag: Annotated[Json | None, Column('Technologies by kind: {"analytics": ["…"]}', enriches=False)] = None
    spending_trend: Annotated[float | None, Column("Change in technology spend as a fraction, e.g. 0.23", enriches=False)] = None


class Funding(SignalRow):
    """Funding rounds of a lead's company."""

    table: ClassVar[str] = "signals.funding"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    funding_total_usd: Annotated[float | None, Column("All funding raised, US dollars", enriches=True)] = None
    funding_rounds: Annotated[int | None, Column("Number of known rounds", enriches=False)] = None
    latest_round: Annotated[str | None, Column("Name of the latest round, e.g. 'Series A'", enriches=True)] = None
    latest_round_on: Annotated[date | None, Column("Date of the latest round", enriches=True)] = None
    latest_round_usd: Annotated[float | None, Column("Amount of the latest round, US dollars", enriches=False)] = None
    investors: Annotated[list[str] | None, Column("Investors of all rounds, sorted", enriches=False)] = None
    funding_history: Annotated[Json | None, Column("The rounds as the provider lists them", enriches=False)] = None


class News(SignalRow):
    """Recent news about a lead's company."""

    table: ClassVar[str] = "signals.news"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    news_summary: Annotated[str | None, Column("Summary of recent news, Markdown", enriches=True)] = None


class LinkedinPosts(SignalRow):
    """The lead's recent LinkedIn posts."""

    table: ClassVar[str] = "signals.linkedin_posts"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    asks_about: ClassVar[tuple[str, ...]] = ("identity.leads.linkedin_url",)

    post_count: Annotated[int | None, Column("Number of posts bought", enriches=False)] = None
    latest_post_on: Annotated[date | None, Column("Day of the latest post", enriches=False)] = None
    total_reactions: Annotated[int | None, Column("Total reactions to these posts", enriches=False)] = None
    post_texts: Annotated[
        list[str] | None, Column("Texts of the lead's latest LinkedIn posts, newest first", pii="free_text", enriches=True)
    ] = None
    posts: Annotated[Json | None, Column("Posts as the provider lists them", pii="free_text", enriches=False)] = None


class Organization(SignalRow):
    """A lead's company, as a contact database describes it."""

    table: ClassVar[str] = "signals.organization"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    organization_id: Annotated[str | None, Column("The provider's id for the company", enriches=False)] = None
    organization_name: Annotated[str | None, Column("Name of the company", enriches=False)] = None
    company_description: Annotated[str | None, Column("What the company does", enriches=True, rank=2)] = None
    company_industry: Annotated[str | None, Column("Industry", enriches=True, rank=2)] = None
    employees: Annotated[int | None, Column("Estimated number of employees", enriches=False)] = None
    founded_year: Annotated[int | None, Column("Year founded", enriches=True, rank=2)] = None
    annual_revenue_usd: Annotated[float | None, Column("Estimated annual revenue, US dollars", enriches=False)] = None
    funding_total_usd: Annotated[float | None, Column("All funding raised, US dollars", enriches=True, rank=2)] = None
    latest_round: Annotated[str | None, Column("Name of the latest funding round", enriches=False)] = None
    technologies: Annotated[list[str] | None, Column("Technologies, sorted by name", enriches=True, rank=2)] = None
    hq_city: Annotated[str | None, Column("City of the head office", enriches=False)] = None
    hq_state: Annotated[str | None, Column("State of the head office", enriches=False)] = None
    hq_country: Annotated[str | None, Column("Country of the head office", enriches=False)] = None


class PersonProfile(SignalRow):
    """A lead's position, company and mailbox, as a contact database describes them."""

    table: ClassVar[str] = "signals.person"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    asks_about: ClassVar[tuple[str, ...]] = ("identity.leads.linkedin_url",)

    person_name: Annotated[str | None, Column("Name", pii="name", enriches=False)] = None
    person_title: Annotated[str | None, Column("Job title", enriches=False)] = None
    person_headline: Annotated[str | None, Column("Headline of the profile", pii="free_text", enriches=False)] = None
    person_seniority: Annotated[str | None, Column("Seniority, as the provider names it", enriches=False)] = None
    person_departments: Annotated[list[str] | None, Column("Departments, as the provider names them, sorted", enriches=False)] = None
    person_email: Annotated[str | None, Column("E-mail address", pii="email", enriches=False)] = None
    person_email_status: Annotated[
        str | None, Column("Status of the address at the provider: verified, extrapolated, …", enriches=False)
    ] = None
    person_company_domain: Annotated[str | None, Column("Domain of the current employer", enriches=False)] = None
    person_city: Annotated[str | None, Column("City", pii="address", enriches=False)] = None
    person_state: Annotated[str | None, Column("State", pii="address", enriches=False)] = None
    person_country: Annotated[str | None, Column("Country", enriches=False)] = None


class JobPostings(SignalRow):
    """Open jobs at a lead's company."""

    table: ClassVar[str] = "signals.job_postings"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    posting_count: Annotated[int | None, Column("Number of open jobs bought", enriches=True)] = None
    latest_posting_on: Annotated[date | None, Column("Day of the newest posting", enriches=False)] = None
    posting_titles: Annotated[list[str] | None, Column("Distinct titles of the open jobs, sorted", enriches=True)] = None
    postings: Annotated[Json | None, Column("The postings as the provider lists them", enriches=False)] = None


class Contacts(SignalRow):
    """People found at a lead's company, as the provider previews them before purchase."""

    table: ClassVar[str] = "signals.contacts"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    contact_count: Annotated[int | None, Column("Number of people listed, at most the configured limit", enriches=False)] = None
    contact_titles: Annotated[list[str] | None, Column("Distinct job titles of the people found, sorted", enriches=True)] = None
    contacts: Annotated[
        Json | None,
        Column('[{"id", "name", "title", "seniority", "email", "linkedin_url"}]; a surname may be obscured', pii="name", enriches=False),
    ] = None


EmailGrade = Literal["valid", "probable", "accept_all", "invalid", "unknown"]


class EmailAddress(SignalRow):
    """The best known e-mail address of a lead, its quality and its source."""

    table: ClassVar[str] = "signals.email"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    asks_about: ClassVar[tuple[str, ...]] = (
        "identity.leads.email_normalized",
        "identity.leads.name_first",
        "identity.leads.name_last",
        "identity.leads.company_domain",
        "identity.leads.linkedin_url",
    )

    email_address: Annotated[str | None, Column("Best known e-mail address", pii="email", enriches=True)] = None
    email_grade: Annotated[
        EmailGrade | None,
        Column("valid, probable (likely but unconfirmed), accept_all (the server accepts any address), invalid, unknown", enriches=True),
    ] = None
    email_score: Annotated[int | None, Column("The provider's own confidence, 0 to 100", enriches=False)] = None
    email_from: Annotated[
        Literal["own", "guess", "finder", "match"] | None,
        Column(
            "own: given by the lead; guess: built from name and domain, then verified; finder, match: known to a provider", enriches=False
        ),
    ] = None
