"""Tables of the intake room: the payloads that could be read and those that could not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from lead_assets.contracts.base import Column, Json, Sources, Table


class LeadFields(Table):
    """The fields a lead may have, as received: text is unchanged except for surrounding white space."""

    email: Annotated[str | None, Column("E-mail address as received", pii="email")] = None
    phone: Annotated[str | None, Column("Phone number as received", pii="phone")] = None
    full_name: Annotated[str | None, Column("Full name as received", pii="name")] = None
    first_name: Annotated[str | None, Column("First name as received", pii="name")] = None
    last_name: Annotated[str | None, Column("Last name as received", pii="name")] = None
    company: Annotated[str | None, Column("Company name as received")] = None
    title: Annotated[str | None, Column("Job title as received")] = None
    website: Annotated[str | None, Column("Company website as received")] = None
    linkedin_url: Annotated[str | None, Column("LinkedIn profile of the person", pii="profile")] = None
    country: Annotated[str | None, Column("Country as received")] = None
    state: Annotated[str | None, Column("State or province as received (a lending form's property state)")] = None
    city: Annotated[str | None, Column("City as received (a lending form's property city)")] = None
    postal_code: Annotated[str | None, Column("Postal code as received")] = None
    industry: Annotated[str | None, Column("Industry as received")] = None
    company_size: Annotated[str | None, Column("Company size as received, e.g. '51-200'")] = None
    source: Annotated[str | None, Column("Where the lead came from, according to the sender: form, ad, event")] = None
    status: Annotated[str | None, Column("Status in the sending system")] = None
    notes: Annotated[str | None, Column("Free text of the lead: notes of a lending form, bio of a CRM row", pii="free_text")] = None
    property_address: Annotated[str | None, Column("Street address of the property", pii="address")] = None
    property_type: Annotated[str | None, Column("Property type as received")] = None
    loan_amount_requested: Annotated[float | None, Column("Loan amount requested, US dollars")] = None
    purchase_price: Annotated[float | None, Column("Purchase price, US dollars")] = None
    estimated_arv: Annotated[float | None, Column("Estimated after-repair value, US dollars")] = None
    web_activity_score: Annotated[float | None, Column("Web activity score of the sending CRM, 0-100")] = None
    email_engagement_score: Annotated[float | None, Column("E-mail engagement score of the sending CRM, 0-100")] = None
    outcome: Annotated[str | None, Column("Outcome of the lead in a past campaign: won, lost, no_response")] = None
    outcome_at: Annotated[datetime | None, Column("When the outcome was known")] = None
    given: Annotated[
        Json | None,
        Column(
            'What the source says of the company or mailbox that a signal would buy, by column of enriched_leads: {"technologies": {"value", "as_of"}}; '
            "as_of is null if the source does not date it. Null if there is nothing",
            pii="email",
        ),
    ] = None
    extra: Annotated[Json, Column("Payload fields that have no column of their own, as a JSON object", pii="free_text")] = "{}"
    unread_fields: Annotated[
        list[str] | None,
        Column("Columns that are null because the sent value could not be read; `extra` has the value. Null if there are none"),
    ] = None
    implied_profile: Annotated[str | None, Column("Profile that the payload's shape implies, whatever the lead says")] = None


class RawLead(LeadFields):
    """One row per lead in a readable payload, before duplicates are removed, with the drop and position it came from."""

    table: ClassVar[str] = "intake.raw_leads"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "drop_sha256", "position", "part")

    campaign_id: Annotated[str, Column("Campaign the lead belongs to: the partition key")]
    lead_id: Annotated[str, Column("The sender's id, or one derived from the lead's identity: 'ld_' and 16 hex digits")]
    adapter: Annotated[str, Column("Payload shape used to read it: a name from `lead-assets shapes`")]
    drop_sha256: Annotated[str, Column("SHA-256 of the drop's bytes: its name in the archive")]
    drop_name: Annotated[str, Column("File name or origin of the drop")]
    position: Annotated[int, Column("Position in the drop, from 1: line of NDJSON or CSV (the header is line 1), or element of an array")]
    part: Annotated[int, Column("Number of the lead within its payload, from 1: a webhook payload may contain several")]
    received_at: Annotated[datetime, Column("When the drop was received")]
    submitted_at: Annotated[datetime | None, Column("When the lead was submitted, according to the sender")] = None
    source_campaign: Annotated[str | None, Column("Campaign id as the sender wrote it")] = None
    payload: Annotated[
        Json,
        Column(
            "The whole payload as a JSON object, as read; if it contains several leads, only this lead's part",
            pii="free_text",
        ),
    ]
    email_normalized: Annotated[str | None, Column("E-mail, normalised (email-validator); null if absent", pii="email")] = None

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": "archive.drops"}


class RejectedPayload(Table):
    """Every rejected payload, with the reason and its raw text, so that it can be fixed and sent again."""

    table: ClassVar[str] = "intake.rejected_payloads"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "drop_sha256", "received_at", "position", "part")

    campaign_id: Annotated[str, Column("Campaign of the payload, or of the drop if the payload's own cannot be read")]
    drop_sha256: Annotated[str, Column("SHA-256 of the drop's bytes: its name in the archive")]
    drop_name: Annotated[str, Column("File name or origin of the drop")]
    position: Annotated[int, Column("Position in the drop, from 1; 0 means the whole file")]
    part: Annotated[int, Column("Number of the lead within the payload, from 1")]
    received_at: Annotated[datetime, Column("When the drop was received")]
    code: Annotated[str, Column("Machine-readable reason, e.g. not_json, truncated_json, duplicate_key, invalid_email")]
    reason: Annotated[str, Column("What is wrong and what to do, without the value itself")]
    field: Annotated[str | None, Column("Field at fault, if there is one")] = None
    raw_text: Annotated[
        str,
        Column("The payload as received, cut at 64 KiB; bytes that are not text are escaped", pii="free_text"),
    ]
    raw_bytes: Annotated[int, Column("Size of the whole payload in bytes")]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"*": "archive.drops"}
