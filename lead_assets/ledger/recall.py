"""What a purchase is for who may not buy: answers that are in the journal, and a reason for the rest.

Two kinds of ledger do not buy. One only recalls (`Ledger.recall_only`): a rebuild or a backfill that must cost nothing takes answers of any age. One
rehearses (`Ledger.rehearsal`): it serves what a purchase would serve, and notes what it would buy, so that an estimate asks the very code that spends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lead_assets.ledger.model import Answer, Want, missed
from lead_assets.ledger.purchase import Purchase

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

NOT_BOUGHT = "not_bought"
"""Reason of a miss that buying might have answered."""


def recall(ledger: Ledger, wants: Sequence[Want]) -> Purchase:
    """An answer to every want without a call. What a ledger that only recalls answers does not depend on when it is asked."""
    result = Purchase()
    unique = {want.key: want for want in wants}
    histories = ledger.histories(unique)
    now = ledger.now()
    for key, want in unique.items():
        history = histories.get(key)
        answer: Answer | None = None
        if history is not None:
            answer = history.remember(want.lifetimes) if ledger.buying == "never" else history.serve(want.lifetimes, now)
        if answer is not None:
            result.spent[want.campaign_id].hits += 1
        else:
            ledger.wish(want)
            answer = replace(history.known, stale=True) if history and history.known else missed(want, NOT_BOUGHT)
        result.answers[key] = answer
    result.missed = dict(Counter(answer.reason or "unknown" for answer in result.answers.values() if answer.state != "found"))
    return result
