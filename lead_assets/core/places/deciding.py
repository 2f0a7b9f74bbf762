"""Where a lead is, from all that its fields can mean.

Each place that a field can mean is weighed against all fields: the more of them it explains, and the plainer they say it, the better. One country has to be
clearly ahead of all others; otherwise nothing is decided. So "CA" is Canada, and California beside San Jose; "Georgia" lies where Tbilisi or Atlanta does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lead_assets.core.places.gazetteer import City
from lead_assets.core.places.names import WITH_STATES, state_names
from lead_assets.core.places.reading import COUNTRY_KINDS, STATE_KINDS, Kind, PlaceMeaning, PlacePart, PlaceText, country_of_postal_code
from lead_assets.core.places.slips import not_places

# What a kind of name is worth in the country field, the state field, the city field, and as one of several parts of any field.
_WEIGHTS: dict[Kind, tuple[float, float, float, float]] = {
    Kind.COUNTRY: (100, 60, 45, 80),
    Kind.CODE: (100, 20, 0, 80),
    Kind.CODE_OF_BOTH: (60, 20, 0, 40),
    Kind.COUNTRY_SLIP: (70, 40, 0, 40),
    Kind.DOUBTFUL: (30, 20, 0, 20),
    Kind.STATE: (80, 80, 40, 60),
    Kind.STATE_CODE: (50, 70, 0, 50),
    Kind.STATE_SLIP: (50, 60, 0, 40),
    Kind.REGION: (50, 60, 25, 45),
    Kind.REGION_CODE: (0, 45, 0, 20),
    Kind.POSTAL: (20, 20, 20, 20),
}
# A name of a country and of a state ("Georgia") is a country in the country field, a state in the state field, and neither for certain elsewhere.
_WEIGHTS_OF_BOTH = {Kind.COUNTRY: (70.0, 45.0, 30.0, 40.0), Kind.STATE: (60.0, 80.0, 30.0, 45.0)}
COUNTRY_FIELD, STATE_FIELD, CITY_FIELD, LIST = range(4)
_PHONE, _DOMAIN, _FREE_MAIL = 12.0, 9.0, 6.0
# A town is worth 10 with a thousand people and 8 more for each ten times as many: one with five times the people of its namesake abroad is meant.
_TOWN, _PER_TENFOLD, _OF_FAME = 10.0, 8.0, 8.0
# A town under its own name, one that it is short for, and another name, which is an old one if another town is called so today: Salem was Jerusalem.
_UNLIKE, _OLD_NAME = (0.0, 4.5, 6.0), 9.0
_NOT_ITS_FIELD = 6.0
_AHEAD = 5.5
_AHEAD_AS_STATE = 3.8
_ELSEWHERE_IN_COUNTRY = 5.0
_NOT_IN_COUNTRY = 25.0
_TOGETHER = 10.0
_KNOWN_TOWN = 15_000
_TOWN_AS_STATE = 50_000
_TOWN_AS_COUNTRY = 1_000_000
_WORD_AS_TOWN = _LARGE_TOWN = 100_000
_FOR_EACH_MORE = 1.5
# Beyond this, no city, phone or domain changes the country.
_SETTLED = 70.0
_PLAIN = frozenset({Kind.COUNTRY, Kind.CODE, Kind.CODE_OF_BOTH, Kind.STATE, Kind.STATE_CODE})
_NAMES = frozenset({Kind.COUNTRY, Kind.CODE, Kind.STATE})
_CODES = frozenset({Kind.CODE, Kind.CODE_OF_BOTH})
_PLAIN_CODES = frozenset({"us", "uk"})
_SHORT_STATES = frozenset({"iowa", "ohio", "utah"})
_ABBREVIATION = 4


class Hints(NamedTuple):
    """Countries that say something only where the lead's own words do not, or not enough: ISO 3166-1 alpha-2."""

    phone: str | None = None
    domain: str | None = None
    free_mail: str | None = None


