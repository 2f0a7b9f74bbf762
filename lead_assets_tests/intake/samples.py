"""Leads of each shape for the intake tests, and helpers to read a drop. Everybody here is made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from lead_assets.core.limits import DropLimits
from lead_assets.intake.drops import Drops, read_drops

LIMIT = 1 << 20
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

LENDING: dict[str, Any] = {
    "lead_id": "lf_1",
    "submitted_at": "2026-11-01T09:00:00Z",
    "first_name": "Mara",
    "last_name": "Okafor",
    "email": "mara@okafor-homes.example",
    "phone": "(512) 555-0142",
    "property_address": "12 Cedar Lane",
    "property_city": "Austin",
    "property_state": "TX",
    "property_type": "single_family",
    "loan_amount_requested": 450000,
    "purchase_price": "$600,000",
    "estimated_arv": "1.2e6",
    "notes": "Closing in three weeks.",
    "source": "web_form",
    "utm_campaign": "lending-q4",
}
INBOUND: dict[str, Any] = {
    "email": "Ines@Nordlys.example",
    "company": "Nordlys AS",
    "full_name": "Ines Berg",
    "title": "Head of Data",
    "source": "webinar",
    "country": "Norge",
    "website": "nordlys.example",
}
CAMPAIGN_API: dict[str, Any] = {
    "lead_id": "ld_9",
    "agent_id": "ag_1",
    "campaign_id": "cmp_1",
    "campaign_name": "Q4 RevOps",
    "name": "Jo Park",
    "email": "jo@harborworks.example",
    "phone": None,
    "organization": "Harborworks",
    "designation": "VP Sales",
    "linkedin_url": "https://www.linkedin.com/in/jo-park",
    "website": None,
    "status": "new",
    "type": None,
    "created_at": "2026-11-02T10:00:00+01:00",
}
CRM: dict[str, Any] = {
    "customer_id": 4711,
    "name": "Lena Vogt",
    "industry": "Logistics",
    "company_size": "51-200",
    "country": "Deutschland",
    "job_title": "COO",
    "bio": "Runs operations.",
    "web_activity_score": 71,
    "email_engagement_score": "38.5",
    "email": "lena@vogt-spedition.example",
}


def ndjson(*payloads: dict[str, Any] | bytes) -> bytes:
    return b"\n".join(item if isinstance(item, bytes) else json.dumps(item).encode() for item in payloads) + b"\n"


def read(data: bytes, *, column_map: dict[str, str] | None = None, **options: Any) -> Drops:
    return read_drops([(data, column_map or {})], limits=options.pop("limits", DropLimits(LIMIT)), **options)


def codes(drop: Drops) -> list[tuple[int, str, str | None]]:
    """(position, code, field) of every reject."""
    return list(drop.rejects.select("position", "code", "field").sort("position").iter_rows())


def lead(payload: dict[str, Any]) -> dict[str, Any]:
    """The one row a payload becomes."""
    drop = read(ndjson(payload))
    assert codes(drop) == []
    return drop.leads.row(0, named=True)
