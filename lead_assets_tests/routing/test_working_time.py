"""When an answer is due, in the owner's working time, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lead_assets.routing.working_time import ALWAYS, Calendar, week_of

OFFICE = week_of(["mon-fri 09:00-17:00"])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "start", "hours", "due"),
    [
        ("Europe/Berlin", "2026-11-02T10:00", 2, "2026-11-02T12:00"),
        # Monday 16:00 local: one hour today, three tomorrow.
        ("Europe/Berlin", "2026-11-02T15:00", 4, "2026-11-03T11:00"),
        # Before work, after work, and at the weekend, the time begins when work does.
        ("Europe/Berlin", "2026-11-02T03:00", 1, "2026-11-02T09:00"),
        ("Europe/Berlin", "2026-11-06T20:00", 1, "2026-11-09T09:00"),
        ("America/New_York", "2026-11-02T10:00", 8, "2026-11-02T22:00"),
        # Friday before Berlin's clocks go back (25 October): an hour of Friday, and Monday is an hour later in UTC.
        ("Europe/Berlin", "2026-10-23T14:00", 2, "2026-10-26T09:00"),
        # And forward (29 March): Monday is an hour earlier.
        ("Europe/Berlin", "2026-03-27T15:00", 2, "2026-03-30T08:00"),
        ("Asia/Kolkata", "2026-11-02T03:00", 1, "2026-11-02T04:30"),
    ],
)
def test_an_answer_is_due_in_working_time(zone: str, start: str, hours: int, due: str) -> None:
    assert Calendar(OFFICE, zone).after(at(start), timedelta(hours=hours)) == at(due)


def test_who_works_around_the_clock_works_through_the_hour_that_the_clocks_skip_or_repeat() -> None:
    night = Calendar(week_of(["sun 00:00-24:00"]), "Europe/Berlin")
    # 29 March has 23 hours, 25 October 25: a minute more is the next Sunday's first.
    for day, midnight, length, later in (
        (date(2026, 3, 29), "2026-03-28T23:00", 23, "2026-04-04T22:01"),
        (date(2026, 10, 25), "2026-10-24T22:00", 25, "2026-10-31T23:01"),
    ):
        assert night.midnight(at(midnight)) == at(midnight)
        assert night.local_day(at(midnight)) == day
        assert night.after(at(midnight), timedelta(hours=length)) == at(midnight) + timedelta(hours=length)
        assert night.after(at(midnight), timedelta(hours=length, minutes=1)) == at(later)


def test_a_shift_in_the_hour_that_the_clocks_skip_has_no_time() -> None:
    early = Calendar(week_of(["sun 02:00-03:00", "mon 08:00-09:00"]), "Europe/Berlin")
    assert early.after(at("2026-03-28T23:00"), timedelta(minutes=30)) == at("2026-03-30T06:30")


@pytest.mark.parametrize(
    ("zone", "hours", "start", "minutes", "due"),
    [
        # Berlin skips 02:00 to 03:00: half an hour is left of the shift, so the other half is the next Sunday's.
        ("Europe/Berlin", "sun 01:30-02:30", "2026-03-29T00:00", 60, "2026-04-05T00:00"),
        ("America/New_York", "sun 01:30-02:30", "2026-03-08T06:00", 31, "2026-03-15T05:31"),
        ("America/New_York", "mon-sun 02:15-02:45", "2026-03-08T06:00", 1, "2026-03-09T06:16"),
        # Half an hour is skipped on Lord Howe, two hours in Troll, the hour after midnight in Santiago.
        ("Australia/Lord_Howe", "sun 01:45-02:15", "2026-10-03T15:00", 16, "2026-10-10T14:46"),
        ("Antarctica/Troll", "sun 02:30-03:30", "2026-03-29T00:00", 31, "2026-04-05T00:31"),
        ("America/Santiago", "sun 00:30-01:30", "2026-09-06T03:00", 31, "2026-09-13T03:31"),
    ],
)
def test_a_shift_that_begins_or_ends_in_skipped_time_has_only_what_is_left(
    zone: str, hours: str, start: str, minutes: int, due: str
) -> None:
    assert Calendar(week_of([hours]), zone).after(at(start), timedelta(minutes=minutes)) == at(due)


def test_days_away_are_not_worked() -> None:
    away = Calendar(OFFICE, "Europe/Berlin", ((date(2026, 11, 3), date(2026, 11, 4)),))
    assert away.after(at("2026-11-02T15:00"), timedelta(hours=2)) == at("2026-11-05T09:00")
    assert away.away_until(at("2026-11-02T22:59")) is None
    # Local days: it is the 3rd in Berlin from 23:00 UTC on.
    assert away.away_until(at("2026-11-02T23:00")) == date(2026, 11, 4)
    assert Calendar(((),) * 7).after(at("2026-11-02T15:00"), timedelta(hours=2)) is None
    assert Calendar(ALWAYS, away=((date(2026, 1, 1), date(2100, 1, 1)),)).after(at("2026-11-02T15:00"), timedelta(hours=2)) is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["9 to 5"], "'9 to 5' is not working hours: write days and times such as 'mon-fri 09:00-17:00'"),
        (["mon-fry 09:00-17:00"], "is not working hours"),
        (["mon 17:00-09:00"], "ends before it begins"),
        (["mon 09:00-25:00"], "is no time of day"),
        (["mon 09:00-12:00", "mon-tue 11:00-13:00"], "overlap"),
    ],
)
def test_hours_that_are_none_are_refused(lines: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        week_of(lines)


def test_hours_may_go_round_the_week_and_have_a_break() -> None:
    week = week_of(["sat-mon 9:00-12:00", "mon 13:00-17:00"])
    assert [len(day) for day in week] == [2, 0, 0, 0, 0, 1, 1]
