"""Buying: every want gets an answer, each is paid for once, and whatever goes wrong has a reason.

`purchase` (or `buy`, in async code) is what rooms use; `Purchase` is what they get. How a batch is called, retried and split is in `buyer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from lead_assets.ledger.buyer import Buyer
from lead_assets.ledger.model import Intent, Rate, Want
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
) -> Purchase:
    """Answer every want: from the ledger if it is fresh there, else by a call, else as unknown with a reason.

    `batch_size`: most wants of one request. `rates`: the vendor's limits on requests, shared by all processes through `bucket` (default: the
    provider's name). `lease`: seconds after which a claim of a process that has gone silent is taken over (it is renewed while this one lives).
    `intent` is journaled with the claims, in the same transaction, as if it were the vendor's id: `take_up` makes the request of it, also that of a
    process that died before it could. `UNSENT` in place of an id leaves that to `call`, which then tells the ledger when the request leaves.
    `prepare` is awaited before the first claim, if there is anything to buy: what takes its time and need not be done while claims are open, for a
    process that dies meanwhile leaves them in doubt (imports, connections). `patience`: seconds to wait for answers that other processes are
    buying. `sleep` is for tests with a clock of their own.

    A ledger that does not buy (`Ledger.recall_only`, `Ledger.rehearsal`) makes no call: see `recall`.

    Raises what `call` raises beyond ProviderError: that is a fault in the program, not in the data.
    """
    if ledger.buying != "always":
        return await asyncio.to_thread(recall, ledger, wants)
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
    take_up: TakeUp | None = None,
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
            take_up=take_up,
            retry=retry,
        )
    )
