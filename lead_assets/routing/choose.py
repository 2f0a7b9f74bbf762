"""Who gets each lead: existing owner, here or in the CRM → named account → rules → fallback.

Runs inside the ledger's transaction, lead by lead in the order of arrival, because every lead given away changes who is full and whose turn it is.

Whoever is inactive, has left, is away or is full is passed over, also an existing owner: the account stays theirs, and the lead goes on to the next
authority. A rule whose people are all passed over sends the lead to its `otherwise`, then the next rule that it meets is tried. The fallback ends with somebody
who is always there (`mistakes` sees to that), so no lead is without an owner, even if everybody is absent.

Belongs here: choosing. Does not belong here: which rules a lead meets (`matching`), or storing what was chosen (`lead_assets.ledger.routes`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from lead_assets.core.conditions import KnownValue
from lead_assets.ledger.assignments_model import Assignment, Choice, Chosen, Held, LeadToRoute, Load, RoutingState, Since
from lead_assets.routing.fields import IN_LEDGER
from lead_assets.routing.matching import Facts, Matched, because, by_fallback
from lead_assets.routing.model import Owner, Pool, RoutingTable, Territory
from lead_assets.routing.shares import PoolShares

Passed = tuple[str, str]
"""Somebody who was passed over, and why."""

MOST_PASSED = 8
"""How many of them a decision names; it counts the others."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_ASSIGNED = ("nurture", "hold")
"""Actions that give a lead to somebody to keep, and its account to nobody."""


def order_of(matched: Matched) -> list[LeadToRoute]:
    """The leads, in the order in which they are given away."""
    return [LeadToRoute(*row) for row in matched.keys.select("campaign_id", "lead_id", "account_key").iter_rows()]


