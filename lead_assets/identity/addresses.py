"""Whether two street addresses are one place: "12 Oak Street, Austin TX 78701" and "12 Oak St". The words they are written in stand in `people.yaml`.

Does not belong here: country, state and city of a lead (see `places`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

import polars as pl

from lead_assets.core.columns import fold, folded, map_distinct
from lead_assets.identity.known_names import people_file, words_of

# "Flat 2, 18 Park Road".
FLAT_FIRST = r"(?i)^\s*((?:flat|apartment|apt\.?|unit|suite|ste\.?|appt\.?|wohnung)\s*#?\s*\w{1,4})\b[\s,/]+(\d.*)$"
# "St. Mary's Road" and "Saint Marys Rd".
_APOSTROPHE = r"([^\W\d_])['\u2019`]([^\W\d_])"


class Address(NamedTuple):
    """Number and street, the flat within the house, and the words after them (the town), all in the form they are compared in."""

    street: str
    unit: str
    town: tuple[str, ...]


@lru_cache(100_000)
def read_address(text: str) -> Address:
    """An address in its comparable parts; empty ones for an empty text."""
    known = _known()
    text = re.sub(FLAT_FIRST, r"\2, \1", text)
    key = folded([re.sub(r"#\s*(?=\w)", " apt ", re.sub(_APOSTROPHE, r"\1\2", text))])[0]
    key = re.sub(r"strasse\b|(?<=[a-z]{3})str\b", " st", key)
    words = [known.words.get(word, word) for word in key.split() if word not in known.unspoken]
    unit = ""
    if "apt" in words[1:-1]:
        at = words.index("apt", 1)
        # "Apt #4" is one apartment.
        rest = [word for word in words[at:] if word != "apt"]
        if rest:
            unit, words = rest[0], [*words[:at], *rest[1:]]
    end = _street_end(words, text) if words and words[0][0].isdigit() else _number_end(words)
    unit = unit or _flat_behind(words, end, text)
    return Address(" ".join(words[:end]), unit, tuple(word for word in words[end:] if not word[0].isdigit()))


def places(texts: list[str]) -> dict[str, int | None]:
    """A number per address, equal for spellings of one; null for one without a town that fits addresses in several towns. No address is a place of its own."""
    numbers: dict[tuple[str, str, str], int] = {}
    towns: dict[tuple[str, str], set[str]] = {}
    read = {text: read_address(text) for text in texts}
    for address in read.values():
        towns.setdefault(address[:2], set()).update(address.town[:1])
    found: dict[str, int | None] = {}
    for text, address in sorted(read.items()):
        here = towns[address[:2]]
        if not address.town and len(here) > 1:
            found[text] = None
            continue
        town = address.town[0] if address.town else next(iter(here), "")
        found[text] = numbers.setdefault((*address[:2], town), len(numbers))
    return found


def street_keys(texts: pl.Series) -> pl.Series:
    """A text per address, equal for addresses of one place (see `places`): the first two words of its street as `read_address` has them. Null stays null.

    Many streets begin alike, so it says where to look, not what is one. All but addresses of a flat and in other scripts are read in the frame; a property
    test holds the two ways to one answer.
    """
    known = _known()
    key = fold(texts.str.replace_all(_APOSTROPHE, "${1}${2}"))
    flat = "|".join(["apt", *(word for word, short in known.words.items() if short == "apt")])
    odd = texts.str.contains("#", literal=True) | key.str.contains(rf"[^\x00-\x7f]|\b(?:{flat})\b")
    words = (
        key.set(odd, None)
        .str.replace_all(r"strasse\b", " st")
        .str.replace_all(r"([a-z]{3})str\b", "$1 st")
        .str.replace_all(rf"\b(?:{'|'.join(sorted(known.unspoken))})\b", " ")
        .str.extract_groups(r"^ *([^ ]+)(?: +([^ ]+))?")
        .struct.unnest()
    )
    one, other = (words[name].replace(known.words).fill_null("") for name in words.columns)
    read = map_distinct(texts.set(~odd, None), lambda text: "\x1f".join([*read_address(text).street.split(" ", 2)[:2], ""][:2]))
    return pl.select(pl.coalesce(read, pl.when(~odd).then(one + "\x1f" + other))).to_series()


def _street_end(words: list[str], text: str) -> int:
    """Index after the word that ends the street's name; otherwise what stands before the comma ("18 rue des Capucines, Lyon"); all words without either."""
    known = _known()
    for at in range(2, len(words)):
        if words[at] in known.ends and not (at + 1 < len(words) and words[at + 1] in known.ends):
            return at + 2 if at + 1 < len(words) and words[at + 1] in known.directions else at + 1
    parts = re.split(r"[,;\n]", text)
    before = parts[0] if len(parts[0].split()) > 1 else " ".join(parts[:2])
    spoken = [word for word in folded([before])[0].split() if word not in known.unspoken]
    return len(spoken) if len(spoken) > 1 else len(words)


def _number_end(words: list[str]) -> int:
    """Index after the number where it stands behind the street ("Hauptstr. 5, 8001 Zürich"); all words if there is none."""
    return next((at + 1 for at in range(1, len(words)) if words[at][0].isdigit()), len(words))


_HOUSES_OF_A_ROW = (2, 4)
"""What the numbers of "Hauptstr. 12-14" differ by; in "Lenina 5-12" the second is a flat."""


def _flat_behind(words: list[str], end: int, text: str) -> str:
    """The flat of "Lenina 5-12" or "Gasse 7/21"; empty if there is none."""
    if not 1 < end < len(words) or words[0][0].isdigit() or not (words[end - 1].isdigit() and words[end].isdigit()):
        return ""
    joined = re.search(rf"\b{words[end - 1]}\s?[-/]\s?{words[end]}\b", text)
    return words[end] if joined and int(words[end]) - int(words[end - 1]) not in _HOUSES_OF_A_ROW else ""


class _KnownAddresses(NamedTuple):
    words: dict[str, str]
    unspoken: frozenset[str]
    ends: frozenset[str]
    directions: frozenset[str]


@cache
def _known() -> _KnownAddresses:
    declared = people_file()
    words = {word: short for short, longs in declared["streets"].items() for word in words_of(longs)}
    return _KnownAddresses(words, *(frozenset(words_of(declared[name])) for name in ("unspoken", "street_ends", "directions")))
