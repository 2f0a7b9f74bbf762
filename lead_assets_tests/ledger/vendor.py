"""A vendor that counts its requests, and things to ask it. Without pytest, because the tests' other processes use it, too."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from lead_assets.ledger import Lifetimes, Reply, Want

LIFETIMES = Lifetimes(found=timedelta(days=90), not_found=timedelta(days=30), unknown=timedelta(minutes=5))


def want(subject: str, *, price: int = 10_000, campaign: str = "spring", provider: str = "pipe0", operation: str = "overview") -> Want:
    return Want(provider, f"{provider}.{operation}", subject, price, campaign, LIFETIMES)


def wants(count: int, **kwargs: object) -> list[Want]:
    return [want(f"c{number}.example", **kwargs) for number in range(count)]  # type: ignore[arg-type]


class Vendor:
    """Answers every subject, after `errors` have been raised (one a request; None lets a request through)."""

    def __init__(self, *errors: Exception | None, cost: int = 10_000, delay: float = 0.0) -> None:
        self.errors = list(errors)
        self.cost = cost
        self.delay = delay
        self.asked: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self._lock = threading.Lock()

    async def __call__(self, batch: Sequence[Want]) -> list[Reply]:
        with self._lock:
            self.requests.append([one.subject for one in batch])
            error = self.errors.pop(0) if self.errors else None
        await asyncio.sleep(self.delay)
        if error is not None:
            raise error
        with self._lock:
            self.asked.update(one.subject for one in batch)
        return [self.reply(one) for one in batch]

    def reply(self, one: Want) -> Reply:
        return Reply("found", body={"name": one.subject}, cost_micros=self.cost)
