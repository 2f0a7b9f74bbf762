"""What is left of the plan's credits and the endpoints' windows, according to Apollo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from pydantic import SecretStr

from lead_assets.vendors.apollo.client import Apollo
from lead_assets.vendors.quotas import row
from lead_assets.vendors.vendor import Row


async def quotas(url: str, key: SecretStr) -> list[Row]:
    async with Apollo(url, key) as apollo:
        credit, requests = await asyncio.gather(apollo.credit_usage(), apollo.api_usage())
    cycle = credit.get("current_credit_cycle")
    resets = str(cycle.get("end_date"))[:10] if isinstance(cycle, dict) and cycle.get("end_date") else None
    stats = credit.get("credit_usage_stats")
    rows = [
        row("apollo", name, figures.get("consumed"), figures.get("limit"), figures.get("left_over"), resets)
        for name, figures in sorted(stats.items() if isinstance(stats, dict) else ())
        if isinstance(figures, dict)
    ]
    return rows + [
        row("apollo", f"{_endpoint(name)} per {window}", figures.get("consumed"), figures.get("limit"), figures.get("left_over"))
        for name, window, figures in sorted(_windows(requests), key=lambda each: each[:2])
    ]


def _windows(usage: Row) -> Iterator[tuple[str, str, Row]]:
    for name, windows in usage.items():
        for window, figures in windows.items() if isinstance(windows, dict) else ():
            if isinstance(figures, dict):
                yield name, window, figures


def _endpoint(name: str) -> str:
    """Apollo names an endpoint by a JSON list as text: '["api/v1/people", "match"]'."""
    try:
        parts = json.loads(name)
    except ValueError:
        return name
    return "/".join(map(str, parts)) if isinstance(parts, list) else name
