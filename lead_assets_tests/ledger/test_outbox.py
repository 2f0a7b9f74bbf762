"""The outbox on both databases: intent first, one worker per entry, and what a dead worker leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lead_assets.ledger import Ledger
from lead_assets.ledger.holders import new_holder
from lead_assets.ledger.journal import pack
from lead_assets.ledger.outbox_model import Fate, Parcel, Policy, ToSend, person_hash
from lead_assets_tests.ledger.conftest import Clock

POLICY = Policy(after=(60.0, 300.0))
SEEN = datetime(2026, 11, 1, tzinfo=UTC)
GONE = "another machine:1:0"
"""A holder that nobody can ask about: only its lease ends it."""


def intent(lead: str = "l1", content: str = "a", **other: Any) -> ToSend:
    values: dict[str, Any] = {
        "destination": "crm",
        "kind": "contact",
        "campaign_id": "c1",
        "lead_id": lead,
        "person": person_hash(f"{lead}@x.example"),
        "content": content,
        "body": {"email": f"{lead}@x.example", "content": content},
        "as_of": SEEN,
    }
    return ToSend(**(values | other))


def plan(ledger: Ledger, *intents: ToSend, campaigns: Sequence[str] = ("c1",)) -> Mapping[str, int]:
    return vars(ledger.outbox.plan(intents, campaigns, {"crm", "chat"}))


def send(ledger: Ledger, fate: Fate, holder: str = "h:1:0", destination: str = "crm", most: int = 10) -> list[Parcel]:
    """Claim, depart and settle everything that is due."""
    going = ledger.outbox.depart(ledger.outbox.claim(holder, destination, most), holder, POLICY)
    ledger.outbox.settle([(parcel, fate) for parcel in going], holder, POLICY)
    return going


def states(ledger: Ledger, campaign: str = "c1") -> list[tuple[str, str, str | None]]:
    return [(row["lead_id"], row["state"], row["reason"]) for row in ledger.outbox.entries([campaign])]


def test_the_same_content_is_sent_once(ledger: Ledger) -> None:
    assert plan(ledger, intent())["new"] == 1
    assert len(send(ledger, Fate("confirmed"))) == 1
    assert plan(ledger, intent()) == {"new": 0, "changed": 0, "same": 1, "withdrawn": 0}
    assert send(ledger, Fate("confirmed")) == []


def test_what_was_sent_by_an_earlier_release_is_not_sent_again(ledger: Ledger) -> None:
    plan(ledger, intent("sent"), intent("waits"))
    send(ledger, Fate("confirmed"), most=1)
    assert plan(ledger, intent("sent", "2:b"), intent("waits", "2:b")) == {"new": 0, "changed": 1, "same": 1, "withdrawn": 0}
    assert [parcel.body["content"] for parcel in send(ledger, Fate("confirmed"))] == ["2:b"]
    assert plan(ledger, intent("sent", "2:b"), intent("waits", "2:b"))["same"] == 2
    assert plan(ledger, intent("sent", "2:c"), intent("waits", "2:b")) == {"new": 1, "changed": 0, "same": 1, "withdrawn": 0}


def test_what_is_only_put_in_other_words_counts_until_it_has_left(ledger: Ledger) -> None:
    plan(ledger, intent("sent", "2:a/x"), intent("waits", "2:a/x"))
    send(ledger, Fate("confirmed"), most=1)
    assert plan(ledger, intent("sent", "2:a/y"), intent("waits", "2:a/y")) == {"new": 0, "changed": 1, "same": 1, "withdrawn": 0}
    assert [parcel.body["content"] for parcel in send(ledger, Fate("confirmed"))] == ["2:a/y"]
    assert plan(ledger, intent("sent", "2:a/z"), intent("waits", "2:a/z"))["same"] == 2
    assert plan(ledger, intent("sent", "2:b/x"), intent("waits", "2:a/z")) == {"new": 1, "changed": 0, "same": 1, "withdrawn": 0}


def test_content_that_goes_back_to_what_it_was_is_sent_again(ledger: Ledger) -> None:
    for content in ("a", "b", "a"):
        plan(ledger, intent(content=content))
        assert [parcel.body["content"] for parcel in send(ledger, Fate("confirmed"))] == [content]
    assert len({row["key"] for row in ledger.outbox.entries(["c1"])}) == 3


def test_a_change_that_is_undone_before_it_left_sends_nothing(ledger: Ledger) -> None:
    plan(ledger, intent(content="a"))
    send(ledger, Fate("confirmed"))
    plan(ledger, intent(content="b"))
    plan(ledger, intent(content="c"))
    assert plan(ledger, intent(content="a"))["withdrawn"] == 1
    assert plan(ledger, intent(content="a"))["same"] == 1
    assert send(ledger, Fate("confirmed")) == []
    plan(ledger, intent(content="b"))
    assert [parcel.body["content"] for parcel in send(ledger, Fate("confirmed"))] == ["b"]
    assert states(ledger) == [("l1", "confirmed", None)] * 2


def test_what_has_not_left_is_replaced_even_if_a_worker_holds_it(ledger: Ledger) -> None:
    plan(ledger, intent(content="old"))
    held = ledger.outbox.claim("h:1:0", "crm", 10)
    assert plan(ledger, intent(content="new"))["changed"] == 1
    assert ledger.outbox.depart(held, "h:1:0", POLICY) == []
    assert [parcel.body["content"] for parcel in send(ledger, Fate("confirmed"))] == ["new"]


def test_a_newer_content_waits_for_the_older_one(ledger: Ledger) -> None:
    plan(ledger, intent(content="old"))
    going = ledger.outbox.depart(ledger.outbox.claim("h:1:0", "crm", 10), "h:1:0", POLICY)
    plan(ledger, intent(content="new"))
    assert ledger.outbox.claim("i:1:0", "crm", 10) == []
    ledger.outbox.settle([(going[0], Fate("confirmed"))], "h:1:0", POLICY)
    assert [parcel.body["content"] for parcel in ledger.outbox.claim("i:1:0", "crm", 10)] == ["new"]


def test_two_workers_never_hold_one_entry_nor_one_person(ledger: Ledger) -> None:
    one = person_hash("one")
    plan(ledger, *(intent(f"l{n}") for n in range(20)), intent("p1", person=one), intent("p2", person=one))
    first, second = ledger.outbox.claim("h:1:0", "crm", 12), ledger.outbox.claim("i:1:0", "crm", 30)
    assert len(first) + len(second) == 21
    assert not {parcel.person for parcel in first} & {parcel.person for parcel in second}


def test_a_worker_that_dies_before_it_sends_leaves_nothing_in_doubt(timed: Ledger, clock: Clock) -> None:
    plan(timed, intent())
    assert timed.outbox.claim(GONE, "crm", 10)
    assert timed.outbox.claim("h:1:0", "crm", 10) == []
    clock.pass_by(timedelta(seconds=61))
    assert [parcel.uncertain for parcel in timed.outbox.claim("h:1:0", "crm", 10)] == [0]


def test_a_worker_that_dies_while_it_sends_leaves_one_uncertain_send(timed: Ledger, clock: Clock) -> None:
    plan(timed, intent())
    timed.outbox.depart(timed.outbox.claim(GONE, "crm", 10), GONE, POLICY)
    clock.pass_by(timedelta(seconds=61))
    assert timed.outbox.due(["crm"]) == 1
    (parcel,) = timed.outbox.claim("h:1:0", "crm", 10)
    assert (parcel.state, parcel.uncertain, parcel.attempts) == ("uncertain", 1, 1)
    assert states(timed) == [("l1", "uncertain", "worker_lost")]


def test_a_process_that_ended_on_this_machine_is_not_waited_for(ledger: Ledger) -> None:
    machine, _, token = new_holder().split(":")
    plan(ledger, intent())
    ended = f"{machine}:999999999:{token}"
    ledger.outbox.depart(ledger.outbox.claim(ended, "crm", 10), ended, POLICY)
    assert [parcel.state for parcel in ledger.outbox.claim("h:1:0", "crm", 10)] == ["uncertain"]


def test_a_late_confirmation_counts_and_a_late_failure_does_not(timed: Ledger, clock: Clock) -> None:
    plan(timed, intent("l1"), intent("l2"))
    late = timed.outbox.depart(timed.outbox.claim(GONE, "crm", 10), GONE, POLICY)
    clock.pass_by(timedelta(seconds=61))
    timed.outbox.claim("h:1:0", "crm", 10)
    timed.outbox.settle([(late[0], Fate("confirmed")), (late[1], Fate("dead", "x"))], GONE, POLICY)
    assert [state for _, state, _ in states(timed)] == ["confirmed", "uncertain"]


def test_failures_are_scheduled_and_then_rest_until_replayed(timed: Ledger, clock: Clock) -> None:
    plan(timed, intent())
    for wait in POLICY.after:
        assert len(send(timed, Fate("failed", "provider_error"))) == 1
        clock.pass_by(timedelta(seconds=wait - 1))
        assert timed.outbox.claim("h:1:0", "crm", 10) == []
        clock.pass_by(timedelta(seconds=1))
    send(timed, Fate("failed", "provider_error"))
    assert states(timed) == [("l1", "dead", "provider_error")]
    clock.pass_by(timedelta(days=9))
    assert send(timed, Fate("confirmed")) == []
    assert timed.outbox.replay(reasons={"other"}) == 0
    assert timed.outbox.replay() == 1
    assert len(send(timed, Fate("confirmed"))) == 1
    (row,) = timed.outbox.entries(["c1"])
    assert [event[1] for event in row["history"]] == ["waiting", "failed", "failed", "dead", "waiting", "confirmed"]


def test_a_turn_that_was_not_ours_is_no_attempt(timed: Ledger, clock: Clock) -> None:
    plan(timed, intent())
    for _ in range(9):
        assert len(send(timed, Fate("failed", "rate_limited", retry_after=2, free=True))) == 1
        clock.pass_by(timedelta(seconds=2))
    (row,) = timed.outbox.entries(["c1"])
    assert (row["state"], row["attempts"]) == ("failed", 0)


def test_what_is_no_longer_wanted_is_withdrawn_and_may_come_back(ledger: Ledger) -> None:
    plan(ledger, intent("l1"), intent("l2"))
    assert plan(ledger, intent("l2"))["withdrawn"] == 1
    assert states(ledger) == [("l1", "held", "withdrawn"), ("l2", "waiting", None)]
    assert plan(ledger, intent("l1"), intent("l2"))["changed"] == 1
    assert len(send(ledger, Fate("confirmed"))) == 2


def test_what_happens_while_bodies_are_packed_counts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entries are read before, and in the transaction only those that concern something new."""
    plan(ledger, intent("one"), intent("two"), intent("three"))

    def meanwhile(*steps: Callable[[], object]) -> None:
        left = list(steps)
        monkeypatch.setattr("lead_assets.ledger.outbox.pack", lambda body: (left and left.pop()(), pack(body))[1])

    def left() -> None:
        ledger.outbox.depart(ledger.outbox.claim("h:1:0", "crm", 1), "h:1:0", POLICY)

    meanwhile(left)
    assert plan(ledger, intent("one", "b"), intent("two"), intent("three")) == {"new": 1, "changed": 0, "same": 2, "withdrawn": 0}
    meanwhile(lambda: plan(ledger, intent("one", "b")))
    assert plan(ledger, intent("one", "b"), intent("two"), intent("three", "b")) == {"new": 0, "changed": 2, "same": 1, "withdrawn": 0}


