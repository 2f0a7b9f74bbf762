"""Apollo over HTTP: organizations and people (at most ten per request), job postings, people search, and what is left of the plan.

Belongs here: Apollo's wire format and the meaning of its status codes. Does not belong here: the meaning of its fields (see `lead_assets.signals`), caches,
budgets and retries (see `lead_assets.ledger.buying`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, VendorHttp, failure, json_object

MAX_BULK = 10
"""Most organizations or people in one bulk request."""

_KINDS: Kinds = {
    401: ("auth", "auth"),
    402: ("quota", "quota"),
    403: ("auth", "auth"),
    408: ("transient", "timeout"),
    429: ("rate_limited", "rate_limited"),
    451: ("suppressed", "suppressed"),
}


@dataclass(frozen=True)
class Window:
    """What an answer's headers say about one of the endpoint's three fixed windows."""

    seconds: int
    used: int | None
    left: int


Watch = Callable[[str, Sequence[Window]], Awaitable[None]]
"""Called after each answer with what is left of the endpoint's windows."""


class Apollo(VendorClient):
    """Apollo's API; use with `async with`."""

    def __init__(self, base_url: str, key: SecretStr, *, connections: int = 4, deadline: float = 60.0, watch: Watch | None = None) -> None:
        self._watch = watch
        headers = {"x-api-key": key.get_secret_value(), "cache-control": "no-cache"}
        super().__init__(VendorHttp("apollo", base_url, headers, connections=connections, deadline=deadline))

    async def organizations(self, domains: Sequence[str]) -> list[dict[str, Any] | None]:
        """The organization for each domain, or None if Apollo has none (no charge). Raises ProviderError."""
        operation = "organizations/bulk_enrich"
        body = await self._bulk(operation, {"details": [{"domain": domain} for domain in domains]}, len(domains))
        listed = body.get("organizations")
        if not isinstance(listed, list):
            raise ProviderError("apollo", operation, "contract", "bad_answer", status=200)
        if len(listed) == len(domains):
            return [each if isinstance(each, dict) else None for each in listed]
        # If misses are left out instead of null, only the domain says which record belongs to which query.
        known = {str(each.get("primary_domain")).lower(): each for each in listed if isinstance(each, dict)}
        return [known.get(domain) for domain in domains]

    async def people(self, details: Sequence[Mapping[str, str]]) -> list[dict[str, Any] | None]:
        """The person for each of `details` (linkedin_url, email, name, domain …), or None if Apollo has none (no charge)."""
        operation = "people/bulk_match"
        body = await self._bulk(operation, {"details": [dict(each) for each in details]}, len(details))
        matches = body.get("matches")
        # A list of a different length cannot be matched up, and one person's data must not end up with another.
        if not isinstance(matches, list) or len(matches) != len(details):
            raise ProviderError("apollo", operation, "contract", "bad_answer", status=200)
        return [each if isinstance(each, dict) else None for each in matches]

    async def job_postings(self, organization_id: str, *, limit: int) -> list[dict[str, Any]] | None:
        """The newest `limit` open jobs of an organization, by Apollo's id; None if Apollo no longer knows it. One credit per page."""
        operation = "organizations/job_postings"
        path = f"/organizations/{quote(organization_id, safe='')}/job_postings"
        answer = await self._request(operation, "GET", path, params={"page": 1, "per_page": limit})
        if answer.status == 404:
            return None
        return self._listed(operation, answer, "organization_job_postings")

    async def people_at(self, domain: str, *, limit: int, **filters: Any) -> list[dict[str, Any]]:
        """At most `limit` people of a company, without e-mail and with the surname obscured; free. `filters` use Apollo's names (person_seniorities …)."""
        operation = "mixed_people/api_search"
        payload = {**filters, "q_organization_domains_list": [domain], "page": 1, "per_page": min(100, limit)}
        answer = await self._request(operation, "POST", f"/{operation}", json=payload)
        return self._listed(operation, answer, "people")[:limit]

    async def credit_usage(self) -> dict[str, Any]:
        """`credit_usage_stats` and `current_credit_cycle`; free, needs a master key."""
        operation = "usage_stats/credit_usage_stats"
        return self._read(operation, await self._request(operation, "POST", f"/{operation}"))

    async def api_usage(self) -> dict[str, Any]:
        """Each endpoint's windows (minute, hour, day: limit, consumed, left_over), by a key that names the endpoint; free, needs a master key."""
        operation = "usage_stats/api_usage_stats"
        return self._read(operation, await self._request(operation, "POST", f"/{operation}"))

    def _listed(self, operation: str, answer: HttpAnswer, name: str) -> list[dict[str, Any]]:
        listed = self._read(operation, answer).get(name)
        if not isinstance(listed, list):
            raise ProviderError("apollo", operation, "contract", "bad_answer", status=answer.status)
        return [each for each in listed if isinstance(each, dict)]

    async def _bulk(self, operation: str, payload: dict[str, Any], count: int) -> dict[str, Any]:
        if not 0 < count <= MAX_BULK:
            raise ValueError(f"apollo takes 1 to {MAX_BULK} records per request, not {count}")
        return self._read(operation, await self._request(operation, "POST", f"/{operation}", json=payload))

    async def _request(self, operation: str, method: str, path: str, **content: Any) -> HttpAnswer:
        answer = await self._http.request(operation, method, path, **content)
        # A refusal says how long to wait.
        if self._watch is not None and answer.status != 429 and (windows := _windows(answer)):
            await self._watch(operation, windows)
        return answer

    def _read(self, operation: str, answer: HttpAnswer) -> dict[str, Any]:
        if answer.status >= 300:
            raise failure("apollo", operation, answer, _KINDS)
        body = json_object("apollo", operation, answer)
        if body.get("status") == "failed":
            raise ProviderError("apollo", operation, "permanent", "provider_error", status=answer.status)
        return body


def _windows(answer: HttpAnswer) -> list[Window]:
    """A window without a limit has empty headers; older answers say "daily", newer ones "24-hour"."""
    found = []
    for names, seconds in ((("minute",), 60), (("hourly",), 3600), (("24-hour", "daily"), 86400)):
        for name in names:
            left, used = (answer.headers.get(f"x-{name}-{what}", "") for what in ("requests-left", "usage"))
            if left.isascii() and left.isdigit():
                found.append(Window(seconds, int(used) if used.isascii() and used.isdigit() else None, int(left)))
                break
    return found
