"""Countries to ISO 3166-1 alpha-2, and states and provinces of the US and Canada to ISO 3166-2 without the country.

Names come from pycountry (ISO), Babel (CLDR: every country in every language) and country_converter (its patterns for free text); what none of them has
is declared here. A value is looked up as it is, then by its parts ("Austin, TX, USA"); nothing is guessed: a misspelt name is no country.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import polars as pl

from lead_assets.core.columns import folded

# First come, first served: where two languages call two countries by one name, the earlier one's holds.
_FIRST_LANGUAGES = (
    "en", "de", "fr", "es", "pt", "it", "nl", "ja", "zh", "zh_Hant", "ko", "ru", "ar", "pl", "tr", "sv", "da", "nb", "fi", "cs",
    "hu", "ro", "el", "he", "uk", "id", "vi", "th", "hi",
)  # fmt: skip

_COUNTRY_SPELLINGS = {
    "US": "US|USA|U.S. of A|United States of America|America|The States|Estados Unidos de América|EUA|EEUU|EE UU|EE.UU.|États-Unis d'Amérique|Etats Unis|VSA|"
    "США|美国|美國|アメリカ|米国|미국|ABD",
    "GB": "UK|GB|GBR|Great Britain|Britain|England|Scotland|Wales|Northern Ireland|UK & NI|Großbritannien|Grossbritannien|"
    "Grande-Bretagne|Gran Bretaña|Grã-Bretanha|Gran Bretagna|Inglaterra|Angleterre|Inghilterra|Schottland|Escocia|Écosse|Engeland|英国|영국",
    "KR": "Korea|South Korea|Republic of Korea|Rep of Korea|S Korea|ROK|Corea|Corea del Sur|대한민국|한국|韓国|韩国",
    "KP": "North Korea|N Korea|DPRK",
    "NL": "Holland|The Netherlands|Nederland|Hollande|Holanda|Olanda|NED",
    "DE": "BRD|Federal Republic of Germany|Bundesrepublik Deutschland|GER|D-Deutschland|Allemagne|Germania",
    "AE": "UAE|Emirates|Dubai|Abu Dhabi|VAE|EAU",
    "SA": "KSA|Saudi|Saudi-Arabia",
    "CN": "PRC|PR China|People's Republic of China|Mainland China|中国|中國",
    "TW": "ROC|Republic of China|Chinese Taipei|台湾|台灣",
    "HK": "Hongkong|HKSAR|Hong Kong SAR",
    "MO": "Macau|Macao SAR",
    "CZ": "Czech Rep|Czech Republic|Czechia|Česko|Česká republika",
    "SK": "Slovak Rep|Slovak Republic|Slovensko",
    "TR": "Turkey|Turkiye|Türkiye",
    "IE": "Eire|Éire|Republic of Ireland|Ireland Republic of|Rep of Ireland|ROI|Southern Ireland",
    "RU": "Russia|Russian Fed|Россия|РФ",
    "CH": "Suisse|Schweiz|Svizzera|Svizra|SUI",
    "CI": "Ivory Coast",
    "MM": "Burma",
    "SZ": "Swaziland",
    "CV": "Cape Verde",
    "MK": "Macedonia|FYROM",
    "CD": "DRC|DR Congo|Congo Kinshasa",
    "CG": "Congo|Congo Brazzaville|Republic of the Congo",
    "VN": "Vietnam|Viet Nam",
    "VA": "Vatican|Holy See",
    "PS": "Palestine",
    "SY": "Syria",
    "LA": "Laos",
    "IR": "Iran",
    "BO": "Bolivia",
    "VE": "Venezuela",
    "TZ": "Tanzania",
    "MD": "Moldova",
    "BN": "Brunei",
    "FM": "Micronesia",
    "BA": "Bosnia|Bosnia-Herzegovina|BiH",
    "TT": "Trinidad",
    "AG": "Antigua",
    "NZ": "NZ|Aotearoa",
    "AU": "Aus",
    "ZA": "RSA|S Africa|Suid-Afrika",
    "DO": "Dominican Rep|Dom Rep|Rep Dom|RD",
    "PH": "Phillipines|Phils|Pilipinas",
    "ES": "España|Espagne",
    "BR": "Brasil|BRA",
    "JP": "JPN|日本|日本国|Nippon",
    "DK": "Danmark",
    "GR": "Hellas|EL",
    "SG": "S'pore|Spore",
    "CW": "Curaçao",
    "IN": "Bharat",
}  # fmt: skip

# AP style and other abbreviations that are in use; names and codes come from ISO 3166-2.
_STATE_SPELLINGS = {
    "US": {
        "AL": "Ala", "AK": "Alas", "AZ": "Ariz", "AR": "Ark", "CA": "Calif|Cal|Cali", "CO": "Colo", "CT": "Conn", "DE": "Del",
        "DC": "D.C.|Washington DC|Washington D.C.|Wash DC|District of Columbia", "FL": "Fla", "HI": "Hawai'i", "IL": "Ill",
        "IN": "Ind", "KS": "Kan|Kans", "MA": "Mass", "MI": "Mich", "MN": "Minn", "MS": "Miss",
        "MT": "Mont", "NE": "Neb|Nebr", "NV": "Nev", "NH": "N Hamp|N.H.", "NJ": "N Jersey|N.J.", "NM": "N Mex|New Mex|N.M.",
        "NY": "N York|N.Y.|NYS|New York State", "NC": "N Car|N Carolina|N.C.", "ND": "N Dak|N Dakota|N.D.", "OK": "Okla", "OR": "Ore|Oreg",
        "PA": "Penn|Penna", "RI": "R Isl|R.I.", "SC": "S Car|S Carolina|S.C.", "SD": "S Dak|S Dakota|S.D.", "TN": "Tenn", "TX": "Tex",
        "WA": "Wash|Washington State", "WV": "W Va|WVa|W Virg|W Virginia", "WI": "Wis|Wisc", "WY": "Wyo", "PR": "P.R.",
    },
    "CA": {
        "AB": "Alta|Alberta", "BC": "B.C.|Brit Col|Colombie-Britannique", "MB": "Man", "NB": "N.B.|Nouveau-Brunswick", "NL": "Nfld|Newfoundland|Labrador|"
        "Newfoundland & Labrador|NF|Terre-Neuve", "NS": "N.S.|Nouvelle-Écosse", "NT": "NWT|N.W.T.|Northwest Territory", "NU": "Nunavut", "ON": "Ont",
        "PE": "PEI|P.E.I.|Île-du-Prince-Édouard", "QC": "Que|Québec|PQ|P.Q.|Qué", "SK": "Sask", "YT": "Yukon|Yukon Territory|YK",
    },
}  # fmt: skip

_FILLERS = frozenset(
    {"", "na", "n a", "none", "null", "nil", "unknown", "other", "others", "tbd", "global", "worldwide", "international", "select", "test"}
)
_PARTS = re.compile(r"[,/()\[\]|;:]|\s[-–—]\s")
_STATE_WORDS = re.compile(r"^(?:state|province|commonwealth) of |^the | (?:state|province)$")
_CAPITALS = re.compile(r"\b[A-Z]{2}\b")
_MOST_PARTS = 8
_LONGEST = 80


def resolve_places(countries: pl.Series, states: pl.Series) -> pl.DataFrame:
    """Columns `country_code` and `state_code`, for each pair of texts; null where nothing, or more than one thing, fits.

    A state of the US or Canada gives the country that is missing or cannot be read; a state that does not lie in the country is null. "CA" is California
    in the state column and Canada in the country column, unless the state column says that the sender put the same state into both.
    """
    frame = pl.DataFrame({"country": countries, "state": states}, schema={"country": pl.String, "state": pl.String})
    pairs = frame.unique()
    texts = _read(pl.concat([pairs["country"], pairs["state"]]).drop_nulls().unique().to_list())
    answers = [_place(texts.get(country), texts.get(state)) for country, state in pairs.iter_rows()]
    found = pairs.with_columns(
        country_code=pl.Series([country for country, _ in answers], dtype=pl.String),
        state_code=pl.Series([state for _, state in answers], dtype=pl.String),
    )
    return frame.join(found, on=["country", "state"], how="left", nulls_equal=True, maintain_order="left").select(
        "country_code", "state_code"
    )


@dataclass(frozen=True)
class _Text:
    """A text as received, folded, and its folded parts."""

    received: str
    whole: str
    parts: tuple[str, ...]


def _read(texts: list[str]) -> dict[str | None, _Text]:
    """The texts that can name a place, folded in one go. Fillers ("n/a", "-") and what is too long for a name are as good as absent."""
    received = [text for text in texts if len(text) <= _LONGEST]
    split = [_PARTS.split(text)[:_MOST_PARTS] for text in received]
    wholes = folded(received)
    parts = iter(folded(part for parts in split for part in parts))
    read = (
        _Text(text, whole, tuple(part for part in islice(parts, len(own)) if part))
        for text, whole, own in zip(received, wholes, split, strict=True)
    )
    return {text.received: text for text in read if text.whole not in _FILLERS}


def _place(country: _Text | None, state: _Text | None) -> tuple[str | None, str | None]:
    code = _named_country(country) if country else None
    home = None
    if state is not None:
        home = _state(state, within=code) or _state(state, within=None)
    if home is None and country is not None and (code is None or code in _STATE_SPELLINGS):
        # The state was written into the country column: "California", "Austin, TX, USA".
        home = _state(country, within=code, in_country_column=True)
    if home is not None and (code is None or (country is not None and _is_state(country, home))):
        code = home[0]
    if code is None and country is not None:
        code = _described_country(country)
    if code is None and state is not None and len(state.whole) > 2:
        # Only a name: two letters in the state column are some other country's state.
        code = _named_country(state)
    return code, home[1] if home is not None and home[0] == code else None


def _is_state(country: _Text, state: tuple[str, str]) -> bool:
    """Whether the country column says no more than the state column: "CA" beside California, "Georgia" beside GA."""
    return country.whole == state[1].lower() or _state_names().get(country.whole) == state


def _named_country(text: _Text) -> str | None:
    """The country that the text, or one of its parts, is a name or code of."""
    names = _country_names()
    for spelling in (text.whole, text.whole.replace(" ", ""), text.whole.removeprefix("the ")):
        if spelling in names:
            return names[spelling]
    # In "San Jose, CA" two letters are as likely a state as a country.
    found = {names[part] for part in text.parts if part in names and part not in _state_codes()}
    return found.pop() if len(found) == 1 else None


def _described_country(text: _Text) -> str | None:
    """The country by any language's name, by a state or province that no other country has, or by country_converter's patterns."""
    if len(text.whole) < 3 and text.whole.isascii():
        return None
    for names in (_every_language(), _subdivisions()):
        found = {names[spelling] for spelling in (text.whole, *text.parts) if spelling in names}
        if len(found) == 1:
            return found.pop()
    matches = {code for pattern, code in _patterns() if pattern.search(text.received)}
    return matches.pop() if len(matches) == 1 else None


def _state(text: _Text, within: str | None, in_country_column: bool = False) -> tuple[str, str] | None:
    """(country, code) of the state that the text, or one of its parts, is a name or code of."""
    names, countries = _state_names(), _country_names()
    trimmed = _STATE_WORDS.sub("", text.whole)
    for spelling in (text.whole, text.whole.replace(" ", ""), trimmed):
        if spelling in names and not (in_country_column and spelling in countries):
            return names[spelling]
    parts = text.parts
    if len(parts) == 1:
        # "Kansas City MO"
        capitals = _CAPITALS.findall(text.received)
        parts = (capitals[0].lower(),) if len(capitals) == 1 and text.received.endswith(f" {capitals[0]}") else ()
    found = {names[part] for part in parts if part in names and not (in_country_column and within is None and part in countries)}
    if len(found) > 1:
        stated = {within} if within else {countries[part] for part in parts if part in countries}
        found = {state for state in found if state[0] in stated}
    return found.pop() if len(found) == 1 else None


@cache
def _country_names() -> dict[str, str]:
    """Folded names and codes of countries: declared, ISO's, and those of the languages that leads write in most."""
    import pycountry

    spelt = [(spelling, code) for code, spellings in _COUNTRY_SPELLINGS.items() for spelling in spellings.split("|")]
    for country in pycountry.countries:
        fields = ("alpha_2", "alpha_3", "name", "official_name", "common_name")
        spelt.extend((getattr(country, field), country.alpha_2) for field in fields if hasattr(country, field))
    spelt.extend(_names_in(_FIRST_LANGUAGES))
    names: dict[str, str] = {}
    for name, (_, code) in zip(folded(spelling for spelling, _ in spelt), spelt, strict=True):
        if name:
            names.setdefault(name, code)
    return names


