"""Draining the outbox: policy, what is kept from whom, pauses, outages and two workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import sqlalchemy as sa

from lead_assets.contracts import Classification, EnrichedLead, Lead, RoutingDecision, Score, Summary
from lead_assets.core.document import RulesError
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import value_hash
from lead_assets.delivery import planning
from lead_assets.delivery.dispatch import drain, sendable
from lead_assets.delivery.dry_run import dry_run
from lead_assets.delivery.facts import routed_leads
from lead_assets.delivery.rules import QuietHours, load_delivery_rules
from lead_assets.ledger import Ledger
from lead_assets.ledger.outbox_model import NEWEST_EDITION
from lead_assets.ledger.schema import HEAD, outbox
from lead_assets.sandbox import Handle
from lead_assets_tests.delivery.sends import RECEIVED, briefed, deliver, lead, rules, states

EVERY = ("hubspot", "slack", "segment", "sendgrid", "salesforce", "webhook", "file")


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.ledger_location)
    yield opened
    opened.close()


def asked(sandbox: Handle) -> int:
    return sum(operation["requests"] for service in sandbox.meter().values() for operation in service.values())


def test_a_second_run_asks_nobody(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    leads = [*(briefed(n) for n in range(1, 20)), lead(20, path="nurture")]
    deliver(ledger, settings, leads, rules(*EVERY))
    assert {state for kind, state, _ in states(ledger) if kind != "revisit"} == {"confirmed"}
    before = asked(sandbox)
    deliver(ledger, settings, leads, rules(*EVERY))
    assert asked(sandbox) == before


def test_what_goes_wrong_while_sending_is_told_by_name(settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise sa.exc.OperationalError("", {}, Exception("the database went away"))

    monkeypatch.setattr("lead_assets.ledger.outbox_steps.depart", gone)
    with pytest.raises(sa.exc.OperationalError, match="went away"):
        deliver(ledger, settings, [lead(1)], rules(*EVERY))


def test_who_is_suppressed_between_plan_and_send_is_not_sent(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    own = rules("hubspot", "slack", "segment", "webhook")
    leads = [lead(1), lead(2), lead(3)]
    planning.plan(ledger, planning.to_send(leads, own, settings), {"c1"})
    ledger.suppress("email", value_hash("person2@acme2.example"), "opt_out")
    ledger.suppress("domain", value_hash("acme3.example"), "opt_out")
    drain(ledger, settings, own)
    told = orjson.dumps([sandbox.state(name) for name in ("hubspot", "slack", "segment", "webhook")])
    assert b"person1@" in told
    assert not any(word in told for word in (b"person2@", b"Prime2", b"person3@", b"Prime3"))
    held = {(row["lead_id"], row["reason"]) for row in ledger.outbox.entries(["c1"]) if row["state"] == "held"}
    assert held == {("l00002", "suppressed"), ("l00003", "suppressed")}

    # A mistake: whoever is let in again is sent what waited, and nobody else is.
    assert ledger.lift([("email", "person2@acme2.example")]) == 1
    drain(ledger, settings, own)
    assert {row["lead_id"] for row in ledger.outbox.entries(["c1"]) if row["state"] == "held"} == {"l00003"}
    assert set(sandbox.state("hubspot")["contacts"]) == {"person1@acme1.example", "person2@acme2.example"}


def test_a_person_is_reached_no_more_often_than_the_policy_says(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    own = rules("sendgrid", also={"contact_policy": {"most": 2, "days": 7}})
    for number in (1, 2, 3):
        deliver(ledger, settings, [lead(1, path="nurture", campaign=f"c{number}")], own)
    assert [states(ledger, campaign=f"c{number}")[0][1:] for number in (1, 2, 3)] == [
        ("confirmed", None),
        ("confirmed", None),
        ("held", "capped"),
    ]


def test_nobody_is_written_to_in_quiet_hours_and_afterwards_it_is_sent(settings: Settings, sandbox: Handle) -> None:
    now = [datetime(2026, 11, 20, 21, tzinfo=UTC)]
    timed = Ledger(settings.ledger_location, lambda: now[0])
    quiet = {"quiet_hours": {"begin": "20:00", "end": "08:00"}, "owners": {"nina": {"time_zone": "America/New_York"}}}
    own = rules("slack", "hubspot", also=quiet)
    deliver(timed, settings, [lead(1), lead(2, owner="nina")], own)
    assert sorted(states(timed, "slack")) == [("lead", "confirmed", None), ("lead", "held", "quiet_hours")]
    assert {state for _, state, _ in states(timed, "hubspot")} == {"confirmed"}, "a CRM has no quiet hours"
    now[0] += timedelta(hours=11)
    drain(timed, settings, own)
    assert {state for _, state, _ in states(timed, "slack")} == {"confirmed"}


@pytest.mark.parametrize(
    ("moment", "zone", "hours"),
    [
        ("2026-11-20T12:00", "UTC", 0),
        ("2026-11-20T21:00", "UTC", 59),  # a Friday: until Monday 8:00
        ("2026-11-18T23:30", "UTC", 8.5),
        ("2026-11-18T03:00", "UTC", 5),
        ("2026-10-24T23:00", "Europe/Berlin", 32),  # Sunday 1:00 there; the clock goes back at 3:00, one hour more until Monday 8:00
        ("2026-11-18T12:00", "Asia/Tokyo", 11),
    ],
)
def test_quiet_hours_end_when_the_clock_there_says_so(moment: str, zone: str, hours: float) -> None:
    quiet = QuietHours.model_validate({"begin": "20:00", "end": "08:00", "time_zone": zone, "weekends": True})
    assert quiet.seconds_left(datetime.fromisoformat(moment).replace(tzinfo=UTC)) == hours * 3600


def test_a_paused_destination_gets_nothing_until_it_is_resumed(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    ledger.pause("slack")
    own = rules("slack", "hubspot")
    assert deliver(ledger, settings, [lead(1)], own).stopped == {"slack": "paused"}
    assert sendable(ledger, settings, own) == {"hubspot"}
    assert states(ledger, "slack") == [("lead", "waiting", None)]
    ledger.resume("slack")
    drain(ledger, settings, own)
    assert states(ledger, "slack") == [("lead", "confirmed", None)]


def test_a_destination_that_is_down_is_left_alone_after_eight_failures(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    sandbox.set_fault("webhook", "status", status=503)
    own = rules("webhook", retry_after=["1h"])
    assert deliver(ledger, settings, [lead(n) for n in range(1, 100)], own).stopped == {"webhook": "provider_error"}
    assert 8 <= asked(sandbox) <= 8 + 8
    assert sendable(ledger, settings, own) == set()


def test_in_a_live_home_nothing_is_on_until_somebody_says_always(tmp_path: Path) -> None:
    live = Settings(home=tmp_path)
    assert load_delivery_rules(live).active(live) == {}


def test_without_a_key_entries_wait(tmp_path: Path) -> None:
    live = Settings(home=tmp_path)
    ledger = Ledger(live.ledger_location)
    own = rules("hubspot", hubspot={"on": "always"})
    assert deliver(ledger, live, [lead(1)], own).stopped == {"hubspot": "no_key"}
    assert states(ledger) == [("contact", "waiting", None)]
    assert sendable(ledger, live, own) == set()


def test_two_workers_on_one_outbox_send_everything_once(settings: Settings, sandbox: Handle, ledger: Ledger) -> None:
    own = rules("webhook", "slack", slack={"digest_above": 1000})
    leads = [lead(n) for n in range(1, 121)]
    planning.plan(ledger, planning.to_send(leads, own, settings), {"c1"})
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(drain, Ledger(settings.ledger_location), settings, own) for _ in range(2)]:
            done.result()
    assert {state for _, state, _ in states(ledger)} == {"confirmed"}
    assert len(sandbox.state("slack")["messages"]) == 120
    assert set(sandbox.subjects("webhook")["lead.routed"].values()) == {1}


def test_a_dry_run_writes_the_requests_and_keeps_and_sends_nothing(
    settings: Settings, sandbox: Handle, ledger: Ledger, tmp_path: Path
) -> None:
    own = rules(*EVERY)
    sends = planning.to_send([briefed(1), briefed(2), lead(3, path="nurture")], own, settings)
    rows = {row["destination"]: row for row in dry_run(ledger, settings, own, sends, tmp_path / "dry")}
    assert (rows["hubspot"]["records"], rows["slack"]["waiting"]) == (5, 1)
    assert ledger.outbox.entries(["c1"]) == []
    assert asked(sandbox) == 0
    files = sorted(path.relative_to(tmp_path / "dry").as_posix() for path in (tmp_path / "dry").rglob("*.json"))
    assert any(name.startswith("hubspot/") and name.endswith("contacts.batch.upsert.json") for name in files)
    upsert = orjson.loads(next((tmp_path / "dry" / "hubspot").glob("*upsert.json")).read_bytes())
    assert upsert["headers"]["authorization"] == "<key>"
    assert {each["id"] for each in upsert["body"]["inputs"]} == {f"person{n}@acme{n}.example" for n in (1, 2, 3)}
    # What was sent is not in a dry run again.
    deliver(ledger, settings, [briefed(1), briefed(2), lead(3, path="nurture")], own)
    assert {row["records"] for row in dry_run(ledger, settings, own, sends, tmp_path / "again")} == {0}
    # Nor is what a release sent that told apart messages in another way.
    ledger.outbox.together([lambda tx: tx.execute(sa.update(outbox).values(content="9:told"))])
    assert {row["records"] for row in dry_run(ledger, settings, own, sends, tmp_path / "upgraded")} == {0}
    every = {row["destination"]: row for row in dry_run(ledger, settings, own, sends, tmp_path / "all", sent_too=True)}
    assert every == rows


def test_a_dry_run_shows_what_waits_in_the_outbox_with_its_owner_and_nobody_who_is_suppressed(
    settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    own = rules("hubspot")
    sends = planning.to_send([lead(1), lead(2)], own, settings)
    planning.plan(ledger, sends, {"c1"})
    ledger.suppress("email", value_hash("person2@acme2.example"), "opt_out")
    (row,) = dry_run(ledger, settings, own, sends, tmp_path)
    assert (row["records"], row["waiting"]) == (1, 0)
    (upsert,) = (orjson.loads(path.read_bytes())["body"]["inputs"] for path in (tmp_path / "hubspot").glob("*upsert.json"))
    assert [(each["id"], each["properties"]["hubspot_owner_id"]) for each in upsert] == [("person1@acme1.example", "id-of-the-owner")]


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("firstname: first_name", "firstname: first_nam", "unknown field 'first_nam' (did you mean 'first_name'?)"),
        ("fields: [campaign_id, lead_id, email", "fields: [emial", "unknown field 'emial' (did you mean 'email'?)"),
        ("on: never\n    fields: [campaign_id", "on: always\n    fields: [campaign_id", "add url, or write on: never"),
        ("on: never\n    sobject", "on: always\n    sobject", "add instance_url, or write on: never"),
        ("on: sandbox\n    channel", "on: sometimes\n    channel", "sometimes"),
        ("Europe/Berlin}", "Europe/Berlinn}", "unknown time zone 'Europe/Berlinn' (did you mean 'Europe/Berlin'?)"),
        ("digest_above", "digest_abov", "digest_abov"),
        ("  hubspot:", "  hubspott:", "hubspott"),
        ("nurture: 30d", "nurture: 30", "a duration is a whole number and a unit"),
    ],
)
def test_a_mistake_in_the_rules_names_its_line_and_the_next_step(tmp_path: Path, written: str, instead: str, said: str) -> None:
    shipped = rules_file("delivery.yaml", Settings()).read_text()
    assert written in shipped
    (tmp_path / "delivery.yaml").write_text(shipped.replace(written, instead, 1))
    with pytest.raises(RulesError, match=r"line \d+") as error:
        load_delivery_rules(Settings(rules_dir=tmp_path))
    assert said in str(error.value)


def test_a_body_that_is_made_later_is_the_same_message_as_one_that_is_there() -> None:
    """A message is known by its content: one known by the function that makes it would be sent again by every run."""
    body = {"event": {"name": "scored"}}
    there, later = (lead().send("segment", "track", each) for each in (body, lambda: body))
    assert there.content == later.content == lead().send("segment", "track", lambda: dict(body)).content
    assert dict(there.body) == dict(later.body)


def test_a_word_that_no_message_has_is_refused() -> None:
    with pytest.raises(TypeError, match="channle"):
        lead().send("slack", "lead", {}, channle="#leads")


def test_what_a_lead_said_is_the_same_however_it_was_written() -> None:
    def said(**own: Any) -> str:
        key = {"campaign_id": "c1", "lead_id": "l1"}
        row = {"notes": "Wants a  demo", "source": "Webinar", "title": "CTO", "loan_amount_requested": 1.0, "received_at": RECEIVED}
        frames = [
            pl.DataFrame([key | values], schema=contract.polars_schema())
            for contract, values in (
                (RoutingDecision, {"owner": "ana", "path": "route"}),
                (Lead, row | own),
                (EnrichedLead, {}),
                (Classification, {"enriched_at": RECEIVED}),
                (Score, {"tier": "hot", "route_score": 0.9}),
                (Summary, {}),
            )
        ]
        (found,) = routed_leads(*frames, rules=rules("slack"))
        assert not {"_said", "notes"} & found.facts.keys(), "free text leaves for nowhere"
        return found.said

    assert said() == said(notes=" wants a demo\n", title="cto", company_clean="Acme", email_normalized="a@b.example")
    others = {said(), said(notes="Wants a quote"), said(source="Demo request"), said(title="CEO"), said(loan_amount_requested=2.0)}
    assert len(others) == 5


def test_an_edition_that_older_releases_would_send_again_has_a_step_of_the_ledgers() -> None:
    assert lead().send("slack", "lead", {}, edition=NEWEST_EDITION).content.startswith(f"{NEWEST_EDITION}:")
    with pytest.raises(ValueError, match="a step of the ledger's"):
        lead().send("slack", "lead", {}, edition=NEWEST_EDITION + 1)
    # The newest edition → the step from which on releases know it: older ones refuse the ledger.
    assert {3: "0015"}[NEWEST_EDITION] <= HEAD


def test_tables_of_an_earlier_release_that_lack_what_decides_where_a_lead_goes_are_named_as_such() -> None:
    key = {"campaign_id": "c1", "lead_id": "l1"}
    frames = [
        pl.DataFrame([key], schema=contract.polars_schema())
        for contract in (RoutingDecision, Lead, EnrichedLead, Classification, Score, Summary)
    ]
    with pytest.raises(ValueError, match="written by an earlier release"):
        routed_leads(*frames, rules=rules("slack"))
