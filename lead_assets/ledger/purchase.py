"""Buying: every want gets an answer, each is paid for once, and whatever goes wrong has a reason.

`purchase` (or `buy`, in async code) is what rooms use; `Purchase` is what they get. How a batch is called, retried and split is in `buyer`.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Answer, Intent, Rate, Reply, Spent, Want, to_usd

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

Call = Callable[[Sequence[Want]], Awaitable[Sequence[Reply | ProviderError]]]
"""Makes one vendor request for a batch; for each want, in their order, its reply or how it failed. Raises providers.errors.ProviderError where
the request as a whole failed."""
Resume = Callable[[Sequence[Want], str], Awaitable[Sequence[Reply | ProviderError]]]
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


async def buy(
    ledger: Ledger,
    wants: Sequence[Want],
    call: Call,
    *,
    batch_size: int = 100,
    concurrency: int = 4,
    rates: Sequence[Rate] = (),
    bucket: str | None = None,
    resume: Resume | None = None,
    intent: Intent | None = None,
    prepare: Callable[[], Awaitable[None]] | None = None,
    retry: Retry | None = None,
    lease: float = 60.0,
    patience: float = 900.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Purchase:
    """Answer every want: from the ledger if it is fresh there, else by a call, else as unknown with a reason.

    `batch_size`: most wants of one request. `rates`: the vendor's limits on requests, shared by all processes through `bucket` (default: the
    provider's name). `lease`: seconds after which a claim of a process that has gone silent is taken over (it is renewed while this one lives).
    `intent` is journaled with the claims, in the same transaction, as if it were the vendor's id: `resume` makes the request of it, also that of a
    process that died before it could. `UNSENT` in place of an id leaves that to `call`, which then tells the ledger when the request leaves.
    `prepare` is awaited before the first claim, if there is anything to buy: what takes its time and need not be done while claims are open, for a
    process that dies meanwhile leaves them in doubt (imports, connections). `patience`: seconds to wait for answers that other processes are
    buying. `sleep` is for tests with a clock of their own.

    A ledger that does not buy (`Ledger.closed`, `Ledger.rehearsal`) makes no call: see `recall`.

    Raises what `call` raises beyond ProviderError: that is a fault in the program, not in the data.
    """
    if ledger.buying != "always":
        from lead_assets.ledger.recall import recall

        return await asyncio.to_thread(recall, ledger, wants)
    from lead_assets.ledger.buyer import Buyer

    buyer = Buyer(
        ledger,
        call,
        batch_size=batch_size,
        concurrency=concurrency,
        rates=rates,
        bucket=bucket,
        resume=resume,
        intent=intent,
        prepare=prepare,
        retry=retry or Retry(),
        lease=lease,
        patience=patience,
        sleep=sleep,
    )
    return await buyer.run(wants)


def purchase(
    ledger: Ledger,
    wants: Sequence[Want],
    call: Call,
    *,
    batch_size: int = 100,
    concurrency: int = 4,
    rates: Sequence[Rate] = (),
    bucket: str | None = None,
    resume: Resume | None = None,
    retry: Retry | None = None,
) -> Purchase:
    """`buy` for code that is not async. Clients that `call` uses must be made inside it: each purchase has an event loop of its own."""
    return asyncio.run(
        buy(
            ledger,
            wants,
            call,
            batch_size=batch_size,
            concurrency=concurrency,
            rates=rates,
            bucket=bucket,
            resume=resume,
            retry=retry,
        )
    )