def test_a_kind_waits_for_the_one_it_needs(ledger: Ledger) -> None:
    plan(ledger, intent(kind="note", after="contact"), intent(kind="contact"))
    assert [parcel.kind for parcel in send(ledger, Fate("confirmed"))] == ["contact"]
    assert ledger.outbox.due(["crm"]) == 1
    assert [parcel.kind for parcel in send(ledger, Fate("confirmed"))] == ["note"]


def test_a_person_is_reached_so_often_and_no_more_in_all_campaigns_together(timed: Ledger, clock: Clock) -> None:
    policy = Policy(most_per_person=2, person_days=7)
    one = person_hash("one")
    for number in (1, 2, 3):
        timed.outbox.plan([intent("x", person=one, reaches=True, campaign_id=f"c{number}")], [f"c{number}"], ["crm"])
        going = timed.outbox.depart(timed.outbox.claim("h:1:0", "crm", 10), "h:1:0", policy)
        timed.outbox.settle([(parcel, Fate("confirmed")) for parcel in going], "h:1:0", policy)
        clock.pass_by(timedelta(days=1))
    assert [states(timed, f"c{number}")[0][1:] for number in (1, 2, 3)] == [("confirmed", None), ("confirmed", None), ("held", "capped")]
    clock.pass_by(timedelta(days=4))
    assert len(timed.outbox.depart(timed.outbox.claim("h:1:0", "crm", 10), "h:1:0", policy)) == 1


