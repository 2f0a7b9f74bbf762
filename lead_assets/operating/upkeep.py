"""What has to be run again by itself: work that a vendor has finished and nobody fetched, and answers that have expired.

Each decision is a plain function of what is known and a cursor. Does not belong here: answers missed while a provider was down (see `kit.outages`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from lead_assets.contracts import Score
from lead_assets.operating.rules import Refresh
from lead_assets.stores.warehouse.base import Warehouse

MOST_AT_ONCE = 25


@dataclass(frozen=True)
class Asked:
    """A run to request. The same key is never requested twice."""

    campaign_id: str
    run_key: str


def fetches(left_behind: Iterable[tuple[str, int]], under_way: Collection[str], known: Collection[str]) -> list[Asked]:
    """Runs that fetch what vendors finished for a process that is gone: one per campaign and claim, unless a run of the campaign will do it anyway."""
    return [
        Asked(campaign, f"fetch/{campaign}/{claimed_at}")
        for campaign, claimed_at in left_behind
        if campaign in known and campaign not in under_way
    ][:MOST_AT_ONCE]


@dataclass(frozen=True)
class Expired:
    """A campaign with expired answers. `until`: when the first of them expired."""

    campaign_id: str
    until: datetime
    hot: int


def expired(until: Mapping[str, datetime], hot: Mapping[str, int], now: datetime) -> list[Expired]:
    """Campaigns with expired answers, those with the most hot leads first, then those that have waited longest."""
    found = [Expired(campaign, moment, hot.get(campaign, 0)) for campaign, moment in until.items() if moment <= now]
    return sorted(found, key=lambda each: (-each.hot, each.until, each.campaign_id))


def refreshes(
    found: Sequence[Expired],
    rules: Refresh,
    price_usd: Callable[[str], float],
    under_way: Collection[str],
    cursor: str | None,
    now: datetime,
) -> tuple[list[Asked], str]:
    """Runs that buy expired answers again, as far as the day's money is expected to reach, and the cursor after them.

    A campaign whose answers are the same as when it was asked for is not asked for again: its run failed, or had no money.
    """
    told = orjson.loads(cursor) if cursor else {}
    today = now.astimezone(UTC).date().isoformat()
    spent = float(told.get("usd", 0.0)) if told.get("day") == today else 0.0
    asked: dict[str, str] = told.get("asked", {})
    waiting = {each.campaign_id for each in found}
    asked = {campaign: until for campaign, until in asked.items() if campaign in waiting}
    runs: list[Asked] = []
    for each in found:
        until = each.until.isoformat()
        if len(runs) == rules.campaigns_at_once:
            break
        if each.campaign_id in under_way or asked.get(each.campaign_id) == until:
            continue
        price = price_usd(each.campaign_id)
        if spent + price > rules.usd_per_day:
            continue  # a cheaper one further down may still fit
        spent += price
        asked[each.campaign_id] = until
        runs.append(Asked(each.campaign_id, f"refresh/{each.campaign_id}/{until}"))
    return runs, orjson.dumps({"day": today, "usd": round(spent, 6), "asked": asked}).decode()


def hot_leads(warehouse: Warehouse, campaigns: Collection[str]) -> dict[str, int]:
    """Hot leads by campaign, for campaigns that have scores."""
    known = sorted(set(campaigns) & set(warehouse.partitions(Score)))
    sql = "SELECT campaign_id, COUNT(*) AS hot FROM scoring.scores WHERE tier = 'hot' GROUP BY campaign_id"
    return dict(warehouse.query(sql, [Score], known).iter_rows()) if known else {}
