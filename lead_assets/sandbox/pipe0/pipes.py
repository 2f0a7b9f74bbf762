"""The five pipes of pipe0's 0.0.x catalog: what each needs, finds and costs.

To add a pipe, add a `Pipe` to PIPES.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from lead_assets.sandbox.chance import Dice
from lead_assets.sandbox.world import TODAY, company, domain_of, name_of_slug, slug_of

CREDIT_NANOS = 30_000_000
"""One credit is about three US cents."""
NO_RESULT = ("NoResult", "No result")
UNKNOWN_COMPANIES = 0.12
"""Share of domains unknown to the overview."""


@dataclass(frozen=True)
class PipeOutcome:
    """A pipe's result for one record."""

    status: Literal["completed", "no_result", "skipped", "failed"]
    values: dict[str, Any] = field(default_factory=dict)
    reason: tuple[str, str] | None = None


@dataclass(frozen=True)
class Pipe:
    id: str
    needs: tuple[tuple[str, ...], ...]
    """Input fields: at least one of each group."""
    outputs: dict[str, bool]
    """Output fields, and whether they are on by default."""
    price: float
    """Credits; for `people:posts:crustdata@1`, per post."""
    mode: Literal["always", "onSuccess"]
    find: Callable[[str, dict[str, Any]], PipeOutcome]

    def subject(self, given: dict[str, Any]) -> str | None:
        """The subject of the question: a domain or a profile; None if an input is missing."""
        for name in ("company_website_url", "company_profile_url", "profile_url", "company_name"):
            value = given.get(name)
            if isinstance(value, str) and value.strip():
                if name == "company_website_url":
                    return domain_of(value) or None
                if name == "profile_url":
                    return f"linkedin.com/in/{slug_of(value)}"
                return f"{slug_of(value) if name == 'company_profile_url' else value.strip().lower().replace(' ', '-')}.com"
        return None

    def credits(self, config: dict[str, Any]) -> float:
        return self.price * _post_limit(config) if self.id == POSTS else self.price


OVERVIEW, TECHSTACK, FUNDING = "company:overview@2", "company:techstack:builtwith@1", "company:funding:leadmagic@1"
NEWS, POSTS = "company:newssummary:website@1", "people:posts:crustdata@1"


@lru_cache(maxsize=20_000)
def _overview(domain: str) -> PipeOutcome:
    facts = company(domain)
    if facts.dice.chance("unknown to pipe0", UNKNOWN_COMPANIES):
        return PipeOutcome("no_result", reason=NO_RESULT)
    values = {
        "company_description": facts.description,
        "company_industry": facts.industry.name,
        "company_region": facts.region,
        "estimated_revenue": facts.revenue_band,
        "founded_year": str(facts.founded_year),
        "headcount": facts.headcount_band,
        "company_name": facts.name,
    }
    # A vendor that knows a company rarely knows everything about it.
    absent = [name for name in ("estimated_revenue", "founded_year") if facts.dice.chance(f"overview lacks {name}", 0.08)]
    return PipeOutcome("completed", {name: value for name, value in values.items() if name not in absent})


def _techstack(domain: str) -> PipeOutcome:
    facts = company(domain)
    if facts.dice.chance("unknown to builtwith", 0.1):
        return PipeOutcome("no_result", reason=NO_RESULT)
    trend = round(facts.dice.unit("spending trend") - 0.3, 2)
    monthly = 200 + 12 * facts.headcount
    history = [
        {"date": (TODAY - timedelta(days=30 * back)).isoformat(), "spend_usd": round(monthly * (1 - trend * back / 12))}
        for back in (2, 1, 0)
    ]
    match = {
        "spend_history": history,
        "spending_trend": trend,
        "technology_list": facts.technologies,
        "technologies_by_tag": facts.stack,
    }
    return PipeOutcome("completed", {"technology_list": facts.technologies, "technology_match_builtwith": match, "spending_trend": trend})


def _funding(domain: str) -> PipeOutcome:
    facts = company(domain)
    if not facts.rounds:
        return PipeOutcome("no_result", reason=NO_RESULT)
    history = [
        {
            "round": each.stage,
            "date": each.day.isoformat(),
            "amount": f"${each.amount_usd:,}",
            "investors": [{"name": investor} for investor in each.investors],
        }
        for each in reversed(facts.rounds)
    ]
    news = [{"title": item.title, "outlet_name": item.outlet, "date": item.day.isoformat()} for item in facts.news]
    return PipeOutcome(
        "completed", {"funding_history": history, "funding_total_usd": facts.funding_total_usd, "leadmagic_company_news_list": news}
    )


