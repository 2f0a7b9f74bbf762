"""Parses pipe0's answers: journaled body in, a signal's value columns out.

Does not belong here: HTTP, states and prices. Bodies are parsed from the journal on every build, so a fix here also reaches answers bought long ago.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from lead_assets.contracts.base import canonical_json
from lead_assets.core.values import day, headcount_band, number, text, texts, usd, whole, year
from lead_assets.vendors.answers import Parser, Values


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


def tech_stack(body: Any) -> Values | None:
    """Fields of pipe0's company:techstack:builtwith. The list is also in the match, which is all that some answers have."""
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


def funding(body: Any) -> Values | None:
    """Fields of pipe0's company:funding:leadmagic. Amounts of a round are display text ("$250,000,000")."""
    listed = pipe0_value(body, "funding_history")
    rounds = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    total = number(pipe0_value(body, "funding_total_usd"))
    if total is None and not rounds:
        return None
    # Undated rounds come last, so that "latest" has a known date, whatever the order in the answer.
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


def news(body: Any) -> Values | None:
    """Field of pipe0's company:newssummary."""
    summary = text(pipe0_value(body, "company_news_summary"))
    return {"news_summary": summary} if summary else None


def linkedin_posts(body: Any) -> Values | None:
    """Fields of pipe0's people:posts:crustdata. Reposts without a comment by the person are left out."""
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
    """The value of a field if pipe0 completed it, otherwise None."""
    return pipe0_values(body).get(name)


def pipe0_values(body: Any) -> Values:
    """The values of all fields that pipe0 completed, by name."""
    # Bodies come from JSON, so a mapping is always a dict; checking for exactly that makes rebuilds much faster.
    fields = body.get("fields") if isinstance(body, dict) else None
    if not isinstance(fields, dict):
        return {}
    return {name: field.get("value") for name, field in fields.items() if isinstance(field, dict) and field.get("status") == "completed"}


def _name(value: Any) -> Any:
    return value.get("name") if isinstance(value, dict) else value


PARSERS: dict[str, Parser] = {
    "pipe0_company_overview": company_overview,
    "pipe0_tech_stack": tech_stack,
    "pipe0_funding": funding,
    "pipe0_news": news,
    "pipe0_linkedin_posts": linkedin_posts,
}
"""Parsers by the names used in rules/signals.yaml."""
