"""Rate limiting, shared by all who use a vendor's key, for requests that the ledger's buyer does not see: polling a run, and repeated questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from lead_assets.ledger.model import Rate

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger


class Turns:
    """Waits shared by everyone who uses a provider's key, in every process."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def hold(self, bucket: str, seconds: float) -> None:
        """Block the bucket for everyone for that long."""
        await asyncio.to_thread(self.ledger.penalise, bucket, self.ledger.now() + timedelta(seconds=seconds))

    async def turn(self, bucket: str, rates: Sequence[Rate]) -> None:
        """Wait until one more request is within the bucket's rates."""
        due = await asyncio.to_thread(self.ledger.reserve_slots, bucket, rates) if rates else None
        await asyncio.sleep(max(0.0, (due - self.ledger.now()).total_seconds()) if due else 0.0)
        while (wait := await asyncio.to_thread(self.ledger.blocked_for, bucket)) > 0:
            await asyncio.sleep(wait)