def _news(domain: str) -> PipeOutcome:
    facts = company(domain)
    if not facts.news:
        return PipeOutcome("no_result", reason=NO_RESULT)
    lines = [f"- **{item.title}** ({item.outlet}, {item.day:%d %B %Y})" for item in facts.news]
    return PipeOutcome("completed", {"company_news_summary": f"Recent news about {facts.name}:\n\n" + "\n".join(lines)})


def _posts(subject: str, config: dict[str, Any]) -> PipeOutcome:
    slug = slug_of(subject)
    dice, (first, last) = Dice("posts", slug), name_of_slug(slug)
    count = min(_post_limit(config), max(0, dice.between("count", -2, 8)))
    if not count:
        return PipeOutcome("no_result", reason=NO_RESULT)
    texts = (
        "We are hiring for our operations team.",
        "Proud of what the team shipped this quarter.",
        "Three lessons from moving our reporting to one warehouse.",
        "Speaking next month about AI in back offices. Come and say hello.",
        "Closed our biggest deal of the year.",
    )
    posts = []
    for index in range(count):
        number, likes = dice.number(f"post {index}") % 10**19, dice.between(f"likes {index}", 0, 240)
        posts.append(
            {
                "backend_urn": f"urn:li:activity:{number}",
                "actor_backend_urn": f"urn:li:member:{dice.number('member') % 10**9}",
                "share_urn": f"urn:li:share:{number + 1}",
                "share_url": f"https://www.linkedin.com/feed/update/urn:li:activity:{number}",
                "text": dice.pick(f"text {index}", texts),
                "actor_name": f"{first} {last}".strip(),
                "hyperlinks": {"company_linkedin_urls": [], "person_linkedin_urls": [], "other_urls": []},
                "date_posted": (TODAY - timedelta(days=dice.between(f"day {index}", 1, 180))).isoformat(),
                "total_reactions": likes,
                "total_comments": likes // 9,
                "reactions_by_type": {"LIKE": likes - likes // 5, "PRAISE": likes // 5},
                "num_shares": likes // 30,
                "is_repost_without_thoughts": False,
                "reactors": [],
            }
        )
    posts.sort(key=lambda post: str(post["date_posted"]), reverse=True)
    return PipeOutcome("completed", {"crustdata_post_list": posts, "post_list_string": [post["text"] for post in posts]})


def _post_limit(config: dict[str, Any]) -> int:
    """Posts are sold in steps of five."""
    limit = config.get("limit", 5)
    return 5 * math.ceil(limit / 5) if isinstance(limit, int) and limit > 0 else 5


_BY_SITE = (("company_website_url",),)
PIPES: dict[str, Pipe] = {
    pipe.id: pipe
    for pipe in (
        Pipe(
            OVERVIEW,
            (("company_website_url", "company_profile_url"),),
            {
                "company_description": True,
                "company_industry": True,
                "company_region": True,
                "estimated_revenue": True,
                "founded_year": True,
                "headcount": True,
                "company_name": False,
            },
            1,
            "always",
            lambda subject, config: _overview(subject),
        ),
        Pipe(
            TECHSTACK,
            _BY_SITE,
            {"technology_list": True, "technology_match_builtwith": True, "spending_trend": True},
            2,
            "always",
            lambda subject, config: _techstack(subject),
        ),
        Pipe(
            FUNDING,
            (("company_name", "company_website_url"),),
            {
                "funding_history": True,
                "funding_total_usd": True,
                "leadmagic_acquisition_history": False,
                "leadmagic_company_news_list": False,
                "leadmagic_competitor_list": False,
            },
            2,
            "onSuccess",
            lambda subject, config: _funding(subject),
        ),
        Pipe(NEWS, _BY_SITE, {"company_news_summary": True}, 1, "always", lambda subject, config: _news(subject)),
        Pipe(POSTS, (("profile_url",),), {"crustdata_post_list": True, "post_list_string": True}, 1.5, "onSuccess", _posts),
    )
}

_FORMATS = {
    "company_description": "markdown",
    "company_news_summary": "markdown",
    "company_website_url": "website_url",
    "profile_url": "profile_url",
    "email": "email",
    "funding_total_usd": "currency",
    "spending_trend": "percent",
    "technology_list": "json_list_string",
    "post_list_string": "json_list_string",
    "funding_history": "json_list",
    "crustdata_post_list": "json_list",
    "technology_match_builtwith": "json_object",
}
_NUMBERS = ("funding_total_usd", "spending_trend")


def type_of(name: str, value: Any) -> str:
    if name in _NUMBERS or (isinstance(value, int | float) and not isinstance(value, bool)):
        return "number"
    if isinstance(value, bool):
        return "boolean"
    return "json" if isinstance(value, dict | list) or _FORMATS.get(name, "").startswith("json") else "string"


def format_of(name: str) -> str | None:
    return _FORMATS.get(name, "text")
