"""Names of countries and states with one typing slip: a letter too many, too few or wrong, or two that changed places.

A slip is read only if one country (or state) alone is that near, and if what was typed is not something else: another place's name, a word, a person's
name. Those that come near a name are listed in not_places.txt (see `build_not_places`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

from lead_assets.core.columns import folded
from lead_assets.core.places.names import country_names, names_in, spellings, state_names

# Languages whose names of countries are looked for, and those of which short names are: five letters and a slip soon make another word.
_LANGUAGES = (
    "en",
    "de",
    "fr",
    "es",
    "pt",
    "it",
    "nl",
    "pl",
    "tr",
    "sv",
    "da",
    "nb",
    "fi",
    "cs",
    "hu",
    "ro",
    "el",
    "ru",
    "uk",
    "id",
    "bg",
    "ca",
    "hr",
    "sk",
    "sl",
)
_WITH_SHORT_NAMES = ("en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "pl", "tr")
_SHORT = 5
_SHORTEST = 4
# Latin, Greek and Cyrillic. Of Chinese, Japanese and Korean signs, one more or less is another word.
_LAST_LETTER = "\u052f"
NOT_PLACES = Path(__file__).with_name("not_places.txt")
_T = TypeVar("_T")


def country_with_a_slip(key: str) -> str | None:
    """The country that the folded text is one slip away from."""
    return None if key in not_places() else countries_by_slip().nearest(key)


def near_countries(key: str) -> set[str]:
    """All countries that the folded text is at most one slip away from."""
    return countries_by_slip().meant(key)


def state_with_a_slip(key: str) -> tuple[str, str] | None:
    """The state of the US or province of Canada that the folded text is one slip away from."""
    return None if key in not_places() else states_by_slip().nearest(key)


class Near(Generic[_T]):
    """Names by all that is left of them when one letter is taken out: whatever is one slip away shares one of these, so few names are compared."""

    def __init__(self, names: Mapping[str, _T]) -> None:
        self._names = names
        self._index: dict[str, list[str]] = {}
        for name in names:
            for rest in _without_a_letter(name):
                self._index.setdefault(rest, []).append(name)

    def nearest(self, key: str) -> _T | None:
        """What the names within one slip mean, if they all mean the same."""
        meant = self.meant(key)
        return meant.pop() if len(meant) == 1 else None

    def meant(self, key: str) -> set[_T]:
        return {self._names[name] for name in self.within_a_slip(key)}

    def within_a_slip(self, key: str) -> set[str]:
        from rapidfuzz.distance import OSA

        if len(key) < _SHORTEST:
            return set()
        candidates = {name for rest in _without_a_letter(key) for name in self._index.get(rest, ())}
        short = _short_places(key)
        return {name for name in candidates if OSA.distance(name, key, score_cutoff=1) <= 1 and short <= set(name.split(" "))}


@cache
def not_places() -> frozenset[str]:
    """What looks like a country or state, and is a word or a person's name."""
    lines = NOT_PLACES.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@cache
def countries_by_slip() -> Near[str]:
    return Near(_looked_for())


@cache
def states_by_slip() -> Near[tuple[str, str]]:
    return Near({name: state for name, state in state_names().items() if len(name) > _SHORTEST and not name.endswith((" us", " ca"))})


def _looked_for() -> dict[str, str]:
    """The names that are looked for, by their folded form. Where two languages call two countries by one name, it is not."""
    declared = [(spelling, code) for code, listed in spellings()["countries"].items() for spelling in listed]
    meant: dict[str, set[str]] = {}
    for languages, shortest in ((_LANGUAGES, _SHORT + 1), (_WITH_SHORT_NAMES, _SHORTEST)):
        spelt = [*declared, *names_in(languages)]
        for name, (_, code) in zip(folded(spelling for spelling, _ in spelt), spelt, strict=True):
            if len(name) >= shortest and max(name) <= _LAST_LETTER:
                meant.setdefault(name, set()).add(code)
    return {name: codes.copy().pop() for name, codes in meant.items() if len(codes) == 1}


def _short_places(key: str) -> set[str]:
    """The words that are a place by themselves and too short for a slip: "us canada" is not "NS Canada" mistyped."""
    return {word for word in key.split(" ") if len(word) < _SHORTEST and (word in country_names() or word in state_names())}


def _without_a_letter(text: str) -> set[str]:
    return {text, *(text[:i] + text[i + 1 :] for i in range(len(text)))}
