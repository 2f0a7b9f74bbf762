"""Classifies leads: each distinct question is asked once, its answer judged by the contract, repaired at most once, otherwise quarantined; rules answer if no
model is available.

Belongs here: the way from frames to frames. Does not belong here: asking, judging and buying, and the resulting rows (see
`lead_assets.model`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lead_assets.classification.rulebook import ClassificationRules, choose, load_rulebook
from lead_assets.contracts import Classification, Quarantined
from lead_assets.core.garbage import no_garbage_sought
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.model.buying import Mode, asking
from lead_assets.model.cases import KEYS, Buy, Case, ask, gather
from lead_assets.model.outcome import AnswerStats, as_frames
from lead_assets.model.rulebook import Rulebook


@dataclass(frozen=True)
class Classified:
    """Every lead is in exactly one of the two frames. `stats` is for the materialization's metadata."""

    classifications: pl.DataFrame
    quarantine: pl.DataFrame
    stats: AnswerStats


@no_garbage_sought()
def classify(
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    rulebook: Rulebook[ClassificationRules] | None = None,
    mode: Mode = "interactive",
    buy: Buy | None = None,
) -> Classified:
    """Classify `leads` (rows of identity.leads, any number of campaigns), using what `enriched` (rows of signals.enriched_leads) adds.

    Returns frames of contracts.Classification and contracts.Quarantined. `mode` "batch" costs half but may take hours. `rulebook` replaces the declared
    rules and profiles, `buy` the way of buying. Raises ValueError for invalid rules; provider failures do not raise.
    """
    book = rulebook or load_rulebook(settings)
    cases = cases_of(leads, enriched, book)
    ask(cases, asking(ledger, settings, book, mode=mode, buy=buy))
    good, bad, stats = as_frames(cases, Classification, Quarantined, synthetic=settings.world == "sandbox")
    return Classified(good, bad, stats)


def of_the_run(leads: pl.DataFrame, enriched: pl.DataFrame) -> pl.DataFrame:
    """The leads that continue: in a run with a limit, some were not enriched."""
    return leads.join(enriched, on=KEYS, how="semi", maintain_order="left")


def cases_of(leads: pl.DataFrame, enriched: pl.DataFrame, book: Rulebook[ClassificationRules]) -> list[Case]:
    """The questions about leads, by their classification profiles."""
    return gather(leads, choose(leads, book.profiles, book.limits), book, enriched=enriched)
