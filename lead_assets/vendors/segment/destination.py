"""Segment as a destination: identify for who a lead is, track for what became of it.

Segment keeps the ids of messages and drops repeats, so each event has an id made from its entry's key: sent again, it is the same event. Deleting somebody
needs a token of the Public API, in SEGMENT_PUBLIC_API_TOKEN: a write key may not.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
from pydantic import Field, SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.segment.client import MOST_EVENT_BYTES, PUBLIC_URLS, Segment, SegmentPublic, batches
from lead_assets.vendors.sending import Allowed, Destination, Forgot, RoutedLead, Sender, SendOpening, SendRules, ToForget, in_text

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "lead_assets/segment")
_BUCKET = "segment"
_PUBLIC = "SEGMENT_PUBLIC_API_TOKEN"


class SegmentRules(SendRules):
    """`traits` and `properties`: Segment's name → the lead's field."""

    traits: Allowed = Field(min_length=1)
    properties: Allowed = Field(min_length=1)
    event: str = Field("Lead Routed", min_length=1)
    base_url: str | None = None
    """https://events.eu1.segmentapis.com for a workspace in the EU: sent to the US host, its data is lost without an error."""


class SegmentDestination(Destination):
    name = "segment"
    rules = SegmentRules
    claims = 2_500
    workers = 2
    deduplicates = True

    def url(self, settings: Any, rules: SegmentRules) -> str | None:
        return rules.base_url if settings.world == "live" else None

    def to_send(self, leads: Sequence[RoutedLead], rules: SegmentRules) -> list[ToSend]:
        sent: list[ToSend] = []
        for lead in leads:
            user, at = lead.person, lead.facts["enriched_at"].isoformat()
            identify = {"type": "identify", "userId": user, "timestamp": at, "traits": _typed(lead, rules.traits)}
            # Another owner or path is another event; a tier is a trait.
            routed = [lead.owner, lead.path, rules.event]
            sent.append(lead.send(self.name, "identify", {"event": identify}))
            sent.append(
                lead.send(self.name, "track", partial(_track, lead, rules), content=routed, put=[lead.facts.get("tier")], edition=2)
            )
        return sent

    @asynccontextmanager
    async def open(self, opening: SendOpening) -> AsyncIterator[Sender]:
        from base64 import b64encode

        basic = b64encode(f"{opening.key.get_secret_value()}:".encode()).decode()
        async with Segment(opening.http("segment", opening.url, {"authorization": f"Basic {basic}"})) as client:
            yield _SegmentSender(client, opening)

    async def forget(self, whom: ToForget) -> Forgot:
        sandbox = whom.settings.world == "sandbox"
        token = SecretStr("sandbox") if sandbox else whom.settings.secret(_PUBLIC)
        if token is None:
            return Forgot(False, "no_public_api_token")
        url = whom.url if sandbox else PUBLIC_URLS[".eu1." in (whom.rules.base_url or "")]
        async with SegmentPublic(VendorHttp("segment", url, {"authorization": f"Bearer {token.get_secret_value()}"})) as client:
            await client.delete_for_good(whom.persons)
        return Forgot(True)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return {"success": True}


DESTINATION = SegmentDestination()


def _track(lead: RoutedLead, rules: SegmentRules) -> dict[str, Any]:
    at = lead.facts["enriched_at"].isoformat()
    said = {"type": "track", "userId": lead.person, "timestamp": at, "event": rules.event, "properties": _typed(lead, rules.properties)}
    return {"event": said}


def _typed(lead: RoutedLead, allowed: Allowed) -> dict[str, Any]:
    """Numbers and truths as such; other values as text."""
    facts = lead.facts
    return {
        theirs: value if isinstance(value, _NUMBERS) else in_text(value)
        for theirs, ours in allowed.items()
        if (value := facts.get(ours)) is not None
    }


_NUMBERS = (int, float)  # to write int | float makes a new type for every value


class _SegmentSender:
    def __init__(self, client: Segment, opening: SendOpening) -> None:
        self._client = client
        self._desk = opening.desk
        self._rates = [opening.rules.rate.rate] if opening.rules.rate else []

    async def send(self, parcels: Sequence[Parcel]) -> None:
        events = [{**parcel.body["event"], "messageId": str(uuid.uuid5(_NAMESPACE, parcel.key))} for parcel in parcels]
        sizes = [len(orjson.dumps(event)) for event in events]
        large = [parcel for parcel, size in zip(parcels, sizes, strict=True) if size > MOST_EVENT_BYTES]
        if large:
            await self._desk.settle([(parcel, Fate("dead", "too_large")) for parcel in large])
        fitting = [each for each in zip(parcels, events, sizes, strict=True) if each[2] <= MOST_EVENT_BYTES]
        for positions in batches([size for _, _, size in fitting]):
            await self._batch({fitting[at][0].id: (fitting[at][0], fitting[at][1]) for at in positions})

    async def _batch(self, chosen: dict[int, tuple[Parcel, dict[str, Any]]]) -> None:
        parcels = [parcel for parcel, _ in chosen.values()]
        if not await self._desk.turn(_BUCKET, self._rates):
            await self._desk.settle([(parcel, Fate("waiting", "paced", retry_after=5, free=True)) for parcel in parcels])
            return
        going = await self._desk.depart(parcels)
        if not going:
            return
        try:
            await self._client.batch([chosen[parcel.id][1] for parcel in going])
        except ProviderError as error:
            await self._desk.failed(going, error, _BUCKET)
            return
        await self._desk.settle([(parcel, Fate("confirmed")) for parcel in going])
