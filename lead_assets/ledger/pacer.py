"""When the next request may leave: rate windows shared by all processes with the same key, and pauses the vendor asked for.

Does not belong here: the arithmetic of windows (see `pacing`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lead_assets.ledger.model import Rate
from lead_assets.ledger.teller import in_thread

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

_LOOK_AHEAD = 0.02
"""Seconds before a slot is due to check once more for the vendor's "too fast": roughly the time the check takes."""
_LATE_SLOTS = 20
"""Consecutive slots that may be missed before one is used late: on such a busy machine the next would be missed, too."""


@dataclass(frozen=True)
class Pacer:
    """Waits for slots. `patience`: the most seconds to wait for one."""

    ledger: Ledger
    rates: Sequence[Rate]
    patience: float
    sleep: Callable[[float], Awaitable[None]]

    async def wait(self, bucket: str) -> bool:
        """Return when a request may be made. False if that would take longer than the patience."""
        if not self.rates:
            return await self._unblocked(bucket)
        tolerance = min(rate.tolerance for rate in self.rates)
        for _ in range(_LATE_SLOTS):
            due = await in_thread(self.ledger.reserve_slots, bucket, self.rates, 1, self.patience)
            if due is None:
                return False
            await self._sleep_until(due - timedelta(seconds=_LOOK_AHEAD))
            # Another process may have been told "too fast" while we slept.
            if not await self._unblocked(bucket):
                return False
            await self._sleep_until(due)
            if (self.ledger.now() - due).total_seconds() <= tolerance:
                return True
        return True

    async def hold(self, bucket: str, seconds: float) -> None:
        """The vendor said "too fast": block the bucket for everyone for that long."""
        await in_thread(self.ledger.penalise, bucket, self.ledger.now() + timedelta(seconds=seconds))

    async def _unblocked(self, bucket: str) -> bool:
        while (wait := await in_thread(self.ledger.blocked_for, bucket)) > 0:
            if wait > self.patience:
                return False
            await self.sleep(wait)
        return True

    async def _sleep_until(self, moment: datetime) -> None:
        wait = (moment - self.ledger.now()).total_seconds()
        if wait > 0:
            await self.sleep(wait)
