"""Asks Hunter about one subject: a want in, a reply out.

Belongs here: mapping operations to Hunter's calls, what was found and what it cost. Does not belong here: Hunter's HTTP (see
`lead_assets.vendors.hunter.client`), how an address is graded (see `parsers`).
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Reply, Want
from lead_assets.vendors.hunter.client import Hunter
from lead_assets.vendors.offer import Offer, Opening, SubjectKind

# Verdicts that Hunter does not charge for.
_FREE = frozenset({"unknown", "webmail", "disposable"})
_PEOPLE_A_CREDIT = 10


@asynccontextmanager
async def open_source(opening: Opening) -> AsyncIterator[HunterSource]:
    async def turn(operation: str) -> None:
        terms = opening.terms[operation]
        await opening.turns.turn(terms.bucket, terms.rates_in(opening.settings))

    async with Hunter(opening.url, opening.key, turn=turn, connections=opening.connections, **opening.deadline) as client:
        yield HunterSource(client)


class HunterSource:
    """Hunter as a source of signals. Operations are named by their paths; each takes one subject per request."""

    def __init__(self, client: Hunter) -> None:
        self._client = client

    async def call(self, kind: SubjectKind, offer: Offer, wants: Sequence[Want]) -> list[Reply]:
        if len(wants) != 1:
            raise ProviderError("hunter", offer.operation, "permanent", "provider_error", sent=False)
        return [await self._reply(offer, wants[0])]

    async def take_up(self, offer: Offer, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        # Work in progress at Hunter is fetched by repeating the request, which is not charged twice.
        return [await self._reply(offer, want) for want in wants]

    async def _reply(self, offer: Offer, want: Want) -> Reply:
        body: dict[str, Any] | None
        if offer.operation == "email-verifier":
            body = await self._client.verify(want.subject)
            if not body.get("status"):
                raise ProviderError("hunter", offer.operation, "contract", "bad_answer", status=200)
            return Reply("found", None, body, 0 if body["status"] in _FREE else want.price_micros)
        if offer.operation == "email-finder" and isinstance(want.payload, dict):
            body = await self._client.find(want.payload["domain"], want.payload["first_name"], want.payload["last_name"])
        elif offer.operation == "domain-search":
            limit = int(offer.config.get("limit", _PEOPLE_A_CREDIT))
            body = await self._client.domain_search(want.subject, limit=limit)
            if body is not None and isinstance(body.get("emails"), list):
                # A pattern without people is worth keeping and costs nothing.
                credits = math.ceil(len(body["emails"]) / _PEOPLE_A_CREDIT)
                return Reply(
                    "found", None, body, min(want.price_micros, want.price_micros * credits // math.ceil(limit / _PEOPLE_A_CREDIT))
                )
        else:
            raise ProviderError("hunter", offer.operation, "permanent", "provider_error", sent=False)
        return Reply("not_found", "no_result") if body is None else Reply("found", None, body, want.price_micros)
