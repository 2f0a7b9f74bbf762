"""What is asked for again, when, and how often."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from lead_assets.ledger import Ledger
from lead_assets.ledger.misses import MOST_AT_ONCE, Cursor, Miss, due
from lead_assets_tests.ledger.conftest import Clock

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(seconds=15), NOW - timedelta(seconds=1)


def miss(campaign: str, provider: str = "apollo", ago: float = 60.0) -> Miss:
    return Miss(campaign, provider, NOW - timedelta(seconds=ago), f"run of {campaign}")


def turns(
    *lacking: Miss,
    circuits: Mapping[str, datetime] | None = None,
    paused: Collection[str] = (),
    under_way: Collection[str] = (),
    asked: Cursor | None = None,
) -> tuple[list[str], Cursor]:
    found, cursor = due(sorted(lacking, key=lambda each: each.place), circuits or {}, paused, under_way, asked or {}, NOW)
    return [each.campaign_id for each in found], cursor


def test_nothing_is_asked_for_while_a_circuit_is_open_or_a_provider_paused() -> None:
    lacking = (miss("a"), miss("b", "pipe0"))
    assert turns(*lacking, circuits={"apollo": LATER})[0] == ["b"]
    assert turns(*lacking, paused={"pipe0"})[0] == ["a"]
    assert turns(*lacking, paused={""})[0] == []


def test_when_a_circuits_time_is_up_one_campaign_tries_and_the_others_wait_for_it() -> None:
    lacking = [miss(name, ago=60) for name in "abc"]
    first, cursor = turns(*lacking, circuits={"apollo": BEFORE})
    assert first == ["a"]
    assert turns(*lacking, circuits={"apollo": NOW})[0] == ["a"], "a circuit is open until its time and no longer"
    assert turns(*lacking, circuits={"apollo": BEFORE}, under_way={"a"}, asked=cursor)[0] == []
    # It closed: the others, and not the first again.
    assert turns(*lacking[1:], asked=cursor)[0] == ["b", "c"]
    # It did not: the first stands last now, the second tries.
    assert turns(*lacking[1:], miss("a", ago=1), circuits={"apollo": BEFORE}, asked=cursor)[0] == ["b"]


def test_each_is_asked_for_once() -> None:
    lacking = [miss(name) for name in "abc"]
    asked, cursor = turns(*lacking)
    assert asked == ["a", "b", "c"]
    assert turns(*lacking, asked=cursor) == ([], cursor)
    assert turns(*lacking, miss("b", ago=5), asked=cursor)[0] == ["b"], "what a later run misses is a new miss"


def test_a_campaign_that_lacks_two_providers_is_asked_for_once_for_both() -> None:
    lacking = (miss("a"), miss("a", "pipe0"), miss("b", "pipe0"))
    asked, cursor = turns(*lacking)
    assert asked == ["a", "b"]
    assert turns(*lacking, asked=cursor)[0] == []


def test_a_campaign_of_a_run_that_goes_on_keeps_its_place() -> None:
    lacking = [miss(name) for name in "abc"]
    asked, cursor = turns(*lacking, under_way={"b"})
    assert asked == ["a"]
    assert turns(*lacking, asked=cursor)[0] == ["b", "c"]


def test_many_are_asked_for_a_few_at_a_time_and_the_cursor_stays_small() -> None:
    lacking = [miss(f"c{number:04}") for number in range(60)]
    cursor: Cursor = {}
    seen: list[str] = []
    while True:
        asked, cursor = turns(*lacking, asked=cursor)
        assert len(asked) <= MOST_AT_ONCE
        assert len(cursor) == 1
        if not asked:
            break
        seen += asked
    assert seen == [each.campaign_id for each in lacking]
    assert turns(asked=cursor) == ([], {}), "a provider that nobody lacks is forgotten"


def asked_for(ledger: Ledger, cursor: Cursor | None = None) -> list[tuple[str, str, str]]:
    return [(each.campaign_id, each.provider, each.run_id) for each in ledger.due_again((), cursor or {})[0]]


def test_a_table_that_is_made_again_without_a_lack_is_off_the_list(timed: Ledger, clock: Clock) -> None:
    timed.note_misses("signals.news", ["a", "b"], {("a", "pipe0"), ("b", "pipe0")}, "first")
    clock.pass_by(timedelta(seconds=5))
    timed.note_misses("signals.funding", ["a"], {("a", "pipe0")}, "second")
    assert asked_for(timed) == [("b", "pipe0", "first"), ("a", "pipe0", "second")]
    timed.note_misses("signals.news", ["b"], [], "third")
    timed.note_misses("signals.funding", ["a"], [], "third")
    assert asked_for(timed) == [("a", "pipe0", "first")], "its other table still lacks something"
    timed.note_misses("signals.news", ["a"], [], "third")
    assert asked_for(timed) == []


def test_who_was_asked_for_again_in_vain_is_given_up_unless_there_is_an_outage(timed: Ledger, clock: Clock) -> None:
    timed.note_misses("signals.news", ["a"], {("a", "pipe0")}, "first")
    timed.note_misses("signals.news", ["a"], {("a", "pipe0")}, "again", asked_again=True)
    assert asked_for(timed) == []
    timed.note_misses("signals.news", ["a"], {("a", "pipe0")}, "a person's")
    assert asked_for(timed) == [("a", "pipe0", "a person's")]
    for _ in range(8):
        timed.note_failure("pipe0")
    timed.note_misses("signals.news", ["a"], {("a", "pipe0")}, "again", asked_again=True)
    assert asked_for(timed) == []
    clock.pass_by(timedelta(seconds=20))
    assert asked_for(timed) == [("a", "pipe0", "again")]


def test_of_one_campaigns_misses_the_newest_counts_whichever_table_it_is_of(timed: Ledger, clock: Clock) -> None:
    timed.note_misses("signals.news", ["a"], {("a", "pipe0")}, "first")
    clock.pass_by(timedelta(minutes=1))
    timed.note_misses("signals.funding", ["a"], {("a", "pipe0")}, "second")
    assert asked_for(timed) == [("a", "pipe0", "second")]
