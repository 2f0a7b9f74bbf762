"""Any URL as a destination: one signed request per routed lead, in the form of Standard Webhooks (https://www.standardwebhooks.com).

`webhook-id` is the entry's key, so the receiver can drop repeats, and is told so by the standard. A 410 means that nobody listens any more. When somebody is
forgotten, `lead.deleted` names the requests that were about them by their `webhook-id`, and the leads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import Field, SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.http import Kinds, VendorHttp, failure
from lead_assets.vendors.sending import Destination, Forgot, RoutedLead, Sender, SendOpening, SendRules, ToForget, content_hash, in_text

_BUCKET = "webhook"
KINDS: Kinds = {
    401: ("auth", "auth"),
    403: ("auth", "auth"),
    408: ("transient", "timeout"),
    409: ("transient", "conflict"),
    410: ("permanent", "gone"),
    425: ("transient", "provider_error"),
    429: ("rate_limited", "rate_limited"),
}


class WebhookRules(SendRules):
    url: str | None = Field(None, pattern=r"^https?://")
    """Where it is sent; without it, only the sandbox gets any."""
    fields: tuple[str, ...] = Field(min_length=1)
    """The lead's fields in `data`."""


class WebhookDestination(Destination):
    name = "webhook"
    rules = WebhookRules
    keeps_people = False
    claims = 20
    workers = 8
    deduplicates = True
    address = "url"

    def url(self, settings: Any, rules: WebhookRules) -> str | None:
        return rules.url if settings.world == "live" else None

    def to_send(self, leads: Sequence[RoutedLead], rules: WebhookRules) -> list[ToSend]:
        sent = []
        for lead in leads:
            values = {name: lead.facts[name] for name in rules.fields if name in lead.facts}
            data = {name: value if isinstance(value, int | float | str | list) else in_text(value) for name, value in values.items()}
            body = {"type": "lead.routed", "timestamp": lead.facts["enriched_at"].isoformat(), "data": data}
            sent.append(lead.send(self.name, "lead.routed", {"event": body}))
        return sent

    @asynccontextmanager
    async def open(self, opening: SendOpening) -> AsyncIterator[Sender]:
        origin, path = _split(opening.settings, opening.url)
        async with opening.http("webhook", origin, {"content-type": "application/json"}) as http:
            yield _WebhookSender(_Poster(http, path, opening.key), opening)

    async def forget(self, whom: ToForget) -> Forgot:
        keys = [each.key for each in whom.sent]
        leads = sorted({(each.campaign_id, each.lead_id) for each in whom.sent})
        now = datetime.now(UTC)
        data: dict[str, Any] = {"webhook_ids": keys, "leads": [{"campaign_id": campaign, "lead_id": lead} for campaign, lead in leads]}
        event = {"type": "lead.deleted", "timestamp": now.isoformat(), "data": data}
        origin, path = _split(whom.settings, whom.url)
        async with VendorHttp("webhook", origin, {"content-type": "application/json"}) as http:
            # The same for a repeated request, so that it is taken once.
            await _Poster(http, path, whom.key).post("lead.deleted", content_hash(["lead.deleted", now.date(), *keys]), event)
        return Forgot(True)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return {}


DESTINATION = WebhookDestination()


def _split(settings: Any, url: str) -> tuple[str, str]:
    """Origin and path."""
    address = urlsplit(url)
    origin, path = (url, "/") if settings.world == "sandbox" else (f"{address.scheme}://{address.netloc}", address.path or "/")
    return origin, path + (f"?{address.query}" if address.query else "")


class _Poster:
    """Signs and posts events."""

    def __init__(self, http: VendorHttp, path: str, key: SecretStr) -> None:
        from base64 import b64encode

        from standardwebhooks import Webhook

        secret = key.get_secret_value()
        # Any text may be the secret; the standard's own form is whsec_ and base64.
        self._webhook = Webhook(secret if secret.startswith("whsec_") else b64encode(secret.encode()).decode())
        self._http = http
        self._path = path

    async def post(self, operation: str, key: str, event: Any) -> None:
        text = orjson.dumps(event).decode()
        now = datetime.now(UTC)
        headers = {
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(key, now, text),
        }
        answer = await self._http.request(operation, "POST", self._path, content=text.encode(), headers=headers)
        if answer.status >= 300:
            raise failure("webhook", operation, answer, KINDS)


class _WebhookSender:
    def __init__(self, poster: _Poster, opening: SendOpening) -> None:
        self._poster = poster
        self._desk = opening.desk
        self._rates = [opening.rules.rate.rate] if opening.rules.rate else []

    async def send(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            if not await self._desk.turn(_BUCKET, self._rates):
                await self._desk.settle([(parcel, Fate("waiting", "paced", retry_after=5, free=True))])
                continue
            for going in await self._desk.depart([parcel]):
                try:
                    await self._poster.post("lead.routed", going.key, going.body["event"])
                except ProviderError as error:
                    await self._desk.failed([going], error, _BUCKET)
                else:
                    await self._desk.settle([(going, Fate("confirmed"))])
