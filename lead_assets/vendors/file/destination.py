"""A folder or bucket as a destination: NDJSON objects, one line per routed lead.

An object's name is journaled before it is written, and nothing that is sent overwrites it: after a crash the name says whether it is there: no line comes
twice. When somebody is forgotten, their lines leave the objects that are still there, and an object below `forgotten/` names the lines by their
`delivery_key`, for whoever has fetched them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.sending import Destination, Forgot, RoutedLead, Sender, SendOpening, SendRules, ToForget, content_hash, in_text

if TYPE_CHECKING:
    from lead_assets.stores.objects import Objects


class FileRules(SendRules):
    location: str | None = None
    """Folder or gs://bucket/prefix; default: deliveries below home."""
    fields: tuple[str, ...] = Field(min_length=1)


class FileDestination(Destination):
    name = "file"
    rules = FileRules
    keeps_people = False
    claims = 10_000
    workers = 1
    deduplicates = True

    def url(self, settings: Any, rules: FileRules) -> str | None:
        return rules.location or str(settings.home / "deliveries")

    def needs_key(self, rules: Any) -> bool:
        return False

    def to_send(self, leads: Sequence[RoutedLead], rules: FileRules) -> list[ToSend]:
        sent = []
        for lead in leads:
            values = {name: lead.facts[name] for name in rules.fields if name in lead.facts}
            line = {name: value if isinstance(value, int | float | str | list) else in_text(value) for name, value in values.items()}
            sent.append(lead.send(self.name, "lead", {"line": {**line, "lead_id": lead.lead_id, "campaign_id": lead.campaign_id}}))
        return sent

    @asynccontextmanager
    async def open(self, opening: SendOpening) -> AsyncIterator[Sender]:
        from lead_assets.stores.objects import open_objects

        yield _FileSender(open_objects(opening.url), opening)

    async def forget(self, whom: ToForget) -> Forgot:
        from lead_assets.stores.objects import open_objects

        try:
            await asyncio.to_thread(_forget, open_objects(whom.url), whom)
        except OSError:
            raise ProviderError("file", "forget", "transient", "provider_error") from None
        return Forgot(True)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return {}


DESTINATION = FileDestination()


def _forget(objects: Objects, whom: ToForget) -> None:
    keys = sorted({each.key for each in whom.sent})
    for name in sorted({each.vendor_ref for each in whom.sent if each.vendor_ref}):
        with suppress(FileNotFoundError):  # fetched and taken away
            lines = objects.get(name).splitlines(keepends=True)
            left = [line for line in lines if orjson.loads(line).get("delivery_key") not in keys]
            if len(left) < len(lines):
                objects.replace(name, b"".join(left))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    told = b"".join(orjson.dumps({"delivery_key": key, "forgotten_at": at}) + b"\n" for key in keys)
    objects.put(f"forgotten/{content_hash(keys)}.ndjson", told)


class _FileSender:
    def __init__(self, objects: Objects, opening: SendOpening) -> None:
        self._objects = objects
        self._desk = opening.desk

    async def send(self, parcels: Sequence[Parcel]) -> None:
        written: defaultdict[str, list[Parcel]] = defaultdict(list)
        fresh: list[Parcel] = []
        for parcel in parcels:
            if parcel.uncertain and parcel.vendor_ref:
                written[parcel.vendor_ref].append(parcel)
            else:
                fresh.append(parcel)
        for name, those in written.items():
            if await asyncio.to_thread(self._objects.holds, name):
                await self._desk.settle([(parcel, Fate("confirmed", "found")) for parcel in those])
            else:
                fresh += those
        if not fresh:
            return
        by_campaign: defaultdict[str, list[Parcel]] = defaultdict(list)
        for parcel in fresh:
            by_campaign[parcel.campaign_id].append(parcel)
        for campaign, those in by_campaign.items():
            await self._write(campaign, those)

    async def _write(self, campaign: str, parcels: Sequence[Parcel]) -> None:
        name = f"{campaign}/{content_hash(sorted(parcel.key for parcel in parcels))}.ndjson"
        going = await self._desk.depart(parcels, name)
        if not going:
            return
        lines = b"".join(orjson.dumps({**parcel.body["line"], "delivery_key": parcel.key}) + b"\n" for parcel in going)
        try:
            await asyncio.to_thread(self._objects.put, name, lines)
        except OSError:
            error = ProviderError("file", "put", "transient", "provider_error")
            await self._desk.settle([(parcel, Fate("uncertain", error.reason)) for parcel in going])
            return
        await self._desk.settle([(parcel, Fate("confirmed")) for parcel in going])