@dataclass
class Chooser:
    """`Choose` for some leads under a table: see `lead_assets.ledger.assignments_model`. Keeps nothing between calls but what depends on the table alone."""

    table: RoutingTable
    digest: str
    matched: Matched
    leads: list[LeadToRoute] = field(init=False)
    _said: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict)
    _reasons: dict[tuple[str, int | None, int], tuple[str, str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.leads = order_of(self.matched)
        self._tiers = self.matched.keys["tier"].to_list()
        self._paths = self.matched.keys["path"].to_list()
        self._asks_ledger = {
            index: {name: territory.when[name] for name in IN_LEDGER if name in territory.when}
            for index, territory in enumerate(self.table.territories)
            if any(name in territory.when for name in IN_LEDGER)
        }
        self._asked_of_ledger = [name for name in self.table.asked() if name in IN_LEDGER]

    def __call__(self, standing: RoutingState, indices: Sequence[int]) -> Chosen:
        roster = Roster(self.table, standing)
        chosen = Chosen()
        held_now = dict(standing.accounts)
        of_company: dict[str, Held] = {}
        named = self.table.named
        for index in indices:
            lead = self.leads[index]
            account = lead.account_key
            company = standing.companies.get(account)
            held = held_now.get(account) or of_company.get(company or "")
            passed: list[Passed] = []
            if held is not None and roster.can_take(held.owner, passed):
                way = self._way(index, "existing_owner", held.owner, None, None, (), held, standing, roster)
                self._give(chosen, roster, index, held.owner, way, None)
                continue
            owner, authority, rule, team = None, "fallback", None, None
            crm = standing.crm.get(account) if held is None else None
            if crm is not None and crm.owner:
                person = roster.in_crm(crm.owner)
                if person is None:
                    passed.append(("crm", "the owner in the CRM is not in the routing table"))
                elif roster.can_take(person, passed):
                    owner, authority = person, "crm_owner"
            if owner is None and account in named:
                found = roster.take(named[account], passed)
                if found is not None:
                    (owner, team), authority = found, "named_account"
            if owner is None:
                for rule_index in self.matched.rules[self.matched.fact_of[index]]:
                    if rule_index in self._asks_ledger and not self._meets(rule_index, account, held, standing, roster):
                        continue
                    territory = self.table.territories[rule_index]
                    found = roster.take(territory.target or self.table.fallback_owner, passed)
                    if found is not None:
                        (owner, team), authority, rule = found, "rule", rule_index
                        break
            if owner is None:
                found = roster.take(self.table.fallback_owner, passed)
                if found is None:
                    raise ValueError("routing: the fallback owner cannot take leads: correct fallback_owner in routing.yaml")
                owner, team = found
            way = self._way(index, authority, owner, rule, team, tuple(passed), held, standing, roster)
            self._give(chosen, roster, index, owner, way, rule)
            if held is None and (rule is None or self.table.territories[rule].action not in NOT_ASSIGNED):
                said = self._of_authority(authority, rule, self.matched.fact_of[index])
                held_now[account] = Held(owner, lead.campaign_id, said[2], said[0], said[1], authority == "fallback")
                if company is not None:
                    of_company.setdefault(company, held_now[account])
                chosen.accounts.append(
                    Assignment(
                        account, owner, said[0], said[1], said[2], authority == "fallback", lead.lead_id, lead.campaign_id, standing.now
                    )
                )
        chosen.rotas = roster.states()
        return chosen

    def _give(self, chosen: Chosen, roster: Roster, index: int, owner: str, way: tuple[str, str], rule: int | None) -> None:
        roster.give(owner)
        chosen.ways[way[0]] = way[1]
        territory = None if rule is None else self.table.territories[rule]
        span = None
        if _path(self._paths[index], territory) not in NOT_ASSIGNED:
            span = (
                territory.sla
                if territory is not None and territory.sla is not None
                else getattr(self.table.sla, self._tiers[index] or "", None)
            )
        chosen.choices.append(Choice(index, owner, way[0], roster.due(owner, span)))

    def _of_authority(self, authority: str, rule: int | None, fact: int) -> tuple[str, str, str]:
        key = (authority, rule, fact)
        if key not in self._reasons:
            self._reasons[key] = _of_authority(authority, self.table, rule, self.matched.facts[fact])
        return self._reasons[key]

    def _meets(self, rule: int, account: str, held: Held | None, standing: RoutingState, roster: Roster) -> bool:
        facts = _of_ledger(account, held, standing, roster)
        for name, test in self._asks_ledger[rule].items():
            value = facts.get(name)
            if isinstance(test, KnownValue):
                if (value is not None) != test.known:
                    return False
            elif not isinstance(test, tuple) or value is None or value.lower() not in [each.lower() for each in test]:
                return False
        return True

    def _way(
        self,
        index: int,
        authority: str,
        owner: str,
        rule: int | None,
        team: str | None,
        passed: tuple[Passed, ...],
        held: Held | None,
        standing: RoutingState,
        roster: Roster,
    ) -> tuple[str, str]:
        """Key and JSON of how a lead was routed."""
        # A lead of an owned account is not tried on any rule, so its values do not matter.
        fact = self.matched.fact_of[index] if authority != "existing_owner" else None
        path = self._paths[index]
        team = team or self.table.team_of.get(owner)
        of_ledger: tuple[tuple[str, str], ...] = ()
        if self._asked_of_ledger and authority != "existing_owner":
            known = _of_ledger(self.leads[index].account_key, held, standing, roster)
            of_ledger = tuple((name, known[name]) for name in self._asked_of_ledger if name in known)
        key = (authority, fact, rule, team, path, passed, of_ledger, held if authority == "existing_owner" else None)
        found = self._said.get(key)
        if found is None:
            facts = {} if fact is None else self.matched.facts[fact] | dict(of_ledger)
            if fact is None and held is not None:
                territory, said, reason = (
                    held.territory,
                    held.rule,
                    f"account already owned, from campaign {held.campaign_id}: {held.reason}",
                )
                fallback = held.fallback
            else:
                (territory, said, reason), fallback = _of_authority(authority, self.table, rule, facts), authority == "fallback"
            way = {
                "authority": authority,
                "territory": territory,
                "rule": said,
                "reason": reason,
                "fallback": fallback,
                "team": team,
                "path": _path(path, None if rule is None else self.table.territories[rule]),
                "facts": facts,
                "passed_over": [{"who": who, "why": why} for who, why in dict.fromkeys(passed[:MOST_PASSED])],
                "table": self.digest,
            }
            if len(passed) > MOST_PASSED:
                way["passed_over"].append({"who": f"{len(passed) - MOST_PASSED} more", "why": "see the routing table"})  # type: ignore[attr-defined]
            text = orjson.dumps(way, option=orjson.OPT_SORT_KEYS)
            found = (hashlib.sha256(text).hexdigest()[:20], text.decode())
            self._said[key] = found
        return found


def _path(path: str | None, territory: Territory | None) -> str:
    return territory.action if territory is not None and territory.action in NOT_ASSIGNED else path or "manual_review"


def _of_authority(authority: str, table: RoutingTable, rule: int | None, facts: Facts) -> tuple[str, str, str]:
    """Territory, rule and reason, as they are shown and kept."""
    if rule is not None:
        territory = table.territories[rule]
        return territory.name, territory.rule, because(table, territory.when, facts)
    if authority == "crm_owner":
        return "crm", "owner in the CRM", "the account has this owner in the CRM"
    if authority == "named_account":
        return "named account", "named account", "the account is named in the routing table"
    return "fallback", "fallback", by_fallback(facts)


def _of_ledger(account: str, held: Held | None, standing: RoutingState, roster: Roster) -> dict[str, str]:
    """The fields of `IN_LEDGER` that are known of an account."""
    facts: dict[str, str] = {}
    crm = standing.crm.get(account)
    if held is not None:
        facts["existing_owner"] = held.owner
    elif crm is not None and crm.owner and (person := roster.in_crm(crm.owner)) is not None:
        facts["existing_owner"] = person
    if crm is not None and crm.customer is not None:
        facts["customer"] = "yes" if crm.customer else "no"
    return facts


class Roster:
    """Who can take a lead now, how many they have, and whose turn it is: the state of one transaction."""

    def __init__(self, table: RoutingTable, standing: RoutingState) -> None:
        self._table = table
        self._now = standing.now
        self._blocked: dict[str, str] = {}
        """By person, why they cannot take leads now."""
        self._version = 0
        self._rotas = dict(standing.rotas)
        self._shares: dict[str, tuple[int, PoolShares]] = {}
        self._due: dict[tuple[str, timedelta], int | None] = {}
        for person in table.owners:
            if (why := _not_here(person, standing.now)) is not None:
                self._blocked[person.id] = why
        balanced = [pool.id for pool in table.pools if pool.order == "least_loaded"]
        counted = {person for pool in balanced for person in table.weights(pool)}
        counted |= {person.id for person in table.owners if person.capacity is not None}
        open_since = _us(standing.now - table.open_for)
        since = {person: Since(_us(table.people[person].calendar.midnight(standing.now)), open_since) for person in sorted(counted)}
        self._loads: dict[str, Load] = dict(standing.loads(since)) if since else {}
        for person_id in self._loads:
            self._full(person_id)
        self._crm: dict[str, str] = {}
        for person in reversed(table.owners):
            self._crm |= {key.lower(): person.id for key in (person.crm_id, person.email, person.id) if key}

    def in_crm(self, owner: str) -> str | None:
        """The person of this table that the CRM means, by CRM id, address or id."""
        return self._crm.get(owner.lower())

    def can_take(self, person: str, passed: list[Passed]) -> bool:
        why = self._blocked.get(person)
        if why is None and person not in self._table.people:
            why = "is not in the routing table"
        if why is None:
            return True
        passed.append((person, why))
        return False

    def take(self, target: str, passed: list[Passed]) -> tuple[str, str | None] | None:
        """The owner that a target (a person, a team or a pool) comes to, and the team; None if nobody there can take a lead. Counts a pool's turn."""
        team = None
        while target in self._table.groups:
            group = self._table.groups[target]
            team = (group.team if isinstance(group, Pool) else target) or team
            passed += [(person, self._blocked[person]) for person in self._table.weights(target) if person in self._blocked]
            chosen = self._turn(target)
            if chosen is not None:
                return chosen, team
            if group.otherwise is None:
                return None
            target, team = group.otherwise, None
        return (target, team) if self.can_take(target, passed) else None

    def give(self, person: str) -> None:
        """Count a lead."""
        load = self._loads.get(person)
        if load is not None:
            self._loads[person] = Load(load.given + 1, load.open + 1)
            self._full(person)

    def due(self, owner: str, span: timedelta | None) -> int | None:
        if span is None:
            return None
        if (owner, span) not in self._due:
            end = self._table.people[owner].calendar.after(self._now, span)
            self._due[owner, span] = None if end is None else _us(end)
        return self._due[owner, span]

    def states(self) -> dict[str, str]:
        """The turns of the pools that have given leads, for the next transaction."""
        return {
            group: orjson.dumps({"weights": shares.weights, "lags": shares.lags, "away": shares.away}).decode()
            for group, (_, shares) in self._shares.items()
        }

    def _turn(self, group: str) -> str | None:
        weights = self._table.weights(group)
        if self._table.order(group) == "least_loaded":
            available = [person for person in weights if person not in self._blocked]
            return min(available, key=lambda person: (self._loads[person].open, self._loads[person].given), default=None)
        version, shares = self._shares.get(group, (-1, None))
        if shares is None:
            shares = _shares_from(self._rotas.get(group))
        if version != self._version:
            available_weights = {person: weight for person, weight in weights.items() if person not in self._blocked}
            if not shares.same_roster(available_weights):
                shares = shares.changed(available_weights)
            self._shares[group] = (self._version, shares)
        return shares.take() if shares.weights else None

    def _full(self, person: str) -> None:
        capacity, load = self._table.people[person].capacity, self._loads[person]
        if capacity is None or person in self._blocked:
            return
        if capacity.open is not None and load.open >= capacity.open:
            self._block(person, f"full: {capacity.open} open leads")
        elif capacity.per_day is not None and load.given >= capacity.per_day:
            self._block(person, f"full: {capacity.per_day} leads today")

    def _block(self, person: str, why: str) -> None:
        self._blocked[person] = why
        self._version += 1


def _not_here(person: Owner, now: datetime) -> str | None:
    if person.left:
        return "has left"
    if not person.active:
        return "is not active"
    until = person.calendar.away_until(now) if person.absent else None
    return None if until is None else f"is away until {until}"


def _shares_from(state: str | None) -> PoolShares:
    return PoolShares(**orjson.loads(state)) if state else PoolShares.of({})


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
