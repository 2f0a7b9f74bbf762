"""What is left of the plan's credits, according to Hunter."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from lead_assets.vendors.hunter.client import Hunter
from lead_assets.vendors.quotas import row
from lead_assets.vendors.vendor import Row


async def quotas(url: str, key: SecretStr) -> list[Row]:
    async with Hunter(url, key) as hunter:
        account = await hunter.account()
    # Plans with unified credits list all three, and `credits` is the one that runs out.
    requests = account.get("requests")
    rows = []
    for name, figures in sorted(requests.items()) if isinstance(requests, dict) else ():
        if isinstance(figures, dict):
            used, limit = figures.get("used"), figures.get("available")
            left = figures["remaining"] if "remaining" in figures else _difference(limit, used)
            rows.append(row("hunter", name, used, limit, left, account.get("reset_date")))
    return rows


def _difference(limit: Any, used: Any) -> Any:
    return limit - used if isinstance(limit, int | float) and isinstance(used, int | float) else None
