"""What a lead keeps of its rows: the newest value of each field, nothing lost that only an older row has, nothing of another employer or place."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from lead_assets.identity.resolve import resolve
from lead_assets_tests.identity.test_resolve import NOW, raw

JANE: dict[str, Any] = {"lead_id": "A", "full_name": "Jane Doe"}


def lead(*rows: dict[str, Any]) -> dict[str, Any]:
    """The one lead of rows that arrived one after the other."""
    leads = resolve(raw(*(JANE | row | {"received_at": NOW + timedelta(hours=hour)} for hour, row in enumerate(rows)))).leads
    assert leads.height == 1
    return leads.row(0, named=True)


def test_a_later_row_with_an_unreadable_email_costs_neither_email_nor_account() -> None:
    rows = [
        {"lead_id": "A", "full_name": "Jane Doe", "phone": "+1 202 555 0147", "email": "jane@acme.com", "company": "Acme"},
        {"lead_id": "B", "full_name": "Jane Doe", "phone": "+1 202 555 0147", "email": "jane at nowhere"},
    ]
    found = lead(*rows)
    assert [found[name] for name in ("lead_id", "position", "email", "email_normalized", "company_domain", "account_key", "company")] == [
        "A", 2, "jane@acme.com", "jane@acme.com", "acme.com", "acme.com", "Acme",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ({"title": "CEO", "notes": "call"}, {"notes": "later"}, {"title": "CEO", "notes": "later"}),
        ({"phone": "+1 415 555 2671"}, {"phone": "n/a"}, {"phone": "+1 415 555 2671", "phone_e164": "+14155552671"}),
        ({"phone": "+1 415 555 2671"}, {"phone": "1234567890"}, {"phone": "+1 415 555 2671"}),
        ({"phone": "+1 415 555 2671"}, {"phone": "+1 415 555 2672"}, {"phone": "+1 415 555 2672"}),
        ({"email": "j@gmail.com"}, {"email": "j@yahoo.com"}, {"email": "j@yahoo.com"}),
        ({"email": "jane@acme.com"}, {"email": "j@gmail.com"}, {"email": "j@gmail.com", "email_kind": "free", "company_domain": "acme.com"}),
        ({"email": "no", "phone": "x"}, {}, {"email": "no", "phone": "x"}),
        # Another employer: none of the old one's fields.
        ({"company": "Acme", "website": "acme.com"}, {"company": "Roe"}, {"company": "Roe", "website": None, "company_domain": None}),
        ({"company": "Acme", "title": "CEO"}, {"company": "Roe"}, {"title": None}),
        ({"company": "Acme GmbH", "website": "acme.com"}, {"company": "ACME"}, {"company": "ACME", "website": "acme.com"}),
        ({"company": "Acme", "email": "j@acme.com"}, {"email": "j@roe.com"}, {"company": None, "company_domain": "roe.com"}),
        ({"title": "CEO", "company": "Acme", "industry": "Tools"}, {"title": "Chair", "company": "Acme"}, {"title": "Chair", "industry": "Tools"}),
        # A place is one place.
        ({"country": "Germany", "city": "Berlin"}, {"country": "DE"}, {"country": "DE", "city": "Berlin"}),
        ({"country": "US", "state": "TX", "city": "Dallas"}, {"city": "Boston"}, {"country": None, "state": None, "city": "Boston"}),
        ({"country": "France", "city": "Paris"}, {"country": "US"}, {"country": "US", "city": None}),
        # A name is one name.
        ({"full_name": "Jane Doe"}, {"full_name": "Jane"}, {"full_name": "Jane Doe"}),
        ({"full_name": "Jane Doe"}, {"full_name": None, "first_name": "Jane", "last_name": "Roe"}, {"full_name": None, "name_last": "Roe"}),
        ({"outcome": "won", "outcome_at": NOW}, {"outcome": "lost"}, {"outcome": "lost", "outcome_at": None}),
        ({"outcome": "won", "outcome_at": NOW}, {}, {"outcome": "won", "outcome_at": NOW}),
    ],
)  # fmt: skip
def test_the_newest_value_is_kept_and_what_is_missing_is_filled(
    older: dict[str, Any], newer: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = lead(older, newer)
    assert {name: found[name] for name in expected} == expected


def test_a_third_row_of_another_place_fills_nothing() -> None:
    found = lead({"state": "TX", "city": "Dallas"}, {"city": "Boston"}, {"title": "CEO"})
    assert (found["state"], found["city"], found["title"]) == (None, "Boston", "CEO")


def test_what_has_no_column_is_united_and_unread_fields_are_those_that_nobody_filled() -> None:
    found = lead(
        {"extra": '{"a":1,"b":1}', "loan_amount_requested": 5.0, "unread_fields": ["purchase_price"]},
        {"extra": '{"b":2,"loan":"lots"}', "unread_fields": ["loan_amount_requested"]},
    )
    assert json.loads(found["extra"]) == {"a": 1, "b": 2, "loan": "lots"}
    assert found["unread_fields"] == ["purchase_price"]
    assert found["loan_amount_requested"] == 5.0


def test_a_row_that_repeats_another_changes_nothing_but_its_place() -> None:
    row = {"email": "jane@acme.com", "company": "Acme", "country": "US", "extra": '{"z":1, "a":2}'}
    assert lead(row, row) | {"position": 1, "received_at": NOW, "payload": '{"n":1}'} == lead(row)


def test_the_id_is_that_of_the_row_that_arrived_first_whatever_it_says_of_its_time() -> None:
    first = {"lead_id": "A", "email": "j@acme.com", "submitted_at": NOW}
    found = lead(first, {"lead_id": "B", "email": "j@acme.com", "submitted_at": NOW - timedelta(days=9), "title": "CEO"})
    assert (found["lead_id"], found["position"], found["title"]) == ("A", 1, "CEO")