def test_only_what_changed_is_left_to_send_and_an_older_lead_overwrites_nothing(ledger: Ledger) -> None:
    one = person_hash("one")
    plan(ledger, intent("l1", person=one, as_of=SEEN + timedelta(days=1)))
    send(ledger, Fate("confirmed", wrote={"title": "VP", "score": "80"}, vendor_id="77"))
    plan(ledger, intent("l1", "b", person=one, as_of=SEEN + timedelta(days=1)), intent("l2", person=one))
    newer = ledger.outbox.claim("h:1:0", "crm", 10)[0]
    assert newer.mirror.vendor_id == "77"
    assert newer.changed({"title": "VP", "score": "81", "city": "Bonn"}) == {"score": "81", "city": "Bonn"}
    ledger.outbox.settle([(newer, Fate("confirmed"))], "h:1:0", POLICY)
    older = ledger.outbox.claim("h:1:0", "crm", 10)[0]
    assert older.changed({"title": "Clerk", "score": "10", "city": "Bonn"}) == {"city": "Bonn"}


def test_a_confirmed_entry_keeps_no_body_and_a_forgotten_person_leaves_nothing(ledger: Ledger) -> None:
    import sqlalchemy as sa

    plan(ledger, intent("l1"), intent("l2"))
    send(ledger, Fate("confirmed", wrote={"title": "VP"}), most=1)
    with sa.create_engine(ledger._db.url).connect() as connection:
        table = "lead_assets_ledger.outbox" if ledger._db.postgres else "outbox"
        assert [body is None for (body,) in connection.execute(sa.text(f"SELECT body FROM {table} ORDER BY id"))] == [True, False]
    assert ledger.outbox.forget([person_hash("l1@x.example")]) == {"sends": 2, "outbox": 1, "mirrors": 1}
    assert states(ledger) == [("l2", "waiting", None)]


@pytest.mark.parametrize("count", [400])
def test_the_newest_event_of_a_campaign_tells_whether_anything_happened(ledger: Ledger, count: int) -> None:
    plan(ledger, *(intent(f"l{n}") for n in range(count)))
    before = ledger.outbox.last_sends()
    assert before == {"c1": count}
    assert plan(ledger, *(intent(f"l{n}") for n in range(count)))["same"] == count
    assert ledger.outbox.last_sends() == before
    send(ledger, Fate("confirmed"), most=5)
    assert ledger.outbox.changed_since(count) == {"c1": count + 5}