@cache
def _every_language() -> dict[str, str]:
    """Folded names of countries in all languages of CLDR; a name that two countries share is left out. Takes half a second, so it comes last."""
    from babel.localedata import locale_identifiers

    spelt = _names_in(sorted(identifier for identifier in locale_identifiers() if "_" not in identifier))
    codes: dict[str, set[str]] = {}
    for name, (_, code) in zip(folded(spelling for spelling, _ in spelt), spelt, strict=True):
        codes.setdefault(name, set()).add(code)
    return {name: min(named) for name, named in codes.items() if name and len(named) == 1}


def _names_in(languages: Iterable[str]) -> list[tuple[str, str]]:
    """(name, alpha-2) of every country in these languages. Names of one or two letters are left out: they would pass for codes."""
    from babel import Locale

    iso = _iso_codes()
    territories = (item for language in languages for item in Locale.parse(language).territories.items())
    return [(name, code) for code, name in territories if code in iso and (len(name) > 2 or not name.isascii())]


@cache
def _iso_codes() -> frozenset[str]:
    import pycountry

    return frozenset(country.alpha_2 for country in pycountry.countries)


@cache
def _state_names() -> dict[str, tuple[str, str]]:
    """Folded names and codes of the states of the US and the provinces of Canada; no code is in both."""
    import pycountry

    spelt: list[tuple[str, tuple[str, str]]] = []
    for country, spellings in _STATE_SPELLINGS.items():
        for subdivision in pycountry.subdivisions.get(country_code=country):
            code = subdivision.code.partition("-")[2]
            declared = [spelling for spelling in spellings.get(code, "").split("|") if spelling]
            spelt.extend((name, (country, code)) for name in (code, subdivision.code, f"{code} {country}", subdivision.name, *declared))
    names: dict[str, tuple[str, str]] = {}
    for name, (_, state) in zip(folded(spelling for spelling, _ in spelt), spelt, strict=True):
        names.setdefault(name, state)
    return names


