"""Whether two names can be one person's, and which keys join rows."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from lead_assets.identity.person_names import same_name
from lead_assets.identity.resolve import resolve
from lead_assets_tests.identity.test_resolve import NOW, raw


@pytest.mark.parametrize(
    ("one", "other", "strict", "lax"),
    [
        ("jane doe", "jane doe", True, True),
        ("dr jane doe", "jane doe phd", True, True),
        ("doe jane", "jane doe", True, True),
        ("janedoe", "jane doe", True, True),
        ("bill gates", "william gates", True, True),
        ("j smith", "jane smith", True, True),
        ("jane smith", "k smith", False, False),
        # Two neighbouring letters exchanged are a slip, in four letters or more; one letter or two apart are another name.
        ("jane smith", "jane smiht", True, True),
        ("jnae smith", "jane smith", True, True),
        ("jon doe", "jno doe", False, False),
        ("mark lee", "mary lee", False, False),
        ("jane smith", "jbne smitt", False, False),
        # Anna and Nana are two names in use.
        ("anna lee", "nana leee", False, False),
        # A key of one's own: the family name may have changed, if the given name is more than an initial.
        ("jane doe", "jane roe", False, True),
        ("al doe", "al roe", False, True),
        ("a doe", "al roe", False, False),
        ("al doe", "a roe", False, False),
        ("jane doe", "john doe", False, False),
        # A part may be missing.
        ("jane", "jane doe", False, True),
        ("jane doe", "jane", False, True),
        ("doe", "jane doe", False, True),
        ("mary", "jane doe", False, False),
        ("", "jane doe", False, True),
    ],
)
def test_two_names_of_one_person(one: str, other: str, strict: bool, lax: bool) -> None:
    """`strict`: with a key that many share; `lax`: with one of their own."""
    assert [same_name(one, other, strict=each) for each in (True, False)] == [strict, lax]
    assert [same_name(other, one, strict=each) for each in (True, False)] == [strict, lax]


@pytest.mark.parametrize(
    "title",
    ["Mr", "Mrs", "Ms", "Miss", "Dr", "Prof", "Herr", "Frau", "Mme", "M", "PhD", "MBA"],
)
def test_a_title_is_no_part_of_a_name(title: str) -> None:
    phone = {"phone": "+1 415 555 2671"}
    for name in (f"{title}. Jane Doe", f"Jane Doe {title}"):
        assert resolve(raw({"full_name": name, **phone}, {"full_name": "J. Doe", **phone})).leads.height == 1


JANE = {"full_name": "Jane Doe"}


@pytest.mark.parametrize(
    ("first", "second", "leads"),
    [
        ({"phone": "+1 415 555 2671"}, {"phone": "(415) 555-2671"}, 1),
        ({"phone": "415555267"}, {"phone": "415555267"}, 1),
        ({"phone": "9876543210"}, {"phone": "9876543210"}, 2),
        ({"linkedin_url": "https://www.linkedin.com/in/Jane-Doe/"}, {"linkedin_url": "linkedin.com/in/jane-doe?trk=x"}, 1),
        ({"linkedin_url": "https://de.linkedin.com/pub/jane-doe"}, {"linkedin_url": "https://linkedin.com/in/jane-doe"}, 1),
        ({"linkedin_url": "https://linkedin.com/in/jane-doe"}, {"linkedin_url": "https://linkedin.com/in/jane-doe-2"}, 2),
        # One key is enough, and another that differs is no contradiction.
        ({"email": "jane@x.example", "phone": "+1 415 555 2671"}, {"email": "jane@x.example", "phone": "+1 212 555 2671"}, 1),
        ({"email": "a@x.example", "phone": "+1 415 555 2671"}, {"email": "b@y.example", "phone": "+1 415 555 2671"}, 1),
        # Two namesakes behind one switchboard have two mailboxes at one company.
        ({"email": "a@x.example", "phone": "+1 415 555 2671"}, {"email": "b@x.example", "phone": "+1 415 555 2671"}, 2),
        # A street is written in many ways; another house is another property.
        ({"email": "j@x.example", "property_address": "12 North Oak Street"}, {"email": "j@x.example", "property_address": "12 N Oak St"}, 1),
        ({"email": "j@x.example", "property_address": "Eichenstraße 5"}, {"email": "j@x.example", "property_address": "Eichenstr. 5"}, 1),
        ({"email": "j@x.example", "property_address": "12 Oak St"}, {"email": "j@x.example", "property_address": "13 Oak St"}, 2),
    ],
)  # fmt: skip
def test_rows_of_one_name_that_share_a_key(first: dict[str, Any], second: dict[str, Any], leads: int) -> None:
    assert resolve(raw(JANE | first, JANE | second)).leads.height == leads


@pytest.mark.parametrize(
    ("key", "names", "leads"),
    [
        ({"email": "jane@x.example"}, ["Jane Doe", "", "Doe, Jane"], 1),
        ({"email": "jane@x.example"}, ["", ""], 1),
        ({"email": "info@x.example"}, ["Jane Doe", "John Roe"], 2),
        ({"email": "info@x.example"}, ["Jane Doe", "John Roe", ""], 3),
        ({"email": "info@x.example"}, ["Jane Doe", "Jane Doe", "John Roe"], 2),
        # A number says nothing of rows without a name.
        ({"phone": "+1 415 555 2671"}, ["Jane Doe", ""], 2),
        ({"phone": "+1 415 555 2671"}, ["", ""], 2),
        ({"phone": "+1 415 555 2671"}, ["Jane Doe", "John Roe", "J. Doe", "J Roe"], 2),
        ({"phone": "+1 415 555 2671"}, ["Jane Doe", "John Doe", "J. Doe"], 3),
    ],
)
def test_rows_of_several_names_that_share_a_key(key: dict[str, Any], names: list[str], leads: int) -> None:
    assert resolve(raw(*({"full_name": name or None, **key} for name in names))).leads.height == leads


def test_only_those_who_may_be_one_person_are_possible_duplicates() -> None:
    number = {"phone": "+1 415 555 2671"}
    assert possible("Jane Doe", "John Roe", **number) == possible("Jane Doe", "John Doe", **number) == [None, None]
    assert possible("Jane Doe", "John Doe", "J. Doe", **number) == [["L3"], ["L3"], ["L1", "L2"]]


def possible(*names: str, **key: Any) -> list[list[str] | None]:
    return resolve(raw(*({"full_name": name, **key} for name in names))).leads["possible_duplicates"].to_list()


@pytest.mark.parametrize("local", ["john", "smith", "johnsmith", "smithjohn", "jsmith", "johns", "smithj", "sjohn"])
def test_a_person_has_several_mailboxes_at_one_company(local: str) -> None:
    named = {"full_name": "John Smith", "company": "Acme", "email": "john.smith@acme.example"}
    assert resolve(raw(named, named | {"email": f"{local}@acme.example"})).leads.height == 1
    assert resolve(raw(named, named | {"email": f"{local}x@acme.example"})).leads.height == 2


def test_a_name_in_two_fields_is_the_name_in_one() -> None:
    parts = {"first_name": "Jane", "last_name": "Doe"}
    phone = {"phone": "+1 415 555 2671"}
    assert resolve(raw(JANE | phone, parts | phone)).leads.height == 1
    assert resolve(raw({"full_name": "John Roe", **phone}, parts | phone)).leads.height == 2


def test_a_key_joins_no_two_campaigns_and_no_two_kinds_of_it() -> None:
    rows = [{"campaign_id": campaign, "email": "jane@x.example", "received_at": NOW} for campaign in ("spring", "spring", "fall", "fall")]
    assert sorted(resolve(raw(*rows)).leads["campaign_id"]) == ["fall", "spring"]


DESK, MOBILE = {"phone": "+44 20 7946 1234"}, {"phone": "+44 7911 123456"}
JOHN = {"full_name": "John Smith", "company": "Acme"}


@pytest.mark.parametrize(
    ("one", "other", "leads"),
    [
        # Where several people answer, a short form of men's and women's names is neither's, and alike is not the same.
        ({"full_name": "Sam Lee"} | DESK, {"full_name": "Samantha Lee"} | DESK, 2),
        ({"full_name": "Sam Lee"} | DESK, {"full_name": "Samuel Lee"} | DESK, 1),
        ({"full_name": "Sam Lee"} | MOBILE, {"full_name": "Samantha Lee"} | MOBILE, 1),
        ({"full_name": "Jan Lee"} | DESK, {"full_name": "Ian Lee"} | DESK, 2),
        ({"full_name": "Carly Lee"} | DESK, {"full_name": "Charly Lee"} | DESK, 2),
        ({"full_name": "Anna Hansson"} | DESK, {"full_name": "Anna Jansson"} | DESK, 2),
        ({"full_name": "Ana Diaz"} | DESK, {"full_name": "Ana Paula Diaz"} | DESK, 2),
        ({"full_name": "John Diaz"} | DESK, {"full_name": "John Michael Diaz"} | DESK, 1),
        ({"full_name": "Mr. Smith", "email": "smith@x.example"}, {"full_name": "Mrs. Smith", "email": "smith@x.example"}, 2),
        ({"full_name": "李伟", "phone": "021-62348765"}, {"full_name": "李薇", "phone": "021-62348765"}, 2),
        ({"full_name": "Lê Văn Hùng", "company": "Acme"}, {"full_name": "Lê Văn Hưng", "company": "Acme"}, 2),
        ({"full_name": "Lê Văn Hùng", "company": "Acme"}, {"full_name": "Le Van Hung", "company": "Acme"}, 1),
        # The less a key says of whose it is, the more the names must say.
        ({"full_name": "Val Lee", "email": "val.lee@x.example"}, {"full_name": "Valerie Lee", "email": "val.lee@x.example"}, 1),
        ({"full_name": "Val Lee", "email": "office@x.example"}, {"full_name": "Valerie Lee", "email": "office@x.example"}, 2),
        ({"full_name": "Juha Aho", "company": "Aho Oy"}, {"full_name": "Juhani Aho", "company": "Aho Oy"}, 2),
        ({"full_name": "Анна Фомина"} | DESK, {"full_name": "Anna Fomina"} | DESK, 1),
        ({"full_name": "Алина Фомина"} | DESK, {"full_name": "Elena Fomina"} | DESK, 2),
        ({"full_name": "M. Claude Morel", "company": "Acme"}, {"full_name": "Claude Morel (Mme)", "company": "Acme"}, 2),
        ({"full_name": "Eva Lee", "email": "a@a.com"}, {"full_name": "Eva Lee", "email": "a@a.com", "city": "Bonn"}, 2),
        ({"full_name": "Rohith Rao", "company": "Rao"}, {"full_name": "Rohit Rao", "company": "Rao"}, 2),
        # Namesakes at one company, or at none.
        (JOHN | {"extra": '{"Date of birth":"1980-02-01"}'}, JOHN | {"extra": '{"Geburtsdatum":"1992-07-30"}'}, 2),
        (JOHN | {"extra": '{"Date of birth":"1980-02-01"}'}, JOHN | {"extra": '{"Geburtsdatum":"01.02.1980"}'}, 1),
        (JOHN | {"title": "Nurse"}, JOHN | {"title": "Porter"}, 2),
        (JOHN | {"title": "Sales Manager"}, JOHN | {"title": "Software Engineer"}, 2),
        (JOHN | {"city": "Munich"}, JOHN | {"city": "München"}, 1),
        (JOHN | {"state": "TX"}, JOHN | {"state": "Florida"}, 2),
        (JOHN | {"country": "Germany"}, JOHN | {"country": "USA"}, 2),
        (JOHN | {"phone": "+49 30 901820"}, JOHN | {"phone": "+49 89 901820"}, 2),
        (JOHN | {"company": "Freelance"}, JOHN | {"company": "freelance"}, 2),
        # What people type who do not want to be known, and a number that is free to call.
        (JOHN | {"email": "noemail@noemail.com"} | MOBILE, {"full_name": "John Smith", "email": "noemail@noemail.com"}, 2),
        (JOHN | {"phone": "+44 800 600 1234"}, JOHN | {"phone": "+44 800 600 1234", "company": "Roe"}, 2),
    ],
)  # fmt: skip
def test_a_merge_needs_evidence_of_one_person(one: dict[str, Any], other: dict[str, Any], leads: int) -> None:
    assert resolve(raw(one, other)).leads.height == leads


def test_another_campaigns_numbers_do_not_say_of_which_country_a_number_is() -> None:
    here = raw({"full_name": "Ana Pop", "phone": "+40 722 441 022"}, {"full_name": "Ana Pop", "phone": "0722441022"})
    elsewhere = raw({"full_name": "Li Wu", "phone": "+7 7272 44 10 22"}, {"full_name": "Bo Wu", "phone": "+977 2 2441 022"})
    both = pl.concat([here, elsewhere.with_columns(campaign_id=pl.lit("other"))])
    assert resolve(both).leads["campaign_id"].to_list().count("spring") == resolve(here).leads.height == 1
