"""Labelled sets: who is one person, whose domain is nobody's company, and what addresses people mean."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from lead_assets.core.emails import email_kinds, normalise_emails, read_emails
from lead_assets.identity.companies import company_domains
from lead_assets.identity.person_names import read_name, same_name
from lead_assets.identity.phones import normalise_phones
from lead_assets.identity.resolve import resolve
from lead_assets_tests.identity.people_labels import labels, merged, merged_from_payloads, possible
from lead_assets_tests.identity.test_resolve import raw
from lead_assets_tests.intake.samples import NOON, ndjson, read


def test_no_two_people_are_merged() -> None:
    assert [pair for pair in labels("pairs.csv") if pair["verdict"] == "different" and merged(pair)] == []


def test_no_two_people_are_merged_by_an_id_that_was_derived_from_what_they_share() -> None:
    """102 of 420 were: whoever has no id of the sender's gets one from a mailbox or a number, which a couple shares."""
    assert [pair for pair in merged_from_payloads() if pair["verdict"] == "different"] == []


def test_one_person_is_found() -> None:
    same = [pair for pair in labels("pairs.csv") if pair["verdict"] == "same"]
    missed = [pair for pair in same if not merged(pair)]
    assert len(missed) <= 0.05 * len(same), missed


FORMS_OF_ONE_NAME = {
    ("Stella Marino", "Estella Marino"),
    ("Toni Serra", "Antònia Serra"),
    ("Ronnie Sparks", "Veronica Sparks"),
    ("Lisa Graf", "Elisabeth Graf"),
    ("Sandra Gallo", "Alessandra Gallo"),
}
"""Different people of the sixteenth to eighteenth parts whom anybody would look at, though their given names do not begin alike."""


def test_who_cannot_be_told_is_shown_and_not_dropped() -> None:
    """Of the pairs that a person cannot tell, nearly all are named on both leads; of strangers, hardly anybody."""
    unclear = [pair for pair in labels("pairs.csv") if pair["verdict"] == "cannot tell" and not merged(pair)]
    shown = [pair for pair in unclear if possible(pair)]
    assert len(shown) >= 0.6 * len(unclear), [pair for pair in unclear if not possible(pair)]
    # "Reception" is nobody's name, and names in two scripts do not begin alike. Where given names begin alike, Chris may be Christine.
    strangers = [
        pair
        for pair in labels("pairs.csv")
        if pair["verdict"] == "different"
        and (one := read_name(pair["name_a"])).words
        and (other := read_name(pair["name_b"])).words
        and one.script == other.script
        and one.words[0][:2] != other.words[0][:2]
    ]
    looked_at = [pair for pair in strangers if possible(pair) and (pair["name_a"], pair["name_b"]) not in FORMS_OF_ONE_NAME]
    assert len(looked_at) <= 0.02 * len(strangers), looked_at


def test_possible_duplicates_name_each_other_but_nobody_who_is_suppressed() -> None:
    rows = raw({"full_name": "Jane Doe", "email": "info@acme.com"}, {"email": "info@acme.com"})
    assert resolve(rows).leads["possible_duplicates"].to_list() == [["L2"], ["L1"]]
    assert resolve(rows.with_columns(campaign_id=pl.Series(["a", "b"]))).leads["possible_duplicates"].to_list() == [None, None]


def test_a_third_name_that_fits_two_people_is_merged_with_neither() -> None:
    people = ("Jane Doe", "John Doe", "J. Doe")
    assert resolve(raw(*({"full_name": name, "email": "the.does@gmail.com"} for name in people))).leads.height == 3


def test_mailbox_providers_and_shared_sites_are_nobodys_company() -> None:
    rows = labels("domains.csv")
    domains = pl.Series([row["domain"] for row in rows])
    nobody = pl.Series([None] * len(rows), dtype=pl.String)
    companies = company_domains(domains, nobody, nobody).to_list()
    kinds = email_kinds(domains).to_list()
    wrong = [
        row["domain"]
        for row, company, kind in zip(rows, companies, kinds, strict=True)
        if (company is not None) != (row["is"] == "company") or (row["is"] == "provider" and kind == "business")
    ]
    assert len(wrong) <= 0.01 * len(rows), wrong


