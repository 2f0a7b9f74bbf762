"""Parses Apollo's answers: journaled organization, person or list in, a signal's value columns out."""

from __future__ import annotations

from typing import Any

from lead_assets.contracts.base import canonical_json
from lead_assets.core.values import day, number, text, texts, whole, year
from lead_assets.vendors.answers import Parser, Values, address_in, contacts_of, people_in

# Apollo's terms; "extrapolated" and "likely" are guesses from the company's address pattern.
_GRADES = {"verified": "valid", "extrapolated": "probable", "likely": "probable", "likely to engage": "probable"}


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


def job_postings(body: Any) -> Values | None:
    """Apollo's list of an organization's open jobs."""
    listed = body.get("postings") if isinstance(body, dict) else None
    postings = [each for each in listed if isinstance(each, dict) and text(each.get("title"))] if isinstance(listed, list) else []
    if not postings:
        return None
    postings.sort(key=lambda each: (str(each.get("posted_at")), str(each.get("id"))), reverse=True)
    return {
        "posting_count": len(postings),
        "latest_posting_on": max((posted for each in postings if (posted := day(each.get("posted_at")))), default=None),
        "posting_titles": sorted({title for each in postings if (title := text(each.get("title")))}),
        "postings": canonical_json(postings),
    }


def contacts(body: Any) -> Values | None:
    """People from Apollo's free search: surnames are obscured and addresses hidden."""
    return contacts_of(
        {
            "id": text(each.get("id")),
            "name": " ".join(part for key in ("first_name", "last_name_obfuscated") if (part := text(each.get(key)))),
            "title": text(each.get("title")),
            "seniority": text(each.get("seniority")),
            "email": None,
            "linkedin_url": text(each.get("linkedin_url")),
        }
        for each in people_in(body, "people")
    )


def matched_address(body: Any) -> Values | None:
    """Apollo's person object; its address may be locked or missing."""
    address = address_in(body)
    if address is None or address.startswith("email_not_unlocked@"):
        return None
    status = (text(body.get("email_status")) or "").lower()
    return {"email_address": address, "email_grade": _GRADES.get(status, "unknown"), "email_score": None, "email_from": "match"}


PARSERS: dict[str, Parser] = {
    "apollo_organization": organization,
    "apollo_person": person,
    "apollo_job_postings": job_postings,
    "apollo_contacts": contacts,
    "apollo_matched_address": matched_address,
}
"""Parsers by the names used in rules/signals.yaml."""
