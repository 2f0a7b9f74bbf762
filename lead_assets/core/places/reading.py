"""What a text can mean: its parts, and for each the countries, states and cities that are called so.

Belongs here: the text alone. Does not belong here: which of the meanings holds (see `deciding`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, auto
from functools import cache
from itertools import islice
from typing import NamedTuple

from lead_assets.core.columns import folded
from lead_assets.core.places.gazetteer import City, cities_named
from lead_assets.core.places.names import (
    country_codes,
    country_names,
    every_language,
    region_codes,
    region_names,
    spellings,
    state_codes,
    state_names,
    words,
)
from lead_assets.core.places.slips import country_with_a_slip, near_countries, not_places, state_with_a_slip

_LONGEST = 80
_MOST_PARTS = 8
_SEPARATORS = re.compile(r"[,/()\[\]|;:\n·•]|\s[-–—]\s|\s(?:or|oder|ou|and|und|et|y)\s|\s&\s")
# Postal codes that say their country, and any other number that stands where one does.
_BRITISH = re.compile(r"\b(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})\b", re.IGNORECASE)
_CANADIAN = re.compile(r"\b[ABCEGHJ-NPRSTVXY]\d[A-Z] ?-?\d[A-Z]\d\b", re.IGNORECASE)
_NUMBERED = re.compile(r"(?<!\w)(?:[A-Z]{1,2}-)?(?:\d{5}-\d{3,4}|\d{3}-\d{3,4}|\d{2}-\d{3}|\d{4} [A-Z]{2}\b|\d{4,6}|\d{3} \d{2,3})(?!\w)")
# "Dublin 2", "Lyon 3e", "Budapest XI."
_DISTRICT = re.compile(r" (?:\d+\w{0,3}|[ivx]{1,5})$")
_INITIALS = re.compile(r"(?:\w )+\w")


class Kind(IntEnum):
    """How a text names a place. The order is that of the evidence: what names a country before what names a state, then a city."""

    COUNTRY = auto()
    CODE = auto()
    """A country's code that is not a state's as well."""
    CODE_OF_BOTH = auto()
    """CA: Canada's code where California's could stand."""
    COUNTRY_SLIP = auto()
    DOUBTFUL = auto()
    STATE = auto()
    STATE_CODE = auto()
    STATE_SLIP = auto()
    REGION = auto()
    """A state or province outside of the US and Canada."""
    REGION_CODE = auto()
    POSTAL = auto()
    CITY = auto()


COUNTRY_KINDS = frozenset({Kind.COUNTRY, Kind.CODE, Kind.CODE_OF_BOTH, Kind.COUNTRY_SLIP, Kind.DOUBTFUL, Kind.POSTAL})
STATE_KINDS = frozenset({Kind.STATE, Kind.STATE_CODE, Kind.STATE_SLIP, Kind.REGION, Kind.REGION_CODE})


class PlaceMeaning(NamedTuple):
    kind: Kind
    country: str
    state: str | None = None
    city: City | None = None


@dataclass(slots=True)
class PlacePart:
    """A piece of a text between separators, as received and folded, and what it can mean."""

    received: str
    key: str
    meanings: list[PlaceMeaning] = field(default_factory=list)
    framed: bool = False
    """Whether words stand around the name that only a place has: "Greater Boston Area"."""


@dataclass(slots=True)
class PlaceText:
    """A text as received, its parts, and the postal code that stood in it."""

    received: str
    parts: list[PlacePart]
    postal_code: str | None = None


def read_texts(texts: Iterable[str]) -> dict[str, PlaceText]:
    """Each text with its parts and what they mean. Fillers ("n/a", "-") and what is too long for a place's name have no parts."""
    received = [text for text in texts if len(text) <= _LONGEST]
    bare, postal = [], []
    for text in received:
        rest, code = _without_postal_code(text)
        bare.append(rest)
        postal.append(code)
    wholes = folded(bare)
    split = [
        _SEPARATORS.split(rest)[:_MOST_PARTS] if whole not in words("fillers") else [] for rest, whole in zip(bare, wholes, strict=True)
    ]
    keys = iter(folded(part for parts in split for part in parts))
    read: dict[str, PlaceText] = {}
    whole_parts: list[tuple[PlaceText, PlacePart]] = []
    for text, rest, whole, own, code in zip(received, bare, wholes, split, postal, strict=True):
        parts = [
            PlacePart(part.strip(), key)
            for part, key in zip(own, islice(keys, len(own)), strict=True)
            if key and key not in words("fillers")
        ]
        read[text] = PlaceText(text, parts, code)
        if own and len(parts) > 1:
            whole_parts.append((read[text], PlacePart(rest.strip(), whole)))
    _find_meanings([part for text in read.values() for part in text.parts] + [part for _, part in whole_parts])
    for text_read, part in whole_parts:
        # "Korea, Republic of", "Halle (Saale)", "Trinidad and Tobago"
        if part.meanings:
            text_read.parts = [part]
    _split_off([text_read for text_read in read.values() if text_read.parts])
    return read


def _without_postal_code(text: str) -> tuple[str, str | None]:
    for pattern in (_BRITISH, _CANADIAN, _NUMBERED):
        if found := pattern.search(text):
            rest = f"{text[: found.start()]} {text[found.end() :]}".strip(" ,;-–")
            return (rest, found[0]) if rest else (text, found[0])
    return text, None


def country_of_postal_code(code: str) -> str | None:
    """The country whose postal codes alone look like this."""
    return "GB" if _BRITISH.fullmatch(code) else "CA" if _CANADIAN.fullmatch(code) else None


