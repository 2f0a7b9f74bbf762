"""Working time: weekly hours in a time zone, absences, and the moment at which an amount of working time has passed.

Hours are local: on the day the clocks change, 00:00-24:00 has 23 or 25 hours, and 09:00 is 09:00 before and after. Own code, because the libraries for it
(businesstimedelta, businesstime) have had no release since 2019, and business-duration measures a span but does not find its end.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE = re.compile(r"^(\w{3})(?:\s*-\s*(\w{3}))?\s+(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)$")
_LONGEST = timedelta(days=3660)
"""How far ahead an end is looked for: whoever is away for ten years has none."""

Week = tuple[tuple[tuple[int, int], ...], ...]
"""Per weekday from Monday, the working spans in minutes from midnight."""


@dataclass(frozen=True)
class Calendar:
    """When somebody works."""

    week: Week
    zone: str = "UTC"
    away: tuple[tuple[date, date], ...] = ()
    """First and last day of each absence, local."""

    def local_day(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.zone)).date()

    def midnight(self, moment: datetime) -> datetime:
        """The beginning of the local day, in UTC."""
        return _utc(self.local_day(moment), 0, ZoneInfo(self.zone))

    def away_until(self, moment: datetime) -> date | None:
        """The last day of the absence that the moment falls into; None if there is none."""
        day = self.local_day(moment)
        return max((last for first, last in self.away if first <= day <= last), default=None)

    def after(self, start: datetime, span: timedelta) -> datetime | None:
        """The moment at which `span` of working time has passed since `start`, in UTC; None if it does not come within ten years."""
        left = span
        for begin, end in self._spans(start):
            begin = max(begin, start)
            if end - begin >= left:
                return begin + left
            left -= max(end - begin, timedelta(0))
        return None

    def _spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        zone = ZoneInfo(self.zone)
        day = start.astimezone(zone).date()
        if not any(self.week):
            return
        for _ in range(_LONGEST.days):
            if not any(first <= day <= last for first, last in self.away):
                for begin, end in self.week[day.weekday()]:
                    yield _utc(day, begin, zone), _utc(day, end, zone)
            day += timedelta(days=1)


def _utc(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """A local time in UTC. A time that the clocks skip is the moment they skip it; of one that comes twice, the first."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    late, early = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if late <= early:
        return late
    before = early.astimezone(zone).utcoffset()
    skipped = [early + timedelta(minutes=minute) for minute in range((late - early) // timedelta(minutes=1) + 1)]
    return skipped[bisect_left(skipped, True, key=lambda moment: moment.astimezone(zone).utcoffset() != before)]


ALWAYS: Week = (((0, 24 * 60),),) * 7
"""Around the clock, for whom no hours are declared."""


def week_of(lines: Iterable[str]) -> Week:
    """Reads "mon-thu 09:00-17:30", "fri 9:00-15:00". Raises ValueError with the next step."""
    week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for line in lines:
        found = _LINE.match(line.strip().lower())
        if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
            raise ValueError(f"'{line}' is not working hours: write days and times such as 'mon-fri 09:00-17:00'")
        begin, end = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
        if not 0 <= begin < end <= 24 * 60 or int(found[4]) > 59 or int(found[6]) > 59:
            raise ValueError(f"'{line}' ends before it begins or is no time of day: write a night as two lines, the first to 24:00")
        for day in _days(DAYS.index(found[1]), DAYS.index(found[2] or found[1])):
            week[day].append((begin, end))
    for spans in week:
        spans.sort()
        if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
            raise ValueError("working hours of one day overlap: merge them")
    return tuple(tuple(spans) for spans in week)


def _days(first: int, last: int) -> Sequence[int]:
    """fri-mon is Friday to Monday."""
    return [day % 7 for day in range(first, last + 1 if last >= first else last + 8)]


def known_zone(name: str) -> bool:
    return name in available_timezones()
