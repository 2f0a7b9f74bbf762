"""What a purchase is: what it is given (a call, a way to take up work, how often to try again) and what it comes to.

Does not belong here: making one (see `buying`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Answer, Reply, Spent, Want, to_usd

Call = Callable[[Sequence[Want]], Awaitable[Sequence[Reply | ProviderError]]]
"""Makes one vendor request for a batch; for each want, in their order, its reply or how it failed. Raises ProviderError where
the request as a whole failed."""
TakeUp = Callable[[Sequence[Want], str], Awaitable[Sequence[Reply | ProviderError]]]
"""Fetches work that was begun before, by the vendor's id of it; waits until it is done. Replies and errors as of `Call`."""


@dataclass(frozen=True)
class Retry:
    """How often and how soon what may pass is tried again: exponential with jitter (the upper half of each step is random)."""

    attempts: int = 4
    first: float = 0.5
    most: float = 30.0
    patience: float = 120.0
    """Seconds: the longest single wait, for a rate window or a Retry-After. What would take longer is unknown for now."""
    draw: Callable[[], float] = random.random

    def delay(self, attempt: int) -> float:
        """Seconds before the attempt that follows number `attempt` (the first is 1)."""
        step: float = min(self.most, self.first * 2 ** (attempt - 1))
        return step * (0.5 + self.draw() / 2)


@dataclass
class Purchase:
    """What came of a purchase: an answer to every want, by key, and what it took."""

    answers: dict[str, Answer] = field(default_factory=dict)
    spent: defaultdict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    """By campaign."""
    missed: dict[str, int] = field(default_factory=dict)
    """Subjects without a value, by reason."""
    latencies_ms: list[int] = field(default_factory=list)
    """Of each request that was answered."""

    @property
    def hits(self) -> int:
        return sum(each.hits for each in self.spent.values())

    @property
    def bought(self) -> int:
        return sum(each.bought for each in self.spent.values())

    @property
    def cost_micros(self) -> int:
        return sum(each.cost_micros for each in self.spent.values())

    @property
    def uncertain(self) -> int:
        return sum(each.uncertain for each in self.spent.values())

    @property
    def subjects(self) -> int:
        return len(self.answers)

    @property
    def stale(self) -> int:
        return sum(answer.stale for answer in self.answers.values())

    @property
    def cost_usd(self) -> Decimal:
        return to_usd(self.cost_micros)

    def latency_ms(self, quantile: float) -> int | None:
        """The latency that this part of the requests did not exceed; None if none was made."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)] if ordered else None
