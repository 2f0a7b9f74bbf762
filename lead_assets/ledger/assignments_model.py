"""The values that routing and the ledger exchange about who owns accounts and leads.

Does not belong here: deciding who should own what (`lead_assets.routing`), or storing it (`lead_assets.ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True)
class Assignment:
    """The current owner of an account, and the lead that brought the account in."""

    account_key: str
    owner: str
    territory: str
    """Rule that matched, or 'fallback' or another authority's name."""
    rule: str
    """The routing condition that matched, as stored, e.g. 'country_code in DACH'."""
    reason: str
    """The reason in words, without personal data: it is kept as long as the account has an owner."""
    fallback: bool
    lead_id: str
    campaign_id: str
    assigned_at: datetime


class LeadToRoute(NamedTuple):
    """A lead to route."""

    campaign_id: str
    lead_id: str
    account_key: str


class Held(NamedTuple):
    """Who owns an account here, since which campaign, and by which rule."""

    owner: str
    campaign_id: str
    reason: str
    territory: str
    rule: str
    fallback: bool


class InCrm(NamedTuple):
    """What the CRM says of an account."""

    owner: str | None
    """The owner there: an id of the CRM, an address, or an id of the routing table."""
    customer: bool | None


class Load(NamedTuple):
    """Leads of one owner: given since a moment, and open now."""

    given: int
    open: int


class Since(NamedTuple):
    """From when an owner's leads count: as given, and as open. Microseconds since 1970."""

    given: int
    open: int


@dataclass
class RoutingState:
    """What the ledger knows when leads are routed. Nobody else writes while this is in use."""

    now: datetime
    accounts: Mapping[str, Held]
    """By account, those that have an owner."""
    crm: Mapping[str, InCrm]
    rotas: Mapping[str, str]
    """By pool, its state as `Chosen.rotas` left it."""
    loads: Callable[[Mapping[str, Since]], Mapping[str, Load]]
    """The loads of the owners asked for."""
    companies: Mapping[str, str] = field(default_factory=dict)
    """By account, its company's id in the register of who is who, of those that have one: several accounts may be one company."""


class Choice(NamedTuple):
    """A lead's owner."""

    at: int
    """Position of the lead in the leads that were offered."""
    owner: str
    way: str
    """Key of how it was chosen, in `Chosen.ways`."""
    due_us: int | None
    """When the owner should have answered, in microseconds since 1970."""


@dataclass
class Chosen:
    """The owners of leads, chosen inside the ledger's transaction."""

    choices: list[Choice] = field(default_factory=list)
    ways: dict[str, str] = field(default_factory=dict)
    """Key → how a lead was routed, as JSON. Many leads share one."""
    accounts: list[Assignment] = field(default_factory=list)
    """Accounts that had no owner and have one now. Their `assigned_at` is the standing's `now`."""
    rotas: dict[str, str] = field(default_factory=dict)


Choose = Callable[[RoutingState, Sequence[int]], Chosen]
"""Chooses owners for the leads with these positions. Must depend on its arguments alone, because a transaction may be tried again."""


@dataclass(frozen=True)
class Move:
    """Who moves leads or accounts, and why; kept in the ledger."""

    kind: str
    """reroute, transfer, release or leave."""
    by: str
    why: str


class Change(NamedTuple):
    """One change of owner, of an account (without a lead) or of a lead."""

    changed_at: datetime
    kind: str
    account_key: str
    campaign_id: str | None
    lead_id: str | None
    before: str | None
    after: str | None
    by: str
    why: str


class Moved(NamedTuple):
    """A lead that changes its owner."""

    campaign_id: str
    lead_id: str
    account_key: str
    before: str
    after: str
