"""Apollo's searches: companies that match filters, and their people.

Belongs here: the filters in Apollo's terms, and the wire format of searches. Does not belong here: buying (see `lead_assets.discovery`), or Apollo's
enrichment (see `lead_assets.vendors.apollo.client`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lead_assets.core.errors import ProviderError
from lead_assets.vendors.apollo.client import Apollo

COMPANIES = "mixed_companies/search"
PEOPLE = "mixed_people/api_search"
MAX_PAGE = 100
_NO_END = 10_000_000
"""Apollo's ranges need an upper end; nobody employs more people than this."""

FUNDING_STAGES: dict[str, str] = {
    "seed": "0",
    "angel": "1",
    "series a": "2",
    "series b": "3",
    "series c": "4",
    "series d": "5",
    "series e": "6",
    "series f": "7",
    "venture": "10",
}
"""Common name of a funding round → Apollo's code."""


@dataclass(frozen=True)
class CompanyPage:
    """One page of a company search: short records, and the total number of matching companies."""

    organizations: list[dict[str, Any]]
    total: int


class ApolloSearch(Apollo):
    """Apollo's searches, plus its enrichment; use with `async with`."""

    async def companies(self, filters: Mapping[str, Any], *, page: int, per_page: int) -> CompanyPage:
        """One page (from 1) of matching companies; costs one credit. Raises ProviderError."""
        answer = await self._request(COMPANIES, "POST", f"/{COMPANIES}", json={**filters, "page": page, "per_page": per_page})
        body = self._read(COMPANIES, answer)
        listed, pagination = body.get("organizations"), body.get("pagination")
        if not isinstance(listed, list) or not isinstance(pagination, dict):
            raise ProviderError("apollo", COMPANIES, "contract", "bad_answer", status=answer.status)
        # Companies that the team has saved are in a separate list.
        saved = body.get("accounts")
        records = [each for each in [*(saved if isinstance(saved, list) else []), *listed] if isinstance(each, dict)]
        total = pagination.get("total_entries")
        return CompanyPage(records, total if isinstance(total, int) else len(records))


def company_filters(
    *,
    query: str | None = None,
    locations: Sequence[str] = (),
    industries: Sequence[str] = (),
    employees: tuple[int | None, int | None] | None = None,
    funding: Sequence[str] = (),
) -> dict[str, list[str]]:
    """A search in Apollo's terms. `employees`: from, to; None leaves an end open. Raises ValueError for an unknown funding round, or without a filter."""
    unknown = [stage for stage in funding if stage.strip().lower() not in FUNDING_STAGES]
    if unknown:
        raise ValueError(f"funding {unknown[0]!r} is unknown: use one of {', '.join(FUNDING_STAGES)}")
    if employees is not None:
        low, high = employees
        span = [f"{1 if low is None else low},{_NO_END if high is None else high}"]
    filters = {
        "q_organization_keyword_tags": [query.strip()] if query and query.strip() else [],
        "organization_locations": [location.strip() for location in locations],
        "organization_industries": [industry.strip() for industry in industries],
        "organization_num_employees_ranges": span if employees is not None else [],
        "organization_latest_funding_stage_cd": [FUNDING_STAGES[stage.strip().lower()] for stage in funding],
    }
    chosen = {name: values for name, values in filters.items() if values}
    if not chosen:
        raise ValueError("a search needs a filter: give --query, --location, --industry, --employees or --funding")
    return chosen
