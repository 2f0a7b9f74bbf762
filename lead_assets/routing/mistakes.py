"""Mistakes in a routing table that its shape alone does not show: names of nobody, cycles, two people with one address, rules that can never match.

Does not belong here: what the file may say (see `model`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lead_assets.core.conditions import Between, KnownValue, Test
from lead_assets.core.declared import Mistake
from lead_assets.core.document import nearest
from lead_assets.routing.fields import FIELDS, RoutingField, field, field_names
from lead_assets.routing.model import DEFAULT, MAILBOX, Pool, RoutingTable, Team, Territory, When

_PLACE = re.compile(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
_NO_ACCOUNT = re.compile(r"[/@\s]|^www\.", re.IGNORECASE)
"""What neither a domain has nor another account key."""
Where = tuple[int | str, ...]


def mistakes(table: RoutingTable) -> Iterator[Mistake]:
    """Mistakes in a well-formed table. Fields and names come first, because later checks rely on them."""
    if table.plain:
        yield from _plain(table.plain)
        return
    names = [
        *_repeated("owner", ("owners",), [owner.id for owner in table.owners]),
        *_same_person(table),
        *_repeated("team", ("teams",), [team.id for team in table.teams]),
        *_repeated("pool", ("pools",), [pool.id for pool in table.pools]),
        *_one_name_for_two(table),
        *_repeated("territory", ("territories",), [territory.name for territory in table.territories]),
        *_unknown_places(table),
        *_segments(table),
        *_groups(table),
        *_named_accounts(table),
        *(mistake for index, territory in enumerate(table.territories) for mistake in _territory(table, index, territory)),
        *_fallback(table),
    ]
    yield from names
    if not names:
        yield from _cycles(table)
        yield from _unreachable(table)


def _plain(plain: dict[str, str]) -> Iterator[Mistake]:
    for key, mailbox in plain.items():
        if key.upper() != DEFAULT and not _is_place(key.upper()):
            yield Mistake((key,), f"unknown country '{key}': write its ISO 3166 code, such as DE or GB, or {DEFAULT}")
        if not MAILBOX.match(mailbox.lower()):
            yield Mistake((key,), f"the value for {key} is not a mailbox: write an address such as desk@example.com")
    if not any(key.upper() == DEFAULT for key in plain):
        yield Mistake(
            (),
            f"{DEFAULT} is missing: add {DEFAULT}: <mailbox> for leads from all other countries and from none, or they would have no owner",
        )


def _repeated(kind: str, where: tuple[str, ...], names: list[str]) -> Iterator[Mistake]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Mistake((*where, index), f"{kind} '{name}' is declared twice: rename or remove one")


def _containers(table: RoutingTable) -> list[tuple[str, tuple[Team | Pool, ...]]]:
    return [("teams", table.teams), ("pools", table.pools)]


def _same_person(table: RoutingTable) -> Iterator[Mistake]:
    for key, words in (("email", "address"), ("crm_id", "CRM id")):
        first: dict[str, str] = {}
        for index, owner in enumerate(table.owners):
            value = getattr(owner, key)
            if value is not None and first.setdefault(value.lower(), owner.id) != owner.id:
                yield Mistake(
                    ("owners", index, key),
                    f"'{first[value.lower()]}' and '{owner.id}' have the same {words}: nobody could tell whose a lead is; correct or remove one",
                )


def _one_name_for_two(table: RoutingTable) -> Iterator[Mistake]:
    people = {owner.id for owner in table.owners}
    for container, groups in _containers(table):
        for index, group in enumerate(groups):
            if group.id in people:
                yield Mistake((container, index, "id"), f"'{group.id}' is also an owner: give one of them another id")
    teams = {team.id for team in table.teams}
    for index, pool in enumerate(table.pools):
        if pool.id in teams:
            yield Mistake(("pools", index, "id"), f"'{pool.id}' is also a team: give one of them another id")


def _unknown_places(table: RoutingTable) -> Iterator[Mistake]:
    for region, places in table.regions.items():
        for index, place in enumerate(places):
            if not _is_place(place):
                yield Mistake(("regions", region, index), f"'{place}' is not an ISO 3166 code: write a country as DE, a state as US-CA")


def _is_place(code: str) -> bool:
    # Imported here because pycountry reads its tables from disk, and every run pays for imports of the code location.
    import pycountry

    if not _PLACE.match(code):
        return False
    if "-" in code:
        return pycountry.subdivisions.get(code=code) is not None
    return pycountry.countries.get(alpha_2=code) is not None


def _unknown(kind: str, word: str, known: Iterable[str], container: str) -> str:
    return f"unknown {kind} '{word}'{nearest(word, known)}: add it under {container}"


def _segments(table: RoutingTable) -> Iterator[Mistake]:
    for name, when in table.segments.items():
        for tested, test in when.items():
            where = ("segments", name, tested)
            if tested in ("segment", "existing_owner", "customer"):
                yield Mistake(where, f"a segment cannot ask for {tested}: use it in the rule beside the segment")
            else:
                yield from _condition(table, where, tested, test)


def _groups(table: RoutingTable) -> Iterator[Mistake]:
    people, teams = list(table.people), [team.id for team in table.teams]
    for container, groups in _containers(table):
        for index, group in enumerate(groups):
            where: Where = (container, index)
            for place, member in enumerate(group.members):
                if member not in people:
                    at = member if isinstance(group.members, dict) else place
                    yield Mistake((*where, "members", at), _unknown("owner", member, people, "owners"))
            if len(set(group.members)) < len(group.members):
                yield Mistake((*where, "members"), "names somebody twice: remove one, or use order: weighted with weights")
            if not isinstance(group, Team) and group.team is not None and group.team not in teams:
                yield Mistake((*where, "team"), _unknown("team", group.team, teams, "teams"))
            if group.otherwise is not None:
                yield from _target(table, (*where, "otherwise"), group.otherwise)


def _target(table: RoutingTable, where: Where, target: str) -> Iterator[Mistake]:
    known = [*table.people, *table.groups]
    if target not in known:
        yield Mistake(where, f"unknown owner, team or pool '{target}'{nearest(target, known)}: add it, or correct the name")


def _named_accounts(table: RoutingTable) -> Iterator[Mistake]:
    seen: dict[str, str] = {}
    for index, entry in enumerate(table.named_accounts):
        yield from _target(table, ("named_accounts", index, "to"), entry.to)
        for account in entry.accounts:
            if _NO_ACCOUNT.search(account):
                yield Mistake(("named_accounts", index, "accounts"), f"'{account}' is no account: write its domain alone, such as acme.com")
            if seen.setdefault(account.lower(), entry.to) != entry.to:
                yield Mistake(
                    ("named_accounts", index, "accounts"),
                    f"account '{account}' is named twice, for '{seen[account.lower()]}' too: remove one",
                )


def _territory(table: RoutingTable, index: int, territory: Territory) -> Iterator[Mistake]:
    where: Where = ("territories", index)
    target, action = territory.target, territory.action
    if target is not None:
        known = {"team": [team.id for team in table.teams], "pool": [pool.id for pool in table.pools]}.get(action, list(table.people))
        if target not in known:
            kind, container = {"team": ("team", "teams"), "pool": ("pool", "pools")}.get(action, ("owner", "owners"))
            yield Mistake((*where, action), _unknown(kind, target, known, container))
        elif action in ("nurture", "hold") and not table.people[target].always_there:
            yield Mistake(
                (*where, action), f"'{target}' may be away, full or gone: name an active owner without capacity and absences, or write true"
            )
    for name, test in territory.when.items():
        yield from _condition(table, (*where, "when", name), name, test)


def _condition(table: RoutingTable, where: Where, name: str, test: Test) -> Iterator[Mistake]:
    found = field(name)
    if found is None:
        yield Mistake(
            where,
            f"unknown field '{name}'{nearest(name, field_names())}; known fields: {', '.join(sorted(FIELDS))}, and the columns of identity.leads",
        )
    else:
        yield from (Mistake(where, what) for what in _test(table, found, test))


def _test(table: RoutingTable, found: RoutingField, test: Test) -> Iterator[str]:
    if isinstance(test, KnownValue):
        return
    if found.kind == "other":
        yield f"{found.name} is neither text nor a number: write {{known: true}} or {{known: false}}"
    elif (found.kind == "number") != isinstance(test, Between):
        yield f"{found.name} " + (
            "is a number: write {min: …}, {max: …} or both" if found.kind == "number" else "is text: write a list of values"
        )
    elif not isinstance(test, Between):
        known = {"region": list(table.regions), "segment": list(table.segments), "existing_owner": list(table.people)}.get(
            found.name, found.values
        )
        for value in test:
            if known is not None and value not in known:
                yield f"unknown {found.name} '{value}'{nearest(value, known)}; known: {', '.join(sorted(known))}"
            if found.name == "country_code" and not (len(value) == 2 and _is_place(value)):
                yield f"unknown country_code '{value}': write the ISO 3166 code, such as DE or GB"


def _fallback(table: RoutingTable) -> Iterator[Mistake]:
    where = ("fallback_owner",)
    target = table.fallback_owner
    if target not in table.people and target not in table.groups:
        known = [*table.people, *table.groups]
        yield Mistake(where, f"unknown owner '{target}'{nearest(target, known)}: add it under owners")
        return
    seen: list[str] = []
    while target in table.groups and target not in seen:
        seen.append(target)
        beyond = table.groups[target].otherwise
        if beyond is None:
            yield Mistake(where, f"if everybody in '{target}' is away or full, its leads would have no owner: add otherwise: <owner> to it")
            return
        target = beyond
    owner = table.people.get(target)
    if owner is None:
        return  # a cycle or an unknown name, said elsewhere
    if not owner.active or owner.left:
        yield Mistake(where, f"'{owner.id}' is not active, so leads that no territory matches would have no owner: name an active owner")
    elif not owner.always_there:
        what = "a capacity" if owner.capacity is not None else "absences"
        yield Mistake(
            where, f"'{owner.id}' has {what}, so leads that nobody else can take would have no owner: name somebody without, such as a desk"
        )


def _cycles(table: RoutingTable) -> Iterator[Mistake]:
    for container, groups in _containers(table):
        for index, group in enumerate(groups):
            way, beyond = [group.id], group.otherwise
            while beyond in table.groups and beyond not in way:
                way.append(beyond)
                beyond = table.groups[beyond].otherwise
            if beyond == group.id:
                yield Mistake(
                    (container, index, "otherwise"),
                    f"goes round in a circle ({' → '.join([*way, group.id])}), so a lead would find nobody: let one of them end with an owner",
                )


def _takes_everything(table: RoutingTable, territory: Territory) -> bool:
    """Whether a lead that meets the conditions always stays with this rule."""
    target = territory.target
    if territory.action in ("nurture", "hold"):
        return True
    return territory.action == "owner" and target is not None and table.people[target].always_there


def _unreachable(table: RoutingTable) -> Iterator[Mistake]:
    """Territories that can never match, because an earlier one takes all their leads."""
    for index, territory in enumerate(table.territories):
        for earlier in table.territories[:index]:
            if _takes_everything(table, earlier) and _takes_all(table, earlier.when, territory.when):
                yield Mistake(
                    ("territories", index),
                    f"can never match: '{earlier.name}' above it takes all its leads: move it up, narrow the other or remove it",
                )
                break


def _takes_all(table: RoutingTable, earlier: When, later: When) -> bool:
    """True if every condition of `earlier` is implied by one of `later`."""
    return all(_implied(table, name, test, later) for name, test in earlier.items())


def _implied(table: RoutingTable, name: str, test: Test, later: When) -> bool:
    if name == "region" and isinstance(test, tuple):
        allowed = frozenset(place for region in test for place in table.regions[region])
        inside = [table.places(later), frozenset(_values(later.get("country_code")))]
        return any(places and all(_within(place, allowed) for place in places) for places in inside)
    other = later.get(name)
    if other is None:
        places = table.places(later) if name == "country_code" else None
        return places is not None and isinstance(test, tuple) and all(place.split("-")[0] in test for place in places)
    if isinstance(test, KnownValue):
        return (test.known and not isinstance(other, KnownValue)) or other == test
    if isinstance(test, Between) or isinstance(other, Between):
        return isinstance(test, Between) and isinstance(other, Between) and test.covers(other)
    return isinstance(other, tuple) and {value.lower() for value in other} <= {value.lower() for value in test}


def _values(test: Test | None) -> tuple[str, ...]:
    return test if isinstance(test, tuple) else ()


def _within(place: str, allowed: frozenset[str]) -> bool:
    return place in allowed or place.split("-")[0] in allowed
