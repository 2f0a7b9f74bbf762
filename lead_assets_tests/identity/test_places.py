"""Countries and states: what each spelling means, and what is not guessed."""

from __future__ import annotations

import polars as pl
import pycountry
import pytest
from babel import Locale

from lead_assets.core.columns import folded
from lead_assets.core.places.build_country_names import names_of_countries
from lead_assets.core.places.names import COUNTRY_NAMES, country_names, every_language, region_names, state_names, subdivisions
from lead_assets_tests.identity.places import located

COUNTRIES = {
    "US": "US", "us": "US", "USA": "US", "U.S.A.": "US", "U.S.": "US", "U S A": "US", "United States": "US",
    "The United States of America": "US", "America": "US", "Estados Unidos": "US", "États-Unis": "US", "Vereinigte Staaten": "US",
    "アメリカ合衆国": "US", "США": "US", "UK": "GB", "U.K.": "GB", "England": "GB", "Scotland": "GB", "Wales": "GB", "Great Britain": "GB",
    "Northern Ireland": "GB", "Schottland": "GB", "Deutschland": "DE", "GERMANY": "DE", "Allemagne": "DE", "Alemania": "DE",
    "Federal Republic of Germany": "DE", "Almanya": "DE", "Niemcy": "DE", "de": "DE", "Brasil": "BR", "BRAZIL": "BR", "España": "ES",
    "Espana": "ES", "日本": "JP", "Japan": "JP", "JPN": "JP", "Holland": "NL", "The Netherlands": "NL", "Nederland": "NL", "Korea": "KR",
    "South Korea": "KR", "Korea, Republic of": "KR", "대한민국": "KR", "North Korea": "KP", "Czech Republic": "CZ", "Czechia": "CZ",
    "Česko": "CZ", "Türkiye": "TR", "Turkiye": "TR", "TURKEY": "TR", "UAE": "AE", "U.A.E.": "AE", "United Arab Emirates": "AE",
    "Dubai, UAE": "AE", "KSA": "SA", "Kingdom of Saudi Arabia": "SA", "Côte d'Ivoire": "CI", "Cote d’Ivoire": "CI", "Ivory Coast": "CI",
    "Россия": "RU", "Russian Federation": "RU", "中国": "CN", "PRC": "CN", "Hong Kong": "HK", "Taiwan": "TW", "Viet Nam": "VN",
    "Vietnam": "VN", "Österreich": "AT", "Schweiz": "CH", "Suisse": "CH", "België": "BE", "Belgique": "BE", "Norge": "NO", "Sverige": "SE",
    "Suomi": "FI", "Danmark": "DK", "Polska": "PL", "Magyarország": "HU", "România": "RO", "Україна": "UA", "Ελλάδα": "GR", "भारत": "IN",
    "México": "MX", "Ireland": "IE", "Éire": "IE", "Republic of Ireland": "IE", "Congo": "CG", "DR Congo": "CD", "Niger": "NE",
    "Nigeria": "NG", "Guinea": "GN", "Papua New Guinea": "PG", "Georgia": "GE", "Jersey": "JE", "Puerto Rico": "PR", "Namibia": "NA",
    "Sierra Leone": "SL", "Mali": "ML", "Somalia": "SO", "Oman": "OM", "Romania": "RO", "India": "IN", "Indonesia": "ID",
    "Kingdom of the Netherlands": "NL", "República Argentina": "AR", "Ujerumani": "DE", "Germany (DE)": "DE", "USA - California": "US",
    "London, UK": "GB", "Paris / France": "FR", "Bayern": "DE", "São Paulo": "BR", "Fr.": "FR", "CAN": "CA", "AUS": "AU", "N.Z.": "NZ",
    "Isle of Man": "IM", "Grmany": "DE", "asdf": None, "London": None, "EMEA": None, "n/a": None, "N/A": None, "NA": None, "-": None,
    "": None, "Other": None, "123": None, "France, Germany": None, "San Jose, CA": "US", "Boise, ID": "US",
    "Portland, ME": "US", "Atlanta, GA": "US", "x" * 500: None,
}  # fmt: skip

