"""rules/delivery.yaml: which destinations are on and what each is told, where owners are reached, and when sends wait.

Belongs here: reading and checking the file. Does not belong here: what a destination's own rules mean (see its folder in `lead_assets.vendors`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, create_model

from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.core.time_spans import Duration
from lead_assets.delivery.fields import FACTS
from lead_assets.ledger.outbox_model import Policy
from lead_assets.vendors import destinations
from lead_assets.vendors.sending import OwnerContact, SendRules


def _clock(value: Any) -> Any:
    # YAML 1.1 reads 20:00 without quotes as a number of minutes.
    return time(value // 60 % 24, value % 60) if isinstance(value, int) and not isinstance(value, bool) else value


class QuietHours(Declared):
    """When nobody is written to, in the owner's time zone, else in `time_zone`. Sends wait until it is over."""

    begin: Annotated[time, BeforeValidator(_clock)]
    end: Annotated[time, BeforeValidator(_clock)]
    time_zone: str = "UTC"
    weekends: bool = False
    """Whether Saturdays and Sundays are quiet, too."""

    def seconds_left(self, now: datetime, zone: str | None = None) -> float:
        """How long it is still quiet; 0 if it is not. Counted in real time, so that a clock change in between does not shift it."""
        there = ZoneInfo(zone or self.time_zone)
        moment = now.astimezone(there)
        for _ in range(4):
            until = self._until(moment)
            if until is None:
                break
            moment = until
        return max(0.0, (moment - now).total_seconds() if moment.tzinfo is now.tzinfo else moment.timestamp() - now.timestamp())

    def _until(self, moment: datetime) -> datetime | None:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.weekends and moment.weekday() >= 5:
            return midnight + timedelta(days=7 - moment.weekday())
        clock = moment.time()
        inside = self.begin <= clock < self.end if self.begin < self.end else clock >= self.begin or clock < self.end
        if not inside or self.begin == self.end:
            return None
        ends = midnight.replace(hour=self.end.hour, minute=self.end.minute)
        return ends if clock < self.end else ends + timedelta(days=1)


class ContactPolicy(Declared):
    """How often one person may be reached, in all campaigns together. `most` sends within `days`."""

    most: int = Field(ge=1)
    days: float = Field(gt=0)


class FirstTouch(Declared):
    """By when an owner should have a lead, after it was received."""

    hot: Duration
    warm: Duration
    cold: Duration

    def __getitem__(self, tier: Literal["hot", "warm", "cold"]) -> timedelta:
        span: timedelta = getattr(self, tier)
        return span


class OwnerRule(OwnerContact):
    time_zone: str | None = None


class DeliveryRules(Declared):
    """The whole file. `destinations` has one entry per vendor that takes deliveries."""

    destinations: Any
    owners: dict[str, OwnerRule] = {}
    owner_domain: str | None = None
    """An owner without an e-mail above has <id>@<this domain>."""
    high_priority: float = Field(0.8, ge=0, le=1)
    """From this route_score on, a lead that is routed is of high priority."""
    first_touch: FirstTouch
    nurture: Duration
    """After which a lead that is nurtured comes back."""
    contact_policy: ContactPolicy | None = None
    quiet_hours: QuietHours | None = None
    retry_after: tuple[Duration, ...] = Field(min_length=1)

    def of(self, destination: str) -> SendRules | None:
        """A destination's rules; None if it is not in the file."""
        found: SendRules | None = getattr(self.destinations, destination)
        return found

    def active(self, settings: Settings) -> dict[str, SendRules]:
        """The destinations that are on, with their rules."""
        each = {name: self.of(name) for name in destinations()}
        return {name: rules for name, rules in each.items() if rules is not None and rules.is_on(settings)}

    def contact(self, owner: str, email: str | None = None, crm_id: str | None = None) -> OwnerContact:
        """Where an owner is reached: by this file, else by the routing table's e-mail and CRM id. Salesforce's ids of users begin with 005."""
        known = self.owners.get(owner, OwnerRule())
        in_salesforce = (crm_id or "").startswith("005")
        return OwnerContact(
            email=known.email or email or (f"{owner}@{self.owner_domain}" if self.owner_domain else None),
            slack=known.slack,
            hubspot=known.hubspot or (None if in_salesforce else crm_id),
            salesforce=known.salesforce or (crm_id if in_salesforce else None),
        )

    def zone(self, owner: str | None) -> str | None:
        return self.owners[owner].time_zone if owner in self.owners else None

    @property
    def policy(self) -> Policy:
        after = tuple(span.total_seconds() for span in self.retry_after)
        cap = self.contact_policy
        return Policy(after, cap.most, cap.days) if cap else Policy(after)


def _model() -> type[DeliveryRules]:
    each: dict[str, Any] = {name: (vendor.destination.rules | None, None) for name, vendor in destinations().items()}
    of_destinations = create_model("DestinationRules", __base__=Declared, **each)
    return create_model("DeliveryRules", __base__=DeliveryRules, destinations=(of_destinations, ...))


def _mistakes(rules: DeliveryRules) -> Iterator[Mistake]:
    for name, vendor in destinations().items():
        own = rules.of(name)
        if own is None:
            continue
        for field, value in own:
            where = ("destinations", name, field)
            if isinstance(value, dict):
                named: Iterable[tuple[Any, Any]] = value.items()
            elif field == "fields" and isinstance(value, tuple):
                named = enumerate(value)
            else:
                continue
            for key, fact in named:
                if fact not in FACTS:
                    yield Mistake((*where, key), f"unknown field '{fact}'{nearest(fact, FACTS)}: correct it; known: {', '.join(FACTS)}")
        address = vendor.destination.address
        if own.on == "always" and address is not None and getattr(own, address) is None:
            yield Mistake(("destinations", name, "on"), f"it does not say where to: add {address}, or write on: never")
    zones = available_timezones()
    told: list[tuple[tuple[str, ...], str]] = [
        (("owners", owner, "time_zone"), rule.time_zone) for owner, rule in rules.owners.items() if rule.time_zone
    ]
    told += [(("quiet_hours", "time_zone"), rules.quiet_hours.time_zone)] if rules.quiet_hours else []
    for place, zone in told:
        if zone not in zones:
            yield Mistake(
                place, f"unknown time zone '{zone}'{nearest(zone, sorted(zones))}: write one of the tz database, such as Europe/Berlin"
            )


@functools.cache
def delivery_file() -> RulesFile[DeliveryRules]:
    """The file; made on first use, because its model has a part for every destination."""
    return RulesFile("delivery.yaml", _model(), _mistakes, _summary)


def load_delivery_rules(settings: Settings) -> DeliveryRules:
    """The rules in force. Raises RulesError."""
    return delivery_file().load(settings)


def _summary(rules: DeliveryRules) -> str:
    on = {"always": "on", "sandbox": "in the sandbox"}
    told = [f"{name} {on[own.on]}" for name in destinations() if (own := rules.of(name)) is not None and own.on != "never"]
    return ", ".join(told) or "nothing is sent"
