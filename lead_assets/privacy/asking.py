"""How destinations are asked for what they know, and to forget a person: whether they can be asked, with what, and again if they cannot answer.

Does not belong here: what they are asked (see their folders in `lead_assets.vendors`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.outbox_model import Sent
from lead_assets.privacy.held_rows import persons_of
from lead_assets.privacy.person import DataSubject
from lead_assets.vendors import destinations
from lead_assets.vendors.sending import Destination, DestinationAccess, Forgot, ToForget

T = TypeVar("T")
_WAITS = (0.5, 2.0)
"""Seconds after which a destination that could not answer is asked again."""
_LONGEST = 10.0


def access_to(settings: Settings, rules: DeliveryRules, name: str) -> DestinationAccess | str:
    """What a destination is reached with; a code if it cannot be."""
    vendor = destinations().get(name)
    if vendor is None:
        return "unknown_destination"
    own, destination, key = rules.of(name), vendor.destination, vendor.key(settings)
    if own is None:
        return "not_in_rules"
    if key is None and destination.needs_key(own):
        return "no_key"
    if destination.address and settings.world == "live" and getattr(own, destination.address) is None:
        return "no_address"
    return DestinationAccess(
        settings=settings, rules=own, url=destination.url(settings, own) or vendor.url(settings), key=key or SecretStr("")
    )


def answers(
    settings: Settings,
    rules: DeliveryRules,
    can_tell: Callable[[Destination], bool],
    question: Callable[[Destination, DestinationAccess], Coroutine[Any, Any, T]],
    only: Collection[str] | None = None,
) -> Iterator[tuple[str, T | None, str]]:
    """(name, answer, why there is none) of each destination that is on and can tell, or of `only` some. One that cannot be asked takes no other along."""
    for name in rules.active(settings):
        destination = destinations()[name].destination
        if not can_tell(destination) or (only is not None and name not in only):
            continue
        access = access_to(settings, rules, name)
        if isinstance(access, str):
            yield name, None, access
            continue
        try:
            answer = ask(lambda there=destination, access=access: question(there, access))  # type: ignore[misc]
        except ProviderError as error:
            yield name, None, error.reason
        else:
            yield name, answer, ""


def ask(question: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The answer. Raises ProviderError."""
    for wait in _WAITS:
        try:
            return asyncio.run(question())
        except ProviderError as error:
            if error.kind not in ("transient", "rate_limited"):
                raise
            time.sleep(min(error.retry_after or wait, _LONGEST))
    return asyncio.run(question())


def ask_destinations(
    settings: Settings, ledger: Ledger, person: DataSubject, rules: DeliveryRules, *, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Where they were sent to, and whether the destination took the request to delete them; if not, or not all of it, why."""
    persons = persons_of(person)
    sent = ledger.sent_about(persons, person.leads)
    ids: dict[str, dict[str, str | None]] = {}
    for name, known_as, vendor_id in ledger.ids_at_destinations(persons):
        ids.setdefault(name, {})[known_as] = vendor_id
    told = []
    for name in sorted({*ids, *(each.destination for each in sent)}):
        theirs, got = ids.get(name, {}), [each for each in sent if each.destination == name]
        forgot = Forgot(False, "dry_run") if dry_run else _asked(settings, rules, name, persons, theirs, got)
        row = {"destination": name, "vendor_ids": sorted({each for each in theirs.values() if each}), "asked": forgot.asked}
        told.append(row | ({"why": forgot.why} if forgot.why else {}))
    return told


def _asked(
    settings: Settings,
    rules: DeliveryRules,
    name: str,
    persons: Mapping[str, str | None],
    ids: Mapping[str, str | None],
    sent: Sequence[Sent],
) -> Forgot:
    access = access_to(settings, rules, name)
    if isinstance(access, str):
        return Forgot(False, access)
    destination = destinations()[name].destination
    known = {*ids, *(each.person for each in sent)}
    whom = ToForget(
        settings=access.settings,
        rules=access.rules,
        url=access.url,
        key=access.key,
        emails={person: email for person, email in persons.items() if email},
        persons=sorted(known & persons.keys()),
        ids=ids,
        sent=sent,
    )
    try:
        forgot = ask(lambda: destination.forget(whom))
    except ProviderError as error:
        return Forgot(False, error.reason)
    if destination.keeps_people and not known <= persons.keys():
        # A record of an address that others have, too, is theirs as well.
        return Forgot(bool(whom.persons) and forgot.asked, "shared_address")
    return forgot
