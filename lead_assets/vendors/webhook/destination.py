"""Any URL as a destination: one signed request per routed lead, in the form of Standard Webhooks (https://www.standardwebhooks.com).

`webhook-id` is the entry's key, so the receiver can drop repeats, and is told so by the standard. A 410 means that nobody listens any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import Field

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.http import Kinds, VendorHttp, failure
from lead_assets.vendors.sending import Destination, RoutedLead, Sender, SendOpening, SendRules, in_text

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
        address = urlsplit(opening.url)
        origin, path = (
            (opening.url, "/") if opening.settings.world == "sandbox" else (f"{address.scheme}://{address.netloc}", address.path or "/")
        )
        path += f"?{address.query}" if address.query else ""
        async with opening.http("webhook", origin, {"content-type": "application/json"}) as http:
            yield _WebhookSender(http, path, opening)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return {}


DESTINATION = WebhookDestination()


class _WebhookSender:
    def __init__(self, http: VendorHttp, path: str, opening: SendOpening) -> None:
        from base64 import b64encode

        from standardwebhooks import Webhook

        secret = opening.key.get_secret_value()
        # Any text may be the secret; the standard's own form is whsec_ and base64.
        self._webhook = Webhook(secret if secret.startswith("whsec_") else b64encode(secret.encode()).decode())
        self._http = http
        self._path = path
        self._desk = opening.desk
        self._rates = [opening.rules.rate.rate] if opening.rules.rate else []

    async def send(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            if not await self._desk.turn(_BUCKET, self._rates):
                await self._desk.settle([(parcel, Fate("waiting", "paced", retry_after=5, free=True))])
                continue
            for going in await self._desk.depart([parcel]):
                try:
                    await self._post(going)
                except ProviderError as error:
                    await self._desk.failed([going], error, _BUCKET)
                else:
                    await self._desk.settle([(going, Fate("confirmed"))])

    async def _post(self, parcel: Parcel) -> None:
        text = orjson.dumps(parcel.body["event"]).decode()
        now = datetime.now(UTC)
        headers = {
            "webhook-id": parcel.key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(parcel.key, now, text),
        }
        answer = await self._http.request("lead.routed", "POST", self._path, content=text.encode(), headers=headers)
        if answer.status >= 300:
            raise failure("webhook", "lead.routed", answer, KINDS)
