"""The vocabulary of parsers, and parsing that several vendors share.

Belongs here: shapes that more than one vendor fills. Does not belong here: any one vendor's wire format (its own `parsers`), or plain values (see
`lead_assets.core.values`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lead_assets.contracts.base import canonical_json
from lead_assets.core.values import text

Values = dict[str, Any]

Parser = Callable[[Any], Values | None]
"""Turns a journaled body into the signal's value columns; None if it holds nothing usable, so that the next source is asked."""


def people_in(body: Any, name: str) -> list[dict[str, Any]]:
    listed = body.get(name) if isinstance(body, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def contacts_of(people: Iterable[Values]) -> Values | None:
    listed = [each for each in people if each["name"] or each["email"]]
    if not listed:
        return None
    titles = sorted({each["title"] for each in listed if each["title"]})
    return {"contact_count": len(listed), "contact_titles": titles or None, "contacts": canonical_json(listed)}


def address_in(body: Any) -> str | None:
    found = text(body.get("email")) if isinstance(body, dict) else None
    return found.lower() if found and "@" in found else None
