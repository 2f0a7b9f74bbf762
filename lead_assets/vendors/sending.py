"""What a vendor offers for deliveries, and what its `destination` receives: the vocabulary between destinations and the delivery room.

A destination is a vendor's folder with a `destination` module: the model of its rules, the mapping of routed leads to what is sent (`to_send`), a sender that
makes the requests, and `pretend`, the answers to a dry run. Add the module and the destination exists: rules, commands and tables ask `destinations()`.

Does not belong here: any one destination, or when something is sent (see `lead_assets.delivery`).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

import orjson
from pydantic import Field, SecretStr

from lead_assets.core.declared import Declared
from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Rate
from lead_assets.ledger.outbox_model import NEWEST_EDITION, Fate, LazyBody, Parcel, Sent, ToSend
from lead_assets.vendors.http import HttpAnswer, VendorHttp

Allowed = dict[str, str]
"""A field allow-list: the destination's name of a field → the lead's (see `lead_assets.delivery.facts`)."""


class RateRule(Declared):
    """At most `requests` in any `seconds`."""

    requests: int = Field(ge=1)
    seconds: float = Field(gt=0)

    @property
    def rate(self) -> Rate:
        return Rate(self.requests, self.seconds)


class SendRules(Declared):
    """What every destination's rules say. `on`: always, in homes of the sandbox only, or never."""

    on: Literal["always", "sandbox", "never"] = "never"
    rate: RateRule | None = None
    """Replaces the vendor's documented limit, and is kept in the sandbox, too."""

    def is_on(self, settings: Settings) -> bool:
        return self.on == "always" or (self.on == "sandbox" and settings.world == "sandbox")


class OwnerContact(Declared):
    """Where an owner is reached."""

    email: str | None = None
    slack: str | None = None
    """Channel (C…), or member (U…) for a direct message."""
    hubspot: str | None = None
    salesforce: str | None = None


@dataclass(slots=True, kw_only=True)  # not frozen: see `ToSend`
class RoutedLead:
    """A routed lead as destinations see it."""

    campaign_id: str
    lead_id: str
    person: str
    account: str
    """Key of the account that ownership is decided by."""
    facts: Mapping[str, Any]
    """By name, without nulls and blanks: see `lead_assets.delivery.facts`."""
    owner: str
    contact: OwnerContact
    path: Literal["route", "nurture", "manual_review", "hold"]
    high_priority: bool
    received_at: datetime
    due_by: datetime
    """By when its owner should have it."""
    revisit_at: datetime
    """When a lead that is nurtured comes back."""
    said: str = ""
    """A hash of what the lead itself said: what it wants, who it works for and as what."""

    @property
    def news(self) -> tuple[str, str]:
        """What an owner hears of: a lead that is theirs now, or one that said something new. What our own rules, models or signals make of the same words is no
        reason to write again: after an edit of a threshold, or with another model, everybody would hear of every lead once more."""
        return self.owner, self.said

    @property
    def to_owner(self) -> bool:
        """Whether a person is to work on it; what is nurtured or held goes to nobody."""
        return self.path in ("route", "manual_review")

    def send(
        self,
        destination: str,
        kind: str,
        body: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        *,
        content: Any = None,
        put: Any = None,
        edition: int = 1,
        **other: Any,
    ) -> ToSend:
        """Something to send about this lead. `content`: what makes it another message, by default its whole body; `put`: what only makes it read otherwise, and
        counts as long as it has not left. `body`: may be a function; where `content` is given, it is called only if something has to be sent. `edition`: raise
        it when you change what `content` is made of, so that nothing is sent again for that. Raises ValueError for an edition above `NEWEST_EDITION`."""
        if edition > NEWEST_EDITION:
            raise ValueError(f"edition {edition} of {destination} {kind}: raise NEWEST_EDITION with a step of the ledger's")
        if content is None:
            content = body() if callable(body) else body
        return ToSend(
            destination=destination,
            kind=kind,
            campaign_id=self.campaign_id,
            lead_id=self.lead_id,
            person=self.person,
            content=(f"{edition}:" if edition > 1 else "") + content_hash(content) + (f"/{content_hash(put)}" if put is not None else ""),
            body=LazyBody(_with_whom, self, body),
            as_of=self.received_at,
            **other,
        )

    def mapped(self, allowed: Allowed) -> dict[str, str]:
        """The allowed fields that the lead has, as text: what is blank is left out, so that it overwrites nothing."""
        facts = self.facts
        return {theirs: in_text(value) for theirs, ours in allowed.items() if (value := facts.get(ours)) is not None}


