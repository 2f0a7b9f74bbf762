"""No payload is rejected that names somebody, wherever in it; what is only about the delivery names nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lead_assets.intake.explain import explain
from lead_assets.intake.nested import named_apart
from lead_assets_tests.intake.samples import INBOUND, LENDING, codes, ndjson, read

MAIL = "ines@nordlys.example"
REP = {"email": "rep@us.example", "name": "Rep"}
ONE: dict[str, dict[str, Any]] = {
    "a list of addresses": {"emails": [MAIL, "b@c.example"]},
    "addresses as objects": {"emails": [{"value": MAIL, "type": "work"}]},
    "an address as an object": {"email": {"address": MAIL, "primary": True}},
    "addresses by kind": {"emails": {"work": MAIL}},
    "deep": {"event": {"lead": {"contact": {"email": MAIL}}}},
    "JSON:API": {"data": {"type": "lead", "id": "1", "attributes": {"email": MAIL, "first_name": "Ines"}}},
    "Stripe's way": {"type": "lead.created", "data": {"object": {"email": MAIL, "name": "Ines"}}},
    "GraphQL": {"data": {"leads": {"edges": [{"node": {"email": MAIL}}]}}},
    "a record": {"record": {"Email": MAIL}},
    "a list of one": {"lead": [{"email": MAIL}]},
    "answers": {"form": "x", "answers": [{"question": "Email", "answer": MAIL}, {"question": "Name", "answer": "Ines"}]},
    "labels": {"fields": [{"label": "E-Mail-Adresse", "value": MAIL}]},
    "keys and values": {"data": [{"key": "email", "value": MAIL}, {"key": "company", "value": "N"}]},
    "wordings": {"responses": {"What is your email?": MAIL}},
    "a mail": {"from": "Ines Berg <ines@nordlys.example>", "to": "sales@us.example", "subject": "demo"},
    "a mail's sender": {"from": {"email": MAIL, "name": "Ines"}, "to": {"email": "sales@us.example"}},
    "JSON as text": {"body": json.dumps({"email": MAIL})},
    "who owns the house": {"property_owner": {"email": MAIL}, "account_owner": REP},
    "who filled the form": {"submitted_by": {"email": MAIL}, "last_modified_by": REP},
    "a name of one's own": {
        "triggerType": "form_submission",
        "payload": {"name": "Kontakt", "data": {"Namn-kom": "Ines", "Mejl-kom": MAIL}},
    },
    "a number for a name": {"id": "7", "form_id": "3", "1.3": "Ines", "2": MAIL},
    "a field's value that is an object": {
        "entry": [{"changes": [{"field": "leadgen", "value": {"field_data": [{"name": "email", "values": [MAIL]}]}}]}]
    },
    "an owner beside": {"owner": {"email": "rep@us.example"}, "user": {"email": MAIL}},
}


@pytest.mark.parametrize(
    "name",
    [
        "ownerEmail",
        "Lead Owner E-mail",
        "sdr",
        "handled_by",
        "Besitzer",
        "Propriétaire",
        "propietario",
        "Responsável",
        "Właściciel",
        "Säljare",
    ],
)
def test_the_address_of_whoever_works_on_a_lead_is_no_leads(name: str) -> None:
    """Where it is the only one: the lead would be the sales representative."""
    assert read(ndjson({name: "kim@acme.com", "stage": "new"})).leads.is_empty()


@pytest.mark.parametrize("name", ["Email-kom", "2", "kontaktadresse", "q7", "Deine Adresse"])
def test_the_only_address_is_the_leads_whatever_it_is_called(name: str) -> None:
    assert read(ndjson({name: "kim@acme.com", "stage": "new"})).leads["email"].to_list() == ["kim@acme.com"]


@pytest.mark.parametrize("payload", ONE.values(), ids=ONE)
def test_an_address_is_found_wherever_it_stands(payload: dict[str, Any]) -> None:
    drop = read(ndjson(payload))

    assert codes(drop) == []
    assert drop.leads["email"].to_list() in ([MAIL], ["Ines Berg <ines@nordlys.example>"])
    assert json.loads(drop.leads["payload"][0]) == payload


OTHERS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "name in parts": (
        {"name": {"first": "Ines", "last": "Berg"}, "company": "Nordlys AS"},
        {"first_name": "Ines", "last_name": "Berg", "company": "Nordlys AS"},
    ),
    "name and number as objects": (
        {"Full Name": {"first": "Ines", "last": "Berg"}, "Phone": {"full": "+4791234567"}, "email": MAIL},
        {"first_name": "Ines", "last_name": "Berg", "phone": "+4791234567"},
    ),
    "brackets": (
        {
            "fields[name][value]": "Ines Berg",
            "fields[email][title]": "Mail",
            "fields[email][value]": MAIL,
            "fields[company][value]": "Nordlys AS",
        },
        {"email": MAIL, "full_name": "Ines Berg", "company": "Nordlys AS"},
    ),
    "company as an object": (
        {"full_name": "Ines Berg", "company": {"name": "Nordlys AS", "domain": "nordlys.example"}},
        {"full_name": "Ines Berg", "company": "Nordlys AS", "website": "nordlys.example"},
    ),
    "phone as an object": ({"phones": [{"number": "+4791234567"}]}, {"phone": "+4791234567"}),
    "profile as an object": (
        {"linkedin": {"url": "https://www.linkedin.com/in/ines-berg"}},
        {"linkedin_url": "https://www.linkedin.com/in/ines-berg"},
    ),
    "the name of the event": (
        {"event": {"name": "Lead created", "id": "e1"}, "user": {"email": MAIL, "name": "Ines Berg"}},
        {"email": MAIL, "full_name": "Ines Berg"},
    ),
}


@pytest.mark.parametrize(("payload", "fields"), OTHERS.values(), ids=OTHERS)
def test_objects_are_read_by_what_stands_above(payload: dict[str, Any], fields: dict[str, str]) -> None:
    drop = read(ndjson(payload))

    assert codes(drop) == []
    row = drop.leads.row(0, named=True)
    assert {name: row[name] for name in fields} == fields


@pytest.mark.parametrize("key", ["leads", "data", "results", "unheard_of"])
def test_a_list_of_leads_is_a_lead_each(key: str) -> None:
    entries = [{"E-Mail": f"p{number}@acme.example", "Company": "Acme"} for number in range(3)]
    drop = read(ndjson(INBOUND, {key: entries, "page": 1}, INBOUND))

    assert codes(drop) == []
    assert drop.leads.select("position", "part").rows() == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1)]
    assert [json.loads(payload) for payload in drop.leads["payload"].to_list()[1:4]] == entries
    assert read(ndjson(INBOUND, {key: entries}, INBOUND), documents=False).counts([("d", True)]) == drop.counts([("d", True)])


def test_one_bad_lead_of_a_list_is_one_reject() -> None:
    entries = [{"email": "none", "phone": "none"}, {"email": MAIL}, {"property_address": "1 Elm", **LENDING}]
    drop = read(ndjson({"leads": entries}))

    assert drop.leads.select("part", "adapter").rows() == [(2, "inbound_b2b"), (3, "lending_form")]
    assert drop.rejects.select("part", "code").rows() == [(1, "invalid_email")]


def test_why_a_lead_is_rejected_does_not_depend_on_its_neighbours() -> None:
    forms = [{"Mejl-kom": MAIL}, {"Email": "not an address"}, {"Namn-kom": "Bo"}]
    drop = read(ndjson(*({"triggerType": "form_submission", "payload": {"name": "Kontakt", "data": form}} for form in forms)))

    assert drop.leads["position"].to_list() == [1]
    assert codes(drop) == [(2, "invalid_email", "email"), (3, "no_identity", None)]


def test_a_field_of_a_thousand_brackets_costs_nothing() -> None:
    drop = read(ndjson({"a" + "[b]" * 5_000: "x", "fields[email][value]": MAIL}, INBOUND))
    assert drop.leads["email"].to_list() == [MAIL, INBOUND["email"]]


NOBODY: dict[str, dict[str, Any]] = {
    "an owner": {"event": "lead.assigned", "owner": {"email": "rep@us.example", "name": "Rep"}},
    "a form": {"form": {"name": "Contact us", "id": 3}, "page": {"title": "Pricing", "url": "https://us.example/pricing"}},
    "recipients": {"to": [{"email": "sales@us.example"}], "subject": "hello"},
    "numbers": {"data": {"x": [1, 2, {"y": 3}]}},
    "Pipedrive's deal of nobody": {
        "event": "updated.deal",
        "current": {"id": 1, "person_id": None, "user_id": REP, "creator_user_id": REP},
    },
    "Salesforce's users": {"Id": "00Q1", "LastModifiedBy": REP, "CreatedBy": REP},
    "Intercom's admins": {"data": {"item": {"type": "conversation", "admin_assignee": REP, "teammates": {"admins": [REP, REP]}}}},
    "Calendly's host": {"payload": {"scheduled_event": {"event_memberships": [{"user_email": "rep@us.example", "user_name": "Rep"}]}}},
    "several addresses, an office's, and what is told whom": {"x": "a@acme.example", "y": "b@acme.example"},
    "an office": {"x": "info@acme.example"},
    "who is told": {"notify": "ines@nordlys.example"},
    "owners": {
        "owners": [REP, REP],
        "lead_owner": REP,
        "contactOwner": REP,
        "account_managers": [REP, REP],
        "triggered_by": REP,
        "actor": REP,
    },
}


@pytest.mark.parametrize("payload", NOBODY.values(), ids=NOBODY)
def test_what_is_about_the_delivery_names_nobody(payload: dict[str, Any]) -> None:
    assert codes(read(ndjson(payload))) == [(1, "no_identity", None)]


@pytest.mark.parametrize("payload", [*ONE.values(), *NOBODY.values()], ids=[*ONE, *NOBODY])
def test_what_is_shown_of_a_drop_is_how_it_is_read(payload: dict[str, Any]) -> None:
    """`--dry-run` said "rejected 1" of what was taken."""
    shown, drop = explain(ndjson(payload)), read(ndjson(payload))
    assert sum(shape.leads for shape in shown.shapes) == drop.leads.height
    assert [code for code, _, _ in shown.rejects] == [code for _, code, _ in codes(drop)]


def test_a_name_ten_thousand_times_is_counted_on() -> None:
    values = named_apart(("colour", number) for number in range(10_000))
    assert len(values) == 10_000
    assert values["colour_10000"] == 9_999


def test_an_entry_without_a_name_among_leads_costs_only_itself() -> None:
    drop = read(ndjson({"rows": [{"email": MAIL}, {"email": "b@c.example"}, {"colour": "red"}]}))

    assert drop.leads["part"].to_list() == [1, 2]
    assert drop.rejects.select("part", "code").rows() == [(3, "no_identity")]
