"""How the room buys: answers by Messages, one call a question, through the ledger; from the ledger alone where there is no key.

Belongs here: the room's arguments to `lead_assets.ledger.purchase`. Does not belong here: the wire (`client`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from lead_assets.classification.client import MessagesClient
from lead_assets.classification.rulebook import Calls, ClassificationRules, Prices
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Answer, Rate, Want
from lead_assets.ledger.purchase import Purchase, Retry, buy
from lead_assets.settings import Settings


def buy_messages(
    wants: Sequence[Want],
    *,
    ledger: Ledger,
    settings: Settings,
    limits: ClassificationRules,
    prices: Prices,
    retry: Retry | None = None,
) -> Mapping[str, Answer]:
    """An answer to every want, by its key. Without a key for the vendor: what the ledger holds, and for the rest unknown with reason no_key."""
    if not wants:
        return {}
    if settings.key("anthropic") is None:
        return from_ledger(wants, ledger, "no_key")
    ledger.bind_world(settings.world)

    async def run() -> Purchase:
        async with MessagesClient(settings, limits.calls, prices) as call:
            return await buy(
                ledger,
                wants,
                call,
                batch_size=1,
                concurrency=limits.calls.concurrency,
                rates=_rates(limits.calls),
                retry=retry,
                lease=_lease(limits.calls),
            )

    return asyncio.run(run()).answers


def from_ledger(wants: Sequence[Want], ledger: Ledger, reason: str) -> dict[str, Answer]:
    """What was bought before, nothing else: a rebuild needs no key."""
    held = ledger.answers([want.key for want in wants])
    return {want.key: held.get(want.key) or _missing(want, reason) for want in wants}


def _rates(calls: Calls) -> list[Rate]:
    if calls.requests_per_minute is None:
        return []
    return [Rate(limit=calls.requests_per_minute, per=60.0, burst=max(1, calls.requests_per_minute // 10))]


def _lease(calls: Calls) -> float:
    return max(60.0, calls.timeout_seconds)


def _missing(want: Want, reason: str) -> Answer:
    return Answer(
        key=want.key,
        state="unknown",
        reason=reason,
        body=None,
        provider=want.provider,
        operation=want.operation,
        subject=want.subject,
        cost_micros=0,
        answered_at=None,
        campaign_id=want.campaign_id,
    )
