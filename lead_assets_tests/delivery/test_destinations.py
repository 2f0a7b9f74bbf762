"""Each destination through its real client against the sandbox: what arrives, what is not sent again, and every error that the vendor documents."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from lead_assets.core.settings import Settings
from lead_assets.delivery import planning
from lead_assets.delivery.dispatch import drain
from lead_assets.ledger import Ledger
from lead_assets.ledger.schema import crm_accounts, outbox
from lead_assets.sandbox import Handle
from lead_assets.vendors.segment.client import MOST_BYTES, MOST_EVENTS, batches
from lead_assets_tests.delivery.sends import briefed, deliver, lead, rules, states


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.ledger_location)
    yield opened
    opened.close()


def requests(sandbox: Handle, service: str, operation: str | None = None) -> list[dict[str, Any]]:
    return [each for each in sandbox.requests(service) if operation is None or operation in each["operations"]]


def bodies(sandbox: Handle, service: str, operation: str) -> list[dict[str, Any]]:
    return [json.loads(each["body"]) for each in requests(sandbox, service, operation)]


def crm_owners(ledger: Ledger) -> dict[str, str]:
    rows = ledger.outbox.together([lambda tx: list(tx.raw_rows(sa.select(crm_accounts.c.account_key, crm_accounts.c.owner)))])[0]
    return dict(rows)


# HubSpot


def test_hubspot_gets_the_contact_with_its_owner_and_then_only_what_changed(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    own = rules("hubspot")
    deliver(ledger, settings, [briefed(n) for n in range(1, 151)], own)
    kept = sandbox.state("hubspot")
    contact = kept["contacts"]["person1@acme1.example"]["properties"]
    assert (contact["firstname"], contact["lead_score"]) == ("Ana", "80")
    assert contact["hubspot_owner_id"].isdigit()
    assert "industry" not in contact, "a blank field is not sent"
    assert len(kept["contacts"]) == len(kept["notes"]) == 150
    assert kept["notes"][0]["properties"]["hs_note_body"].startswith("Wants &lt;a&gt; demo &amp; a quote.<br>Next: Call.")
    assert [len(body["inputs"]) for body in bodies(sandbox, "hubspot", "contacts/batch/upsert")] in ([100, 50], [50, 100])

    before = len(requests(sandbox, "hubspot"))
    deliver(ledger, settings, [briefed(n) for n in range(1, 151)], own)
    assert len(requests(sandbox, "hubspot")) == before, "nothing changed, nothing asked"

    deliver(ledger, settings, [briefed(n, **({"title": "CEO"} if n <= 10 else {})) for n in range(1, 151)], own)
    (update,) = bodies(sandbox, "hubspot", "contacts/batch/update")
    assert len(update["inputs"]) == 10
    assert {tuple(each["properties"].items()) for each in update["inputs"]} == {(("jobtitle", "CEO"),)}


def test_owners_hear_again_of_a_lead_that_is_theirs_now_or_said_something_new_and_not_of_what_rules_and_models_make_of_it(
    settings: Settings, sandbox: Handle, ledger: Ledger
) -> None:
    """After an edit of a threshold, or with another model, everybody was told of every lead once more as of a new one."""
    own = rules("hubspot", "slack", "segment")
    lives: list[tuple[dict[str, Any], str]] = [
        ({"score": 80.0, "reasons": ["+5.32 icp_fit: icp_fit is strong"]}, "first"),
        ({"score": 80.01, "reasons": ["+5.31 icp_fit: icp_fit is strong"]}, "first"),
        ({"tier": "warm"}, "first"),
        ({"tier": "warm", "brief": "Another model's words.", "next_step": "Write."}, "first"),
        ({"tier": "warm", "next_step": "Write."}, "asks for a demo now"),
        ({"tier": "warm", "next_step": "Write.", "owner": "ben.other"}, "asks for a demo now"),
    ]
    notes, messages, events = [], [], []
    for facts, said in lives:
        deliver(ledger, settings, [replace(briefed(**facts, high=True), said=said)], own)
        notes.append(len(sandbox.state("hubspot")["notes"]))
        messages.append(len(sandbox.state("slack")["messages"]))
        events.append(sum(row["kind"] == "track" for row in ledger.outbox.entries(["c1"])))
    assert notes == [1, 1, 1, 1, 2, 3]
    assert messages == [2, 2, 2, 2, 4, 6]
    assert events == [1, 1, 1, 1, 1, 2]
    assert sandbox.state("hubspot")["contacts"]["person1@acme1.example"]["properties"]["lead_score"] == "80", "the last one's"


def test_an_owner_who_is_already_in_hubspot_stays(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    own = rules("hubspot")
    deliver(ledger, settings, [lead(1, owner="ana.owner"), lead(2, owner="ana.owner")], own)
    # A lead of another campaign and owner, of the first one's person.
    deliver(ledger, settings, [lead(1, owner="ben.other", campaign="c2", title="CEO")], own)
    first = sandbox.state("hubspot")["contacts"]["person1@acme1.example"]["properties"]
    second = sandbox.state("hubspot")["contacts"]["person2@acme2.example"]["properties"]
    # Nobody touched it there, so ours may follow our own routing.
    assert first["jobtitle"] == "CEO"
    assert first["hubspot_owner_id"] != second["hubspot_owner_id"]


def test_an_owner_here_and_another_one_there(settings: Settings, sandbox: Handle, ledger: Ledger, tmp_path: Any) -> None:
    own = rules("hubspot")
    deliver(ledger, settings, [lead(1, owner="ana.owner")], own)
    there = sandbox.state("hubspot")["contacts"]["person1@acme1.example"]["properties"]["hubspot_owner_id"]
    # Another home knows nothing of what the first one wrote.
    elsewhere = settings.model_copy(update={"home": tmp_path / "other"})
    other = Ledger(elsewhere.ledger_location)
    deliver(other, elsewhere, [lead(1, owner="ben.other")], own)
    assert sandbox.state("hubspot")["contacts"]["person1@acme1.example"]["properties"]["hubspot_owner_id"] == there
    assert states(other) == [("contact", "confirmed", "owner_kept")]
    # Routing knows of that owner from now on; what was imported for the whole account stays.
    assert crm_owners(other) == {"acme1.example": there}
    other.note_crm([("acme1.example", "imported", None)])
    deliver(other, elsewhere, [lead(1, owner="ben.other", title="CEO")], own)
    assert crm_owners(other) == {"acme1.example": "imported"}
    assert states(other)[-1] == ("contact", "confirmed", "owner_kept")
    # And an owner here who is none there: the contact is sent without.
    unknown = settings.model_copy(update={"home": tmp_path / "third"})
    third = Ledger(unknown.ledger_location)
    sandbox.set_fault("hubspot", "status", operation="owners", status=200, body={"results": []})
    deliver(third, unknown, [lead(9)], own)
    assert states(third) == [("contact", "confirmed", "owner_unknown")]
    assert "hubspot_owner_id" not in sandbox.state("hubspot")["contacts"]["person9@acme9.example"]["properties"]


def test_a_207_is_matched_back_to_leads(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("hubspot", "item_error", match="person2@")
    sandbox.set_fault("hubspot", "item_error", match="person3@", times=1, body={"category": "RATE_LIMITS"})
    deliver(ledger, settings, [lead(n) for n in (1, 2, 3)], rules("hubspot"))
    assert states(ledger) == [
        ("contact", "confirmed", None),
        ("contact", "dead", "invalid_email"),
        ("contact", "confirmed", None),
    ]
    sandbox.clear_faults()
    assert ledger.outbox.replay(reasons=["invalid_email"]) == 1
    drain(ledger, settings, rules("hubspot"))
    assert {state for _, state, _ in states(ledger)} == {"confirmed"}


def test_a_contact_that_was_deleted_there_is_sent_whole_again(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    deliver(ledger, settings, [lead(1)], rules("hubspot"))
    sandbox.reset()
    deliver(ledger, settings, [lead(1, title="CEO")], rules("hubspot"))
    assert sandbox.state("hubspot")["contacts"]["person1@acme1.example"]["properties"]["firstname"] == "Ana"
    assert [state for _, state, _ in states(ledger)] == ["confirmed", "confirmed"]


def test_one_bad_record_does_not_take_its_batch_along(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("hubspot", "status", operation="contacts/batch/upsert", status=400, match="person5@")
    deliver(ledger, settings, [lead(n) for n in range(1, 9)], rules("hubspot"))
    assert [state for _, state, _ in states(ledger)] == ["confirmed"] * 4 + ["dead"] + ["confirmed"] * 3


def test_hubspot_too_fast_waits_and_costs_no_attempt(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("hubspot", "status", operation="contacts/batch/upsert", status=429, headers={"retry-after": "1"}, times=1)
    deliver(ledger, settings, [lead(1)], rules("hubspot"))
    (row,) = ledger.outbox.entries(["c1"])
    assert (row["state"], row["attempts"]) == ("confirmed", 1)


@pytest.mark.parametrize(
    ("fault", "state", "reason", "stopped"),
    [
        ({"kind": "status", "status": 401}, "failed", "auth", "auth"),
        ({"kind": "status", "status": 403}, "failed", "missing_scope", "missing_scope"),
        ({"kind": "status", "status": 409}, "failed", "conflict", None),
        ({"kind": "status", "status": 500}, "failed", "provider_error", None),
        ({"kind": "status", "status": 503}, "failed", "provider_error", None),
        ({"kind": "html", "status": 502}, "failed", "provider_error", None),
        ({"kind": "html"}, "failed", "bad_answer", None),
        ({"kind": "truncated_json"}, "failed", "bad_answer", None),
        ({"kind": "drop_before"}, "failed", "provider_error", None),
        ({"kind": "drop_after"}, "failed", "provider_error", None),
        (
            {"kind": "status", "status": 429, "body": {"errorType": "RATE_LIMIT", "policyName": "DAILY"}},
            "failed",
            "daily_limit",
            "daily_limit",
        ),
    ],
)
def test_each_error_of_hubspot(
    settings: Settings, sandbox: Handle, ledger: Ledger, fault: dict[str, Any], state: str, reason: str, stopped: str | None
) -> None:
    sandbox.set_fault("hubspot", operation="contacts/batch/upsert", **fault)
    drained = deliver(ledger, settings, [lead(1)], rules("hubspot", retry_after=["1h"]))
    assert states(ledger) == [("contact", state, reason)]
    assert drained.stopped == ({"hubspot": stopped} if stopped else {})


def test_a_note_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("hubspot", "drop_after", operation="notes/batch/create", times=1)
    deliver(ledger, settings, [briefed(1)], rules("hubspot"))
    assert len(sandbox.state("hubspot")["notes"]) == 1
    assert states(ledger)[1] == ("note", "confirmed", "found")


def test_a_note_is_looked_for_until_the_search_answers(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("hubspot", "drop_after", operation="notes/batch/create", times=1)
    sandbox.set_fault("hubspot", "status", operation="notes/search", status=500, times=1)
    deliver(ledger, settings, [briefed(1)], rules("hubspot"))
    assert len(sandbox.state("hubspot")["notes"]) == 1
    assert states(ledger)[1] == ("note", "confirmed", "found")


def test_a_note_that_cannot_be_looked_for_takes_no_other_along(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("hubspot", "drop_after", operation="notes/batch/create", times=1)
    sandbox.set_fault("hubspot", "status", operation="notes/search", status=500, match='"1000"')
    deliver(ledger, settings, [briefed(1), briefed(2)], rules("hubspot"), patience=1.5)
    assert [(state, reason) for kind, state, reason in states(ledger) if kind == "note"] == [
        ("failed", "provider_error"),
        ("confirmed", "found"),
    ]
    assert len(sandbox.state("hubspot")["notes"]) == 2


def test_an_update_whose_answer_has_no_trace_and_no_e_mail_is_known_by_the_contact_s_id(
    settings: Settings, sandbox: Handle, ledger: Ledger
) -> None:
    deliver(ledger, settings, [lead(1)], rules("hubspot"))
    contact = sandbox.state("hubspot")["contacts"]["person1@acme1.example"]["id"]
    said = {"status": "COMPLETE", "results": [{"id": contact, "properties": {"jobtitle": "CEO", "hs_object_id": contact}}]}
    sandbox.set_fault("hubspot", "status", operation="contacts/batch/update", status=200, body=said)
    deliver(ledger, settings, [lead(1, title="CEO")], rules("hubspot"))
    assert states(ledger)[1] == ("contact", "confirmed", None)


def test_of_notes_without_traces_nobody_knows_which_one_failed(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    refused = {"status": "error", "category": "VALIDATION_ERROR", "message": "refused", "context": {}}
    said = {"status": "COMPLETE", "results": [{"id": "50000", "properties": {}}], "numErrors": 1, "errors": [refused]}
    sandbox.set_fault("hubspot", "status", operation="notes/batch/create", status=207, body=said)
    deliver(ledger, settings, [briefed(1), briefed(2)], rules("hubspot", retry_after=["1h"]))
    assert {(state, reason) for kind, state, reason in states(ledger) if kind == "note"} == {("uncertain", "not_in_answer")}


# Slack


def test_slack_gets_brief_score_and_reasons_and_an_alert_for_the_best(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    deliver(ledger, settings, [briefed(1, high=True), lead(2), lead(3, path="nurture"), briefed(4, path="hold")], rules("slack"))
    messages = sandbox.state("slack")["messages"]
    assert sorted(each["channel"] for each in messages) == ["C1", "C1", "CHOT"]
    text = json.dumps(next(each for each in messages if "Prime1" in each["text"] and each["channel"] == "C1"))
    for part in ("Wants &lt;a&gt; demo &amp; a quote.", "Next: Call.", "Score 80.0 (hot)", "headcount", "rosa.delgado"):
        assert part in text
    waiting = [(row["kind"], row["state"]) for row in ledger.outbox.entries(["c1"]) if row["lead_id"] == "l00003"]
    assert waiting == [("revisit", "waiting")], "a low score goes to no person, for now"


def test_another_channel_is_for_what_has_not_been_sent(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    deliver(ledger, settings, [lead(1)], rules("slack"))
    sandbox.set_fault("slack", "ok_false", operation="chat.postMessage", body="channel_not_found", times=1)
    deliver(ledger, settings, [lead(1), lead(2)], rules("slack"))
    deliver(ledger, settings, [lead(1), lead(2)], rules("slack", slack={"channel": "C2"}))
    told = [(each["channel"], each["text"].partition(".")[0]) for each in sandbox.state("slack")["messages"]]
    assert told == [("C1", "New lead: Ana Prime1, VP Sales, Acme 1"), ("C2", "New lead: Ana Prime2, VP Sales, Acme 2")]
    assert {state for _, state, _ in states(ledger)} == {"confirmed"}


def test_a_lead_in_nurture_comes_back_after_its_time(settings: Settings, sandbox: Handle) -> None:
    now = [datetime(2026, 11, 21, tzinfo=UTC)]
    timed = Ledger(settings.ledger_location, lambda: now[0])
    deliver(timed, settings, [lead(3, path="nurture")], rules("slack"))
    assert sandbox.state("slack")["messages"] == []
    now[0] += timedelta(days=30)
    drain(timed, settings, rules("slack"))
    assert [each["text"][:17] for each in sandbox.state("slack")["messages"]] == ["Back from nurture"]


def test_many_leads_that_come_back_on_one_day_are_one_message_beside_that_of_the_new_ones(settings: Settings, sandbox: Handle) -> None:
    now = [datetime(2026, 11, 21, tzinfo=UTC)]
    timed = Ledger(settings.ledger_location, lambda: now[0])
    few = rules("slack", slack={"digest_above": 2})
    deliver(timed, settings, [lead(n, path="nurture") for n in range(1, 4)], few)
    now[0] += timedelta(days=30)
    deliver(timed, settings, [lead(n, path="nurture" if n < 4 else "route") for n in range(1, 8)], few)
    told = [(each["text"], each["blocks"][1]["text"]["text"].split("\n")[0]) for each in sandbox.state("slack")["messages"]]
    assert sorted(told) == [
        ("3 leads back from nurture, of c1", "• Ana Prime1, VP Sales, Acme 1: 80.0 on arrival, rosa.delgado"),
        ("4 new leads from c1", "• Ana Prime4, VP Sales, Acme 4: 80.0 (hot), rosa.delgado"),
    ]


def test_many_leads_for_one_channel_are_one_message(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    leads = [lead(n, high=n == 1) for n in range(1, 31)]
    deliver(ledger, settings, leads, rules("slack", slack={"digest_above": 10}))
    messages = sandbox.state("slack")["messages"]
    assert sorted(each["channel"] for each in messages) == ["C1", "CHOT"]
    assert next(each for each in messages if each["channel"] == "C1")["text"] == "30 new leads from c1"
    assert {(state, reason) for kind, state, reason in states(ledger) if kind == "lead"} == {("confirmed", "digest")}
    deliver(ledger, settings, leads, rules("slack", slack={"digest_above": 10}))
    assert len(sandbox.state("slack")["messages"]) == 2


@pytest.mark.parametrize(("fault", "found"), [("drop_after", "found"), ("drop_before", None)])
def test_a_message_whose_answer_was_lost_is_looked_for(
    settings: Settings, sandbox: Handle, ledger: Ledger, fault: str, found: str | None
) -> None:
    sandbox.set_fault("slack", fault, operation="chat.postMessage", times=1)
    deliver(ledger, settings, [lead(1)], rules("slack"))
    assert len(sandbox.state("slack")["messages"]) == 1
    (row,) = ledger.outbox.entries(["c1"])
    assert (row["state"], row["reason"], row["uncertain"]) == ("confirmed", found, 1)


def test_if_the_bot_may_not_look_the_message_is_posted_once_more_and_counts_as_uncertain(
    settings: Settings, sandbox: Handle, ledger: Ledger
) -> None:
    sandbox.set_fault("slack", "ok_false", operation="conversations.history", body="missing_scope")
    sandbox.set_fault("slack", "drop_after", operation="chat.postMessage", times=2)
    deliver(ledger, settings, [lead(1)], rules("slack"))
    (row,) = ledger.outbox.entries(["c1"])
    assert (row["state"], row["reason"], row["uncertain"]) == ("dead", "uncertain", 2)
    assert len(sandbox.state("slack")["messages"]) == 2


def test_a_request_takes_one_turn_and_what_has_none_waits(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    slow = {"rate": {"requests": 1, "seconds": 3600}}
    deliver(ledger, settings, [lead(n) for n in range(1, 201)], rules("hubspot", hubspot={"owner": False, **slow}), patience=0.2)
    assert [each["operations"] for each in sandbox.requests("hubspot")] == [["contacts/batch/upsert"]]
    assert Counter(state for _, state, _ in states(ledger)) == {"confirmed": 100, "waiting": 100}
    assert {row["attempts"] for row in ledger.outbox.entries(["c1"]) if row["state"] == "waiting"} == {0}


def test_a_question_without_a_turn_is_not_asked(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    """The owner's id takes the hour's only turn, so nobody asks who has the contact already, and nothing is written."""
    deliver(ledger, settings, [lead(1)], rules("hubspot", hubspot={"rate": {"requests": 1, "seconds": 3600}}), patience=0.2)
    assert [each["operations"] for each in sandbox.requests("hubspot")] == [["owners"]]
    assert [(row["state"], row["reason"]) for row in ledger.outbox.entries(["c1"])] == [("waiting", "paced")]


def test_each_channel_has_a_pace_of_its_own(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    slow = {"rate": {"requests": 1, "seconds": 3600}}
    deliver(ledger, settings, [lead(1, high=True), lead(2, high=True)], rules("slack", slack=slow), patience=0.2)
    assert sorted(each["channel"] for each in sandbox.state("slack")["messages"]) == ["C1", "CHOT"]
    assert sorted(state for _, state, _ in states(ledger)) == ["confirmed", "confirmed", "waiting", "waiting"]


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        *(
            ({"kind": "ok_false", "body": word}, "dead", word)
            for word in (
                "channel_not_found",
                "not_in_channel",
                "is_archived",
                "msg_too_long",
                "no_text",
                "too_many_attachments",
                "invalid_blocks",
            )
        ),
        *(
            ({"kind": "ok_false", "body": word}, "failed", word)
            for word in ("not_authed", "invalid_auth", "account_inactive", "token_revoked", "missing_scope")
        ),
        *(({"kind": "ok_false", "body": word}, "uncertain", word) for word in ("fatal_error", "internal_error")),
        ({"kind": "status", "status": 500}, "uncertain", "provider_error"),
        ({"kind": "html"}, "uncertain", "bad_answer"),
        ({"kind": "ok_false", "body": "rate_limited"}, "failed", "rate_limited"),
        ({"kind": "status", "status": 429, "headers": {"retry-after": "30"}}, "failed", "rate_limited"),
    ],
)
def test_each_error_of_slack(settings: Settings, sandbox: Handle, ledger: Ledger, fault: dict[str, Any], state: str, reason: str) -> None:
    sandbox.set_fault("slack", operation="chat.postMessage", **fault)
    deliver(ledger, settings, [lead(1)], rules("slack", retry_after=["1h"]), patience=0.2)
    assert states(ledger) == [("lead", state, reason)]


# Segment


def test_segment_gets_identify_and_track_once_each(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("segment", "drop_after", operation="batch", times=1)
    deliver(ledger, settings, [lead(n) for n in (1, 2)], rules("segment"))
    events = sandbox.state("segment")["events"]
    assert sorted(each["type"] for each in events) == ["identify", "identify", "track", "track"]
    assert {each["messageId"] for each in events}.__len__() == 4
    assert next(each for each in events if each["type"] == "identify")["traits"]["lead_score"] == 80.0
    assert all(body["batch"] for body in bodies(sandbox, "segment", "batch"))
    # A point more is a trait, not an event.
    deliver(ledger, settings, [lead(1, score=81.0), lead(2)], rules("segment"))
    assert len(sandbox.state("segment")["events"]) == 5


def test_segment_s_batches_keep_to_its_limits() -> None:
    assert [len(each) for each in batches([10] * 6_000)] == [2_500, 2_500, 1_000]
    large = batches([31_000] * 40)
    assert all(len(each) * 31_001 <= MOST_BYTES and len(each) <= MOST_EVENTS for each in large)
    assert [position for each in large for position in each] == list(range(40))
    assert batches([]) == []


def test_an_event_that_segment_would_drop_is_a_dead_letter(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    own = rules("segment", segment={"traits": {"about": "company_description"}})
    deliver(ledger, settings, [lead(1, company_description="x" * 40_000)], own)
    assert states(ledger) == [("identify", "dead", "too_large"), ("track", "confirmed", None)]
    assert sandbox.state("segment")["dropped"] == 0


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ({"kind": "status", "status": 400}, "dead", "refused"),
        ({"kind": "status", "status": 401}, "failed", "auth"),
        ({"kind": "status", "status": 500}, "failed", "provider_error"),
        ({"kind": "drop_after"}, "failed", "provider_error"),
        ({"kind": "status", "status": 429, "headers": {"retry-after": "30"}}, "failed", "rate_limited"),
        ({"kind": "status", "status": 429, "headers": {"x-ratelimit-reset": "30"}}, "failed", "rate_limited"),
        ({"kind": "status", "status": 429, "headers": {"x-ratelimit-reset": "soon"}}, "failed", "rate_limited"),
    ],
)
def test_each_error_of_segment(settings: Settings, sandbox: Handle, ledger: Ledger, fault: dict[str, Any], state: str, reason: str) -> None:
    sandbox.set_fault("segment", operation="batch", match="identify", **fault)
    deliver(ledger, settings, [lead(1)], rules("segment", retry_after=["1h"]), patience=0.2)
    assert states(ledger)[0] == ("identify", state, reason)


# SendGrid


def test_nurtured_leads_join_the_list_when_the_job_has_ended(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    deliver(ledger, settings, [lead(1, path="nurture"), lead(2)], rules("sendgrid"))
    (contact,) = sandbox.state("sendgrid")["contacts"].values()
    assert contact["first_name"] == "Ana"
    assert contact["custom_fields"] == {"w1_T": "Acme 1", "w2_D": "12/20/2026"}
    (row,) = ledger.outbox.entries(["c1"])
    assert [event[1] for event in row["history"]][-2:] == ["sent", "confirmed"]
    assert bodies(sandbox, "sendgrid", "contacts")[0]["list_ids"] == ["list-1"]


def test_a_job_that_takes_long_is_left_to_a_later_drain(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("sendgrid", "status", operation="imports", status=200, body={"status": "pending"})
    deliver(ledger, settings, [lead(1, path="nurture")], rules("sendgrid"), patience=1.1)
    assert states(ledger) == [("nurture", "sent", None)]
    assert 2 <= len(requests(sandbox, "sendgrid", "imports")) <= 4
    sandbox.clear_faults()
    deliver(ledger, settings, [lead(1, path="nurture")], rules("sendgrid"))
    assert states(ledger) == [("nurture", "confirmed", None)]
    assert len(bodies(sandbox, "sendgrid", "contacts")) == 1


def test_what_was_planned_for_another_list_joins_that_one(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    old, new = rules("sendgrid", sendgrid={"lists": ["old"]}), rules("sendgrid", sendgrid={"lists": ["new"]})
    planning.plan(ledger, planning.to_send([lead(1, path="nurture")], old, settings), {"c1"})
    deliver(ledger, settings, [lead(2, path="nurture", campaign="c2")], new)
    told = {each["email"]: body["list_ids"] for body in bodies(sandbox, "sendgrid", "contacts") for each in body["contacts"]}
    assert told == {"person1@acme1.example": ["old"], "person2@acme2.example": ["new"]}


def test_a_contact_that_a_job_refused_is_found_by_halves(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("sendgrid", "item_error", match="person3@")
    deliver(ledger, settings, [lead(n, path="nurture") for n in range(1, 6)], rules("sendgrid"))
    assert [state for _, state, _ in states(ledger)] == ["confirmed"] * 2 + ["dead"] + ["confirmed"] * 2


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ({"status": 400}, "dead", "refused"),
        ({"status": 401}, "failed", "auth"),
        ({"status": 403}, "failed", "auth"),
        ({"status": 404}, "dead", "not_found"),
        ({"status": 413}, "dead", "too_large"),
        ({"status": 500}, "failed", "provider_error"),
        ({"status": 429, "headers": {"retry-after": "30"}}, "failed", "rate_limited"),
        ({"status": 202, "body": {}}, "failed", "bad_answer"),
    ],
)
def test_each_error_of_sendgrid(
    settings: Settings, sandbox: Handle, ledger: Ledger, fault: dict[str, Any], state: str, reason: str
) -> None:
    sandbox.set_fault("sendgrid", "status", operation="contacts", **fault)
    deliver(ledger, settings, [lead(1, path="nurture")], rules("sendgrid", retry_after=["1h"]), patience=0.2)
    assert states(ledger) == [("nurture", state, reason)]


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ({"status": 404}, "failed", "job_lost"),
        ({"status": 500}, "sent", "provider_error"),
        ({"status": 200, "body": {"status": "failed", "results": {}}}, "failed", "job_failed"),
    ],
)
def test_a_job_that_cannot_be_looked_at(
    settings: Settings, sandbox: Handle, ledger: Ledger, fault: dict[str, Any], state: str, reason: str
) -> None:
    sandbox.set_fault("sendgrid", "status", operation="imports", **fault)
    deliver(ledger, settings, [lead(1, path="nurture")], rules("sendgrid", retry_after=["1h"]))
    assert states(ledger) == [("nurture", state, reason)]


# Salesforce


def test_salesforce_upserts_by_our_id_and_then_only_what_changed(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    leads = [lead(n) for n in range(1, 251)]
    deliver(ledger, settings, leads, rules("salesforce"))
    assert len(sandbox.state("salesforce")["records"]) == 250
    assert sorted(len(body["records"]) for body in bodies(sandbox, "salesforce", "upsert")) == [50, 200]
    deliver(ledger, settings, [lead(1, title="CEO"), *leads[1:]], rules("salesforce"))
    last = bodies(sandbox, "salesforce", "upsert")[-1]["records"]
    assert last == [{"attributes": {"type": "Lead"}, "Title": "CEO", "Lead_Assets_Id__c": lead(1).person}]


def test_each_record_of_salesforce_has_its_own_result(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("salesforce", "item_error", match=lead(2).person, body="UNABLE_TO_LOCK_ROW", times=1)
    deliver(ledger, settings, [lead(1), lead(2), lead(3, last_name=None)], rules("salesforce"))
    assert states(ledger) == [("record", "confirmed", None), ("record", "confirmed", None), ("record", "dead", "required_field_missing")]


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ({"status": 400}, "dead", "refused"),
        ({"status": 401}, "failed", "auth"),
        ({"status": 403}, "failed", "request_limit_exceeded"),
        ({"status": 500}, "failed", "provider_error"),
        ({"status": 503}, "failed", "provider_error"),
        ({"status": 200, "body": []}, "failed", "bad_answer"),
    ],
)
def test_each_error_of_salesforce(
    settings: Settings, sandbox: Handle, ledger: Ledger, fault: dict[str, Any], state: str, reason: str
) -> None:
    sandbox.set_fault("salesforce", "status", **fault)
    deliver(ledger, settings, [lead(1)], rules("salesforce", retry_after=["1h"]), patience=0.2)
    assert states(ledger) == [("record", state, reason)]


# Webhook and file


def test_a_webhook_is_signed_and_can_drop_repeats(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("webhook", "drop_after", times=1)
    deliver(ledger, settings, [lead(1)], rules("webhook"))
    (event,) = sandbox.state("webhook")["events"].values()
    told = Webhook("c2FuZGJveA==").verify(event["body"], event["headers"])
    assert (told["type"], told["data"]["email"]) == ("lead.routed", "person1@acme1.example")
    assert len(requests(sandbox, "webhook")) == 2
    with pytest.raises(Exception, match=r"(?i)signature"):
        Webhook("c2FuZGJveA==").verify(event["body"].replace("person1", "person2"), event["headers"])


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [(410, "dead", "gone"), (400, "dead", "provider_error"), (401, "failed", "auth"), (502, "failed", "provider_error")],
)
def test_each_error_of_a_webhook(settings: Settings, sandbox: Handle, ledger: Ledger, status: int, state: str, reason: str) -> None:
    sandbox.set_fault("webhook", "status", status=status)
    deliver(ledger, settings, [lead(1)], rules("webhook", retry_after=["1h"]), patience=0.2)
    assert states(ledger) == [("lead.routed", state, reason)]


def test_what_is_sent_anew_is_not_taken_for_what_was_sent_before(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that failed after it was done, given up, and then the lead changed: the object with the old values is not an answer."""
    from lead_assets.stores.objects import open_objects

    store = open_objects(str(settings.home / "deliveries"))
    put = type(store).put

    def lost(self: Any, name: str, data: bytes) -> None:
        put(self, name, data)
        raise OSError("the answer was lost")

    own = rules("file", retry_after=["1h"])
    planning.plan(ledger, planning.to_send([lead(1)], own, settings), {"c1"})
    with monkeypatch.context() as patched:
        patched.setattr(type(store), "put", lost)
        drain(ledger, settings, own)
    ledger.outbox.together([lambda tx: tx.execute(sa.update(outbox).values(state="dead", due_at=None))])
    deliver(ledger, settings, [lead(1, score=90.0)], own)
    lines = [orjson.loads(line) for name in store.names("") for line in store.get(name).splitlines()]
    assert sorted(each["score"] for each in lines) == [80.0, 90.0]


def test_files_have_each_lead_once_after_a_crash(settings: Settings, ledger: Ledger) -> None:
    from lead_assets.ledger.holders import new_holder
    from lead_assets.ledger.outbox_model import Policy
    from lead_assets.stores.objects import open_objects

    own = rules("file")
    leads = [lead(n) for n in range(1, 6)]
    planning.plan(ledger, planning.to_send(leads, own, settings), {"c1"})
    # Two workers die: one before it has written its object, one after.
    machine = new_holder().partition(":")[0]
    store = open_objects(str(settings.home / "deliveries"))
    for number, written in ((2, False), (2, True)):
        gone = f"{machine}:99999999:{number}{written}"
        going = ledger.outbox.depart(ledger.outbox.claim(gone, "file", number), gone, Policy(), f"c1/{written}.ndjson")
        if written:
            store.put("c1/True.ndjson", b"".join(orjson.dumps({**each.body["line"]}) + b"\n" for each in going))
    drain(ledger, settings, own)
    lines = [orjson.loads(line) for name in store.names("") for line in store.get(name).splitlines()]
    assert sorted(each["lead_id"] for each in lines) == [f"l{n:05d}" for n in range(1, 6)]
    assert {state for _, state, _ in states(ledger)} == {"confirmed"}
