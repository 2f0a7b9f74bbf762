"""The routing table in rules/routing.yaml: owners, regions, territories in order, and the fallback owner.

Belongs here: reading the table, and refusing a wrong one with file, line, territory and next step. Does not belong here: what can be
asked about a lead (`fields`) or matching leads (`territories`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from lead_assets.core.conditions import Between, OneOf
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.routing.fields import FIELDS, RoutingField

_PLACE = re.compile(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")


# The two are told apart by shape before validation, so that errors refer to the intended one.
Test = Annotated[
    Annotated[OneOf, Tag("values")] | Annotated[Between, Tag("between")],
    Discriminator(lambda value: "between" if isinstance(value, dict | Between) else "values"),
]
"""A condition: one of these values, or a number within these bounds."""


class Owner(Declared):
    """Someone who can own accounts. An inactive owner's territories are skipped; accounts they already own stay theirs."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    name: str = Field(min_length=1)
    active: bool = True


class Territory(Declared):
    """Leads that meet every condition of `when` go to `owner`; the first matching territory wins."""

    name: str = Field(min_length=1)
    owner: str
    when: dict[str, Test] = Field(min_length=1)

    @property
    def rule(self) -> str:
        """The condition in one line, independent of its layout in the file."""
        return "; ".join(
            f"{name} {test}" if isinstance(test, Between) else f"{name} in {', '.join(test)}" for name, test in self.when.items()
        )


class RoutingTable(Declared):
    """A valid routing table."""

    regions: dict[str, OneOf] = {}
    """Named groups of ISO 3166 codes: countries (DE) and subdivisions (US-CA)."""
    owners: tuple[Owner, ...] = Field(min_length=1)
    territories: tuple[Territory, ...] = ()
    fallback_owner: str = Field(description="name the owner of leads that no territory matches")

    def open_territories(self) -> list[Territory]:
        """Territories whose owner is active, in order."""
        active = {owner.id for owner in self.owners if owner.active}
        return [territory for territory in self.territories if territory.owner in active]

    def places(self, territory: Territory) -> frozenset[str] | None:
        """The ISO 3166 codes that a territory's regions limit it to; None if it names no region."""
        named = territory.when.get("region")
        return None if named is None or isinstance(named, Between) else frozenset(place for name in named for place in self.regions[name])


def load_routing_table(settings: Settings) -> RoutingTable:
    """The table in force: ROUTING_JSON (inline JSON, or the path of a JSON or YAML file), then routing.yaml in LEAD_ASSETS_RULES_DIR, then the shipped one.

    Raises RulesError.
    """
    return ROUTING.load(settings)


def _mistakes(table: RoutingTable) -> Iterator[Mistake]:
    """Mistakes in a well-formed table. Fields and names come first, because later checks rely on them."""
    names = [
        *_repeated("owner", ("owners",), [owner.id for owner in table.owners]),
        *_repeated("territory", ("territories",), [territory.name for territory in table.territories]),
        *_unknown_places(table),
        *(mistake for index, territory in enumerate(table.territories) for mistake in _territory_mistakes(table, index, territory)),
        *_fallback_mistakes(table),
    ]
    yield from names
    if not names:
        yield from _unreachable(table)


def _repeated(kind: str, where: tuple[str, ...], names: list[str]) -> Iterator[Mistake]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Mistake((*where, index), f"{kind} '{name}' is declared twice: rename or remove one")


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


def _territory_mistakes(table: RoutingTable, index: int, territory: Territory) -> Iterator[Mistake]:
    owners = [owner.id for owner in table.owners]
    if territory.owner not in owners:
        yield Mistake(
            ("territories", index, "owner"), f"unknown owner '{territory.owner}'{nearest(territory.owner, owners)}: add it under owners"
        )
    for name, test in territory.when.items():
        where = ("territories", index, "when", name)
        if name not in FIELDS:
            yield Mistake(where, f"unknown field '{name}'{nearest(name, FIELDS)}; known fields: {', '.join(sorted(FIELDS))}")
        else:
            yield from (Mistake(where, what) for what in _test_mistakes(table, FIELDS[name], test))


def _test_mistakes(table: RoutingTable, field: RoutingField, test: OneOf | Between) -> Iterator[str]:
    if (field.kind == "number") != isinstance(test, Between):
        yield f"{field.name} " + (
            "is a number: write {min: …}, {max: …} or both" if field.kind == "number" else "is text: write a list of values"
        )
        return
    if isinstance(test, Between):
        return
    known = list(table.regions) if field.kind == "region" else field.values
    for value in test:
        if known is not None and value not in known:
            yield f"unknown {field.name} '{value}'{nearest(value, known)}; known: {', '.join(sorted(known))}"
        if field.name == "country_code" and not (len(value) == 2 and _is_place(value)):
            yield f"unknown country_code '{value}': write the ISO 3166 code, such as DE or GB"


def _fallback_mistakes(table: RoutingTable) -> Iterator[Mistake]:
    owner = next((owner for owner in table.owners if owner.id == table.fallback_owner), None)
    if owner is None:
        known = [owner.id for owner in table.owners]
        yield Mistake(
            ("fallback_owner",), f"unknown owner '{table.fallback_owner}'{nearest(table.fallback_owner, known)}: add it under owners"
        )
    elif not owner.active:
        yield Mistake(
            ("fallback_owner",), f"'{owner.id}' is not active, so leads that no territory matches would have no owner: name an active owner"
        )


def _unreachable(table: RoutingTable) -> Iterator[Mistake]:
    """Territories that can never match, because an earlier one takes all their leads. An inactive owner's territory takes nothing."""
    active = {owner.id for owner in table.owners if owner.active}
    for index, territory in enumerate(table.territories):
        for earlier in table.territories[:index]:
            if earlier.owner in active and _takes_all(table, earlier, territory):
                yield Mistake(
                    ("territories", index),
                    f"can never match: '{earlier.name}' above it takes all its leads: move it up, narrow the other or remove it",
                )
                break


def _takes_all(table: RoutingTable, earlier: Territory, later: Territory) -> bool:
    """True if every condition of `earlier` is implied by one of `later`."""
    return all(_implied(table, name, test, later) for name, test in earlier.when.items())


def _implied(table: RoutingTable, name: str, test: OneOf | Between, later: Territory) -> bool:
    if name == "region":
        allowed = frozenset(place for region in test for place in table.regions[region]) if not isinstance(test, Between) else frozenset()
        inside = [table.places(later), frozenset(_values(later.when.get("country_code")))]
        return any(places and all(_within(place, allowed) for place in places) for places in inside)
    other = later.when.get(name)
    if other is None:
        places = table.places(later) if name == "country_code" else None
        return places is not None and all(place.split("-")[0] in _values(test) for place in places)
    if isinstance(test, Between) or isinstance(other, Between):
        return isinstance(test, Between) and isinstance(other, Between) and test.covers(other)
    return {value.lower() for value in other} <= {value.lower() for value in test}


def _values(test: OneOf | Between | None) -> tuple[str, ...]:
    return test if isinstance(test, tuple) else ()


def _within(place: str, allowed: frozenset[str]) -> bool:
    return place in allowed or place.split("-")[0] in allowed


ROUTING = RulesFile(
    "routing.yaml", RoutingTable, _mistakes, lambda table: f"{len(table.territories)} territories", parts={"territories": "territory"}
)
