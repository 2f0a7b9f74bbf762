"""Reads plain values out of what others write: text, years, numbers, days, dollars and headcount bands. Anything unreadable is None.

Belongs here: one value in, one plain value out, whoever wrote it. Does not belong here: where a value is in an answer (each vendor's own parsers).
"""

from __future__ import annotations

import math
import re
from datetime import date
from functools import cache, lru_cache
from typing import Any

from lead_assets.core.number_words import alternatives


def text(value: Any) -> str | None:
    """Text without surrounding white space; numbers as printed; None if blank or not a scalar."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        value = str(value)
    return (value.replace("\x00", "") if "\x00" in value else value).strip() or None


def year(value: Any) -> int | None:
    """A year between 1000 and 2999, from "1998", "1998.0", "founded 1998" or 1998."""
    found = _YEAR.search(text(value) or "")
    return int(found[1]) if found else None


_YEAR = re.compile(r"(?<![\d.])([12]\d{3})(?!\d)", re.ASCII)


def texts(value: Any) -> list[str]:
    """The texts in a list, in order; an empty list if the value is not a list."""
    return [found for each in value if (found := text(each))] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """A finite number, from a number or plain decimal text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """A whole number that fits a 64-bit column."""
    if type(value) is int and abs(value) < 2**53:
        return value
    found = number(value)
    return int(found) if found is not None and found.is_integer() and abs(found) < 2**53 else None


def day(value: Any) -> date | None:
    """The day of an ISO date or date and time."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def usd(value: Any) -> float | None:
    """US dollars from a display amount: "$250,000,000", "$2.5M", 1000000. Amounts in other currencies give None."""
    found = re.fullmatch(r"(?i)\s*(?:US?D?\s*)?\$?\s*(\d[\d,]*(?:\.\d+)?)\s*([kmb])?\s*(?:USD)?\s*", text(value) or "", re.ASCII)
    if found is None:
        return None
    scale = {"k": 1e3, "m": 1e6, "b": 1e9}.get((found[2] or "").lower(), 1.0)
    return number(str(float(found[1].replace(",", "")) * scale))


@cache
def _band() -> re.Pattern[str]:
    under, over, about, people = (alternatives(kind) for kind in ("under", "over", "about", "people"))
    count = r"\d{1,9}(?:[.,]\d)?"
    return re.compile(
        rf"(?i)\s*(?:(?:{about})\.?\s*)?(?P<under>(?:{under})\b|[<≤])?\s*(?P<over>(?:{over})\b|[>≥])?\s*(?P<low>{count})(?P<lowk>k)?\s*"
        rf"(?:(?P<plus>\+|or more|und mehr|et plus|o más|ou mais)|(?:-|–|—|~|to|\.\.|bis|à|a|tot|till|til|do)\s*"
        rf"(?P<high>{count})(?P<highk>k)?)?\s*(?:{people})?\s*",
        re.ASCII,
    )


@lru_cache(maxsize=1024)
def headcount_band(value: str | None) -> tuple[int | None, int | None]:
    """Bounds of a headcount as providers and forms print it: "51-200", "10,001+", "1–10 employees", "5k-10k", "250", "< 5000", "mehr als 500". An open or
    missing bound is None.

    What is not one or two numbers gives (None, None): a wrong bound is worse than none, because scores are computed from it and owners chosen by it.
    """
    words = re.sub(r"(?<=\d)[.,\u00a0\u202f'’ ](?=\d{3}(?!\d))", "", value or "")
    found = _band().fullmatch(words)
    if found is None:
        return None, None
    low = _people(found["low"], found["lowk"])
    if low is None:
        return None, None
    if found["under"]:
        return (None, low) if found["high"] is None else (None, None)
    if found["plus"] or found["over"]:
        return (low, None) if found["high"] is None else (None, None)
    high = _people(found["high"], found["highk"]) if found["high"] else low
    return (low, high) if high is not None and low <= high else (None, None)


def _people(digits: str, thousands: str | None) -> int | None:
    """ "2.5" with a k is 2500; without one, half a person is none."""
    number = float(digits.replace(",", ".")) * (1000 if thousands else 1)
    return int(number) if number.is_integer() else None
