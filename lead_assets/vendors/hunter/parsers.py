"""Parses Hunter's answers: journaled list or verdict in, a signal's value columns out.

Belongs here: the grade of an address, from Hunter's verdict. Does not belong here: which addresses to ask about (`questions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lead_assets.core.values import text, whole
from lead_assets.vendors.answers import Parser, Values, address_in, contacts_of, people_in

PROBABLE_SCORE = 80
"""Hunter's confidence from which an unverified address counts as probable. Our own choice: Hunter gives no threshold."""

_GRADES = {"valid": "valid", "accept_all": "accept_all", "invalid": "invalid", "disposable": "invalid", "webmail": "probable"}


def contacts(body: Any) -> Values | None:
    """People from Hunter's domain search."""
    return contacts_of(
        {
            "id": None,
            "name": " ".join(part for key in ("first_name", "last_name") if (part := text(each.get(key)))),
            "title": text(each.get("position")),
            "seniority": text(each.get("seniority")),
            "email": (text(each.get("value")) or "").lower() or None,
            "linkedin_url": text(each.get("linkedin")),
        }
        for each in people_in(body, "emails")
    )


def _verification(origin: str, *, only: frozenset[str] | None = None) -> Callable[[Any], Values | None]:
    def verification(body: Any) -> Values | None:
        address = address_in(body)
        status = text(body.get("status")) if address else None
        if status is None:
            return None
        grade = _GRADES.get(status, "unknown")
        if only is not None and grade not in only:
            return None
        return {"email_address": address, "email_grade": grade, "email_score": whole(body.get("score")), "email_from": origin}

    return verification


own_address = _verification("own")
# An unconfirmed guess says nothing about the lead: it is not their address.
guessed_address = _verification("guess", only=frozenset({"valid", "accept_all"}))


def found_address(body: Any) -> Values | None:
    """Hunter's finder, which has verified some of its finds."""
    address = address_in(body)
    if address is None:
        return None
    verification = body.get("verification")
    status = text(verification.get("status")) if isinstance(verification, dict) else None
    score = whole(body.get("score"))
    grade = _GRADES.get(status or "") or ("probable" if (score or 0) >= PROBABLE_SCORE else "unknown")
    return {"email_address": address, "email_grade": grade, "email_score": score, "email_from": "finder"}


PARSERS: dict[str, Parser] = {
    "hunter_contacts": contacts,
    "hunter_own_address": own_address,
    "hunter_guessed_address": guessed_address,
    "hunter_found_address": found_address,
}
"""Parsers by the names used in rules/signals.yaml."""
