"""Tables of the identity room: who each lead is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, Json, Sources, Table
from lead_assets.contracts.intake import LeadFields


class Lead(LeadFields):
    """One row per lead: its newest payload, with what only an older one says, and normalised columns beside the originals."""

    table: ClassVar[str] = "identity.leads"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="intake.raw_leads.campaign_id")]
    lead_id: Annotated[
        str,
        Column(
            "Lead id, unique in the campaign: that of the payload that arrived first. Of several people with one derived id, the first has it",
            source="intake.raw_leads.lead_id",
        ),
    ]
    adapter: Annotated[str, Column("Payload shape that matched", source="intake.raw_leads.adapter")]
    drop_sha256: Annotated[str, Column("Drop the lead came from", source="intake.raw_leads.drop_sha256")]
    position: Annotated[int, Column("Position in the drop", source="intake.raw_leads.position")]
    part: Annotated[int, Column("Number of the lead within its payload, from 1", source="intake.raw_leads.part")]
    received_at: Annotated[datetime, Column("When the drop was received", source="intake.raw_leads.received_at")]
    submitted_at: Annotated[datetime | None, Column("When the lead was submitted", source="intake.raw_leads.submitted_at")] = None
    payload: Annotated[Json, Column("The whole payload as it was read", pii="free_text", source="intake.raw_leads.payload")]

    email_normalized: Annotated[
        str | None,
        Column(
            "E-mail, normalised (email-validator); null if absent",
            pii="email",
            source=("intake.raw_leads.email_normalized", "intake.raw_leads.email"),
        ),
    ] = None
    email_kind: Annotated[
        Literal["business", "free", "disposable"] | None,
        Column("Kind of mailbox provider", source="intake.raw_leads.email"),
    ] = None
    company_domain: Annotated[
        str | None,
        Column(
            "Registrable domain of the company: from the website, otherwise from a business e-mail",
            source=("intake.raw_leads.website", "intake.raw_leads.email"),
        ),
    ] = None
    company_clean: Annotated[str | None, Column("Company name without its legal form", source="intake.raw_leads.company")] = None
    country_code: Annotated[
        str | None,
        Column(
            "Country, ISO 3166-1 alpha-2",
            source=(
                "intake.raw_leads.country",
                "intake.raw_leads.state",
                "intake.raw_leads.city",
                "intake.raw_leads.phone",
                "intake.raw_leads.website",
                "intake.raw_leads.email",
            ),
        ),
    ] = None
    country_source: Annotated[
        Literal["country", "state", "city", "phone", "domain"] | None,
        Column(
            "What says the country: the best of a country's name, a state, a city (in whichever field it stands), the phone, the web or mail domain",
            source=(
                "intake.raw_leads.country",
                "intake.raw_leads.state",
                "intake.raw_leads.city",
                "intake.raw_leads.phone",
                "intake.raw_leads.website",
                "intake.raw_leads.email",
            ),
        ),
    ] = None
    state_code: Annotated[
        str | None,
        Column(
            "State or province of the US or Canada, ISO 3166-2 without the country, e.g. CA",
            source=("intake.raw_leads.state", "intake.raw_leads.city", "intake.raw_leads.country"),
        ),
    ] = None
    state_source: Annotated[
        Literal["state", "city"] | None,
        Column(
            "What says the state or region: its own name or code, or the city",
            source=("intake.raw_leads.state", "intake.raw_leads.city", "intake.raw_leads.country"),
        ),
    ] = None
    region: Annotated[
        str | None,
        Column(
            "State, province or region of any country, ISO 3166-2, e.g. DE-BY",
            source=("intake.raw_leads.state", "intake.raw_leads.city", "intake.raw_leads.country"),
        ),
    ] = None
    city: Annotated[
        str | None,
        Column(
            "City: what in the lead's fields names one, as it was written; else the city as received",
            source=("intake.raw_leads.city", "intake.raw_leads.state", "intake.raw_leads.country"),
        ),
    ] = None
    postal_code: Annotated[
        str | None,
        Column(
            "Postal code: as received, else what stands in the lead's city, state or country",
            source=("intake.raw_leads.postal_code", "intake.raw_leads.city", "intake.raw_leads.state", "intake.raw_leads.country"),
        ),
    ] = None
    phone_e164: Annotated[
        str | None, Column("Phone in E.164; null if not a valid number", pii="phone", source="intake.raw_leads.phone")
    ] = None
    name_first: Annotated[
        str | None, Column("Given name", pii="name", source=("intake.raw_leads.first_name", "intake.raw_leads.full_name"))
    ] = None
    name_last: Annotated[
        str | None, Column("Family name", pii="name", source=("intake.raw_leads.last_name", "intake.raw_leads.full_name"))
    ] = None
    seniority: Annotated[
        Literal["c_suite", "founder", "vp", "head", "director", "manager", "senior", "entry"] | None,
        Column("Seniority read from the title", source="intake.raw_leads.title"),
    ] = None
    department: Annotated[
        Literal[
            "sales",
            "marketing",
            "engineering",
            "finance",
            "operations",
            "hr",
            "it",
            "legal",
            "product",
            "data",
            "support",
            "executive",
        ]
        | None,
        Column("Department read from the title", source="intake.raw_leads.title"),
    ] = None
    shared_domain: Annotated[
        str | None,
        Column(
            "Domain that would be the company's, if the leads of this campaign that have it did not name many different companies: a provider that no list "
            "knows. It is nobody's account",
            source=("intake.raw_leads.website", "intake.raw_leads.email"),
        ),
    ] = None
    possible_duplicates: Annotated[
        list[str] | None,
        Column(
            "lead_ids of the campaign that may be the same person (a key is shared and the names fit, but it is not certain), for somebody to look at. None is "
            "dropped; null if there are none"
        ),
    ] = None
    account_key: Annotated[
        str,
        Column(
            "Account that ownership is decided by: the company domain, otherwise 'person:' and a hash of the person's identity",
            source=(
                "intake.raw_leads.website",
                "intake.raw_leads.email",
                "intake.raw_leads.linkedin_url",
                "intake.raw_leads.phone",
                "intake.raw_leads.full_name",
            ),
        ),
    ]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        of_a_person = ("intake.raw_leads.email", "intake.raw_leads.linkedin_url", "intake.raw_leads.phone", "intake.raw_leads.full_name")
        return {"possible_duplicates": ("intake.raw_leads.lead_id", *of_a_person), "*": "intake.raw_leads.*"}


class Duplicate(Table):
    """Every readable payload that is not the newest of its lead, or says what the one before it said, and the lead it belongs to."""

    table: ClassVar[str] = "identity.duplicates"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "drop_sha256", "position", "part")

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="intake.raw_leads.campaign_id")]
    lead_id: Annotated[str, Column("The duplicate's own lead id", source="intake.raw_leads.lead_id")]
    drop_sha256: Annotated[str, Column("Drop the duplicate came from", source="intake.raw_leads.drop_sha256")]
    position: Annotated[int, Column("Position in the drop", source="intake.raw_leads.position")]
    part: Annotated[int, Column("Number of the lead within its payload, from 1", source="intake.raw_leads.part")]
    received_at: Annotated[datetime, Column("When the drop was received", source="intake.raw_leads.received_at")]
    submitted_at: Annotated[datetime | None, Column("When it was submitted", source="intake.raw_leads.submitted_at")] = None
    duplicate_of: Annotated[str, Column("lead_id of the lead that was kept")]
    kept_drop_sha256: Annotated[str, Column("Drop of the payload that was kept")]
    kept_position: Annotated[int, Column("Position of the payload that was kept")]
    kept_part: Annotated[int, Column("Number of the kept lead within its payload")]
    matched_on: Annotated[
        Literal["lead_id", "person"],
        Column(
            "What identified it as the same lead: its id, or evidence of one person (mailbox, LinkedIn profile, or phone, together with the name)"
        ),
    ]
    payload: Annotated[Json, Column("The duplicate's payload", pii="free_text", source="intake.raw_leads.payload")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        of_a_person = ("intake.raw_leads.email", "intake.raw_leads.linkedin_url", "intake.raw_leads.phone", "intake.raw_leads.full_name")
        return {
            "duplicate_of": "intake.raw_leads.lead_id",
            "kept_drop_sha256": "intake.raw_leads.drop_sha256",
            "kept_position": "intake.raw_leads.position",
            "kept_part": "intake.raw_leads.part",
            "matched_on": ("intake.raw_leads.lead_id", *of_a_person),
        }


class SuppressedLead(Table):
    """People who asked not to be processed or contacted: counted, named by id only, and kept out of every later room."""

    table: ClassVar[str] = "identity.suppressed"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    campaign_id: Annotated[str, Column("Campaign: the partition key", source="intake.raw_leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="intake.raw_leads.lead_id")]
    reason: Annotated[str, Column("Why, as recorded with the suppression")]
    suppressed_at: Annotated[datetime, Column("When the suppression was recorded")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"reason suppressed_at": "ledger.suppressions"}
