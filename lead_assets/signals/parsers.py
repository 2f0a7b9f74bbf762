"""What a provider's answer says: journaled body in, the contract's value columns out.

Belongs here: one function a source, registered by the name that rules/signals.yaml uses. Does not belong here: HTTP, states and prices. Bodies are
parsed from the journal on every build, so a fix here reaches answers that were bought long ago.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

from lead_assets.contracts.base import canonical_json

Values = dict[str, Any]

Parser = Callable[[Any], Values | None]
"""A journaled body to the signal's value columns; None where it holds nothing usable, and the next source is asked."""

PARSERS: dict[str, Parser] = {}


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
    said = pipe0_values(body)
    headcount = text(said.get("headcount"))
    low, high = headcount_band(headcount)
    values: Values = {
        "company_description": text(said.get("company_description")),
        "company_industry": text(said.get("company_industry")),
        "company_region": text(said.get("company_region")),
        "estimated_revenue": text(said.get("estimated_revenue")),
        "founded_year": year(said.get("founded_year")),
        "headcount": headcount,
        "headcount_min": low,
        "headcount_max": high,
    }
    return values if any(value is not None for value in values.values()) else None


@parser("pipe0_tech_stack")
def tech_stack(body: Any) -> Values | None:
    """Fields of pipe0's company:techstack:builtwith. The list is in the match as well, which is all that some answers have."""
    match = pipe0_value(body, "technology_match_builtwith")
    match = match if isinstance(match, dict) else {}
    names = texts(pipe0_value(body, "technology_list")) or texts(match.get("technology_list"))
    tags = match.get("technologies_by_tag")
    by_tag = {str(tag): found for tag, listed in tags.items() if (found := texts(listed))} if isinstance(tags, dict) else {}
    if not names and not by_tag:
        return None
    trend = number(pipe0_value(body, "spending_trend"))
    return {
        "technologies": sorted(set(names or [name for listed in by_tag.values() for name in listed])),
        "technologies_by_tag": canonical_json(by_tag) if by_tag else None,
        "spending_trend": number(match.get("spending_trend")) if trend is None else trend,
    }


@parser("pipe0_funding")
def funding(body: Any) -> Values | None:
    """Fields of pipe0's company:funding:leadmagic. Amounts of a round are display text ("$250,000,000")."""
    listed = pipe0_value(body, "funding_history")
    rounds = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    total = number(pipe0_value(body, "funding_total_usd"))
    if total is None and not rounds:
        return None
    # Undated rounds come last, so that "latest" is one whose date is known, whatever the order of the answer.
    latest = max(rounds, key=lambda each: (day(each.get("date")) or date.min, text(each.get("round")) or ""), default={})
    backers = [each.get("investors") for each in rounds]
    names = {name for listed in backers if isinstance(listed, list) for each in listed if (name := text(_name(each)))}
    return {
        "funding_total_usd": total,
        "funding_rounds": len(rounds) or None,
        "latest_round": text(latest.get("round")),
        "latest_round_on": day(latest.get("date")),
        "latest_round_usd": usd(latest.get("amount")),
        "investors": sorted(names) or None,
        "funding_history": canonical_json(rounds) if rounds else None,
    }


@parser("pipe0_news")
def news(body: Any) -> Values | None:
    """Field of pipe0's company:newssummary."""
    summary = text(pipe0_value(body, "company_news_summary"))
    return {"news_summary": summary} if summary else None


@parser("pipe0_linkedin_posts")
def linkedin_posts(body: Any) -> Values | None:
    """Fields of pipe0's people:posts:crustdata. Reposts without a thought of the person's own say nothing and are left out."""
    listed = pipe0_value(body, "crustdata_post_list")
    posts = [post for post in listed if isinstance(post, dict)] if isinstance(listed, list) else []
    posts = [post for post in posts if text(post.get("text")) and post.get("is_repost_without_thoughts") is not True]
    if not posts:
        return None
    posts.sort(key=lambda post: (day(post.get("date_posted")) or date.min, str(post.get("share_urn"))), reverse=True)
    days = [posted for post in posts if (posted := day(post.get("date_posted")))]
    return {
        "post_count": len(posts),
        "latest_post_on": max(days, default=None),
        "total_reactions": sum(count for post in posts if (count := whole(post.get("total_reactions")))),
        "post_texts": [text(post.get("text")) for post in posts],
        "posts": canonical_json(posts),
    }


def pipe0_value(body: Any, name: str) -> Any:
    """The value of a field that pipe0 completed, else None."""
    return pipe0_values(body).get(name)


def pipe0_values(body: Any) -> Values:
    """The values of all fields that pipe0 completed, by name."""
    # Bodies come out of JSON, so a mapping is a dict, and asking for just that is most of the speed of a rebuild.
    fields = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(fields, dict):
        return {}
    return {name: field.get("value") for name, field in fields.items() if isinstance(field, dict) and field.get("status") == "completed"}


def text(value: Any) -> str | None:
    """Text without surrounding white space; numbers as they print; None for what is blank or not a scalar."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        value = str(value)
    return value.replace("\x00", "").strip() or None


def year(value: Any) -> int | None:
    """A year between 1000 and 2999 out of "1998", "1998.0", "founded 1998" or 1998."""
    found = _YEAR.search(text(value) or "")
    return int(found[1]) if found else None


_YEAR = re.compile(r"(?<![\d.])([12]\d{3})(?!\d)", re.ASCII)


def texts(value: Any) -> list[str]:
    """The texts of a list, in order; an empty list for what is none."""
    return [found for each in value if (found := text(each))] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """A finite number out of a number or plain decimal text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """A whole number that a 64-bit column can hold."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() and abs(found) < 2**53 else None


def day(value: Any) -> date | None:
    """The day of an ISO date or date and time."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def usd(value: Any) -> float | None:
    """US dollars out of a display amount: "$250,000,000", "$2.5M", 1000000. An amount in another currency is not dollars: None."""
    found = re.fullmatch(r"(?i)\s*(?:US?D?\s*)?\$?\s*(\d[\d,]*(?:\.\d+)?)\s*([kmb])?\s*(?:USD)?\s*", text(value) or "", re.ASCII)
    if found is None:
        return None
    scale = {"k": 1e3, "m": 1e6, "b": 1e9}.get((found[2] or "").lower(), 1.0)
    return number(str(float(found[1].replace(",", "")) * scale))


def _name(value: Any) -> Any:
    return value.get("name") if isinstance(value, dict) else value


@lru_cache(maxsize=1024)
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
