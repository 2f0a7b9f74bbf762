"""Summaries: a brief for the owner of each lead whose tier is worth one, asked, judged, mended and quarantined like a classification.

Belongs here: which leads, and what of their score is shown. Does not belong here: the brief's words and contract (`brief`), how it is asked (`cases`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson
import polars as pl

from lead_assets.classification.brief import PROFILE
from lead_assets.classification.buying import Mode
from lead_assets.classification.cases import KEYS, Buy, ask, gather
from lead_assets.classification.classify import asking
from lead_assets.classification.outcome import as_frames
from lead_assets.classification.rulebook import Rulebook, load_rulebook
from lead_assets.contracts import QuarantinedSummary, Summary
from lead_assets.ledger.ledger import Ledger
from lead_assets.settings import Settings

_REASONS = 3


@dataclass(frozen=True)
class Summarised:
    """Every scored lead of the tiers is in exactly one of the two frames."""

    summaries: pl.DataFrame
    quarantine: pl.DataFrame
    stats: dict[str, Any]


def worth_a_brief(scores: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """The rows of scoring.scores whose tier is in rules/classification.yaml, `summaries.tiers`."""
    return scores.filter(pl.col("tier").is_in(book.limits.summaries.tiers))


def summarise(
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    rulebook: Rulebook | None = None,
    mode: Mode = "interactive",
    buy: Buy | None = None,
) -> Summarised:
    """Briefs for scored leads. The frames are of contracts Lead, EnrichedLead, Classification and Score; returns those of Summary and QuarantinedSummary."""
    book = replace(rulebook or load_rulebook(settings), profiles={PROFILE.name: PROFILE})
    chosen = worth_a_brief(scores, book)
    briefed = leads.join(chosen, on=KEYS, how="semi", maintain_order="left")
    profiles = pl.repeat(PROFILE.name, briefed.height, dtype=pl.String, eager=True)
    reasons = pl.Series("reasons", [_reasons(parts) for parts in chosen["parts"]], dtype=pl.List(pl.String))
    shown = {"enriched": enriched, "classification": classifications, "score": chosen.with_columns(reasons)}
    cases = gather(briefed, profiles, book, **shown)
    ask(cases, asking(ledger, settings, book, mode=mode, buy=buy))
    return Summarised(*as_frames(cases, Summary, QuarantinedSummary, synthetic=settings.world == "sandbox"))


def _reasons(parts: str) -> list[str]:
    """The names of the rules that gave the most points."""
    ranked = sorted(orjson.loads(parts), key=lambda part: (-float(part["points"]), part["rule"]))
    return [str(part["rule"]) for part in ranked[:_REASONS] if part["points"] > 0]
