"""Replay: questions whose answer is in quarantine are put again after a fix, each exactly once for each fix.

What was mended in the rules of governance needs no model: the journaled answer is judged again. A changed prompt, contract or model is another question,
which is bought once like any. What is left is sent again, word for word, because the fix was elsewhere. The answer is journaled with the name of its fix, so
that a replay that was killed goes on where it was, and a second one sends nothing.

Belongs here: what to send again, and what came of it. Does not belong here: reading the tables and running the graph (`lead_assets.cli.replay`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import polars as pl

from lead_assets.contracts import canonical_json
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.model import governance, message_rules
from lead_assets.model.buying import Mode, asking
from lead_assets.model.cases import Case, ask
from lead_assets.model.rulebook import Limits, Rulebook

CODES: tuple[str, ...] = get_args(governance.Code)


@dataclass(frozen=True)
class Replayed:
    """Counts are of leads; leads that show the same share a question, which is sent once."""

    selected: int
    sent: int
    """The same question was put again."""
    bought: int
    """Another question was put, because the prompt, the contract, the model or the facts are not what they were."""
    accepted: int
    """Meet the contract now."""
    campaigns: tuple[str, ...]
    """Whose tables no longer say what the ledger does: to be materialized again."""


def replay(
    quarantine: pl.DataFrame,
    cases: Sequence[Case],
    book: Rulebook[Limits],
    *,
    ledger: Ledger,
    settings: Settings,
    fix: str | None = None,
    mode: Mode = "interactive",
) -> Replayed:
    """Put the questions of leads in quarantine again.

    `quarantine`: the rows (of contracts.Quarantined or QuarantinedSummary) that are meant; `cases`: of all leads of those campaigns, because what a lead is
    charged depends on who else asks the same. `fix` names a fix that was made elsewhere, e.g. at the vendor; one made here names itself.
    """
    meant = {(row["campaign_id"], row["lead_id"]): row for row in quarantine.iter_rows(named=True)}
    cases = [case for case in cases if _meant(case, meant)]
    sent_again = ask(cases, asking(ledger, settings, book, mode=mode, fix=fix_of(book, fix)))
    resent = {id(case) for case in sent_again}
    sent = bought = accepted = 0
    stale: set[str] = set()
    for case in cases:
        rows = _meant(case, meant)
        sent += len(rows) * (id(case) in resent)
        bought += len(rows) * (id(case) not in resent and any(answer.bought for answer in case.answers))
        accepted += len(rows) * (case.accepted is not None)
        stale.update(row["campaign_id"] for row in rows if _differs(case, row))
    return Replayed(quarantine.height, sent, bought, accepted, tuple(sorted(stale)))


def fix_of(book: Rulebook[Limits], name: str | None = None) -> str:
    """Names the state of all that decides on an answer besides the question itself: the rules' declared versions, the limits of a call, and `name`.

    Not the text of the rules: then a comment in their module would be a fix, and buy every refused answer again.
    """
    rules = [governance.VERSION, message_rules.VERSION]
    calls = book.limits.calls
    limits = {"max_tokens": calls.max_tokens, "truncated": calls.truncated_max_tokens, "effort": calls.effort, "repair": book.limits.repair}
    return hashlib.sha256(canonical_json([rules, limits, name]).encode()).hexdigest()[:16]


def _meant(case: Case, meant: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for lead in case.leads if (row := meant.get((lead["campaign_id"], lead["lead_id"]))) is not None]


def _differs(case: Case, row: dict[str, Any]) -> bool:
    """Whether the table's row is no longer what the case comes to."""
    if case.accepted is not None or case.unavailable is not None:
        return True
    return (row["code"], row["attempt"]) != (case.violations[0].code, len(case.answers))
