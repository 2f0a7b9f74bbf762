"""A company's AI adoption, judged by its stack, open jobs and description, with reasons.

A plain sum of declared points (`company.adoption` in rules/scoring.yaml), so that anybody can check it by hand. Zero means "nothing seen", not "no AI".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from lead_assets.core.columns import map_distinct
from lead_assets.scoring.ruleset import AdoptionRules, Evidence

MOST = 100
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Adoption:
    """`score` is 0 to 100; each reason is one line with the kind of evidence, its points and what was seen."""

    score: int
    reasons: tuple[str, ...]


def adoption(rules: AdoptionRules, *, technologies: Sequence[str], posting_titles: Sequence[str], description: str | None) -> Adoption:
    """Score a company by its technologies, titles of open jobs, and description."""
    parts = [
        _points("stack", rules.stack, _hits(rules.stack, technologies)),
        _points("postings", rules.postings, _hits(rules.postings, posting_titles)),
        _points("description", rules.description, _words(rules.description, description or "")),
    ]
    found = [(points, reason) for points, reason in parts if points]
    return Adoption(min(MOST, sum(points for points, _ in found)), tuple(reason for _, reason in found))


def adoption_scores(rules: AdoptionRules, technologies: pl.Series, posting_titles: pl.Series, description: pl.Series) -> pl.Series:
    """The scores of many companies, Int64; null where all three are. Each distinct value is looked at once, because leads share companies."""
    texts = description.to_frame().select(pl.first().cast(pl.String)).to_series()
    points = [
        _of_distinct(technologies, lambda values: _points("stack", rules.stack, _hits(rules.stack, values))[0]),
        _of_distinct(posting_titles, lambda values: _points("postings", rules.postings, _hits(rules.postings, values))[0]),
        map_distinct(
            texts, lambda text: min(rules.description.most, rules.description.each * len(_words(rules.description, text))), pl.Int64
        ),
    ]
    known = pl.any_horizontal(each.is_not_null() for each in points)
    return pl.select(pl.when(known).then(pl.min_horizontal(pl.sum_horizontal(each.fill_null(0) for each in points), MOST))).to_series()


def _of_distinct(lists: pl.Series, points: Callable[[list[str]], int]) -> pl.Series:
    text = lists.list.join(_BETWEEN)
    return map_distinct(text, lambda joined: points(joined.split(_BETWEEN)), pl.Int64)


def _points(kind: str, evidence: Evidence, seen: Sequence[str]) -> tuple[int, str]:
    points = min(evidence.most, evidence.each * len(seen))
    return points, f"{kind} +{points}: {', '.join(seen)}"


def _hits(evidence: Evidence, values: Iterable[str]) -> list[str]:
    """The distinct values that contain one of the words."""
    pattern = _pattern(evidence)
    return sorted({value for value in values if pattern.search(value)})


def _words(evidence: Evidence, text: str) -> list[str]:
    """The distinct words found in the text."""
    return sorted({found.group().lower() for found in _pattern(evidence).finditer(text)})


def _pattern(evidence: Evidence) -> re.Pattern[str]:
    return _compiled(tuple(evidence.words))


@functools.cache
def _compiled(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in longest_first)})(?!\w)", re.IGNORECASE)
