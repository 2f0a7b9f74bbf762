"""A destination that has somebody is asked to delete them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.delivery.facts import person_of
from lead_assets.ledger import Ledger
from lead_assets.privacy.asking import ask_destinations
from lead_assets.privacy.fetching import fetch
from lead_assets.privacy.lists import read_identifier, shown
from lead_assets.privacy.person import start
from lead_assets.sandbox import Handle
from lead_assets.vendors import destinations
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.hubspot.client import HubSpot
from lead_assets.vendors.sending import Forgot, OwnerContact, ToForget
from lead_assets_tests.delivery.sends import deliver, lead, rules

EMAILS = ["jane@acme.example", "joe@acme.example", "kim@acme.example"]
MINE, HIS = "person1@acme1.example", "person2@acme2.example"


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.ledger_location)
    yield opened
    opened.close()


def whom(settings: Settings, name: str, *emails: str, ledger: Ledger | None = None, ids: dict[str, str] | None = None) -> ToForget:
    """People with these addresses, and what the ledger knows that the destination has of them."""
    vendor, own = destinations()[name], rules(name).of(name)
    persons = {person_of(email, "", ""): email for email in emails}
    sent = ledger.sent_about(persons, []) if ledger else []
    known: dict[str, str | None] = {person_of(email, "", ""): each for email, each in (ids or {}).items()}
    if ledger:
        known |= {person: each for where, person, each in ledger.ids_at_destinations(persons) if where == name}
    return ToForget(
        settings=settings,
        rules=own,
        url=vendor.destination.url(settings, own) or vendor.url(settings),
        key=vendor.key(settings) or SecretStr(""),
        emails=persons,
        persons=sorted(persons),
        ids=known,
        sent=[each for each in sent if each.destination == name],
    )


def forget(asked: ToForget, name: str) -> Forgot:
    return asyncio.run(destinations()[name].destination.forget(asked))


def sent_to(name: str, settings: Settings, ledger: Ledger, **own: Any) -> ToForget:
    """Two leads were sent to a destination; the first one's person is to be forgotten there."""
    path = "nurture" if name == "sendgrid" else "route"
    deliver(ledger, settings, [lead(1, path=path), lead(2, path=path)], rules(name, **{name: own}))
    return whom(settings, name, MINE, ledger=ledger)


def test_hubspot_deletes_each_contact_by_its_own_id_or_address(settings: Settings, sandbox: Handle) -> None:
    vendor = destinations()["hubspot"]
    key = vendor.key(settings)
    assert key is not None

    async def made() -> dict[str, str]:
        async with HubSpot(VendorHttp("hubspot", vendor.url(settings), {"authorization": f"Bearer {key.get_secret_value()}"})) as client:
            told = await client.upsert([{"id": email, "idProperty": "email", "properties": {"email": email}} for email in EMAILS])
            return {each["properties"]["email"]: each["id"] for each in told["results"]}

    ids = asyncio.run(made())
    # One person with two addresses is two contacts there.
    asked = whom(settings, "hubspot", EMAILS[0], EMAILS[1], "nobody@acme.example", ids={EMAILS[0]: ids[EMAILS[0]]})
    assert forget(asked, "hubspot") == Forgot(True)
    assert forget(asked, "hubspot") == Forgot(True), "asked twice, it does no harm"
    assert list(sandbox.state("hubspot")["contacts"]) == EMAILS[2:]


