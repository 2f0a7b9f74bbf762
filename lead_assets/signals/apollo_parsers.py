"""What Apollo's records say: journaled organization or person in, the contract's value columns out. See `parsers` for the vocabulary."""

from __future__ import annotations

from typing import Any

from lead_assets.signals.parsers import Values, number, parser, text, texts, whole, year


@parser("apollo_organization")
def organization(body: Any) -> Values | None:
    """Apollo's organization object."""
    if not isinstance(body, dict):
        return None
    values: Values = {
        "organization_id": text(body.get("id")),
        "organization_name": text(body.get("name")),
        "company_description": text(body.get("short_description")),
        "company_industry": text(body.get("industry")),
        "employees": whole(body.get("estimated_num_employees")),
        "founded_year": year(body.get("founded_year")),
        "annual_revenue_usd": number(body.get("annual_revenue")),
        "funding_total_usd": number(body.get("total_funding")),
        "latest_round": text(body.get("latest_funding_stage")),
        "technologies": sorted(set(texts(body.get("technology_names")))) or None,
        "hq_city": text(body.get("city")),
        "hq_state": text(body.get("state")),
        "hq_country": text(body.get("country")),
    }
    return values if any(value is not None for name, value in values.items() if name != "organization_id") else None


@parser("apollo_person")
def person(body: Any) -> Values | None:
    """Apollo's person object."""
    if not isinstance(body, dict):
        return None
    employer = body.get("organization")
    values: Values = {
        "person_name": text(body.get("name")),
        "person_title": text(body.get("title")),
        "person_headline": text(body.get("headline")),
        "person_seniority": text(body.get("seniority")),
        "person_departments": sorted(set(texts(body.get("departments")))) or None,
        "person_email": (text(body.get("email")) or "").lower() or None,
        "person_email_status": text(body.get("email_status")),
        "person_company_domain": text(employer.get("primary_domain")) if isinstance(employer, dict) else None,
        "person_city": text(body.get("city")),
        "person_state": text(body.get("state")),
        "person_country": text(body.get("country")),
    }
    return values if any(value is not None for value in values.values()) else None