def _with_whom(lead: RoutedLead, body: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    who = {name: lead.facts[name] for name in ("email", "phone", "company_domain") if name in lead.facts}
    return {**(body() if callable(body) else body), "who": who}


def content_hash(content: Any) -> str:
    return hashlib.sha256(orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def in_text(value: Any) -> str:
    """82 for 82.0, true for True, text for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return value.isoformat() if isinstance(value, datetime) else str(value)


class SendDesk(Protocol):
    """What a sender works at: its turn, the journal, and how failures are taken."""

    async def turn(self, bucket: str, rates: Sequence[Rate]) -> bool:
        """Wait until one more request is within the rates. False if that takes too long."""
        ...

    async def depart(self, parcels: Sequence[Parcel], ref: str | None = None) -> list[Parcel]:
        """Journal that a request with these leaves now. Returns those that may leave: nobody may be sent what is not returned."""
        ...

    async def settle(self, fates: Sequence[tuple[Parcel, Fate]]) -> None:
        """Journal what became of parcels."""
        ...

    async def owners_seen(self, owners: Sequence[tuple[str, str]]) -> None:
        """Note owners that the destination has and we did not set, (account, owner) each: routing gives them their accounts, if nothing says otherwise."""
        ...

    async def failed(self, parcels: Sequence[Parcel], error: ProviderError, bucket: str | None = None) -> None:
        """Journal a request that failed as a whole. `bucket`: which one waits if it was too fast."""
        ...


@dataclass(frozen=True)
class SendOpening:
    """What a destination's sender is opened with."""

    settings: Settings
    rules: Any
    url: str
    key: SecretStr
    desk: SendDesk
    http: type[VendorHttp] = VendorHttp
    """The transport; a dry run has its own."""


@dataclass(frozen=True, kw_only=True)
class DestinationAccess:
    """What a destination is reached with, for anything but sending."""

    settings: Settings
    rules: Any
    url: str
    key: SecretStr

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key.get_secret_value()}"}


@dataclass(frozen=True, kw_only=True)
class ToForget(DestinationAccess):
    """Whom a destination is asked to delete."""

    emails: Mapping[str, str]
    """Person (as `ToSend.person`) → the e-mail address, for each of theirs."""
    ids: Mapping[str, str | None]
    """Person → the destination's own id, for those whom it is known to have."""
    persons: Sequence[str]
    """What the destination knows them as, and nobody else."""
    sent: Sequence[Sent]
    """What it got about their leads, oldest first."""


@dataclass(frozen=True)
class Forgot:
    """What became of the request. `asked`: the destination took it; `why`: a code for what it was not asked, or could not do; "" if nothing is left."""

    asked: bool
    why: str = ""


class Sender(Protocol):
    """An open connection to one destination."""

    async def send(self, parcels: Sequence[Parcel]) -> None:
        """Send parcels and settle each of them at the desk. May raise ProviderError for those that it has not settled."""
        ...


class Destination(ABC):
    """Where deliveries go."""

    name: ClassVar[str]
    rules: ClassVar[type[SendRules]]
    claims: ClassVar[int]
    """Parcels that one worker takes at once."""
    workers: ClassVar[int] = 4
    address: ClassVar[str | None] = None
    """The rule that says where it is sent, for destinations without an address of their own: on: always needs it."""
    deduplicates: ClassVar[bool]
    """Whether sending the same again does no harm."""
    to_people: ClassVar[bool] = False
    """Whether owners read it: quiet hours count, and its first confirmed send is the first touch."""

    keeps_people: ClassVar[bool] = True
    """Whether it keeps one record per person, which leads with the same address share."""
    tells_opt_outs: ClassVar[bool] = False
    """Whether it knows who has unsubscribed, or whose address bounces."""
    tells_outcomes: ClassVar[bool] = False
    """Whether it knows which leads were won or lost."""

    def url(self, settings: Settings, rules: Any) -> str | None:
        """Another base URL than the vendor's; None for the vendor's own."""
        return None

    def needs_key(self, rules: Any) -> bool:
        return True

    @abstractmethod
    def to_send(self, leads: Sequence[RoutedLead], rules: Any) -> list[ToSend]:
        """What is to be sent about the routed leads of one campaign."""

    @abstractmethod
    def open(self, opening: SendOpening) -> AbstractAsyncContextManager[Sender]: ...

    @abstractmethod
    async def forget(self, whom: ToForget) -> Forgot:
        """Ask the destination to delete a person for good. Safe to repeat; whom it does not have, it has deleted. Raises ProviderError."""

    async def opted_out(self, access: DestinationAccess) -> list[tuple[str, str]]:
        """(e-mail address, why) of everybody who does not want to hear from us or cannot: `tells_opt_outs`. Raises ProviderError."""
        return []

    async def outcomes(self, access: DestinationAccess) -> list[dict[str, Any]]:
        """One object per deal and contact, with columns that rules/outcomes.yaml names: `tells_outcomes`. The same deals give the same objects, in the same
        order. Raises ProviderError."""
        return []

    @abstractmethod
    def pretend(self, method: str, path: str, body: Any) -> Any:
        """The answer that a request would get if all went well, for a dry run. `body`: what the request says, in its body or else its URL."""


def ok_answer(body: Any, status: int = 200) -> HttpAnswer:
    data = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return HttpAnswer(status, {"content-type": "application/json"}, data)


def slices(parcels: Sequence[Parcel], most: int) -> list[Sequence[Parcel]]:
    return [parcels[start : start + most] for start in range(0, len(parcels), most)]