def test_segment_deletes_the_user_and_drops_what_comes_later(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    assert forget(sent_to("segment", settings, ledger), "segment") == Forgot(True)
    users = {event["userId"] for event in sandbox.state("segment")["events"]}
    assert users == {person_of(HIS, "", "")}
    deliver(ledger, settings, [lead(1, score=90), lead(2)], rules("segment"))
    assert {event["userId"] for event in sandbox.state("segment")["events"]} == users
    (request,) = [each for each in sandbox.requests("segment") if each["path"].endswith("/regulations")]
    assert json.loads(request["body"]) == {
        "regulationType": "SUPPRESS_WITH_DELETE",
        "subjectType": "USER_ID",
        "subjectIds": [person_of(MINE, "", "")],
    }


def test_segment_is_not_asked_without_a_token_of_its_public_api(tmp_path: Any, settings: Settings, ledger: Ledger) -> None:
    asked = sent_to("segment", settings, ledger)
    assert forget(replace(asked, settings=Settings(home=tmp_path / "live")), "segment") == Forgot(False, "no_public_api_token")


def test_sendgrid_deletes_the_contact(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    asked = sent_to("sendgrid", settings, ledger)
    assert forget(asked, "sendgrid") == Forgot(True)
    assert list(sandbox.state("sendgrid")["contacts"]) == [HIS]
    assert forget(asked, "sendgrid") == Forgot(True), "a 404 says that it has nobody of that name"


def test_salesforce_deletes_the_record_by_our_id(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    asked = sent_to("salesforce", settings, ledger)
    assert forget(asked, "salesforce") == Forgot(True)
    assert list(sandbox.state("salesforce")["records"]) == [person_of(HIS, "", "")]
    assert forget(asked, "salesforce") == Forgot(True)


def test_slack_s_messages_go_and_so_does_a_digest(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    asked = sent_to("slack", settings, ledger)
    assert forget(asked, "slack") == Forgot(True)
    assert [message["text"].split(",")[0] for message in sandbox.state("slack")["messages"]] == ["New lead: Ana Prime2"]
    many = [replace(lead(n, campaign="many"), contact=OwnerContact(slack="C7")) for n in (1, 3, 4)]
    deliver(ledger, settings, many, rules("slack", slack={"digest_above": 1}))
    assert len(sandbox.state("slack")["messages"]) == 2
    assert forget(whom(settings, "slack", MINE, ledger=ledger), "slack") == Forgot(True)
    assert len(sandbox.state("slack")["messages"]) == 1


def test_a_message_that_was_found_again_can_be_deleted_and_one_without_an_id_is_told(
    settings: Settings, sandbox: Handle, ledger: Ledger
) -> None:
    sandbox.set_fault("slack", "drop_after", operation="chat.postMessage", times=1)
    asked = sent_to("slack", settings, ledger)
    old = replace(asked.sent[0], vendor_ref=None)
    assert forget(replace(asked, sent=[*asked.sent, old]), "slack") == Forgot(True, "messages_without_id")
    assert len(sandbox.state("slack")["messages"]) == 1
    assert forget(replace(asked, sent=[old]), "slack") == Forgot(False, "messages_without_id")


def test_a_webhook_is_told_which_requests_were_about_them(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    asked = sent_to("webhook", settings, ledger)
    assert forget(asked, "webhook") == Forgot(True)
    assert forget(asked, "webhook") == Forgot(True)
    kept = sandbox.state("webhook")["events"]
    (event,) = [each for each in kept.values() if json.loads(each["body"])["type"] == "lead.deleted"]
    Webhook("c2FuZGJveA==").verify(event["body"], event["headers"])
    told = json.loads(event["body"])["data"]
    assert told["leads"] == [{"campaign_id": "c1", "lead_id": "l00001"}]
    (about,) = told["webhook_ids"]
    assert json.loads(kept[about]["body"])["data"]["email"] == MINE
    assert MINE not in event["body"]


def test_their_lines_leave_the_files_and_whoever_has_fetched_them_is_told(settings: Settings, ledger: Ledger) -> None:
    asked = sent_to("file", settings, ledger)
    (path,) = (settings.home / "deliveries").rglob("c1/*.ndjson")
    keys = {line["email"]: line["delivery_key"] for line in map(json.loads, path.read_bytes().splitlines())}
    assert forget(asked, "file") == Forgot(True)
    assert [json.loads(line)["email"] for line in path.read_bytes().splitlines()] == [HIS]
    (told,) = (settings.home / "deliveries" / "forgotten").iterdir()
    assert [json.loads(line)["delivery_key"] for line in told.read_bytes().splitlines()] == [keys[MINE]]
    path.unlink()
    assert forget(asked, "file") == Forgot(True), "what somebody has taken away is theirs to delete"


def test_a_record_of_an_address_that_others_have_too_is_left_alone(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    own = rules("hubspot", "slack", "segment")
    asked = read_identifier("+1 415 555 2671")
    assert asked is not None
    deliver(ledger, settings, [lead(1, email="info@acme.example"), lead(2)], own)
    person = start(asked)
    person.rows = pl.DataFrame([{"campaign_id": "c1", "lead_id": "l00001"}], schema_overrides={"campaign_id": pl.String})
    told = {each["destination"]: each for each in ask_destinations(settings, ledger, person, own, dry_run=True)}
    assert {each["why"] for each in told.values()} == {"dry_run"}
    assert not any("delete" in each["path"] or "regulations" in each["path"] for name in told for each in sandbox.requests(name))

    told = {each["destination"]: each for each in ask_destinations(settings, ledger, person, own)}
    assert told["hubspot"] == {"destination": "hubspot", "vendor_ids": [], "asked": False, "why": "shared_address"}
    assert told["segment"]["why"] == "shared_address"
    assert told["slack"]["asked"], "a message is about one lead"
    assert set(sandbox.state("hubspot")["contacts"]) == {"info@acme.example", HIS}
    assert len(sandbox.state("slack")["messages"]) == 1


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("hubspot", 403, "missing_scope"),
        ("segment", 422, "refused"),
        ("segment", 403, "auth"),
        ("sendgrid", 400, "refused"),
        ("salesforce", 403, "request_limit_exceeded"),
        ("slack", 429, "rate_limited"),
        ("webhook", 410, "gone"),
    ],
)
def test_a_refused_request_is_an_error_without_the_address(
    settings: Settings, sandbox: Handle, ledger: Ledger, name: str, status: int, reason: str
) -> None:
    asked = sent_to(name, settings, ledger)
    sandbox.set_fault(name, "status", status=status)
    with pytest.raises(ProviderError) as caught:
        forget(asked, name)
    assert caught.value.reason == reason
    assert MINE not in str(caught.value)


def test_a_message_that_slack_may_not_delete_is_an_error_in_slack_s_own_word(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    asked = sent_to("slack", settings, ledger)
    sandbox.set_fault("slack", "ok_false", operation="chat.delete", body="cant_delete_message")
    with pytest.raises(ProviderError, match="cant_delete_message"):
        forget(asked, "slack")


def test_who_has_opted_out_at_a_destination_or_bounces_there_is_kept_out_here(
    settings: Settings, sandbox: Handle, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lead_assets.vendors.sendgrid.client.MOST_SUPPRESSED", 2)
    monkeypatch.setattr("lead_assets.vendors.hubspot.client.MOST_SEARCHED", 2)
    names = ["bounced.1", "bounced.2", "bounced.3", "unsubscribed.1", "complained.1", "invalid.1", "fine"]
    nurtured = [lead(n, path="nurture", email=f"{name}@x.example") for n, name in enumerate(names, start=1)]
    own = rules("sendgrid", "hubspot", "slack")
    deliver(ledger, settings, nurtured, own)
    said = {f"h{n}@y.example": {"hs_email_optout": "true"} for n in range(5)} | {
        "hard@y.example": {"hs_email_hard_bounce_reason_enum": "UNKNOWN_USER"},
        "kept@y.example": {"hs_email_optout": "false"},
    }

    async def noted() -> None:
        async with HubSpot(VendorHttp("hubspot", destinations()["hubspot"].url(settings), {"authorization": "Bearer x"})) as client:
            await client.upsert(
                [{"id": email, "idProperty": "email", "properties": {"email": email, **each}} for email, each in said.items()]
            )

    asyncio.run(noted())
    assert fetch(settings, ledger, own) == [
        {"destination": "hubspot", "read": 6, "added": 6, "why": ""},
        {"destination": "sendgrid", "read": 6, "added": 6, "why": ""},
    ]
    assert {row["added"] for row in fetch(settings, ledger, own)} == {0}, "known already"
    assert shown(ledger, "Bounced.3@x.example")["why"] == ["email: sendgrid: bounced"]
    assert shown(ledger, "h4@y.example")["why"] == ["email: hubspot: unsubscribed"]
    assert not shown(ledger, "fine@x.example")["suppressed"]
    assert not shown(ledger, "kept@y.example")["suppressed"]


def test_a_destination_that_cannot_be_asked_takes_no_other_along(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("hubspot", "status", status=403)
    told = fetch(settings, ledger, rules("sendgrid", "hubspot"))
    assert [(row["destination"], row["why"]) for row in told] == [("hubspot", "missing_scope"), ("sendgrid", "")]
