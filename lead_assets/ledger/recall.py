"""Purchases for runs that must not spend: answers from the journal, and a reason for everything else.

Two kinds of ledger do not buy. One only recalls (`Ledger.recall_only`): a rebuild or backfill that must cost nothing accepts answers of any age. The other
rehearses (`Ledger.rehearsal`): it serves what a purchase would, and records what it would buy, so that estimates use the same code that spends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from lead_assets.ledger.model import Answer, History, Lifetimes, Want, missed
from lead_assets.ledger.purchase import Purchase

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

NOT_BOUGHT = "not_bought"
"""The reason for a miss that a purchase might have answered."""


def served(ledger: Ledger, history: History, lifetimes: Lifetimes, now: datetime) -> Answer | None:
    """The answer that a purchase takes from the ledger, or None if it would buy one."""
    return history.remember(lifetimes) if ledger.buying == "never" else history.serve(lifetimes, now)


def recall(ledger: Ledger, wants: Sequence[Want], known: Mapping[str, History] | None = None) -> Purchase:
    """Answers every want without a call. With a recall-only ledger, the result does not depend on the time. `known`: what the ledger has, if that was read
    before."""
    result = Purchase()
    unique = {want.key: want for want in wants}
    histories = ledger.histories(unique) if known is None else known
    now = ledger.now()
    for key, want in unique.items():
        history = histories.get(key)
        answer: Answer | None = None
        if history is not None:
            answer = served(ledger, history, want.lifetimes, now)
        if answer is not None:
            result.spent[want.campaign_id].hits += 1
        else:
            ledger.wish(want)
            answer = replace(history.known, stale=True) if history and history.known else missed(want, NOT_BOUGHT)
        result.answers[key] = answer
    result.missed = dict(Counter(answer.reason or "unknown" for answer in result.answers.values() if answer.state != "found"))
    return result
