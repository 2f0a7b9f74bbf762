"""Whose rows are a person's: numbers as people, forms and spreadsheets write them."""

from __future__ import annotations

import polars as pl
import pytest

from lead_assets.core.project_files import project_file
from lead_assets.privacy.lists import read_identifier
from lead_assets.privacy.person import COLUMNS, DataSubject, start


def asked_by(text: str) -> DataSubject:
    asked = read_identifier(text)
    assert asked is not None
    return start(asked)


def leads(phones: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"phone": phones}).with_columns(pl.lit(None, pl.String).alias(name) for name in ("email", "linkedin_url"))


@pytest.mark.parametrize(
    "text",
    [
        "(415) 555-2671",
        "(415) 555-2671 ext. 12",
        "+1 415 555 2671 x12",
        "tel:+1-415-555-2671;ext=12",
        "14155552671.0",
        "001 415 555 2671",
        "＋１ ４１５ ５５５ ２６７１",
        "(٤١٥) ٥٥٥-٢٦٧١",
        "415.555.9999 or 415.555.2671",
        "415.555.2671 / 415.555.9999",
        "call +1 415 555 2671 after 5",
    ],
)
def test_a_number_is_theirs_however_it_is_written(text: str) -> None:
    assert asked_by("+1 415 555 2671").theirs(leads([text])).to_list() == [True]


def test_a_number_of_another_country_with_the_same_digits_is_somebody_elses() -> None:
    # https://www.ofcom.org.uk/phones-and-broadband/phone-numbers/numbers-for-drama: London; area code 207 is Maine.
    london = asked_by("+44 20 7946 0123")
    numbers = ["+1 207 946 0123", "0012079460123", "+44 (0)20 7946 0123", "0044 20 7946 0123", "020 7946 0123"]
    assert london.theirs(leads(numbers)).to_list() == [False, False, True, True, True]


def test_a_switchboard_is_left_to_others_whatever_extension_they_have() -> None:
    everybody = pl.DataFrame(
        [
            ("c", "L1", "d", 1, 1, "jane@acme.example", "+1 415 555 2000 x12", "Jane Doe", None, None, None),
            ("c", "L2", "d", 2, 1, "kim@acme.example", "+1 415 555 2000 ext. 14", "Kim Li", None, None, None),
        ],
        schema=DataSubject(asked_by("jane@acme.example").asked).rows.schema,
        orient="row",
    )
    assert everybody.columns == list(COLUMNS)
    jane = asked_by("jane@acme.example")
    jane.add(everybody.filter(jane.theirs(everybody)))
    assert jane.phones == {"4155552000"}
    jane.leave_to_others(everybody)
    assert (jane.phones, jane.numbers, jane.texts["phone"], jane.shared) == (set(), set(), set(), {"phone": 1})


@pytest.mark.parametrize(
    ("name", "is_looked_for"),
    [
        ("Jane Doe", True),
        ("田中 太郎", True),
        ("김 철수", True),
        ("Ольга Ким", True),
        ("王 伟", False),
        ("Al Bo", False),
        ("Madonna", False),
    ],
)
def test_a_whole_name_is_looked_for_in_every_script(name: str, is_looked_for: bool) -> None:
    person = asked_by("jane@acme.example")
    person.learn("name", name)
    assert (name.lower() in {needle.text for needle in person.needles() if needle.kind == "name"}) is is_looked_for


def test_of_all_given_names_at_one_company_only_the_one_that_is_forgotten_goes() -> None:
    """names-dataset's given names, of which many are a part of others: Ann, Hanna, Joann."""
    listed = project_file("lead_assets/identity/given_name_shares.txt").read_text().splitlines()
    names = [name for line in listed if not line.startswith("#") for name in line.split() if name.isascii() and name.isalpha()]
    assert len(names) > 20_000
    short = sorted(name for name in names if len(name) in (3, 4))[::100]
    text = "\n".join(f'{{"email":"{name}@acme.example"}}' for name in names).encode()
    had_longer = 0
    for name in short:
        person = asked_by(f"{name}@acme.example")
        longer = [other for other in names if name in other and other != name]
        person.beside = frozenset(part for other in longer for part in person.parts_of("email", f"{other}@acme.example"))
        had_longer += any(other.endswith(name) for other in longer)
        masked, _ = person.finder().mask(text)
        expected = text.replace(f'"{name}@acme.example"'.encode(), b'"' + b"*" * len(f"{name}@acme.example") + b'"')
        assert masked == expected, name
    assert had_longer > 5
