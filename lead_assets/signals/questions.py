"""What a source is asked for a subject, where that is not the subject itself: an address guessed from a name, a vendor's id of a company.

Belongs here: one function a kind of question, registered by the name that rules/signals.yaml uses. Does not belong here: how a vendor is asked
(see the sources), what its answer says (see the parsers).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lead_assets.signals.subjects import SubjectKind

MAX_GUESSES = 2
"""A guess costs half a credit whether it is right or not: from the third on, the finder's whole credit, due only for a hit, is cheaper."""

# The commonest patterns of business addresses, in Hunter's notation; together they fit four addresses in five.
_PATTERNS = ("{first}.{last}", "{f}{last}")

# Letters that Unicode does not decompose into a Latin letter and a mark.
_PLAIN = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"})


@dataclass(frozen=True)
class Facts:
    """What there is to ask with: a lead's own columns, what other signals' answers said, and what this signal knows so far."""

    subject: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company_domain: str | None = None
    profile: str | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    """Bodies of other signals' answers, by provider-qualified operation (see `needs` and `reads` in rules/signals.yaml)."""
    so_far: Mapping[str, Any] = field(default_factory=dict)

    def subject_of(self, kind: SubjectKind) -> str | None:
        """What another signal would call this subject."""
        named = {"company_domain": self.company_domain, "person_profile": self.profile, "email": self.email, "contact": self.subject}
        return named[kind]


@dataclass(frozen=True, slots=True)
class Question:
    """`subject` is what the answer is kept under, equal for equal questions; `payload` is what the client needs beside it."""

    subject: str
    payload: Any = None
    kind: SubjectKind | None = None


Ask = Callable[[Facts], list[Question]]
"""The questions for a subject, best first; the next is asked only if the one before it did not settle the matter. None: nothing to ask."""

QUESTIONS: dict[str, Ask] = {}


def question(name: str) -> Callable[[Ask], Ask]:
    """Registers a question under the name that rules/signals.yaml calls it by."""

    def register(function: Ask) -> Ask:
        if name in QUESTIONS:
            raise ValueError(f"two questions are called '{name}'")
        QUESTIONS[name] = function
        return function

    return register


@question("organization_id")
def organization_id(facts: Facts) -> list[Question]:
    """The company by Apollo's id of it, which its organization answer holds."""
    record = facts.known.get("apollo.organizations/bulk_enrich")
    identifier = record.get("id") if isinstance(record, dict) else None
    return [Question(facts.subject, {"organization_id": identifier})] if isinstance(identifier, str) and identifier else []


@question("own_address")
def own_address(facts: Facts) -> list[Question]:
    """The address that the lead gave."""
    return [Question(facts.email, kind="email")] if facts.email else []


@question("guessed_addresses")
def guessed_addresses(facts: Facts) -> list[Question]:
    """Addresses made of name and domain: by the domain's pattern where Hunter has told it, else by the commonest ones."""
    if not (facts.first_name and facts.last_name and facts.company_domain):
        return []
    if facts.so_far.get("email_grade") == "accept_all" and str(facts.so_far.get("email_address")).endswith(f"@{facts.company_domain}"):
        return []  # a server that takes any address confirms no guess
    found = facts.known.get("hunter.domain-search")
    pattern = found.get("pattern") if isinstance(found, dict) else None
    patterns = [pattern] if isinstance(pattern, str) and pattern else _PATTERNS
    locals_ = dict.fromkeys(local for each in patterns[:MAX_GUESSES] if (local := _local_part(each, facts.first_name, facts.last_name)))
    guesses = (f"{local}@{facts.company_domain}" for local in locals_)
    return [Question(guess, kind="email") for guess in guesses if guess != facts.email]


@question("person_at_company")
def person_at_company(facts: Facts) -> list[Question]:
    """Somebody of this name at this company."""
    if not (facts.first_name and facts.last_name and facts.company_domain):
        return []
    payload = {"first_name": facts.first_name, "last_name": facts.last_name, "domain": facts.company_domain}
    return [Question(f"{facts.first_name} {facts.last_name} @ {facts.company_domain}".lower(), payload)]


@question("known_person")
def known_person(facts: Facts) -> list[Question]:
    """The person by profile, which the person signal asks as well, else by name and company, else by address."""
    if facts.profile:
        return [Question(facts.profile, {"linkedin_url": facts.profile}, kind="person_profile")]
    by_name = person_at_company(facts)
    if by_name or not facts.email:
        return by_name
    return [Question(facts.email, {"email": facts.email}, kind="email")]


def _local_part(pattern: str, first_name: str, last_name: str) -> str | None:
    """The part of an address before the @; None where the name has no Latin letters or the pattern is not one of Hunter's."""
    first, last = _latin(first_name), _latin(last_name)
    if not first or not last:
        return None
    parts = {"first": first, "last": last, "f": first[0], "l": last[0]}
    local = re.sub(r"\{(\w+)\}", lambda found: parts.get(found[1], "{"), pattern)
    return local if re.fullmatch(r"[a-z0-9._-]+", local) else None


def _latin(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().translate(_PLAIN))
    return re.sub(r"[^a-z]", "", plain)
