"""Buying: every want gets an answer, is paid for once, and gets a reason if anything goes wrong.

Rooms call `purchase` (or `buy` in async code) and get a `Purchase`. How a batch is called, retried and split is in `buyer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lead_assets.ledger.buyer import Buyer
from lead_assets.ledger.model import History, Intent, Rate, Want
from lead_assets.ledger.purchase import Call, Purchase, Retry, TakeUp
from lead_assets.ledger.recall import recall

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger


async def buy(
    ledger: Ledger,
    wants: Sequence[Want],
    call: Call,
    *,
    batch_size: int = 100,
    concurrency: int = 4,
    rates: Sequence[Rate] = (),
    bucket: str | None = None,
    take_up: TakeUp | None = None,
    intent: Intent | None = None,
    prepare: Callable[[], Awaitable[None]] | None = None,
    retry: Retry | None = None,
    lease: float = 60.0,
    patience: float = 900.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    known: Mapping[str, History] | None = None,
) -> Purchase:
    """Answer every want: from the ledger if fresh, otherwise by a call, otherwise as unknown with a reason.

    `batch_size`: most wants per request. `rates`: the vendor's rate limits, shared by all processes through `bucket` (default: the
    provider's name). `lease`: seconds until others may take over the claims of a silent process (a living one renews them).
    `intent` is journaled in the same transaction as the claims, as if it were the vendor's id: `take_up` turns it into a request, also for a
    process that died first. With `UNSENT` in place of an id, `call` makes the request and tells the ledger when it leaves.
    `prepare` is awaited before the first claim, if there is anything to buy. Use it for slow steps (imports, connections): if the process died
    during them with claims open, the claims would be in doubt. `patience`: seconds to wait for answers that other processes are
    buying. `sleep` is for tests with a clock of their own. `known`: what the ledger has for the wants, if the caller has read it a moment ago.

    A ledger that does not buy (`Ledger.recall_only`, `Ledger.rehearsal`) makes no calls: see `recall`.

    Any exception of `call` other than ProviderError is raised: it is a bug in the program, not a fault in the data.
    """
    if ledger.buying != "always":
        return await asyncio.to_thread(recall, ledger, wants, known)
    buyer = Buyer(
        ledger,
        call,
        batch_size=batch_size,
        concurrency=concurrency,
        rates=rates,
        bucket=bucket,
        take_up=take_up,
        intent=intent,
        prepare=prepare,
        retry=retry or Retry(),
        lease=lease,
        patience=patience,
        sleep=sleep,
    )
    return await buyer.run(wants, known)


def purchase(
    ledger: Ledger,
    wants: Sequence[Want],
    call: Call,
    *,
    batch_size: int = 100,
    concurrency: int = 4,
    rates: Sequence[Rate] = (),
    bucket: str | None = None,
    take_up: TakeUp | None = None,
    retry: Retry | None = None,
) -> Purchase:
    """`buy` for synchronous code. Create the clients that `call` uses inside it: each purchase runs its own event loop."""
    return asyncio.run(
        buy(
            ledger,
            wants,
            call,
            batch_size=batch_size,
            concurrency=concurrency,
            rates=rates,
            bucket=bucket,
            take_up=take_up,
            retry=retry,
        )
    )