class Place(NamedTuple):
    """Where a lead is; each None where that is not clear. `region` is the ISO 3166-2 code without the country."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    country_source: str | None = None
    region_source: str | None = None
    settled: bool = False
    """Whether nothing more that could be learned of the lead would change its country."""


class _Said:
    """One part of a field: what it is worth for each place that it can mean."""

    def __init__(self, part: PlacePart, field: int, *, alone: bool) -> None:
        self.part, self.field = part, field
        self.in_list = not alone
        self.places: dict[tuple[str, str | None], tuple[float, PlaceMeaning]] = {}
        self.countries: dict[str, tuple[float, PlaceMeaning]] = {}
        self.standing: set[tuple[str, str | None]] = set()
        self.known_town = self.plain = False
        taken = any(m.city is not None and m.city.likeness == 0 and m.city.population >= _KNOWN_TOWN for m in part.meanings)
        for meaning in part.meanings:
            weight, standing = _weigh(meaning, part, field, alone, taken)
            if weight <= 0:
                continue
            place = (meaning.country, meaning.state)
            if place not in self.places or weight > self.places[place][0]:
                self.places[place] = (weight, meaning)
            if meaning.country not in self.countries or weight > self.countries[meaning.country][0]:
                self.countries[meaning.country] = (weight, meaning)
            if standing:
                self.standing.add(place)
                self.plain |= meaning.kind in _NAMES
            if field == COUNTRY_FIELD and meaning.kind in _CODES and part.received.isupper():
                self.plain = True
            if meaning.city and meaning.city.population >= _KNOWN_TOWN and (field == CITY_FIELD or not alone):
                self.known_town = True

    def worth(self, country: str, region: str | None) -> tuple[float, PlaceMeaning | None]:
        best: tuple[float, PlaceMeaning | None] = (0.0, None)
        if (found := self.places.get((country, region))) is not None:
            best = found
        if region is not None and (found := self.places.get((country, None))) is not None and found[0] > best[0]:
            best = found
        if best[1] is None and (found := self.countries.get(country)) is not None:
            best = (found[0] if region is None else min(found[0], _ELSEWHERE_IN_COUNTRY), found[1])
        if best[1] is None and self.known_town:
            return -_NOT_IN_COUNTRY, None
        return best

    def contradicts(self, country: str, region: str | None) -> bool:
        """Whether it names a country or state beside another place in one field, and neither is in the other: "Québec / France"."""
        there = any(m.country == country and (region is None or m.state in (None, region)) for m in self.part.meanings)
        return self.in_list and self.plain and not there


def decide(country: PlaceText | None, state: PlaceText | None, city: PlaceText | None, hints: Hints = Hints()) -> Place:
    """The place that the fields mean. `hints` decide between meanings, and for themselves where the fields mean nothing."""
    said = [*_said(country, COUNTRY_FIELD), *_said(state, STATE_FIELD), *_said(city, CITY_FIELD)]
    standing = {place for each in said for place in each.standing}
    if not standing:
        return _by_hints(hints, said)
    places = {place for each in said for place in each.places}
    scores: dict[str, list[tuple[float, str | None]]] = {}
    for place in places:
        scores.setdefault(place[0], []).append((_score(said, *place), place[1]))
    totals = sorted(((max(score for score, _ in found) + _hinted(hints, code), code) for code, found in scores.items()), reverse=True)
    total, code = totals[0]
    ahead = total - totals[1][0] if len(totals) > 1 else math.inf
    shared = 0 if _hinted(hints, code) else _shared(said)
    if ahead < _AHEAD + shared or not any(place[0] == code for place in standing):
        return Place()
    region, contested = _region(scores[code], said, code)
    kinds = {meaning.kind for each in said if (meaning := each.worth(code, region)[1]) is not None}
    if any(each.contradicts(code, region) for each in said):
        return Place()
    source = _source(kinds, code, hints, only_a_town=region is None and code in WITH_STATES)
    if source is None or (contested and not kinds & COUNTRY_KINDS):
        return Place()
    return Place(
        code,
        region,
        _city(said, code, region),
        source,
        None if region is None else "state" if _says_region(said, code, region) else "city",
        settled=ahead >= _SETTLED,
    )


def _said(text: PlaceText | None, field: int) -> Iterator[_Said]:
    if text is None:
        return
    alone = len(text.parts) == 1
    yield from (_Said(part, field, alone=alone) for part in text.parts)
    if text.postal_code and (country := country_of_postal_code(text.postal_code)):
        yield _Said(PlacePart(text.postal_code, "", [PlaceMeaning(Kind.POSTAL, country)]), field, alone=alone)


def _weigh(meaning: PlaceMeaning, part: PlacePart, field: int, alone: bool, taken: bool) -> tuple[float, bool]:
    """What a meaning is worth, and whether it can stand by itself. `taken`: some town of note has the name for its own."""
    if meaning.city is not None:
        return _weigh_town(meaning.city, part, field, taken)
    slot = field if alone else LIST
    both = part.key in state_names() and any(m.kind is Kind.COUNTRY for m in part.meanings)
    weight = (_WEIGHTS_OF_BOTH.get(meaning.kind, _WEIGHTS[meaning.kind]) if both else _WEIGHTS[meaning.kind])[slot]
    match meaning.kind:
        case Kind.DOUBTFUL | Kind.REGION_CODE:
            return weight, False
        case Kind.CODE | Kind.CODE_OF_BOTH if slot != COUNTRY_FIELD:
            # Two letters in the state field are a state, and "AG" in "AG & Co." is nothing; three ("USA") can only be the country.
            return weight, len(part.key) == 3 or part.key in _PLAIN_CODES
        case Kind.REGION if slot == COUNTRY_FIELD:
            # Of Britain's counties and boroughs too many are words (Reading) and people's names (Kent).
            return weight, part.key not in not_places() and meaning.country != "GB"
        case Kind.STATE_CODE if slot == COUNTRY_FIELD:
            return weight, part.received.isupper()
        case Kind.STATE if slot == COUNTRY_FIELD:
            # "Miss" is a word, "Ohio" is not.
            return weight, len(part.key) > _ABBREVIATION or part.key in _SHORT_STATES
    return weight, True


def _weigh_town(city: City, part: PlacePart, field: int, taken: bool) -> tuple[float, bool]:
    weight = _TOWN + _PER_TENFOLD * math.log10(max(city.population, 1000) / 1000) + _OF_FAME * math.log10(1 + city.fame)
    weight -= _UNLIKE[city.likeness] + (_OLD_NAME if city.likeness == 2 and taken else 0)
    named = part.key not in not_places()
    if field != CITY_FIELD and any(meaning.kind in _PLAIN for meaning in part.meanings):
        # Ontario in the state field is the province, and not the town in California.
        return 0, False
    if field == CITY_FIELD:
        return weight, named or city.population >= _WORD_AS_TOWN
    least = _TOWN_AS_STATE if field == STATE_FIELD or part.framed else _TOWN_AS_COUNTRY
    # A country field that says no more than London leaves Ontario's London possible, too.
    plain = part.framed or field == STATE_FIELD or (city.likeness < 2 and len(_countries_of_large_towns(part)) == 1)
    return weight - _NOT_ITS_FIELD, named and city.population >= least and plain


def _countries_of_large_towns(part: PlacePart) -> set[str]:
    return {m.country for m in part.meanings if m.city is not None and m.city.population >= _LARGE_TOWN and m.city.likeness < 2}


def _score(said: Sequence[_Said], country: str, region: str | None) -> float:
    worth = [each.worth(country, region) for each in said]
    total = sum(weight for weight, _ in worth)
    kinds = {meaning.kind for _, meaning in worth if meaning is not None and meaning.state in (None, region)}
    if Kind.CITY in kinds and kinds & (STATE_KINDS | COUNTRY_KINDS) and any(each.in_list for each in said):
        total += _TOGETHER
    return total


def _shared(said: Sequence[_Said]) -> float:
    """How much further ahead a country has to be because towns of many countries have the name: Santa Cruz lies in five."""
    towns = [{m.country for m in each.part.meanings if m.city is not None and m.city.population >= _TOWN_AS_STATE} for each in said]
    others = max((len(countries) - 2 for countries in towns), default=0)
    return _FOR_EACH_MORE * max(others, 0)


def _hinted(hints: Hints, country: str) -> float:
    return sum(
        weight for hint, weight in ((hints.phone, _PHONE), (hints.domain, _DOMAIN), (hints.free_mail, _FREE_MAIL)) if hint == country
    )


def _region(scored: list[tuple[float, str | None]], said: Sequence[_Said], country: str) -> tuple[str | None, bool]:
    """The region that is clearly ahead, and whether two states claim the lead."""
    regions = sorted(((score, region) for score, region in scored if region is not None), reverse=True)
    if not regions:
        return None, False
    if len(regions) == 1 or regions[0][0] - regions[1][0] >= _AHEAD_AS_STATE:
        return regions[0][1], False
    claimed = {place for each in said for place, (_, meaning) in each.places.items() if place[0] == country and meaning.kind in STATE_KINDS}
    return None, len(claimed) > 1


def _source(kinds: set[Kind], country: str, hints: Hints, *, only_a_town: bool) -> str | None:
    """What decided the country. A town's name that several states have is not enough: it takes the phone or the domain to say the country."""
    if kinds & COUNTRY_KINDS:
        return "country"
    if kinds & STATE_KINDS:
        return "state"
    if not only_a_town:
        return "city"
    return "phone" if hints.phone == country else "domain" if country in (hints.domain, hints.free_mail) else None


def _says_region(said: Sequence[_Said], country: str, region: str) -> bool:
    return any(found[1].kind in STATE_KINDS for each in said if (found := each.places.get((country, region))) is not None)


def _city(said: Sequence[_Said], country: str, region: str | None) -> str | None:
    """The part that names a town there, as it was written: that of the city field first. Else what in the city field means nothing else."""
    meant = [(each, each.worth(country, region)[1]) for each in said]
    towns = [each for each, meaning in meant if meaning is not None and meaning.city is not None]
    unread = [each for each, meaning in meant if meaning is None and each.field == CITY_FIELD]
    chosen = min(towns, key=lambda each: each.field != CITY_FIELD, default=None) or (unread[0] if unread else None)
    return chosen.part.received if chosen else None


def _by_hints(hints: Hints, said: Sequence[_Said]) -> Place:
    supported = {country for each in said for country in each.countries}
    for country, source in ((hints.phone, "phone"), (hints.domain, "domain"), (hints.free_mail, "domain")):
        if country is not None:
            return Place(country, country_source="country" if country in supported else source)
    return Place()
