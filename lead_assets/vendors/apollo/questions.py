"""Questions in Apollo's terms."""

from __future__ import annotations

from lead_assets.vendors.questions import Ask, LeadFacts, Question, person_at_company


def organization_id(facts: LeadFacts) -> list[Question]:
    """The company by Apollo's id, which its organization answer contains."""
    record = facts.known.get("apollo.organizations/bulk_enrich")
    identifier = record.get("id") if isinstance(record, dict) else None
    return [Question(facts.subject, {"organization_id": identifier})] if isinstance(identifier, str) and identifier else []


def known_person(facts: LeadFacts) -> list[Question]:
    """The person by profile, as the person signal asks too; otherwise by name and company; otherwise by address."""
    if facts.profile:
        return [Question(facts.profile, {"linkedin_url": facts.profile}, kind="person_profile")]
    by_name = person_at_company(facts)
    if by_name or not facts.email:
        return by_name
    return [Question(facts.email, {"email": facts.email}, kind="email")]


QUESTIONS: dict[str, Ask] = {
    "organization_id": organization_id,
    "known_person": known_person,
}
"""Questions by the names used in rules/signals.yaml."""
