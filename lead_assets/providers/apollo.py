"""Apollo over HTTP: organizations and people, at most ten a request.

Belongs here: Apollo's wire format and what its status codes mean. Does not belong here: what its fields say (see `lead_assets.signals`), caches,
budgets and retries (see `lead_assets.ledger.purchase`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from pydantic import SecretStr

from lead_assets.providers.errors import Kind, ProviderError
from lead_assets.providers.http import HttpAnswer, VendorHttp, json_object, retry_after

MAX_BULK = 10
"""Organizations or people of one bulk request."""

_KINDS: dict[int, tuple[Kind, str]] = {
    401: ("auth", "auth"),
    402: ("quota", "quota"),
    403: ("auth", "auth"),
    408: ("transient", "timeout"),
    429: ("rate_limited", "rate_limited"),
    451: ("suppressed", "suppressed"),
}


class Apollo:
    """Apollo's API as `async with`."""

    def __init__(self, base_url: str, key: SecretStr, *, connections: int = 4, deadline: float = 60.0) -> None:
        headers = {"x-api-key": key.get_secret_value(), "cache-control": "no-cache"}
        self._http = VendorHttp("apollo", base_url, headers, connections=connections, deadline=deadline)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def organizations(self, domains: Sequence[str]) -> list[dict[str, Any] | None]:
        """The organization of each domain, None where Apollo knows none and charges nothing. Raises ProviderError."""
        operation = "organizations/bulk_enrich"
        body = await self._bulk(operation, {"details": [{"domain": domain} for domain in domains]}, len(domains))
        listed = body.get("organizations")
        if not isinstance(listed, list):
            raise ProviderError("apollo", operation, "contract", "bad_answer", status=200)
        if len(listed) == len(domains):
            return [each if isinstance(each, dict) else None for each in listed]
        # Misses left out instead of null: only the domain then says whose record it is.
        known = {str(each.get("primary_domain")).lower(): each for each in listed if isinstance(each, dict)}
        return [known.get(domain) for domain in domains]

    async def people(self, details: Sequence[Mapping[str, str]]) -> list[dict[str, Any] | None]:
        """The person of each of `details` (linkedin_url, email, name, domain …), None where Apollo knows none and charges nothing."""
        operation = "people/bulk_match"
        body = await self._bulk(operation, {"details": [dict(each) for each in details]}, len(details))
        matches = body.get("matches")
        # A list of another length cannot be told apart, and one person's data must not become another's.
        if not isinstance(matches, list) or len(matches) != len(details):
            raise ProviderError("apollo", operation, "contract", "bad_answer", status=200)
        return [each if isinstance(each, dict) else None for each in matches]

    async def _bulk(self, operation: str, payload: dict[str, Any], count: int) -> dict[str, Any]:
        if not 0 < count <= MAX_BULK:
            raise ValueError(f"apollo takes 1 to {MAX_BULK} records a request, not {count}")
        answer = await self._http.request(operation, "POST", f"/{operation}", json=payload)
        if answer.status >= 300:
            raise _failure(operation, answer)
        body = json_object("apollo", operation, answer)
        if body.get("status") == "failed":
            raise ProviderError("apollo", operation, "permanent", "provider_error", status=answer.status)
        return body


def _failure(operation: str, answer: HttpAnswer) -> ProviderError:
    kind: Kind
    if answer.status >= 500:
        kind, reason = "transient", "provider_error"
    elif answer.status < 400:
        kind, reason = "contract", "bad_answer"
    else:
        kind, reason = _KINDS.get(answer.status, ("permanent", "provider_error"))
    return ProviderError("apollo", operation, kind, reason, status=answer.status, retry_after=retry_after(answer))
