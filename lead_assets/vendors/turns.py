"""Turns at a vendor, kept together by all who share its key, for requests that the ledger's buyer does not see: looks at a run, and repeated questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from lead_assets.ledger.model import Rate

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger


class Turns:
    """Waits that all who share a provider's key keep together, in every process."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def hold(self, bucket: str, seconds: float) -> None:
        """Nobody makes a request of the bucket for so long."""
        await asyncio.to_thread(self.ledger.penalise, bucket, self.ledger.now() + timedelta(seconds=seconds))

    async def turn(self, bucket: str, rates: Sequence[Rate]) -> None:
        """Returns when one more request is within the bucket's rates."""
        due = await asyncio.to_thread(self.ledger.reserve_slots, bucket, rates) if rates else None
        await asyncio.sleep(max(0.0, (due - self.ledger.now()).total_seconds()) if due else 0.0)
        while (wait := await asyncio.to_thread(self.ledger.blocked_for, bucket)) > 0:
            await asyncio.sleep(wait)
