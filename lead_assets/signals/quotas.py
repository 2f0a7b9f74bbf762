"""What the vendors say is left of the plans: Hunter's credits, Apollo's credits and its endpoints' windows. Asking is free.

Does not belong here: what the ledger's own budgets leave (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.signals.signal import SignalProvider

Row = dict[str, Any]


def quotas(settings: Settings) -> list[Row]:
    """A row for each quota: provider, quota, used, limit, left, resets_on (YYYY-MM-DD or null), reason (why there are no figures, or null).

    A provider without a key or out of reach is one row with its reason; nothing is raised. pipe0 offers no way to ask.
    """
    return asyncio.run(_quotas(settings))


async def _quotas(settings: Settings) -> list[Row]:
    asked = await asyncio.gather(_told("hunter", settings, _hunter), _told("apollo", settings, _apollo))
    return [row for rows in asked for row in rows]


async def _told(provider: SignalProvider, settings: Settings, ask: Callable[[Settings], Awaitable[list[Row]]]) -> list[Row]:
    if settings.key(provider) is None:
        return [_row(provider, reason="no_key")]
    try:
        return await ask(settings) or [_row(provider, reason="bad_answer")]
    except ProviderError as error:
        return [_row(provider, reason=error.reason)]


async def _hunter(settings: Settings) -> list[Row]:
    from lead_assets.vendors.hunter.client import Hunter

    key = settings.key("hunter")
    assert key is not None
    async with Hunter(settings.base_url("hunter"), key) as hunter:
        account = await hunter.account()
    # On plans with unified credits all three stand side by side, and `credits` is the one that runs out.
    requests = account.get("requests")
    rows = []
    for name, figures in sorted(requests.items()) if isinstance(requests, dict) else ():
        if isinstance(figures, dict):
            used, limit = figures.get("used"), figures.get("available")
            left = figures["remaining"] if "remaining" in figures else _difference(limit, used)
            rows.append(_row("hunter", name, used, limit, left, account.get("reset_date")))
    return rows


async def _apollo(settings: Settings) -> list[Row]:
    from lead_assets.vendors.apollo.client import Apollo

    key = settings.key("apollo")
    assert key is not None
    async with Apollo(settings.base_url("apollo"), key) as apollo:
        credit, requests = await asyncio.gather(apollo.credit_usage(), apollo.api_usage())
    cycle = credit.get("current_credit_cycle")
    resets = str(cycle.get("end_date"))[:10] if isinstance(cycle, dict) and cycle.get("end_date") else None
    stats = credit.get("credit_usage_stats")
    rows = [
        _row("apollo", name, figures.get("consumed"), figures.get("limit"), figures.get("left_over"), resets)
        for name, figures in sorted(stats.items() if isinstance(stats, dict) else ())
        if isinstance(figures, dict)
    ]
    return rows + [
        _row("apollo", f"{_endpoint(name)} per {window}", figures.get("consumed"), figures.get("limit"), figures.get("left_over"))
        for name, window, figures in sorted(_windows(requests), key=lambda each: each[:2])
    ]


def _windows(usage: Row) -> Iterator[tuple[str, str, Row]]:
    for name, windows in usage.items():
        for window, figures in windows.items() if isinstance(windows, dict) else ():
            if isinstance(figures, dict):
                yield name, window, figures


def _endpoint(name: str) -> str:
    """Apollo names an endpoint by a JSON list in text: '["api/v1/people", "match"]'."""
    try:
        parts = json.loads(name)
    except ValueError:
        return name
    return "/".join(map(str, parts)) if isinstance(parts, list) else name


def _difference(limit: Any, used: Any) -> Any:
    return limit - used if isinstance(limit, int | float) and isinstance(used, int | float) else None


def _row(
    provider: str,
    quota: str | None = None,
    used: Any = None,
    limit: Any = None,
    left: Any = None,
    resets_on: Any = None,
    reason: Any = None,
) -> Row:
    return {
        "provider": provider,
        "quota": quota,
        "used": used,
        "limit": limit,
        "left": left,
        "resets_on": resets_on,
        "reason": reason,
    }
