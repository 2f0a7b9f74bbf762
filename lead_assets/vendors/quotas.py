"""What is left of the plans, according to the vendors: credits and endpoint windows. Asking is free.

Belongs here: asking all vendors that support it, and the shape of a row. Does not belong here: one vendor's terms (its own `quotas`), or what the
budgets in the ledger leave (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.vendors import load_vendors
from lead_assets.vendors.vendor import Row, Vendor


def quotas(settings: Settings) -> list[Row]:
    """One row per quota: provider, quota, used, limit, left, resets_on (YYYY-MM-DD or null), reason (why there are no figures, or null).

    A vendor without a key or out of reach gives one row with the reason; nothing is raised. A vendor that cannot be asked (pipe0) has no row.
    """
    return asyncio.run(_quotas(settings))


async def _quotas(settings: Settings) -> list[Row]:
    told = await asyncio.gather(*(_told(vendor, settings) for vendor in load_vendors().values() if vendor.tells_quotas))
    return [each for rows in told for each in rows]


async def _told(vendor: Vendor, settings: Settings) -> list[Row]:
    key = vendor.key(settings)
    if key is None:
        return [row(vendor.name, reason="no_key")]
    try:
        return await vendor.quotas(vendor.url(settings), key) or [row(vendor.name, reason="bad_answer")]
    except ProviderError as error:
        return [row(vendor.name, reason=error.reason)]


def row(
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
