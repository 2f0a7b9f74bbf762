"""`lead-assets replay`: sends refused leads again after a fix, and materializes the affected campaigns.

Does not belong here: what is sent and how often (see `lead_assets.model.replay`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lead_assets.briefs.rules import load_brief_rulebook
from lead_assets.briefs.summaries import cases_of_briefs
from lead_assets.classification.classify import cases_of, of_the_run
from lead_assets.classification.rulebook import ClassificationRules, load_rulebook
from lead_assets.cli import pipeline, report, runs
from lead_assets.contracts import Classification, EnrichedLead, Lead, Quarantined, QuarantinedSummary, Score, SimilarAccount, Table
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown
from lead_assets.ledger.opened import opened_ledger
from lead_assets.model.cases import Case
from lead_assets.model.replay import CODES, replay
from lead_assets.model.rulebook import Rulebook
from lead_assets.rules.check import check_rules
from lead_assets.stores.opened import campaigns_of, warehouse_of


@dataclass(frozen=True)
class Stage:
    """One kind of answer that can be refused."""

    quarantine: type[Table]
    reads: tuple[type[Table], ...]
    """The inputs of the questions, in the order of the arguments of `cases`."""
    book: Callable[[Settings], Rulebook[Any]]
    """The rules that apply to it."""
    cases: Callable[..., list[Case]]
    """Makes the questions from those frames and the rulebook."""
    follows: str
    """The assets that depend on its answers."""


def _of_classification(leads: pl.DataFrame, enriched: pl.DataFrame, book: Rulebook[ClassificationRules]) -> list[Case]:
    return cases_of(of_the_run(leads, enriched), enriched, book)


STAGES = {
    "classification": Stage(
        Quarantined,
        (Lead, EnrichedLead),
        load_rulebook,
        _of_classification,
        'key:"classification/classifications"+ or key:"classification/quarantine"+',
    ),
    "summaries": Stage(
        QuarantinedSummary,
        (Lead, EnrichedLead, Classification, Score, SimilarAccount),
        load_brief_rulebook,
        cases_of_briefs,
        'key:"classification/summaries"+ or key:"classification/summary_quarantine"+',
    ),
}


def run(
    settings: Settings,
    *,
    stage: str = "classification",
    codes: Sequence[str] | None = None,
    campaigns: Sequence[str] | None = None,
    fix: str | None = None,
    batch: bool = False,
    progress: runs.Progress | None = None,
) -> dict[str, Any]:
    """Send again what a stage (of STAGES) quarantined, for these codes and campaigns (None: all), once per fix, and materialize what changed.

    Returns the answer of `lead-assets replay`. Raises UnknownWord for a code or campaign that does not exist, ValueError for a campaign
    that has not reached the stage yet.
    """
    began = time.monotonic()
    check_rules(settings)
    if strangers := sorted(set(codes or ()) - set(CODES)):
        raise unknown("--code", strangers[0], CODES)
    declared, warehouse = STAGES[stage], warehouse_of(settings)
    book = declared.book(settings)
    known = warehouse.partitions(declared.quarantine)
    wanted = campaigns_of(settings, campaigns) if campaigns else known
    if unseen := sorted(set(wanted) - set(known)):
        raise ValueError(f"campaign {unseen[0]!r} has not been through {stage} yet: run `lead-assets run --campaign {unseen[0]}` first")
    quarantine = warehouse.read(declared.quarantine, wanted)
    if codes:
        quarantine = quarantine.filter(quarantine["code"].is_in(list(codes)))
    touched = sorted(quarantine["campaign_id"].unique())
    with opened_ledger(settings) as ledger:
        since = ledger.last_call()
        done = replay(
            quarantine,
            declared.cases(*(warehouse.read(contract, touched) for contract in declared.reads), book),
            book,
            ledger=ledger,
            settings=settings,
            fix=fix,
            mode="batch" if batch else "interactive",
        )
        ran: dict[str, Any] = {"run_ids": [], "failures": []}
        if done.campaigns:
            ran = pipeline.run(settings, campaigns=done.campaigns, select=declared.follows, batch=batch, progress=progress)
        billed = ledger.billed(since)
    return {
        "home": str(settings.home.resolve()),
        "seconds": round(time.monotonic() - began, 2),
        "stage": stage,
        "selected": done.selected,
        "sent": done.sent,
        "bought": done.bought,
        "accepted": done.accepted,
        "still_quarantined": done.selected - done.accepted,
        "run_ids": ran["run_ids"],
        "campaigns": report.funnel(warehouse, done.campaigns),
        "billed": billed,
        "failures": ran["failures"],
    }