def test_addresses_are_read_as_people_bring_them() -> None:
    rows = labels("emails.csv")
    addresses = normalise_emails(read_emails(pl.Series([row["received"] for row in rows])))["email_normalized"].to_list()
    assert [(row["received"], found) for row, found in zip(rows, addresses, strict=True) if found != (row["email"] or None)] == []


def test_an_address_is_normalised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By intake, which has to read it anyway; identity takes its reading, whatever way an address was written."""
    sent = ["Jane.Doe@ACME.com", "mailto:joe@roe.example", "Jo <jo@acme.com>; jo.roe@gmail.com", "nobody", "x@gmail.con"]
    taken = read(ndjson(*({"full_name": f"Jane Doe{n}", "company": "Acme", "email": text} for n, text in enumerate(sent)))).leads

    def never(_: pl.Series) -> pl.DataFrame:
        raise AssertionError("normalised twice")

    monkeypatch.setattr("lead_assets.identity.resolve.normalise_emails", never)
    leads = resolve(taken.with_columns(campaign_id=pl.lit("c"), received_at=pl.lit(NOON), drop_sha256=pl.lit("a"))).leads.sort("position")
    assert leads["email_normalized"].to_list() == ["jane.doe@acme.com", "joe@roe.example", "jo@acme.com", None, "x@gmail.com"]
    assert taken["email"].to_list() == ["Jane.Doe@ACME.com", "joe@roe.example", "jo@acme.com", None, "x@gmail.com"]


@pytest.mark.parametrize(
    "strict", ["test@@iana.org", "test..iana@iana.org", ".test@iana.org", "test.@iana.org", "test@iana..org", "test@-iana.org", "test@iana.org-",
               'test"test@iana.org', "test\\@test@iana.org", "test@.iana.org", "test@[255.255.255.255]", "@iana.org", "test@iana", "a@b@iana.org"],
)  # fmt: skip
def test_a_syntax_suites_invalid_addresses_stay_invalid(strict: str) -> None:
    assert normalise_emails(read_emails(pl.Series([strict])))["email_normalized"].to_list() == [None]


PHONES = [
    ("+44 (0)20 7946 0958", None, "+442079460958"),
    ("020 7946 0958 ext. 12", "GB", "+442079460958"),
    ("1-800-FLOWERS", "US", "+18003569377"),
    ("+1 (212) 555-2671 / +1 (415) 555-2671", "US", "+12125552671"),
    ("n/a, 030 901820", "DE", "+4930901820"),
    ("030 901820 oder 0171 1234567", "DE", "+4930901820"),
    ("tel:+49-30-901820", None, "+4930901820"),
    ("Mobile: +49 171 1234567", None, "+491711234567"),
    ("00000", "US", None),
    ("1234567890", "US", None),
    ("call me", "US", None),
]


@pytest.mark.parametrize(("received", "region", "e164"), PHONES)
def test_phones_are_read_as_people_bring_them(received: str, region: str | None, e164: str | None) -> None:
    assert normalise_phones(pl.Series([received]), pl.Series([region], dtype=pl.String))["phone_e164"].to_list() == [e164]


def test_labelled_phones_are_read() -> None:
    rows = labels("phones.csv")
    regions = pl.Series([row["region"] or None for row in rows], dtype=pl.String)
    numbers = normalise_phones(pl.Series([row["received"] for row in rows]), regions)["phone_e164"].to_list()
    assert [(row, number) for row, number in zip(rows, numbers, strict=True) if number != (row["e164"] or None)] == []


@pytest.mark.parametrize(("one", "other"), [("bill gates", "william gates"), ("j doe", "jane doe"), ("doe jane", "jane doe")])
def test_a_persons_name_in_two_forms(one: str, other: str) -> None:
    assert same_name(one, other, strict=True)


STRANGERS: list[dict[str, Any]] = [
    {"phone": "00000"},
    {"phone": "1234567890"},
    {"phone": "+1 415 555 2671"},
    {"email": "info@acme.com"},
    {"linkedin_url": "https://www.linkedin.com/company/acme"},
]


@pytest.mark.parametrize("shared", STRANGERS)
def test_strangers_who_share_a_weak_key_get_two_ids(shared: dict[str, Any]) -> None:
    leads = [{"full_name": name, "company": "Acme", **shared} for name in ("Jane Doe", "Joe Roe")]
    assert read(ndjson(*leads)).leads["lead_id"].n_unique() == 2
