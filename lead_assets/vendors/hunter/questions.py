"""Questions in Hunter's terms: addresses guessed from the patterns it reports."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from lead_assets.core.columns import PLAIN_LETTERS
from lead_assets.vendors.questions import Ask, LeadFacts, Question

MAX_GUESSES = 2
"""Most guesses per lead. A guess costs half a credit, right or wrong; from the third on, the finder is cheaper: one credit, and only for a hit."""

# The most common patterns of business addresses, in Hunter's notation; together they cover four in five addresses.
_PATTERNS = ("{first}.{last}", "{f}{last}")

_PLAIN = str.maketrans(PLAIN_LETTERS)


def guessed_addresses(facts: LeadFacts) -> list[Question]:
    """Addresses built from name and domain: by the domain's pattern if Hunter reported one, otherwise by the most common ones."""
    if not (facts.first_name and facts.last_name and facts.company_domain):
        return []
    if facts.so_far.get("email_grade") == "accept_all" and str(facts.so_far.get("email_address")).endswith(f"@{facts.company_domain}"):
        return []  # a server that accepts any address cannot confirm a guess
    found = facts.known.get("hunter.domain-search")
    pattern = found.get("pattern") if isinstance(found, dict) else None
    patterns = [pattern] if isinstance(pattern, str) and pattern else _PATTERNS
    first, last = _latin(facts.first_name), _latin(facts.last_name)
    if not first or not last:
        return []
    locals_ = [each.format(first=first, last=last, f=first[0], l=last[0]) for each in patterns[:MAX_GUESSES] if _is_hunters(each)]
    guesses = dict.fromkeys(f"{local}@{facts.company_domain}" for local in locals_)
    return [Question(guess, None, "email") for guess in guesses if guess != facts.email]


@lru_cache(maxsize=1_000)
def _is_hunters(pattern: str) -> bool:
    """Whether a pattern has only Hunter's places and what may stand in an address before the @."""
    return re.fullmatch(r"(?:\{(?:first|last|f|l)\}|[a-z0-9._-])+", pattern) is not None


_NOT_LATIN = re.compile(r"[^a-z]")


@lru_cache(maxsize=10_000)
def _latin(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().translate(_PLAIN))
    return _NOT_LATIN.sub("", plain)


QUESTIONS: dict[str, Ask] = {
    "guessed_addresses": guessed_addresses,
}
"""Questions by the names used in rules/signals.yaml."""
