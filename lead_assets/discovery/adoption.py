"""A company's AI adoption, judged by its stack, open jobs and description, with reasons.

A plain sum of declared points (rules/discovery.yaml), so that anybody can check it by hand. Zero means "nothing seen", not "no AI".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lead_assets.discovery.rules import AdoptionRules, Evidence

MOST = 100


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
    longest_first = sorted(evidence.words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in longest_first)})(?!\w)", re.IGNORECASE)
