"""Summaries: briefs for the owners of leads in selected tiers, asked, judged, repaired and quarantined like classifications.

Belongs here: which leads get one, and which parts of their score it shows. Does not belong here: the brief's prompt and contract (`brief`), asking (`cases`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import polars as pl

from lead_assets.briefs.brief import PROFILE
from lead_assets.briefs.rules import BriefRules, load_brief_rulebook
from lead_assets.contracts import QuarantinedSummary, Summary
from lead_assets.contracts.base import column_of_values
from lead_assets.core.garbage import no_garbage_sought
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.model.buying import Mode, asking
from lead_assets.model.cases import KEYS, Buy, Case, ask, gather
from lead_assets.model.outcome import AnswerStats, as_frames
from lead_assets.model.rulebook import Rulebook

_REASONS = 3
_IN_COMMON = 3
# "No response" would read as if the fact spoke to a model of its answer.
_BECAME = {"no_response": "went silent"}


@dataclass(frozen=True)
class Summarised:
    """Every scored lead in the tiers is in exactly one of the two frames."""

    summaries: pl.DataFrame
    quarantine: pl.DataFrame
    stats: AnswerStats


def worth_a_brief(scores: pl.DataFrame, book: Rulebook[BriefRules]) -> pl.DataFrame:
    """The rows of scoring.scores whose tier is in rules/classification.yaml, `summaries.tiers`. A quarantined lead waits until somebody has looked at it."""
    return scores.filter(pl.col("tier").is_in(book.limits.summaries.tiers) & ~pl.col("quarantined").fill_null(False))


@no_garbage_sought()
def summarise(
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    similar: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    rulebook: Rulebook[BriefRules] | None = None,
    mode: Mode = "interactive",
    buy: Buy | None = None,
) -> Summarised:
    """Briefs for scored leads. The frames are of contracts Lead, EnrichedLead, Classification, Score and SimilarAccount; returns those of Summary and
    QuarantinedSummary."""
    book = rulebook or load_brief_rulebook(settings)
    cases = cases_of_briefs(leads, enriched, classifications, scores, similar, book)
    ask(cases, asking(ledger, settings, book, mode=mode, buy=buy))
    return Summarised(*as_frames(cases, Summary, QuarantinedSummary, synthetic=settings.world == "sandbox"))


def cases_of_briefs(
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    similar: pl.DataFrame,
    book: Rulebook[BriefRules],
) -> list[Case]:
    """The questions for leads that get a brief, with the only profile of briefs."""
    chosen = worth_a_brief(scores, book)
    briefed = leads.join(chosen, on=KEYS, how="semi", maintain_order="left")
    profiles = pl.repeat(PROFILE.name, briefed.height, dtype=pl.String, eager=True)
    reasons_of = {parts: _reasons(parts) for parts in chosen["parts"].unique()}
    reasons = column_of_values("reasons", [reasons_of[parts] for parts in chosen["parts"]], pl.List(pl.String()))
    shown = {"enriched": enriched, "classification": classifications, "score": chosen.with_columns(reasons)}
    return gather(briefed, profiles, book, **shown, lookalike=_in_words(briefed, similar))


def _reasons(parts: str) -> list[str]:
    """The names of the rules that gave the most points."""
    ranked = sorted(orjson.loads(parts), key=lambda part: (-float(part["points"]), part["rule"]))
    return [str(part["rule"]) for part in ranked[:_REASONS] if part["points"] > 0]


def _in_words(leads: pl.DataFrame, similar: pl.DataFrame) -> pl.DataFrame:
    """Columns campaign_id, lead_id, similar_accounts: "Arborline (won): same industry (Retail), 51-200 people"; no row for a lead without any."""
    ranked = similar.sort("campaign_id", "account_key", "rank")
    told = ranked.select("campaign_id", "account_key", said=pl.Series(list(_said(ranked)), dtype=pl.String))
    told = told.group_by("campaign_id", "account_key", maintain_order=True).agg(similar_accounts="said")
    return leads.select(*KEYS, "account_key").join(told, on=["campaign_id", "account_key"], how="inner", validate="m:1").drop("account_key")


def _said(similar: pl.DataFrame) -> Iterator[str]:
    for row in similar.iter_rows(named=True):
        became = f" ({_BECAME.get(row['outcome'], row['outcome'])})" if row["outcome"] else ""
        yield f"{row['similar_company']}{became}: {', '.join(row['shared'][:_IN_COMMON])}"
