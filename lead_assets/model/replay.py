"""Replay: asks questions with a quarantined answer again after a fix, exactly once per fix.

A fix in the governance rules needs no model: the journaled answer is judged again. A changed prompt, contract or model makes a new question,
which is bought once like any other. The rest is sent again, word for word, because the fix was elsewhere. The answer is journaled with the name of its fix, so
that a killed replay continues where it stopped, and a second one sends nothing.

Belongs here: what to send again, and the result. Does not belong here: reading the tables and running the graph (`lead_assets.cli.replay`).
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
from lead_assets.model import doubts, governance, message_rules
from lead_assets.model.buying import Mode, asking
from lead_assets.model.cases import Case, ask
from lead_assets.model.rulebook import Limits, Rulebook

CODES: tuple[str, ...] = get_args(governance.Code)


@dataclass(frozen=True)
class Replayed:
    """Counts are in leads; leads that look the same share a question, which is sent once."""

    selected: int
    sent: int
    """The same question was asked again."""
    bought: int
    """A new question was asked, because the prompt, the contract, the model or the facts have changed."""
    accepted: int
    """Leads whose answer now meets the contract."""
    campaigns: tuple[str, ...]
    """Campaigns whose tables no longer match the ledger and have to be materialized again."""


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
    """Ask the questions of quarantined leads again.

    `quarantine`: the selected rows (of contracts.Quarantined or QuarantinedSummary); `cases`: those of all leads in the same campaigns, because a lead's
    share of the cost depends on who else asks the same. `fix` names a fix made elsewhere, e.g. at the vendor; one made here is named automatically.
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
    """Names the state of everything that decides on an answer besides the question itself: the rules' declared versions, the limits of a call, and `name`.

    It does not use the rules' source, or a comment in their module would count as a fix and buy every refused answer again.
    """
    rules = [governance.VERSION, message_rules.VERSION, doubts.VERSION]
    calls = book.limits.calls
    limits = {"max_tokens": calls.max_tokens, "truncated": calls.truncated_max_tokens, "effort": calls.effort, "repair": book.limits.repair}
    return hashlib.sha256(canonical_json([rules, limits, name]).encode()).hexdigest()[:16]


def _meant(case: Case, meant: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for lead in case.leads if (row := meant.get((lead["campaign_id"], lead["lead_id"]))) is not None]


def _differs(case: Case, row: dict[str, Any]) -> bool:
    """Whether the table's row differs from the case's result."""
    if case.accepted is not None or case.unavailable is not None:
        return True
    return (row["code"], row["attempt"]) != (case.violations[0].code, len(case.answers))
