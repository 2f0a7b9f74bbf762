"""The companies that can be discovered: a few hundred made-up domains, searchable by their facts in `world`."""

from __future__ import annotations

import re
from functools import cache

from lead_assets.sandbox.world import Company, company

_FIRST = [
    "amber",
    "beacon",
    "cobalt",
    "delta",
    "ember",
    "fjord",
    "granite",
    "harbor",
    "iron",
    "juniper",
    "kestrel",
    "lumen",
    "maple",
    "north",
]
_FIRST += ["opal", "pioneer", "quarry", "ridge", "summit", "tidal", "umbra", "vista", "willow", "zephyr"]
_SECOND = [
    "analytics",
    "builders",
    "capital",
    "clinics",
    "freight",
    "health",
    "homes",
    "industries",
    "learning",
    "logistics",
    "media",
    "outfitters",
]
_SECOND += ["payments", "properties", "robotics", "software", "supply", "systems"]
_STAGE_CODES = {"0": "Seed", "2": "Series A", "3": "Series B", "4": "Series C", "5": "Series D"}
FILTERS = (
    "q_organization_name",
    "q_organization_keyword_tags",
    "organization_locations",
    "organization_num_employees_ranges",
    "organization_industries",
    "organization_latest_funding_stage_cd",
    "currently_using_any_of_technology_uids",
)
"""The supported Apollo filters; others are ignored, as Apollo does."""


@cache
def _all() -> tuple[Company, ...]:
    return tuple(company(f"{first}-{second}.example") for first in _FIRST for second in _SECOND)


def find_companies(filters: dict[str, list[str]]) -> list[Company]:
    """Companies that match all filters (by Apollo's names), always in the same order."""
    return [facts for facts in _all() if all(_meets(facts, name, values) for name, values in filters.items())]


def _meets(facts: Company, name: str, values: list[str]) -> bool:
    wanted = [value.strip().lower() for value in values]
    match name:
        case "q_organization_name":
            return any(value in facts.name.lower() for value in wanted)
        case "q_organization_keyword_tags":
            about = " ".join([facts.industry.name, facts.description, *facts.industry.keywords, *facts.technologies]).lower()
            return any(value in about for value in wanted)
        case "organization_locations":
            return any(value in facts.region.lower() for value in wanted)
        case "organization_industries":
            return any(value in facts.industry.name.lower() for value in wanted)
        case "organization_num_employees_ranges":
            return any(low <= facts.headcount <= high for low, high in map(_span, wanted))
        case "organization_latest_funding_stage_cd":
            latest = facts.rounds[-1].stage if facts.rounds else None
            return latest in {_STAGE_CODES.get(value, value) for value in values}
        case "currently_using_any_of_technology_uids":
            return any(value.replace("_", " ") in each.lower() for value in wanted for each in facts.technologies)
    return True


def _span(text: str) -> tuple[int, int]:
    """Apollo writes `50,500`; an open end is left out."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return (numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else 10**9)