STATES = {
    "CA": ("US", "CA"), "ca": ("US", "CA"), "California": ("US", "CA"), "CALIFORNIA": ("US", "CA"), "Calif.": ("US", "CA"),
    "CA, USA": ("US", "CA"), "US-CA": ("US", "CA"), "California (CA)": ("US", "CA"), "State of California": ("US", "CA"),
    "N.Y.": ("US", "NY"), "N. Y.": ("US", "NY"), "New York": ("US", "NY"), "New York, NY": ("US", "NY"), "New York State": ("US", "NY"),
    "D.C.": ("US", "DC"), "Washington DC": ("US", "DC"), "Washington, D.C.": ("US", "DC"), "Washington": ("US", "WA"),
    "Wash.": ("US", "WA"), "Tex.": ("US", "TX"), "Texas, United States": ("US", "TX"), "Mass.": ("US", "MA"), "Penna.": ("US", "PA"),
    "W. Va.": ("US", "WV"), "W.Va.": ("US", "WV"), "Fla": ("US", "FL"), "Ariz.": ("US", "AZ"), "Mich.": ("US", "MI"),
    "Hawai'i": ("US", "HI"), "Hawaii": ("US", "HI"), "Georgia": ("US", "GA"), "Delaware": ("US", "DE"), "DE": ("US", "DE"),
    "Kansas City MO": ("US", "MO"), "Kansas City, MO": ("US", "MO"), "North Carolina": ("US", "NC"), "N.M.": ("US", "NM"),
    "Puerto Rico": ("US", "PR"), "Ontario": ("CA", "ON"), "Ont.": ("CA", "ON"), "ON": ("CA", "ON"), "Ontario, Canada": ("CA", "ON"),
    "Ontario, CA": ("CA", "ON"), "Québec": ("CA", "QC"), "Quebec": ("CA", "QC"), "PQ": ("CA", "QC"), "B.C.": ("CA", "BC"),
    "British Columbia": ("CA", "BC"), "Newfoundland": ("CA", "NL"), "P.E.I.": ("CA", "PE"), "Sask.": ("CA", "SK"),
    "Regina, SK": ("CA", "SK"), "CA-ON": ("CA", "ON"), "Yukon": ("CA", "YT"), "Kent": ("GB", None), "Bayern": ("DE", None),
    "Calfornia": ("US", "CA"), "Somewhere": (None, None), "-": (None, None), "TX or CA": (None, None), "TX, CA": (None, None),
    "Germany": ("DE", None), "": (None, None),
}  # fmt: skip

PAIRS: list[tuple[str | None, str | None, str | None, str | None]] = [
    ("US", "CA", "US", "CA"),
    ("CA", None, "CA", None),
    ("CA", "Ontario", "CA", "ON"),
    ("CA", "CA", "US", "CA"),
    ("CA", "California", "US", "CA"),
    ("Georgia", "GA", "US", "GA"),
    ("Georgia", "Tbilisi", "GE", None),
    ("DE", None, "DE", None),
    ("DE", "Delaware", "US", "DE"),
    ("DE", "Bayern", "DE", None),
    ("Canada", "CA", "CA", None),
    ("US", "Ontario", "US", None),
    ("France", "CA", "FR", None),
    ("AU", "WA", "AU", None),
    ("California", None, "US", "CA"),
    ("Calif.", None, "US", "CA"),
    ("Texas", "Austin", "US", "TX"),
    ("TX", None, "US", "TX"),
    ("New Mexico", None, "US", "NM"),
    ("Indiana", None, "US", "IN"),
    ("Ontario", None, "CA", "ON"),
    ("Chicago, IL, USA", None, "US", "IL"),
    ("Austin, TX", None, "US", "TX"),
    ("US-CA", None, "US", "CA"),
    ("USA", "Georgia", "US", "GA"),
    ("n/a", "TX", "US", "TX"),
    ("EMEA", "TX", "US", "TX"),
    (None, "GERMANY", "DE", None),
    (None, "SP", None, None),
    (None, None, None, None),
]


def country_codes(countries: list[str]) -> dict[str, str | None]:
    """Countries on their own, without a state."""
    return dict(zip(countries, located([{"country": country} for country in countries])["country_code"], strict=True))


