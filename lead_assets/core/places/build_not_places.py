"""`python -m lead_assets.core.places.build_not_places`: writes not_places.txt again (`pip install --group gazetteer`).

Words and people's names that look like a country: one slip away from one of its names ("Ivan", "Chine"), its name in a language that few leads are
written in ("Alan" is Åland in Breton), or a region's or large city's as well ("Lorraine", "Milan"). Taken from wordfreq's lists of words, and from the names
and words of names-dataset and Faker, where they are common: the shorter a name is, the rarer it may be. A word that begins as the country's name does is its
adjective or case ("Croata", "Germani") and says the country, except in English, in which nobody is taken for a country because he writes "Indian".
"""

from __future__ import annotations

import math
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

import polars as pl

from lead_assets.core.columns import folded
from lead_assets.core.places.gazetteer import CITIES
from lead_assets.core.places.names import country_names, every_language, region_names, state_names
from lead_assets.core.places.slips import NOT_PLACES, countries_by_slip, states_by_slip

_LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "pl")
# Zipf: 3 is once in a million words. Below these, a country's name with a slip is as common as a word that looks like one.
_COMMON_WORD = {"en": 2.6}
_COMMON_ELSEWHERE = 3.0
_RANKS = {3: 2000, 4: 1500, 5: 1000, 6: 500}
_RANK_OF_LONGER = 300
_RANK_OF_A_CITY = 300
_CITIES_FIRST = frozenset(
    {"london", "paris", "barcelona", "madrid", "vienna", "berlin", "lagos", "birmingham", "tokyo", "kobe", "osaka", "izmir"}
)
_STEM = 5


def main() -> None:
    known = country_names().keys() | state_names().keys()
    elsewhere = every_language().keys() - known
    names = {
        name for ranked in _ranks().values() for name, rank in ranked.items() if rank <= _RANKS.get(len(name), _RANK_OF_LONGER)
    } | _faker(("first_name", "last_name"))
    chosen = {word for word in names if word in elsewhere or _near(word)} | (names & region_names().keys())
    chosen |= {word for word in _common_words("en") if _near(word)}
    for words in (*map(_common_words, _LANGUAGES), _faker(("word", "color"))):
        chosen |= {word for word in words if _near(word) and not _is_its_adjective(word)}
    ranks = _ranks()
    chosen |= {
        city
        for city in _large_cities() - _CITIES_FIRST
        if ranks["first"].get(city, math.inf) <= _RANK_OF_A_CITY or ranks["last"].get(city, math.inf) <= _RANK_OF_A_CITY
    }
    sources = f"wordfreq {version('wordfreq')} (CC BY-SA 4.0), names-dataset {version('names-dataset')} (Apache 2.0), Faker {version('faker')} (MIT)"
    lines = sorted(word for word in chosen - known if len(word) > 2)
    NOT_PLACES.write_text(f"# Made by build_not_places.py from {sources}.\n" + "\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{NOT_PLACES}: {len(lines):,} words\n")


def _large_cities() -> set[str]:
    return set(pl.read_parquet(CITIES).filter(pl.col("population") >= 1_000_000)["key"])


def _near(word: str) -> set[str]:
    return countries_by_slip().within_a_slip(word) | states_by_slip().within_a_slip(word)


def _is_its_adjective(word: str) -> bool:
    return len(word) > _STEM and any(name[:_STEM] == word[:_STEM] for name in _near(word))


def _common_words(language: str) -> set[str]:
    import wordfreq

    least = _COMMON_WORD.get(language, _COMMON_ELSEWHERE) - 9
    return set(folded(word for word, share in wordfreq.get_frequency_dict(language, "best").items() if math.log10(share) >= least))


@cache
def _ranks() -> dict[str, dict[str, float]]:
    """The best rank of each first and last name, folded, in any country."""
    from names_dataset import NameDataset

    dataset = NameDataset()
    return {"first": _ranked(dataset.first_names), "last": _ranked(dataset.last_names)}


def _ranked(names: dict[str, Any]) -> dict[str, float]:
    ranked = [
        (name, min(found)) for name, about in names.items() if (found := [rank for rank in (about.get("rank") or {}).values() if rank])
    ]
    best: dict[str, float] = {}
    for key, (_, rank) in zip(folded(name for name, _ in ranked), ranked, strict=True):
        best[key] = min(rank, best.get(key, math.inf))
    return best


def _faker(kinds: tuple[str, ...]) -> set[str]:
    """All that Faker's locales have of these kinds."""
    import faker.providers.color
    import faker.providers.lorem
    import faker.providers.person

    found: set[str] = set()
    for package in (faker.providers.person, faker.providers.lorem, faker.providers.color):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            provider = getattr(import_module(module.name), "Provider", None)
            for name, listed in vars(provider).items() if provider else ():
                if any(kind in name for kind in kinds):
                    found.update(_texts(listed))
    return set(folded(found))


def _texts(listed: Any) -> Iterator[str]:
    return (each for each in listed if isinstance(each, str)) if isinstance(listed, list | tuple | dict | set) else iter(())


if __name__ == "__main__":
    main()