def _find_meanings(parts: list[PlacePart]) -> None:
    spelt = {part.key: list(_spellings(part.key)) for part in parts}
    # Three letters are a code, or nothing, before they are one of the world's Usas and Ukas.
    towns = cities_named(
        {name for names in spelt.values() for name in names if len(name) > 3 or not name.isascii()} | set(_everyday_names().values())
    )
    for part in parts:
        for spelling in spelt[part.key]:
            town = towns.get(spelling, []) + towns.get(_everyday_names().get(spelling, ""), [])
            part.meanings = [*_names(spelling, part.received), *(PlaceMeaning(Kind.CITY, city.country, city.region, city) for city in town)]
            if part.meanings:
                part.framed = len(spelling.split(" ")) < len(part.key.split(" "))
                break
        else:
            part.meanings = list(_rare_names(part.key)) or list(_slips(part.key))


def _spellings(key: str) -> Iterator[str]:
    """The key, and what is left of it without the words around a place's name, nearest first."""
    yield key
    if _INITIALS.fullmatch(key):
        yield key.replace(" ", "")
    if (rest := _DISTRICT.sub("", key)) != key:
        yield rest
    for short, long in (("st ", "saint "), ("saint ", "st "), ("ft ", "fort "), ("mt ", "mount ")):
        if key.startswith(short):
            yield long + key.removeprefix(short)
    for before, after in (("before_a_country", "after_a_country"), ("before_a_town", "after_a_town")):
        rest = _without_words(key, words(before), words(after))
        if rest and rest != key:
            yield rest


def _without_words(key: str, before: frozenset[str], after: frozenset[str]) -> str:
    pieces = key.split(" ")
    changed = True
    while changed and len(pieces) > 1:
        changed = False
        for size in range(min(len(pieces) - 1, 4), 0, -1):
            if " ".join(pieces[:size]) in before:
                pieces, changed = pieces[size:], True
                break
            if " ".join(pieces[-size:]) in after:
                pieces, changed = pieces[:-size], True
                break
    return " ".join(pieces)


@cache
def _everyday_names() -> dict[str, str]:
    """Everyday names of towns → the gazetteer's, folded."""
    return {name: folded([town])[0] for town, listed in spellings()["towns"].items() for name in folded(listed)}


def _names(key: str, received: str) -> Iterator[PlaceMeaning]:
    country = country_names().get(key)
    if country is not None:
        if key not in country_codes() and (len(key) > 2 or not key.isascii()):
            yield PlaceMeaning(Kind.DOUBTFUL if key in words("doubtful") else Kind.COUNTRY, country)
        elif not received.isascii():
            return
        elif key in state_codes():
            yield PlaceMeaning(Kind.CODE_OF_BOTH, country)
        elif len(key) != 3 or received.isupper() or (received.islower() and key not in words("words_not_codes")):
            yield PlaceMeaning(Kind.CODE, country)
    elif not key.isascii():
        yield from _rare_names(key)
    if (state := state_names().get(key)) is not None and (len(key) > 2 or received.isascii()):
        yield PlaceMeaning(Kind.STATE_CODE if key in state_codes() else Kind.STATE, *state)
    if (region := region_names().get(key)) is not None:
        yield PlaceMeaning(Kind.REGION, *region)
    elif len(key) <= 3:
        yield from (PlaceMeaning(Kind.REGION_CODE, *region) for region in region_codes().get(key, ()))


def _rare_names(key: str) -> Iterator[PlaceMeaning]:
    if len(key) > 2 and (country := every_language().get(key)) is not None:
        yield PlaceMeaning(Kind.DOUBTFUL if key in not_places() or near_countries(key) - {country} else Kind.COUNTRY, country)


def _slips(key: str) -> Iterator[PlaceMeaning]:
    if (country := country_with_a_slip(key)) is not None:
        yield PlaceMeaning(Kind.COUNTRY_SLIP, country)
    if (state := state_with_a_slip(key)) is not None:
        yield PlaceMeaning(Kind.STATE_SLIP, *state)


def _split_off(texts: list[PlaceText]) -> None:
    """ "Kansas City MO", "London UK", "Austin Texas": parts that hold a town and behind it, without a comma, what it lies in, become two."""
    tried = [
        (text, part, before, behind)
        for text in texts
        for part in text.parts
        if all(meaning.kind in (Kind.COUNTRY_SLIP, Kind.STATE_SLIP) for meaning in part.meanings)
        for before, behind in _cuts(part)
    ]
    if not tried:
        return
    _find_meanings([before for _, _, before, _ in tried])
    for text, part, before, behind in tried:
        towns = {place for m in before.meanings if m.city is not None for place in ((m.country, m.state), (m.country, None))}
        kept = [m for m in behind.meanings if (m.country, m.state) in towns or (m.kind is Kind.STATE_CODE and behind.received.isupper())]
        if kept and part in text.parts:
            behind.meanings = kept
            at = text.parts.index(part)
            text.parts[at : at + 1] = [before, behind]


def _cuts(part: PlacePart) -> Iterator[tuple[PlacePart, PlacePart]]:
    """The part cut before a name or code of a country or state at its end, the longest first."""
    pieces, received = part.key.split(" "), part.received.split()
    for size in range(min(3, len(pieces) - 1), 0, -1):
        behind = PlacePart(" ".join(received[-size:]), " ".join(pieces[-size:]))
        behind.meanings = list(_names(behind.key, behind.received))
        if behind.meanings:
            yield PlacePart(" ".join(received[:-size]), " ".join(pieces[:-size])), behind
