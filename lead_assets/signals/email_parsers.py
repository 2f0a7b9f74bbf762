"""What providers say of an e-mail address: journaled body in, the columns of signals.email out. See `parsers` for the vocabulary.

Belongs here: the grade of an address, from each provider's own words for it. Does not belong here: which addresses are asked about (`questions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lead_assets.core.values import text, whole
from lead_assets.signals.parsers import Values, parser

PROBABLE_SCORE = 80
"""Hunter's confidence from which an address it has found but not verified is called probable. Our choice: Hunter names no threshold."""

_HUNTER_GRADES = {"valid": "valid", "accept_all": "accept_all", "invalid": "invalid", "disposable": "invalid", "webmail": "probable"}
# Apollo's words; "extrapolated" and "likely" are its guesses from the company's pattern.
_APOLLO_GRADES = {"verified": "valid", "extrapolated": "probable", "likely": "probable", "likely to engage": "probable"}


def _hunter_verification(origin: str, *, only: frozenset[str] | None = None) -> Callable[[Any], Values | None]:
    def verification(body: Any) -> Values | None:
        address = _address(body)
        status = text(body.get("status")) if address else None
        if status is None:
            return None
        grade = _HUNTER_GRADES.get(status, "unknown")
        if only is not None and grade not in only:
            return None
        return {"email_address": address, "email_grade": grade, "email_score": whole(body.get("score")), "email_from": origin}

    return verification


parser("hunter_own_address")(_hunter_verification("own"))
# A guess that is not confirmed says nothing of the lead: it is no address of theirs.
parser("hunter_guessed_address")(_hunter_verification("guess", only=frozenset({"valid", "accept_all"})))


@parser("hunter_found_address")
def found_address(body: Any) -> Values | None:
    """Hunter's finder, which has verified some of what it finds."""
    address = _address(body)
    if address is None:
        return None
    verification = body.get("verification")
    status = text(verification.get("status")) if isinstance(verification, dict) else None
    score = whole(body.get("score"))
    grade = _HUNTER_GRADES.get(status or "") or ("probable" if (score or 0) >= PROBABLE_SCORE else "unknown")
    return {"email_address": address, "email_grade": grade, "email_score": score, "email_from": "finder"}


@parser("apollo_matched_address")
def matched_address(body: Any) -> Values | None:
    """Apollo's person object, whose address may be locked or missing."""
    address = _address(body)
    if address is None or address.startswith("email_not_unlocked@"):
        return None
    status = (text(body.get("email_status")) or "").lower()
    return {"email_address": address, "email_grade": _APOLLO_GRADES.get(status, "unknown"), "email_score": None, "email_from": "match"}


def _address(body: Any) -> str | None:
    found = text(body.get("email")) if isinstance(body, dict) else None
    return found.lower() if found and "@" in found else None
