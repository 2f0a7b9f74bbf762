"""What a provider's answer says: journaled body in, the contract's value columns out.

Belongs here: one function a source, registered by the name that rules/signals.yaml uses. Does not belong here: HTTP, states and prices. Bodies are
parsed from the journal on every build, so a fix here reaches answers that were bought long ago.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Values = dict[str, Any]

Parser = Callable[[Any], Values | None]
"""A journaled body to the signal's value columns; None where it holds nothing usable, and the next source is asked."""

PARSERS: dict[str, Parser] = {}

_INT64_MAX = 2**63 - 1


def parser(name: str) -> Callable[[Parser], Parser]:
    """Registers a parser under the name that rules/signals.yaml calls it by."""

    def register(function: Parser) -> Parser:
        if name in PARSERS:
            raise ValueError(f"two parsers are called '{name}'")
        PARSERS[name] = function
        return function

    return register


@parser("pipe0_company_overview")
def company_overview(body: Any) -> Values | None:
    """Fields of pipe0's company:overview, all text on the wire."""
    headcount = text(pipe0_value(body, "headcount"))
    low, high = headcount_band(headcount)
    values: Values = {
        "company_description": text(pipe0_value(body, "company_description")),
        "company_industry": text(pipe0_value(body, "company_industry")),
        "company_region": text(pipe0_value(body, "company_region")),
        "estimated_revenue": text(pipe0_value(body, "estimated_revenue")),
        "founded_year": year(pipe0_value(body, "founded_year")),
        "headcount": headcount,
        "headcount_min": low,
        "headcount_max": high,
    }
    return values if any(value is not None for value in values.values()) else None


def pipe0_value(body: Any, name: str) -> Any:
    """The value of a field that pipe0 completed, else None."""
    field = (body or {}).get("fields", {}).get(name)
    return field.get("value") if isinstance(field, Mapping) and field.get("status") == "completed" else None


def text(value: Any) -> str | None:
    """Text without surrounding white space; numbers as they print; None for what is blank or not a scalar."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).replace("\x00", "").strip() or None


def year(value: Any) -> int | None:
    """A year between 1000 and 2999 out of "1998", "1998.0", "founded 1998" or 1998."""
    found = re.findall(r"(?<![\d.])([12]\d{3})(?!\d)", text(value) or "", re.ASCII)
    return int(found[0]) if found else None


def headcount_band(value: str | None) -> tuple[int | None, int | None]:
    """Bounds of a headcount as providers print it: "51-200", "10,001+", "1–10 employees", "5k-10k", "250". An open or missing bound is None.

    What is not one or two whole numbers gives (None, None): a wrong bound is worse than none, because scores are computed from it.
    """
    words = re.sub(r"(?<=\d)[.,\u00a0\u202f'’ ](?=\d{3}(?!\d))", "", value or "")
    found = re.fullmatch(
        r"(?i)\s*(?P<under><|under|less than|up to)?\s*(?P<over>>|over|more than)?\s*(?P<low>\d{1,9})(?P<lowk>k)?\s*"
        r"(?:(?P<plus>\+|or more)|(?:-|–|—|to|\.\.)\s*(?P<high>\d{1,9})(?P<highk>k)?)?\s*(?:employees|people|staff|fte)?\s*",
        words,
        re.ASCII,
    )
    if found is None:
        return None, None
    low = int(found["low"]) * (1000 if found["lowk"] else 1)
    if found["under"]:
        return None, low
    if found["plus"] or found["over"]:
        return low, None
    high = int(found["high"]) * (1000 if found["highk"] else 1) if found["high"] else low
    return (low, high) if low <= high else (None, None)
