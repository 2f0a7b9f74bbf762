"""How the engine buys answers through the ledger: by Messages, one call per question, or by Message Batches; without a key, from the ledger alone.

Belongs here: the engine's arguments to `lead_assets.ledger.buying`. Does not belong here: the wire (`client`, `batches`).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from typing import Literal

from lead_assets.core.garbage import garbage_sought
from lead_assets.core.settings import Settings
from lead_assets.ledger.buying import buy as buy_all
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Answer, Rate, Want, missed
from lead_assets.ledger.purchase import Purchase, Retry
from lead_assets.ledger.recall import recall, served
from lead_assets.model.batches import BatchClient
from lead_assets.model.cases import LIFETIMES, Asking, Buy
from lead_assets.model.client import MessagesClient
from lead_assets.model.rulebook import CallLimits, Limits, Rulebook
from lead_assets.vendors.anthropic import VENDOR

Mode = Literal["interactive", "batch"]


def asking(
    ledger: Ledger,
    settings: Settings,
    book: Rulebook[Limits],
    *,
    mode: Mode = "interactive",
    buy: Buy | None = None,
    fix: str | None = None,
) -> Asking:
    """How to ask questions with these settings. `buy` replaces the way of buying; `fix` names the replay that asks, if any."""
    if buy is not None:
        return Asking(book, settings.anthropic_model, buy, ledger.answers, lambda _: {}, fix)
    buys = functools.partial(purchase, ledger=ledger, settings=settings, book=book, mode=mode)
    return Asking(book, settings.anthropic_model, buys, ledger.answers, functools.partial(served_to, ledger=ledger, settings=settings), fix)


def served_to(keys: Sequence[str], *, ledger: Ledger, settings: Settings) -> Mapping[str, Answer]:
    """What `purchase` takes from the ledger, by key. To make a want of each of ten thousand questions takes longer than to look for their answers."""
    if not keys:
        return {}
    if VENDOR.key(settings) is None and ledger.buying != "never":
        return ledger.answers(keys)
    ledger.bind_world(settings.world)
    now = ledger.now()
    answers = ((key, served(ledger, history, LIFETIMES, now)) for key, history in ledger.histories(keys).items())
    return {key: answer for key, answer in answers if answer is not None}


def purchase(
    wants: Sequence[Want],
    *,
    ledger: Ledger,
    settings: Settings,
    book: Rulebook[Limits],
    mode: Mode = "interactive",
    retry: Retry | None = None,
) -> Mapping[str, Answer]:
    """An answer to every want, by key. Without a vendor key: the ledger's answers, and unknown with reason no_key for the rest."""
    if not wants:
        return {}
    if VENDOR.key(settings) is None and ledger.buying != "never":
        return from_ledger(wants, ledger, "no_key")
    ledger.bind_world(settings.world)
    if ledger.buying != "always":
        return recall(ledger, wants).answers
    by = _by_batches if mode == "batch" else _by_messages
    with garbage_sought():
        return asyncio.run(by(wants, ledger, settings, book, retry)).answers


async def _by_messages(wants: Sequence[Want], ledger: Ledger, settings: Settings, book: Rulebook[Limits], retry: Retry | None) -> Purchase:
    calls = book.limits.calls
    async with MessagesClient(settings, calls, book.prices) as call, BatchClient(settings, book.limits, book.prices, call) as batches:
        return await buy_all(
            ledger,
            wants,
            call,
            batch_size=1,
            concurrency=calls.concurrency,
            rates=_rates(calls),
            # A batch that a killed run started is paid for: fetch it instead of asking again.
            take_up=batches.take_up,
            prepare=call.open,
            retry=retry,
            lease=max(60.0, calls.timeout_seconds),
        )


async def _by_batches(wants: Sequence[Want], ledger: Ledger, settings: Settings, book: Rulebook[Limits], retry: Retry | None) -> Purchase:
    async with BatchClient(settings, book.limits, book.prices) as batches:
        return await buy_all(
            ledger,
            wants,
            batches.submit,
            batch_size=book.limits.batches.max_requests,
            concurrency=book.limits.batches.concurrency,
            bucket="anthropic.batches",
            take_up=batches.take_up,
            intent=batches.intent,
            retry=retry,
        )


def from_ledger(wants: Sequence[Want], ledger: Ledger, reason: str) -> dict[str, Answer]:
    """Only earlier purchases: a rebuild needs no key."""
    held = ledger.answers([want.key for want in wants])
    return {want.key: held.get(want.key) or missed(want, reason) for want in wants}


def _rates(calls: CallLimits) -> list[Rate]:
    if calls.requests_per_minute is None:
        return []
    return [Rate(limit=calls.requests_per_minute, per=60.0, burst=max(1, calls.requests_per_minute // 10))]