@cache
def _state_codes() -> frozenset[str]:
    return frozenset(code.lower() for codes in _STATE_SPELLINGS.values() for code in codes)


@cache
def _subdivisions() -> dict[str, str]:
    """Folded names of states and provinces that lie in one country only, and are no country's name: "Bayern", "São Paulo"."""
    import pycountry

    subdivisions = list(pycountry.subdivisions)
    names: dict[str, set[str]] = {}
    for name, subdivision in zip(folded(s.name for s in subdivisions), subdivisions, strict=True):
        names.setdefault(name, set()).add(subdivision.country_code)
    return {name: codes.copy().pop() for name, codes in names.items() if len(codes) == 1 and len(name) > 3}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """country_converter's pattern for each country.

    Its table is read beside its code: importing it costs a second of pandas for every process, and with pandas 3 its converter cannot be built
    (1.3.2: TypeError in iso2_regexes).
    """
    spec = find_spec("country_converter")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("country_converter is not installed: run make install")
    with (Path(spec.origin).parent / "country_data.tsv").open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if not row["obsolete"] and row["ISO2"]]
    codes = [re.findall(r"[A-Z]{2}", row["ISO2"])[0] for row in rows]
    return [(re.compile(row["regex"], re.IGNORECASE), code) for row, code in zip(rows, codes, strict=True) if code in _iso_codes()]
