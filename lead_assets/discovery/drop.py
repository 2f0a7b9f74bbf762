"""The results of a search as a drop: one payload per person, in the campaign API's format, plus the company's AI adoption.

Equal answers give equal bytes, so repeating a search within its lifetime gives a file that is already known. Does not belong here: ingesting the drop
(see `lead_assets.intake.ingest`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from lead_assets.contracts.base import canonical_json
from lead_assets.discovery.search import Person


def campaign_of(filters: Mapping[str, Sequence[str]]) -> str:
    """A campaign name derived from a search: equal searches get equal names."""
    words = "-".join("-".join(values) for values in filters.values())
    slug = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in words.lower())
    short = "-".join(part for part in slug.split("-") if part)[:40].strip("-")
    return f"discovery-{short}-{hashlib.sha256(canonical_json(filters).encode()).hexdigest()[:8]}"


def payloads(people: Sequence[Person], companies: Sequence[Mapping[str, Any]], campaign: str) -> list[dict[str, Any]]:
    """Lead payloads, one per person whose company is among the rows of `companies.describe`."""
    rows = {row["domain"]: row for row in companies}
    return [_payload(person, rows[person.domain], campaign) for person in people if person.domain in rows]


def as_ndjson(leads: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(canonical_json(lead) + "\n" for lead in leads).encode()


def _payload(person: Person, company: Mapping[str, Any], campaign: str) -> dict[str, Any]:
    record = person.record
    lead = {
        "lead_id": f"apollo:{record.get('id')}",
        "agent_id": "discovery",
        "campaign_id": campaign,
        "campaign_name": campaign,
        "name": record.get("name"),
        "email": record.get("email"),
        "organization": company["name"],
        "designation": record.get("title"),
        "linkedin_url": record.get("linkedin_url"),
        "website": f"https://{company['domain']}",
        "industry": company["industry"],
        "company_size": str(company["employees"]) if company["employees"] is not None else None,
        "city": record.get("city") or company["city"],
        "state": record.get("state") or company["state"],
        "country": record.get("country") or company["country"],
        "source": "discovery:apollo",
        "status": "discovered",
        "type": "discovery",
        "created_at": person.answered_at.isoformat() if person.answered_at else None,
        "email_status": record.get("email_status"),
        "ai_adoption_score": company["ai_adoption_score"],
        "ai_adoption_reasons": company["ai_adoption_reasons"],
    }
    return {name: value for name, value in lead.items() if value is not None}
