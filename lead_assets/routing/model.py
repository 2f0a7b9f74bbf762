"""What rules/routing.yaml may say: people, teams, pools, regions, segments, named accounts, rules in order, and the fallback.

Belongs here: the shape of the file, and looking things up in it. Does not belong here: mistakes that the shape alone does not show (`mistakes`), what can be
asked about a lead (`fields`), or who gets one (`choose`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from lead_assets.core.conditions import Between, KnownValue, Test
from lead_assets.core.declared import Declared
from lead_assets.core.emails import ascii_host
from lead_assets.core.time_spans import Duration
from lead_assets.routing.working_time import ALWAYS, Calendar, Week, known_zone, week_of

_ID = r"^[a-z0-9][a-z0-9._@+-]*$"
Id = Annotated[str, Field(pattern=_ID)]
DEFAULT = "DEFAULT"
MAILBOX = re.compile(r"^[a-z0-9][a-z0-9._+-]*@[a-z0-9][a-z0-9.-]*$")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _worded(value: object) -> object:
    """true and false in a condition are the words yes and no, which is how the fields say it."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return ["yes" if each is True else "no" if each is False else each for each in value] if isinstance(value, list) else value


When = dict[str, Annotated[Test, BeforeValidator(_worded)]]
"""Conditions that must all hold, by field."""

Places = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed), Field(min_length=1)]


class Absence(Declared):
    """Days on which somebody is away, both included."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @field_validator("first", "last", mode="before")
    @classmethod
    def _day(cls, value: object) -> object:
        try:
            return date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError(f"'{value}' is not a day: write it as 2026-12-24") from None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"ends before it begins: write from {self.last} to {self.first}")
        return self


class Capacity(Declared):
    """The most leads that somebody is given: on one (local) day, and open at once."""

    per_day: int | None = None
    open: int | None = None

    @field_validator("per_day", "open")
    @classmethod
    def _some(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value < 1:
            raise ValueError(
                f"{info.field_name} is {value}: nobody can be given that; write at least 1, or active: false for somebody who takes no leads"
            )
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.per_day is None and self.open is None:
            raise ValueError("give per_day, open or both, or leave capacity out for no limit")
        return self


class Owner(Declared):
    """Somebody, or a desk, who can own accounts and leads."""

    id: Id
    name: str = Field(min_length=1)
    email: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$")
    crm_id: str | None = Field(None, min_length=1)
    active: bool = True
    left: bool = False
    """Gone for good. Like inactive, but `lead-assets owners leave` moves what they still have."""
    capacity: Capacity | None = None
    hours: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    timezone: str = "UTC"
    absent: tuple[Absence, ...] = ()

    _week: Week = PrivateAttr(ALWAYS)

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        if not known_zone(value):
            raise ValueError(f"'{value}' is not a time zone: write its name in the IANA database, such as Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _read_hours(self) -> Self:
        if self.hours:
            self._week = week_of(self.hours)
        return self

    @property
    def calendar(self) -> Calendar:
        return Calendar(self._week, self.timezone, tuple((each.first, each.last) for each in self.absent))

    @property
    def always_there(self) -> bool:
        """Whether a lead can go to them at any time."""
        return self.active and not self.left and self.capacity is None and not self.absent


class Team(Declared):
    """People who work together. A lead for the team goes to one of them, in turn."""

    id: Id
    name: str = Field(min_length=1)
    members: tuple[str, ...] = Field(min_length=1)
    otherwise: str | None = None
    """Who takes its leads when nobody in it can: an owner, a team or a pool."""


class Pool(Declared):
    """Some people, or a team, who share leads."""

    id: Id
    members: tuple[str, ...] | dict[str, Annotated[int, Field(ge=1, le=1000)]] = ()
    """Ids, or id: weight."""
    team: str | None = None
    order: Literal["round_robin", "weighted", "least_loaded"] = "round_robin"
    otherwise: str | None = None

    @model_validator(mode="after")
    def _has_members(self) -> Self:
        if bool(self.members) == (self.team is not None):
            raise ValueError("give either members or team: one of the two says who is in the pool")
        if (self.order == "weighted") != isinstance(self.members, dict):
            raise ValueError(
                "order: weighted needs members as id: weight"
                if self.order == "weighted"
                else f"members with weights need order: weighted; for {self.order} write them as a list"
            )
        return self


class Territory(Declared):
    """One rule: leads that meet every condition of `when` go where it says. The first matching rule whose target can take the lead wins."""

    name: str = Field(min_length=1)
    when: When = Field(min_length=1)
    owner: str | None = None
    team: str | None = None
    pool: str | None = None
    nurture: bool | str = False
    """Not for a person now: `true` for the fallback owner to keep, or the id of who keeps it."""
    hold: bool | str = False
    """Not to be contacted until somebody decides (`lead-assets reroute`)."""
    sla: Duration | None = None

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        if len(self.actions) != 1:
            raise ValueError(
                "says where leads go " + ("twice" if self.actions else "nowhere") + ": give exactly one of owner, team, pool, nurture, hold"
            )
        return self

    @functools.cached_property
    def actions(self) -> list[str]:
        return [name for name in ("owner", "team", "pool", "nurture", "hold") if getattr(self, name)]

    @functools.cached_property
    def action(self) -> str:
        return self.actions[0]

    @functools.cached_property
    def target(self) -> str | None:
        """The id of who gets the lead; None for the fallback owner."""
        value = getattr(self, self.action)
        return value if isinstance(value, str) else None

    @property
    def rule(self) -> str:
        """The condition in one line, independent of its layout in the file."""
        return "; ".join(f"{name} {said_test(test)}" for name, test in self.when.items())


def _account_key(account: str) -> str:
    """A domain as accounts are kept under it, or another account key."""
    return account.lower() if account.isascii() else ascii_host(account) or account.lower()


def said_test(test: Test) -> str:
    if isinstance(test, KnownValue):
        return "known" if test.known else "unknown"
    return str(test) if isinstance(test, Between) else f"in {', '.join(test)}"


class NamedAccount(Declared):
    """Accounts that are somebody's whatever the rules say."""

    accounts: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
    """Domains, or account keys."""
    to: str
    """An owner, a team or a pool."""


