"""A dry run: the requests that would be sent now, as files, without keys and without sending or storing anything.

The destinations' own code makes them, with a transport that writes and answers what the vendor would if all went well. A later request that depends on an
answer (a note needs its contact's id) therefore has made-up ids.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.delivery.dispatch import suppressed
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger.database import to_us
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Rate
from lead_assets.ledger.outbox_model import Fate, Mirror, Parcel, ToSend, is_news, is_told
from lead_assets.vendors import destinations
from lead_assets.vendors.http import HttpAnswer, VendorHttp
from lead_assets.vendors.sending import Destination, SendOpening, ok_answer, slices

_NOT_SHOWN = ("authorization", "x-api-key")
_UNSENT = ("waiting", "failed", "uncertain")


def dry_run(
    ledger: Ledger, settings: Settings, rules: DeliveryRules, sends: Sequence[ToSend], folder: Path, *, sent_too: bool = False
) -> list[dict[str, Any]]:
    """Write what would be sent for `sends` into `folder`, one JSON file {method, url, headers, body} per request. Returns rows {destination, records,
    requests, waiting}; `waiting`: records that would be sent later.

    sent_too: show all of them, as if nothing had been sent yet."""
    known = {} if sent_too else ledger.outbox.latest({each.campaign_id for each in sends})
    banned = suppressed(ledger, [(number, each.body) for number, each in enumerate(sends)])
    sends = [each for number, each in enumerate(sends) if number not in banned]
    rows = []
    for name, own in sorted(rules.active(settings).items()):
        new = [each for each in sends if each.destination == name and _is_left(each, known)]
        now = ledger.now()
        due = [each for each in new if each.not_before is None or each.not_before <= now]
        going = {each.slot for each in due}
        due = [
            each for each in due if (first := _first(each)) is None or first in going or known.get(first, ("", "", None))[1] == "confirmed"
        ]
        vendor = destinations()[name]
        destination = vendor.destination
        # A destination without requests writes its files here instead.
        url = str(folder / name) if not destination.needs_key(own) else destination.url(settings, own) or vendor.url(settings)
        desk = _Pretence()
        transport = _recorder(folder / name, destination)
        mirrors = {} if sent_too else ledger.outbox.mirrors(name, {each.person for each in due})
        opening = SendOpening(settings, own, url, SecretStr("dry-run"), desk, transport)
        asyncio.run(_send(destination, opening, _parcels(due, mirrors)))
        rows.append({"destination": name, "records": len(due), "requests": transport.made["requests"], "waiting": len(new) - len(due)})
    return rows


def _is_left(send: ToSend, known: Mapping[tuple[str, str, str, str], tuple[str, str, str | None]]) -> bool:
    """Whether it has still to be sent: the outbox does not have it, or nobody is known to have got it."""
    content, state, left = known.get(send.slot, ("", "", None))
    if left is not None and is_told(left, send.content):
        return False
    return not content or state in _UNSENT or is_news(content, send.content)


def _first(send: ToSend) -> tuple[str, str, str, str] | None:
    """What has to be confirmed before it."""
    return (*send.slot[:3], send.after) if send.after else None


async def _send(destination: Destination, opening: SendOpening, parcels: list[Parcel]) -> None:
    async with destination.open(opening) as sender:
        for wave in _waves(parcels):
            for some in slices(wave, destination.claims):
                await sender.send(some)


def _waves(parcels: Iterable[Parcel]) -> list[list[Parcel]]:
    """One entry of a person at a time, as in the outbox."""
    waves: list[list[Parcel]] = []
    seen: Counter[str] = Counter()
    for parcel in parcels:
        turn = seen[parcel.person]
        seen[parcel.person] += 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(parcel)
    return waves


def _parcels(sends: Sequence[ToSend], mirrors: Mapping[str, Mirror]) -> list[Parcel]:
    return [
        Parcel(
            id=number,
            key=f"dry-run-{number}",
            destination=each.destination,
            kind=each.kind,
            campaign_id=each.campaign_id,
            lead_id=each.lead_id,
            person=each.person,
            body=orjson.loads(orjson.dumps(dict(each.body))),
            lane=each.lane,
            owner=each.owner,
            reaches=each.reaches,
            as_of_us=to_us(each.as_of),
            state="waiting",
            attempts=0,
            uncertain=0,
            first_sent_at=None,
            vendor_ref=None,
            # A note needs the id that its contact gets.
            mirror=mirrors.get(each.person) or (Mirror(vendor_id="id-of-the-contact") if each.after else Mirror()),
        )
        for number, each in enumerate(sends, 1)
    ]


class _Pretence:
    """A desk where everything may leave and nothing is kept."""

    async def turn(self, bucket: str, rates: Sequence[Rate]) -> bool:
        return True

    async def depart(self, parcels: Sequence[Parcel], ref: str | None = None) -> list[Parcel]:
        return list(parcels)

    async def settle(self, fates: Sequence[tuple[Parcel, Fate]]) -> None:
        return

    async def owners_seen(self, owners: Sequence[tuple[str, str]]) -> None:
        return

    async def failed(self, parcels: Sequence[Parcel], error: ProviderError, bucket: str | None = None) -> None:
        raise error


class _Recorder(VendorHttp):
    """Writes requests instead of sending them."""

    folder: Path
    destination: Destination
    made: dict[str, int]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        self.made["requests"] += 1
        body = orjson.loads(content) if content is not None else json
        told = {**self._headers, **(headers or {})}
        shown = {name: "<key>" if name.lower() in _NOT_SHOWN else value for name, value in told.items()}
        request = {"method": method, "url": self._base_url + path, "params": params, "headers": shown, "body": body}
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.made['requests']:04d}-{method}-{operation.replace('/', '.')}.json"
        (self.folder / name).write_bytes(orjson.dumps(request, default=str, option=orjson.OPT_INDENT_2))
        return ok_answer(self.destination.pretend(method, path, body if body is not None else params))


def _recorder(folder: Path, destination: Destination) -> type[_Recorder]:
    return type("_Recorder", (_Recorder,), {"folder": folder, "destination": destination, "made": {"requests": 0}})