def test_a_country_in_any_spelling() -> None:
    assert country_codes(list(COUNTRIES)) == COUNTRIES


def test_a_state_names_its_country() -> None:
    places = located([{"state": state} for state in STATES]).select("country_code", "state_code")
    assert dict(zip(STATES, places.rows(), strict=True)) == STATES


@pytest.mark.parametrize(("country", "state", "country_code", "state_code"), PAIRS)
def test_country_and_state_together(country: str | None, state: str | None, country_code: str | None, state_code: str | None) -> None:
    place = located([{"country": country, "state": state}])
    assert place.select("country_code", "state_code").row(0) == (country_code, state_code)


def test_rows_keep_their_order() -> None:
    rows = [{"country": "Deutschland"}, {"state": "TX"}, {"country": "U.S.A.", "state": "CA"}, {"city": "Graz"}, {}] * 50
    assert (
        located(rows).select("country_code", "state_code").rows()
        == [("DE", None), ("US", "TX"), ("US", "CA"), ("AT", None), (None, None)] * 50
    )


def test_every_code_and_iso_name_of_every_country() -> None:
    spelt = {text: country.alpha_2 for country in pycountry.countries for text in (country.alpha_2, country.alpha_3, country.name)}
    spelt.pop("NA")  # in a form it says "not applicable" far more often than Namibia
    assert {text: code for text, code in country_codes(list(spelt)).items() if code != spelt[text]} == {}


@pytest.mark.parametrize("language", ["de", "fr", "es", "pt", "it", "nl", "ja", "zh", "ko", "ru", "ar", "pl", "tr", "sv", "sw", "ka", "ta"])
def test_country_names_of_a_language(language: str) -> None:
    """All of CLDR's, but for the few that another language gives to another country."""
    iso = {country.alpha_2 for country in pycountry.countries}
    names = {name: code for code, name in Locale.parse(language).territories.items() if code in iso}
    wrong = {name: code for name, code in country_codes(list(names)).items() if code != names[name]}
    assert len(wrong) <= 6, wrong


def test_every_state_by_code_and_name() -> None:
    spelt: dict[str, tuple[str, str]] = {}
    for country in ("US", "CA"):
        for subdivision in pycountry.subdivisions.get(country_code=country):
            code = subdivision.code[3:]
            spelt.update(dict.fromkeys((code, subdivision.name, subdivision.code), (country, code)))
    places = located([{"state": text} for text in spelt]).select("country_code", "state_code")
    assert dict(zip(spelt, places.rows(), strict=True)) == spelt


def test_the_file_of_country_names_says_what_babel_says() -> None:
    """If it fails after an upgrade of Babel: python -m lead_assets.core.places.build_country_names."""
    assert pl.read_parquet(COUNTRY_NAMES).equals(names_of_countries())


def test_the_tables_hold_folded_keys_only() -> None:
    for table in (country_names(), every_language(), state_names(), region_names()):
        assert folded(table) == list(table)


@pytest.mark.parametrize(
    ("city", "country"),
    [
        ("Bogota D.C.", "CO"), ("C.A.B.A.", "AR"), ("Lima Metropolitana", "PE"), ("Quezon City, NCR", "PH"), ("New Delhi NCR", "IN"), ("Tokyo-to", "JP"),
        ("大阪府", "JP"), ("神奈川県", "JP"), ("Région parisienne", "FR"), ("Torino TO", "IT"), ("Budapest XI.", "HU"), ("Jo'burg", "ZA"), ("г. Москва", "RU"),
        ("м. Київ", "UA"), ("NCR", None), ("Walk to", None),
    ],
)  # fmt: skip
def test_towns_as_their_people_write_them(city: str, country: str | None) -> None:
    assert located([{"city": city}])["country_code"].to_list() == [country]


def test_states_and_provinces_are_those_of_the_library() -> None:
    """Its file is read directly."""
    said = [(each.country_code, each.code, each.name, each.parent_code) for each in pycountry.subdivisions]
    assert [tuple(each) for each in subdivisions()] == said