class Slas(Declared):
    """Working time within which an owner should answer, by tier."""

    hot: Duration | None = None
    warm: Duration | None = None
    cold: Duration | None = None


class RoutingTable(Declared):
    """A valid routing table."""

    regions: dict[str, Places] = {}
    """Named groups of ISO 3166 codes: countries (DE) and subdivisions (US-CA)."""
    segments: dict[str, Annotated[When, Field(min_length=1)]] = {}
    """Named groups of leads; a lead is in the first whose conditions hold."""
    owners: tuple[Owner, ...] = Field(min_length=1)
    teams: tuple[Team, ...] = ()
    pools: tuple[Pool, ...] = ()
    named_accounts: tuple[NamedAccount, ...] = ()
    territories: tuple[Territory, ...] = ()
    fallback_owner: str = Field(description="name the owner of leads that no territory matches")
    sla: Slas = Slas()
    open_for: Duration = timedelta(days=30)
    """How long a lead counts as open if nobody closes it."""
    plain: dict[str, str] = {}
    """Country → mailbox, if that is all the file says."""

    @model_validator(mode="before")
    @classmethod
    def _from_plain(cls, value: Any) -> Any:
        return _of_plain(value) if is_plain(value) else value

    @functools.cached_property
    def people(self) -> dict[str, Owner]:
        return {owner.id: owner for owner in self.owners}

    @functools.cached_property
    def groups(self) -> dict[str, Team | Pool]:
        teams: dict[str, Team | Pool] = {team.id: team for team in self.teams}
        return teams | {pool.id: pool for pool in self.pools}

    @functools.cached_property
    def team_of(self) -> dict[str, str]:
        """By person, the first team they are in."""
        found: dict[str, str] = {}
        for team in self.teams:
            for person in team.members:
                found.setdefault(person, team.id)
        return found

    @functools.cached_property
    def named(self) -> dict[str, str]:
        """Account → target."""
        return {_account_key(account): entry.to for entry in self.named_accounts for account in entry.accounts}

    def weights(self, group: str) -> dict[str, int]:
        """The members of a team or pool, and their weights."""
        found = self.groups[group]
        if isinstance(found, Pool):
            if found.team is not None:
                return self.weights(found.team)
            if isinstance(found.members, dict):
                return dict(found.members)
        return dict.fromkeys(found.members, 1)

    def order(self, group: str) -> str:
        found = self.groups[group]
        return found.order if isinstance(found, Pool) else "round_robin"

    def places(self, when: When) -> frozenset[str] | None:
        """The ISO 3166 codes that conditions limit the region to; None if they name no region."""
        named = when.get("region")
        return frozenset(place for name in named for place in self.regions[name]) if isinstance(named, tuple) else None

    def asked(self) -> Iterator[str]:
        """The fields that rules and segments test, each once."""
        every = [*self.segments.values(), *(territory.when for territory in self.territories)]
        yield from dict.fromkeys(name for when in every for name in when)


def is_plain(value: Any) -> bool:
    """Whether a file is a plain table of mailboxes by country: {"US": "us@example.com", "DEFAULT": "desk@example.com"}."""
    return (
        isinstance(value, dict)
        and bool(value)
        and not {"owners", "territories", "fallback_owner"} & set(value)
        and all(isinstance(key, str) and (key.upper() == DEFAULT or (len(key) == 2 and key.isalpha())) for key in value)
    )


def _of_plain(value: dict[str, Any]) -> dict[str, Any]:
    """The table that a plain one stands for. What is wrong with it is said by `mistakes`, at its own lines."""
    plain = {str(key): str(mailbox).strip() for key, mailbox in value.items()}
    mailboxes = list(dict.fromkeys(mailbox.lower() for mailbox in plain.values()))
    fallback = next((mailbox for key, mailbox in plain.items() if key.upper() == DEFAULT), mailboxes[0])
    owners = [{"id": mailbox, "name": mailbox, "email": mailbox} for mailbox in mailboxes if MAILBOX.match(mailbox)]
    return {
        "owners": owners or [{"id": "nobody", "name": "nobody"}],
        "territories": [
            {"name": key.upper(), "owner": mailbox.lower(), "when": {"country_code": [key.upper()]}}
            for key, mailbox in plain.items()
            if key.upper() != DEFAULT
        ],
        "fallback_owner": fallback.lower(),
        "plain": plain,
    }
