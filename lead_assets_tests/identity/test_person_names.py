"""Two names of one person, two addresses of one place, two spellings of one number, and pairs that only look like it."""

from __future__ import annotations

from itertools import combinations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lead_assets.identity.addresses import places, read_address, street_keys
from lead_assets.identity.person_names import same_name
from lead_assets.identity.phones import phone_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bill Gates", "William Gates"), ("J. Doe", "Jane Doe"), ("DOE Jane", "Jane Doe"), ("Doe, Jane, PhD", "Dr. Jane Doe"), ("Jürgen Groß", "Juergen Gross"),
        ("Иван Петров", "Ivan Petrov"), ("王伟", "Wang Wei"), ("Nguyễn Văn An", "An Nguyen"), ("Mohammed Khan", "Muhammad Khan"), ("Yulia Kim", "Julia Kim"),
        ("Jean-Pierre Martin", "Jean Pierre Martin"), ("Jean-Pierre Martin", "Jeanpierre Martin"),
    ],
)  # fmt: skip
def test_one_persons_name_in_two_forms(one: str, other: str) -> None:
    assert same_name(one, other, strict=True)
    assert same_name(other, one, strict=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jane Doe", "Jane Miller"), ("Jane Doe", "Jane"), ("Jane Doe", "jdoe"), ("Jane Doe", ""), ("Jane Doe", "n/a"), ("Bill Turner", "William Turner III"),
    ],
)  # fmt: skip
def test_a_part_may_be_missing_only_where_the_key_is_one_persons(one: str, other: str) -> None:
    assert same_name(one, other, strict=False)
    assert not same_name(one, other, strict=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paul Reed", "Paula Reed"), ("Joseph Hill", "Josephine Hill"), ("Mark Lee", "Mary Lee"), ("Tim Ross", "Tom Ross"),
        ("John Smith Sr.", "John Smith Jr."),
        ("Jean Blanc père", "Jean Blanc fils"), ("Hanna Roy", "Anna Roy"), ("Johan Roy", "Joan Roy"), ("Mario Costa", "Maria Costa"),
    ],
)  # fmt: skip
def test_two_peoples_names(one: str, other: str) -> None:
    assert not same_name(one, other, strict=False)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("12 Oak Street, Austin, TX 78701", "12 Oak St", True), ("12 Oak St, Austin TX", "12 OAK STREET AUSTIN TEXAS", True), ("12 Oak St", "12 Oak Ct", False),
        ("88 Elm Ave Apt 4", "88 Elm Avenue, #4", True), ("88 Elm Ave Apt 4", "88 Elm Ave Apt 5", False), ("88 Elm Ave", "88 Elm Ave Apt 5", False),
        ("7 Saint James Pl", "7 St. James Place", True), ("301 N Highland Blvd", "301 S Highland Blvd", False), ("Hauptstraße 5", "Hauptstr. 5", True),
        ("Hauptstraße 5", "Hauptstraße 5a", False), ("10 bd Saint Michel", "10 bd Saint Germain", False), ("12 Oak St, Austin", "12 Oak St, Dallas", False),
        ("", "12 Oak St", False), ("1400 W 5th St", "1400 West Fifth Street", True),
    ],
)  # fmt: skip
def test_two_addresses_of_one_place(one: str, other: str, same: bool) -> None:
    assert (len(set(places([one, other]).values())) == 1) == same


def test_an_address_without_a_town_is_in_neither_of_two() -> None:
    assert places(["12 Oak St", "12 Oak St, Austin", "12 Oak St, Dallas"])["12 Oak St"] is None


_PARTS = st.sampled_from(
    ["12", "12a", "the", "Oak", "oak", "North", "N", "N.", "Street", "St", "Ste", "Apt", "#", "#4", "4", "ul.", "Ulica", "Hauptstr.", "Hauptstraße", "strasse",
     "Lindenstr", "5th", "Fifth", ",", "Austin", "Łódź", "&", "-", "Wohnung", "Невский", "str"]
)  # fmt: skip


@given(st.lists(st.lists(_PARTS, max_size=6).map(" ".join) | st.text(max_size=10), min_size=1, max_size=5))
@example(["12 Ste Ste"])
def test_addresses_of_one_place_have_one_street(texts: list[str]) -> None:
    keys = street_keys(pl.Series(texts)).to_list()
    assert keys == ["\x1f".join([*read_address(text).street.split(" ", 2)[:2], ""][:2]) for text in texts]
    for one, other in combinations(range(len(texts)), 2):
        place_of = places([texts[one], texts[other]])
        if place_of[texts[one]] == place_of[texts[other]] is not None:
            assert keys[one] == keys[other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+49 151 23456789", "0151 / 23456789"), ("(415) 555-0134", "+1 415 555 0134 x5"), ("0044 7911 123456", "07911 123456"),
        ("+7 916 123-45-67", "8 916 1234567"),
        ("+39 02 1234567", "02 1234567"), ("+91 98200 12345", "09820012345"),
    ],
)  # fmt: skip
def test_a_number_with_and_without_its_country(one: str, other: str) -> None:
    assert phone_key(one) == phone_key(other) is not None


@pytest.mark.parametrize(
    "junk",
    ["0000000000", "1234567890", "+1 999 999 9999", "555-555-5555", "0123456789", "12345", "n/a", "+49 123456789", "1212121212", "+", ""],
)
def test_what_people_type_to_get_past_a_form_is_no_number(junk: str) -> None:
    assert phone_key(junk) is None
