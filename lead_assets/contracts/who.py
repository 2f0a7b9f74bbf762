"""Tables of the identity room over all campaigns: who is who."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Grain, References, Sources, Table

_NODE = "Number of the distinct record; rows that say the same share it"


_OF_A_PERSON = (
    *(f"identity.leads.{name}" for name in ("email_normalized", "linkedin_url", "phone_e164", "name_first", "name_last")),
    "identity.leads.property_address",
)
_OF_AN_ACCOUNT = ("identity.leads.company_domain", "identity.leads.company_clean", "identity.leads.country_code")


class KnownPerson(Table):
    """One row per person: leads of any campaign that are the same human being, under whatever e-mail or spelling."""

    table: ClassVar[str] = "identity.people"
    key: ClassVar[tuple[str, ...]] = ("person_id",)
    grain: ClassVar[Grain] = "home"

    person_id: Annotated[
        str, Column("Person. The id stays when leads arrive, change or go; when two people become one, the older id stays")
    ]
    full_name: Annotated[str | None, Column("Name, from the newest lead that has one", pii="name", source="identity.leads.name_last")] = (
        None
    )
    email: Annotated[
        str | None, Column("E-mail of the newest lead that has one", pii="email", source="identity.leads.email_normalized")
    ] = None
    account_id: Annotated[
        str | None, Column("Account of the newest lead that has one; join identity.accounts", source="identity.accounts.account_id")
    ] = None
    leads: Annotated[int, Column("Number of leads", low=1)]
    campaigns: Annotated[int, Column("Number of campaigns", low=1)]
    emails: Annotated[int, Column("Number of different e-mail addresses", low=0)]
    first_campaign_id: Annotated[str, Column("Campaign of the lead that was received first", source="identity.leads.campaign_id")]
    first_lead_id: Annotated[str, Column("The lead that was received first", source="identity.leads.lead_id")]
    first_received_at: Annotated[datetime, Column("When it was received", source="identity.leads.received_at")]
    last_received_at: Annotated[datetime, Column("When the newest lead was received", source="identity.leads.received_at")]
    customer: Annotated[bool, Column("True if a lead was won, or the account is a customer", source="identity.leads.outcome")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {
            "leads campaigns": ("identity.person_leads.campaign_id", "identity.person_leads.lead_id"),
            "emails": "identity.leads.email_normalized",
            "person_id": (*_OF_A_PERSON, "rules.files"),
        }


class PersonLead(Table):
    """One row per lead of any campaign: its person and its account."""

    table: ClassVar[str] = "identity.person_leads"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    grain: ClassVar[Grain] = "home"
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    person_id: Annotated[str, Column("Person")]
    account_id: Annotated[str | None, Column("Account; null if the lead names no company")] = None
    node: Annotated[int, Column(_NODE, low=0)]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"account_id": (*_OF_AN_ACCOUNT, "rules.files"), "*": (*_OF_A_PERSON, "rules.files")}


class KnownAccount(Table):
    """One row per company: domains and names, of leads of any campaign, that are the same company."""

    table: ClassVar[str] = "identity.accounts"
    key: ClassVar[tuple[str, ...]] = ("account_id",)
    grain: ClassVar[Grain] = "home"

    account_id: Annotated[str, Column("Account. The id stays in the same way as a person's")]
    name: Annotated[str | None, Column("Its most frequent name, normalised for comparison", source="identity.leads.company_clean")] = None
    account_key: Annotated[str, Column("The account key of the domain that was known first; otherwise the first name")]
    domains: Annotated[list[str], Column("Its domains, sorted", source="identity.leads.company_domain")]
    members: Annotated[int, Column("Number of domains and of names without a domain", low=1)]
    leads: Annotated[int, Column("Number of leads", low=1)]
    people: Annotated[int, Column("Number of people", low=1)]
    campaigns: Annotated[int, Column("Number of campaigns", low=1)]
    first_received_at: Annotated[datetime, Column("When its first lead was received", source="identity.leads.received_at")]
    customer: Annotated[bool, Column("True if a lead of any of its members was won", source="identity.leads.outcome")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {
            "account_id members account_key": (*_OF_AN_ACCOUNT, "rules.files"),
            "people": "identity.person_leads.person_id",
            "leads campaigns": ("identity.person_leads.campaign_id", "identity.person_leads.lead_id"),
        }


class AccountMember(Table):
    """One row per domain, and per company name without a domain: the account that it belongs to."""

    table: ClassVar[str] = "identity.account_members"
    key: ClassVar[tuple[str, ...]] = ("member",)
    grain: ClassVar[Grain] = "home"

    member: Annotated[str, Column("The domain; otherwise 'name:', the name and the country", source="identity.leads.company_domain")]
    account_id: Annotated[str, Column("Account")]
    name: Annotated[str | None, Column("Company name that most of its leads give, normalised for comparison")] = None
    label: Annotated[str | None, Column("First part of the domain; the name without spaces if there is none")] = None
    phone: Annotated[str | None, Column("Phone that most of its leads give", pii="phone")] = None
    postcode: Annotated[str | None, Column("Postal code that most of its leads give")] = None
    city: Annotated[str | None, Column("City that most of its leads give")] = None
    country: Annotated[str | None, Column("Country that most of its leads give, ISO 3166-1 alpha-2")] = None
    node: Annotated[int, Column(_NODE, low=0)]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": (*_OF_AN_ACCOUNT, "rules.files")}


class IdentityLink(Table):
    """One row per pair of records that is one person or account, or nearly: what it weighs. `lead-assets identity explain` shows why."""

    table: ClassVar[str] = "identity.links"
    key: ClassVar[tuple[str, ...]] = ("kind", "one", "other")
    grain: ClassVar[Grain] = "home"

    kind: Annotated[Literal["person", "account"], Column("People or accounts")]
    one: Annotated[int, Column(_NODE + "; see identity.person_leads or identity.account_members", low=0)]
    other: Annotated[int, Column("Number of the other record", low=0)]
    weight: Annotated[float, Column("Evidence in bits: above 0 for one person or account, below 0 against; see rules/identity.yaml")]
    accepted: Annotated[bool, Column("True if both are one person or account")]
    by_key: Annotated[bool, Column("False for a pair that shares no key, and was only compared because others connect it")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": (*_OF_A_PERSON, *_OF_AN_ACCOUNT, "rules.files")}


class VagueKey(Table):
    """One row per key that too many records share to compare them all: each was compared with its neighbours only, by this key."""

    table: ClassVar[str] = "identity.vague_keys"
    key: ClassVar[tuple[str, ...]] = ("kind", "key_name", "block")
    grain: ClassVar[Grain] = "home"

    kind: Annotated[Literal["person", "account"], Column("People or accounts")]
    key_name: Annotated[str, Column("What they share, e.g. phone")]
    block: Annotated[int, Column("Number that stands for the shared value", low=0)]
    records: Annotated[int, Column("Distinct records that share it", low=1)]
    compared: Annotated[int, Column("Pairs of records compared because of it", low=0)]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": (*_OF_A_PERSON, *_OF_AN_ACCOUNT)}
