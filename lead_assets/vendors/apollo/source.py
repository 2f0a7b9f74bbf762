"""Asks Apollo about a batch of subjects: wants in, replies out.

Belongs here: mapping operations to Apollo's calls, what was found and charged, and used-up windows of endpoints. Does not belong
here: Apollo's HTTP (see `lead_assets.vendors.apollo.client`), the meaning of values (see `parsers`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Reply, Want
from lead_assets.vendors.apollo.client import Apollo, Window
from lead_assets.vendors.offer import Offer, Opening, SubjectKind
from lead_assets.vendors.turns import Turns


@asynccontextmanager
async def open_source(opening: Opening) -> AsyncIterator[ApolloSource]:
    windows = Windows(opening.turns, {operation: each.bucket for operation, each in opening.terms.items()})
    async with Apollo(opening.url, opening.key, watch=windows.watch, connections=opening.connections, **opening.deadline) as client:
        yield ApolloSource(client)


class ApolloSource:
    """Apollo as a source of signals. Operations are named by their paths."""

    def __init__(self, client: Apollo) -> None:
        self._client = client

    async def call(self, kind: SubjectKind, offer: Offer, wants: Sequence[Want]) -> list[Reply]:
        found = await self._ask(kind, offer, wants)
        return [
            Reply("not_found", "no_result", cost_micros=want.price_micros if offer.billing == "always" else 0)
            if not record
            else Reply("found", None, record, want.price_micros)
            for want, record in zip(wants, found, strict=True)
        ]

    async def _ask(self, kind: SubjectKind, offer: Offer, wants: Sequence[Want]) -> Sequence[dict[str, Any] | None]:
        subjects = [want.subject for want in wants]
        payloads = [want.payload for want in wants]
        limit = int(offer.config.get("limit", 25))
        match offer.operation, kind:
            case "organizations/bulk_enrich", "company_domain":
                return await self._client.organizations(subjects)
            case "people/bulk_match", kind if all(isinstance(payload, dict) for payload in payloads) or kind in _PERSON_KEYS:
                return await self._client.people([want.payload or {_PERSON_KEYS[kind]: want.subject} for want in wants])
            case "organizations/job_postings", "company_domain" if len(wants) == 1 and isinstance(payloads[0], dict):
                postings = await self._client.job_postings(payloads[0]["organization_id"], limit=limit)
                return [{"postings": postings} if postings else None]
            case "mixed_people/api_search", "company_domain" if len(wants) == 1:
                filters = {name: value for name, value in offer.config.items() if name != "limit"}
                people = await self._client.people_at(subjects[0], limit=limit, **filters)
                return [{"people": people} if people else None]
        raise ProviderError("apollo", offer.operation, "permanent", "provider_error", sent=False)

    async def take_up(self, offer: Offer, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        # Apollo answers at once, without an id to come back for.
        raise ProviderError("apollo", offer.operation, "permanent", "provider_error", sent=False)


_PERSON_KEYS = {"person_profile": "linkedin_url", "email": "email"}


class Windows:
    """Apollo counts requests per endpoint in windows of a minute, an hour and a day, each starting with its first request.

    Nobody who shares the key calls an endpoint with a used-up window until that window closes. If nobody saw a minute window start, we wait the full
    minute; for an hour or a day that would be too long a guess, so the next refusal's Retry-After decides.
    """

    def __init__(self, turns: Turns, buckets: Mapping[str, str]) -> None:
        self._turns = turns
        self._buckets = buckets
        self._opened: dict[tuple[str, int], float] = {}

    async def watch(self, operation: str, windows: Sequence[Window]) -> None:
        now = time.monotonic()
        for window in windows:
            name = (operation, window.seconds)
            if window.used == 1:
                self._opened[name] = now
            opened = self._opened.get(name, now if window.seconds == 60 else -float("inf"))
            left = opened + window.seconds - now
            if window.left == 0 and left > 0 and operation in self._buckets:
                await self._turns.hold(self._buckets[operation], left)
