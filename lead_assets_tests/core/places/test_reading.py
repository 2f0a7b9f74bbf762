"""Any text can be read, and one that names no place for certain names none."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_assets.core.places.deciding import decide
from lead_assets.core.places.located import located
from lead_assets.core.places.reading import read_texts
from lead_assets.core.places.slips import country_with_a_slip, state_with_a_slip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=100), max_size=20))
def test_any_text_can_be_read(texts: list[str]) -> None:
    assert located(pl.Series(texts, dtype=pl.String)).height == len(texts)
    assert all(len(text.parts) <= 9 for text in read_texts(texts).values())


@pytest.mark.parametrize(
    ("text", "code", "rest"),
    [
        ("Austin, TX 78701", "78701", ["Austin", "TX"]), ("80331 München", "80331", ["München"]), ("London SW1A 1AA", "SW1A 1AA", ["London"]),
        ("Toronto ON M5V 2T6", "M5V 2T6", ["Toronto", "ON"]), ("D-10115 Berlin", "D-10115", ["Berlin"]), ("1017 AB Amsterdam", "1017 AB", ["Amsterdam"]),
        ("New York, NY 10001-2345, USA", "10001-2345", ["New York", "NY", "USA"]), ("Tokyo 100-0001", "100-0001", ["Tokyo"]), ("Austin", None, ["Austin"]),
    ],
)  # fmt: skip
def test_a_postal_code_is_taken_out(text: str, code: str | None, rest: list[str]) -> None:
    read = read_texts([text])[text]
    assert (read.postal_code, [part.received for part in read.parts]) == (code, rest)


@pytest.mark.parametrize(
    ("typed", "country"),
    [
        ("grmany", "DE"), ("germnay", "DE"), ("deutschlnad", "DE"), ("frnace", "FR"), ("untied states", "US"), ("россиия", "RU"), ("trinidad nad tobago", "TT"),
        # As near to two, a word, a name, too short, and two slips.
        ("nigera", None), ("irax", None), ("hungry", None), ("mail", None), ("frances", None), ("ira", None), ("grmny", None), ("", None),
    ],
)  # fmt: skip
def test_one_slip_and_one_country(typed: str, country: str | None) -> None:
    assert country_with_a_slip(typed) == country


def test_a_state_with_a_slip() -> None:
    typed = ["calfornia", "texs", "pensylvania", "ontaro", "somewhere", "virgina", "us canada", "es canada", "ontraio canada"]
    ontario = ("CA", "ON")
    assert [state_with_a_slip(word) for word in typed] == [
        ("US", "CA"), ("US", "TX"), ("US", "PA"), ontario, None, ("US", "VA"), None, None, ontario
    ]  # fmt: skip


TWO_COUNTRIES = [
    "US / Canada", "US/Canada", "US, Canada", "US-Canada", "US & Canada", "JP USA", "FR, China", "IN/DE", "CH DE", "FIN, USA",
    "UK & Ireland", "United Kingdom and Ireland", "Georgia / Armenia", "España/México", "Québec / France", "Deutschland und Österreich", "Nederland/België",
    "Canada / California", "India / USA", "Serbia and Montenegro", "Singapore / Malaysia", "Mexico, New Mexico", "France et Belgique", "Италия / Россия",
]  # fmt: skip


@pytest.mark.parametrize("text", TWO_COUNTRIES)
def test_two_countries_in_one_cell_are_none(text: str) -> None:
    read = read_texts([text])[text]
    assert [place[:3] for place in (decide(read, None, None), decide(None, read, None), decide(None, None, read))] == [(None,) * 3] * 3


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Cuba, Missouri, USA", ("US", "MO")), ("Lebanon, USA", ("US", None)), ("Nova Scotia, Canada", ("CA", "NS")),
        ("Ontario, California, USA", ("US", "CA")),
        ("Bosnia and Herzegovina", ("BA", None)), ("Indianapolis, IN, USA", ("US", "IN")), ("Hamburg, DE", ("DE", "HH")),
        ("Newfoundland & Labrador, Canada", ("CA", "NL")), ("England, United Kingdom", ("GB", "ENG")),
    ],
)  # fmt: skip
def test_one_place_in_the_other_is_no_second_country(text: str, place: tuple[str, str | None]) -> None:
    assert decide(None, None, read_texts([text])[text])[:2] == place


@pytest.mark.parametrize("text", ["DE / Austria", "IN, Ireland", "NL & Belgium", "DE, AT"])
def test_a_code_in_the_country_field_is_a_second_country(text: str) -> None:
    assert decide(read_texts([text])[text], None, None).country is None
