"""Questions to vendors that differ from the subject itself: an address guessed from a name, a vendor's id for a company.

Belongs here: the vocabulary of questions, and those that work for any vendor. Does not belong here: questions in one vendor's terms (its own
`questions`), how a vendor is asked (its `source`), what its answer says (its `parsers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from lead_assets.vendors.offer import SubjectKind

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class LeadFacts(NamedTuple):
    """What a question can use: the lead's columns, the answers of other signals, and what this signal knows so far."""

    subject: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company_domain: str | None = None
    profile: str | None = None
    known: Mapping[str, Any] = _NOTHING
    """Bodies of other signals' answers, by provider-qualified operation (see `needs` and `reads` in rules/signals.yaml)."""
    so_far: Mapping[str, Any] = _NOTHING

    def subject_of(self, kind: SubjectKind) -> str | None:
        """The name that another signal would use for this subject."""
        named = {"company_domain": self.company_domain, "person_profile": self.profile, "email": self.email, "contact": self.subject}
        return named[kind]

    def with_answers(self, known: Mapping[str, Any], so_far: Mapping[str, Any]) -> LeadFacts:
        return LeadFacts(*self[:6], known, so_far)


class Question(NamedTuple):
    """`subject` identifies the answer and is equal for equal questions; `payload` is what else the client needs."""

    subject: str
    payload: Any = None
    kind: SubjectKind | None = None


Ask = Callable[[LeadFacts], list[Question]]
"""The questions for a subject, best first. The next is asked only if the previous one did not settle the matter. None: nothing to ask."""


def own_address(facts: LeadFacts) -> list[Question]:
    """The address that the lead gave."""
    return [Question(facts.email, kind="email")] if facts.email else []


def person_at_company(facts: LeadFacts) -> list[Question]:
    """A person with this name at this company."""
    if not (facts.first_name and facts.last_name and facts.company_domain):
        return []
    payload = {"first_name": facts.first_name, "last_name": facts.last_name, "domain": facts.company_domain}
    return [Question(f"{facts.first_name} {facts.last_name} @ {facts.company_domain}".lower(), payload)]


QUESTIONS: dict[str, Ask] = {
    "own_address": own_address,
    "person_at_company": person_at_company,
}
"""Questions by the names used in rules/signals.yaml."""
