"""The country that the ending of a domain says, where it is not one that is sold to everybody (domain_endings.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lead_assets.core.places.names import iso_codes
from lead_assets.core.shipped import read_shipped


def country_of_domain(domain: str) -> str | None:
    """ISO 3166-1 alpha-2: "firma.de" → DE, "shop.com.co" → CO, "shop.co", "shop.io" and "shop.com" → None."""
    labels = domain.lower().rstrip(".").split(".")
    ending = labels[-1]
    if len(labels) < 2 or domain.lower() in _endings()["providers"]:
        return None
    if ending in _endings()["generic"] and (len(labels) < 3 or labels[-2] not in _endings()["local_second_levels"]):
        return None
    other = _endings()["others"].get(ending)
    code = ending.upper()
    return other if other else code if code in iso_codes() else None


@cache
def _endings() -> dict[str, Any]:
    found = read_shipped(Path(__file__).with_name("domain_endings.yaml"), only_text=True)
    return found | {"generic": frozenset(found["generic"]), "providers": frozenset(found["providers"])}
