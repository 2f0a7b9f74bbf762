"""A purchase: its inputs (a call, a way to resume work, a retry policy) and its result.

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
"""Makes one vendor request for a batch and returns, in order, each want's reply or failure. Raises ProviderError if
the whole request failed."""
TakeUp = Callable[[Sequence[Want], str], Awaitable[Sequence[Reply | ProviderError]]]
"""Fetches work that was started earlier, by the vendor's id; waits until it is done. Returns and raises like `Call`."""


@dataclass(frozen=True)
class Retry:
    """How often and how soon temporary failures are retried: exponential backoff with jitter (the upper half of each step is random)."""

    attempts: int = 4
    first: float = 0.5
    most: float = 30.0
    patience: float = 120.0
    """The longest single wait in seconds, for a rate window or a Retry-After. Anything that would take longer is unknown for now."""
    draw: Callable[[], float] = random.random

    def delay(self, attempt: int) -> float:
        """Seconds before the attempt that follows number `attempt` (the first is 1)."""
        step: float = min(self.most, self.first * 2 ** (attempt - 1))
        return step * (0.5 + self.draw() / 2)


@dataclass
class Purchase:
    """The result of a purchase: an answer to every want, by key, and what it cost."""

    answers: dict[str, Answer] = field(default_factory=dict)
    spent: defaultdict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    """By campaign."""
    missed: dict[str, int] = field(default_factory=dict)
    """Number of subjects without a value, by reason."""
    latencies_ms: list[int] = field(default_factory=list)
    """Latency of each answered request."""

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
        """The latency that this share of the requests did not exceed; None if there were none."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(len(ordered) * quantile), len(ordered) - 1)] if ordered else None
