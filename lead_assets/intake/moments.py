"""Reads times as senders write them: ISO 8601, epochs, days in any order, month names, day numbers of spreadsheets.

An ambiguous day is read in the order that its shape declares, or else in the order that other values in its column show. Nothing here uses a clock, so
"yesterday" is not a time. Does not belong here: whole columns of plain UTC times, which are read at once (see `typed`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

Order = Literal["day_first", "month_first"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPREADSHEET = datetime(1899, 12, 30, tzinfo=UTC)
"""Day 0 of Excel and of Google Sheets."""
_DAY = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[./-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})(?:,?\s+(?:at\s+|um\s+|à\s+)?(?P<time>.+))?"
)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})[./](?P<month>\d{1,2})[./](?P<day>\d{1,2})(?:,?\s+(?P<time>.+))?")
_CLOCK = re.compile(
    r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d+)?)?\s*(am|pm|a\.m\.|p\.m\.)?\s*(?:(utc|gmt|z)?([+-]\d{2}:?\d{2})?)?", re.IGNORECASE
)


def order_of(texts: Iterable[str]) -> Order | None:
    """The order of day and month shown by a column's values with a number above 12. None if there are none or they contradict each other."""
    shown: set[Order] = set()
    for text in texts:
        if found := _DAY.fullmatch(text.strip()):
            first, second = int(found["first"]), int(found["second"])
            if first > 12 >= second:
                shown.add("day_first")
            elif second > 12 >= first:
                shown.add("month_first")
            elif found["mark"] == ".":
                shown.add("day_first")
    return shown.pop() if len(shown) == 1 else None


def moment(item: Any, order: Order | None = None) -> int | None:
    """Microseconds since 1970 (UTC if no zone is given); None if it is not a time."""
    if type(item) is int or type(item) is float:
        return _of_number(item)
    return _of_text(item.strip(), order) if type(item) is str else None


def _of_number(number: float) -> int | None:
    """Decided by size: a spreadsheet's day number (1954 to 2119), or an epoch in seconds, milliseconds or microseconds (from 1973)."""
    if math.isnan(number):
        return None
    if 20_000 <= number < 80_000:
        return _micros(_SPREADSHEET + timedelta(seconds=round(number * 86_400)))
    for low, scale in ((1e8, 1_000_000), (1e11, 1_000), (1e14, 1)):
        if low <= number < low * 100:
            return int(number * scale)
    return None


@lru_cache(maxsize=16_384)
def _of_text(text: str, order: Order | None) -> int | None:
    try:
        return _micros(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        pass
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return _of_number(float(text))
    if found := _YEAR_FIRST.fullmatch(text):
        return _at(int(found["year"]), int(found["month"]), int(found["day"]), found["time"])
    if found := _DAY.fullmatch(text):
        first, second, year = int(found["first"]), int(found["second"]), int(found["year"])
        year += 2000 if year < 70 else 1900 if year < 100 else 0
        if first <= 12 and second <= 12 and first != second:
            if order is None and found["mark"] == ".":
                order = "day_first"
            if order is None:
                return None
        elif first > 12:
            order = "day_first"
        else:
            order = "month_first"
        day, month = (first, second) if order == "day_first" else (second, first)
        return _at(year, month, day, found["time"])
    return _in_words(text) if re.search(r"\d", text) and re.search(r"[^\W\d_]", text) and len(text) <= 80 else None


def _at(year: int, month: int, day: int, clock: str | None) -> int | None:
    hour = minute = second = 0
    zone = UTC
    if clock:
        found = _CLOCK.fullmatch(clock.strip())
        if found is None:
            return None
        hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
        if found[4]:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if found[4][0] in "pP" else 0)
        if found[6]:
            zone = datetime.strptime(found[6].replace(":", ""), "%z").tzinfo  # type: ignore[assignment]
    try:
        return _micros(datetime(year, month, day, hour, minute, second, tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _in_words(text: str) -> int | None:
    r"""Like "Nov 3, 2026 5:04 pm", "3 novembre 2026", "Tue, 03 Nov 2026 17:04:00 +0000". Day, month and year must all be given."""
    from dateutil import parser

    low, high = datetime(1904, 1, 1), datetime(1996, 12, 31)
    try:
        # Missing parts would come from the default, so parse with two defaults that differ in every part to see whether any is missing.
        first, second = (parser.parse(text, default=default, tzinfos={}) for default in (low, high))
        if first.replace(hour=0, minute=0, second=0) == second.replace(hour=0, minute=0, second=0):
            return _micros(parser.parse(text, default=low))
    except (ValueError, OverflowError, TypeError):
        pass
    import dateparser

    found = dateparser.parse(
        text,
        settings={
            "PARSERS": ["absolute-time"],
            "REQUIRE_PARTS": ["day", "month", "year"],
            "STRICT_PARSING": True,
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": True,
            "RELATIVE_BASE": datetime(2000, 1, 1),
        },
    )
    return _micros(found) if found else None


def _micros(moment: datetime) -> int:
    since = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
