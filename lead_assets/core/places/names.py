"""Names and codes of countries, states and provinces, folded: pycountry (ISO 3166), CLDR (every country in every language, see
`build_country_names`), and what is declared in spellings.yaml. Loaded when first asked for, each part by itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
import polars as pl

from lead_assets.core.columns import folded
from lead_assets.core.shipped import read_shipped

COUNTRY_NAMES = Path(__file__).with_name("country_names.parquet")

# First come, first served: where two languages call two countries by one name, the earlier one's holds.
FIRST_LANGUAGES = (
    "en", "de", "fr", "es", "pt", "it", "nl", "ja", "zh", "zh_Hant", "ko", "ru", "ar", "pl", "tr", "sv", "da", "nb", "fi", "cs",
    "hu", "ro", "el", "he", "uk", "id", "vi", "th", "hi",
)  # fmt: skip
OTHER_LANGUAGES = ("bg", "ca", "hr", "sk", "sl")
"""Languages whose names are also read with a typing slip (see `slips`)."""
WITH_STATES = ("US", "CA")
"""The countries whose states stand for them: "TX" alone is the US."""

_T = TypeVar("_T")
_BEHIND = {"US": ("US", "USA", "United States"), "CA": ("CA", "Canada")}
State = tuple[str, str]
"""(country, ISO 3166-2 code without the country)."""


@cache
def spellings() -> dict[str, Any]:
    """spellings.yaml, in which everything is text: "NO" is Norway."""
    found: dict[str, Any] = read_shipped(Path(__file__).with_name("spellings.yaml"), only_text=True)
    return found


@cache
def words(section: str) -> frozenset[str]:
    """A list of words in spellings.yaml, folded."""
    return frozenset(folded(spellings()[section]))


class Subdivision(NamedTuple):
    """A state, province or district of ISO 3166-2; both codes with the country before them."""

    country_code: str
    code: str
    name: str
    parent_code: str | None


@cache
def subdivisions() -> tuple[Subdivision, ...]:
    """All of pycountry's, in its order. Read from its file: its objects and their index take a quarter of a second to make."""
    import pycountry

    listed = orjson.loads((Path(pycountry.DATABASE_DIR) / "iso3166-2.json").read_bytes())["3166-2"]
    return tuple(
        Subdivision(country := each["code"].partition("-")[0], each["code"], each["name"], _with_country(country, each.get("parent")))
        for each in listed
    )


def _with_country(country: str, code: str | None) -> str | None:
    return code if code is None or code.startswith(f"{country}-") else f"{country}-{code}"


@cache
def iso_codes() -> frozenset[str]:
    import pycountry

    return frozenset(country.alpha_2 for country in pycountry.countries)


@cache
def country_codes() -> dict[str, str]:
    """alpha-2 and alpha-3 codes in small letters → alpha-2."""
    import pycountry

    return {code.lower(): country.alpha_2 for country in pycountry.countries for code in (country.alpha_2, country.alpha_3)}


@cache
def country_names() -> dict[str, str]:
    """Names and codes of countries: declared, ISO's, and those of the languages that leads write in most."""
    import pycountry

    spelt = [(spelling, code) for code, listed in spellings()["countries"].items() for spelling in listed]
    for country in pycountry.countries:
        fields = ("alpha_2", "alpha_3", "name", "official_name", "common_name")
        spelt.extend((getattr(country, field), country.alpha_2) for field in fields if hasattr(country, field))
    spelt.extend(names_in(FIRST_LANGUAGES))
    return _first_of_each(spelt)


@cache
def every_language() -> dict[str, str]:
    """Names of countries in all languages of CLDR, folded; a name that two countries share is left out."""
    return dict(_names_by_language()[None])


def names_in(languages: Iterable[str]) -> list[tuple[str, str]]:
    """(name, alpha-2) of every country in these languages, which are some of `FIRST_LANGUAGES` and `OTHER_LANGUAGES`. Names of one or two
    letters are left out: they would pass for codes."""
    return [pair for language in languages for pair in _names_by_language()[language]]


@cache
def _names_by_language() -> dict[str | None, list[tuple[str, str]]]:
    """See `build_country_names`."""
    parts = pl.read_parquet(COUNTRY_NAMES).partition_by("language", as_dict=True, maintain_order=True, include_key=False)
    return {language: list(part.iter_rows()) for (language,), part in parts.items()}


@cache
def state_names() -> dict[str, State]:
    """Names and codes of the states of the US and the provinces of Canada; no code is in both."""
    spelt: list[tuple[str, State]] = []
    for country, states in spellings()["states"].items():
        for subdivision in (each for each in subdivisions() if each.country_code == country):
            code = subdivision.code.partition("-")[2]
            own = (code, subdivision.name)
            spelt.extend((name, (country, code)) for name in (*own, subdivision.code, *states.get(code, ())))
            # "TX USA", "Ontario Canada"
            spelt.extend((f"{name} {behind}", (country, code)) for name in own for behind in _BEHIND[country])
    return _first_of_each(spelt)


@cache
def state_codes() -> frozenset[str]:
    """The postal codes of those states, in small letters."""
    return frozenset(each.code.partition("-")[2].lower() for each in subdivisions() if each.country_code in WITH_STATES)


@cache
def region_names() -> dict[str, State]:
    """States and provinces of all other countries by their ISO names and codes ("DE-BY") and declared ones; names that two countries use are left out."""
    found: dict[str, set[State]] = {}
    for name, region in _regions():
        found.setdefault(name, set()).add(region)
    countries = {name: {country for country, _ in regions} for name, regions in found.items()}
    return {
        name: min(regions) for name, regions in found.items() if len(countries[name]) == 1 and name not in state_names()
    } | _declared_regions()


@cache
def region_codes() -> dict[str, tuple[State, ...]]:
    """Codes without the country → the states and provinces that have it, of all countries but the US and Canada."""
    found: dict[str, list[State]] = {}
    for subdivision in subdivisions():
        country, _, code = subdivision.code.partition("-")
        if country not in WITH_STATES and not code.isdigit():
            found.setdefault(code.lower(), []).append((country, code))
    return {code: tuple(regions) for code, regions in found.items()}


def _regions() -> Iterable[tuple[str, State]]:
    # Of a district that lies in a state, the state is what counts.
    own = [s for s in subdivisions() if s.country_code in spellings()["regions_of"]]
    spelt = [(text, s) for s in own for text in (s.name, s.code) if len(text) > 3]
    for name, (_, subdivision) in zip(folded(text for text, _ in spelt), spelt, strict=True):
        code = (subdivision.parent_code or subdivision.code).partition("-")[2]
        yield name, (subdivision.country_code, code)


@cache
def _declared_regions() -> dict[str, State]:
    declared = [
        (name, (country, str(code)))
        for country, regions in spellings()["regions"].items()
        for code, listed in regions.items()
        for name in listed
    ]
    return _first_of_each(declared)


def _first_of_each(spelt: list[tuple[str, _T]]) -> dict[str, _T]:
    names: dict[str, _T] = {}
    for name, (_, meant) in zip(folded(spelling for spelling, _ in spelt), spelt, strict=True):
        if name:
            names.setdefault(name, meant)
    return names
