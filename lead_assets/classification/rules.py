"""The rules classifier's engine: counts declared cues (weighted patterns) in a text; the answer is what the cues agree on.

Belongs here: scoring cues and reading time pressure, common to all profiles. Does not belong here: a profile's own cues (declared with
the profile), or deciding when rules answer (see `classify`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Cue:
    """Words that support a label, searched in folded text (lower case, no accents). Weight 2 outvotes a contradicting weight 1."""

    label: str
    words: re.Pattern[str]
    weight: float = 1.0


def cue(label: str, *alternatives: str, weight: float = 1.0) -> Cue:
    """A cue that matches whole words: each alternative is a regular expression in lower case without accents."""
    return Cue(label, re.compile(rf"\b(?:{'|'.join(alternatives)})\b"), weight)


@dataclass(frozen=True)
class CueVerdict:
    label: str
    quotes: tuple[str, ...] = ()
    """The words that supported the label, verbatim."""


# "not a flip", "instead of a rental": negated words do not support their label.
_NEGATED = re.compile(
    r"(?:\b(?:not|no|never|without|nor|neither|nicht|kein|keine|sin|sans|instead of|rather than|done with)|n't)\s+"
    r"(?:(?:a|an|the|my|be|do|doing|for|want|wanting|looking|trying|planning|plan|going|interested|in|to|any|need|it|really|here)\s+){0,4}$"
)


_LEAD = 2.0
"""Margin by which a label must outweigh another supported label: a close contradiction stays undecided."""


@dataclass(frozen=True)
class Weighed:
    """The label that cues support in folded text, and where its words stand."""

    label: str
    spans: tuple[tuple[int, int], ...] = ()

    def quoting(self, text: str, origin: Sequence[int]) -> CueVerdict:
        """The verdict with the words as they stand in `text`; `origin`: see `fold_with_origin`."""
        return CueVerdict(self.label, tuple(dict.fromkeys(text[origin[start] : origin[end - 1] + 1] for start, end in self.spans))[:3])


def decide(text: str, cues: Sequence[Cue]) -> CueVerdict:
    """The label that the cues support, with the supporting words; unknown if there are none or they contradict each other."""
    return _decided(text, tuple(cues))


@lru_cache(maxsize=4096)
def _decided(text: str, cues: tuple[Cue, ...]) -> CueVerdict:
    folded, origin = fold_with_origin(text)
    return weigh(folded, cues).quoting(text, origin)


def weigh(folded: str, cues: Sequence[Cue]) -> Weighed:
    """`decide` for text that is folded already."""
    weights: dict[str, float] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    for cue in cues:
        match = _first_said(cue, folded)
        if match is not None:
            weights[cue.label] = weights.get(cue.label, 0.0) + cue.weight
            spans.setdefault(cue.label, []).append(match.span())
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    if not ranked or (len(ranked) > 1 and ranked[0][1] - ranked[1][1] < _LEAD):
        return Weighed(UNKNOWN)
    return Weighed(ranked[0][0], tuple(spans[ranked[0][0]]))


def mentions(text: str, cues: Sequence[Cue]) -> bool:
    """True if any cue occurs at all, negated or not."""
    folded = fold(text)
    return any(cue.words.search(folded) for cue in cues)


def first_number(text: str) -> int | None:
    """The first whole number of a band such as "51-200" or "1,001+"; None if there is none."""
    match = re.search(r"\d[\d,.]*", text)
    digits = re.sub(r"\D", "", match.group()) if match else ""
    return int(digits) if 0 < len(digits) < 10 else None


_FEW = r"(?:\d|1[0-4]|one|two|three|four|five|six|seven|ten|a few|few|couple(?: of)?)"
_URGENCY = (
    (5, cue("5", "asap", r"urgent\w*", "immediately", "right away", "emergency", "today", "tomorrow", "hard deadline", "this week", r"end of (?:the )?week",
        rf"(?:within|in|next|under|only) (?:the next )?{_FEW} (?:business |working )?days?", rf"{_FEW} days? (?:left|away|from now)", r"(?:24|48|72) hours",
        r"by (?:this |next )?(?:mon|tues|wednes|thurs|fri|satur|sun)day", "dringend", "sofort", "urgente", "cuanto antes", "d'urgence", r"em \d dias")),
    (4, cue("4", "next week", r"(?:1[5-9]|2\d|30)[- ](?:business )?days?", r"(?:two|three|2|3)[- ]weeks?", "deadline", "under contract",
        r"closing (?:date|on|by|is)", "need to close", "must close", "auction", r"end of (?:the |this )?month", "this month", "soon as possible", "quickly",
        "fast close", "loan (?:is )?due", "balloon", "maturing", "matures", "proxima semana", "nachste woche", "semaine prochaine")),
    (3, cue("3", "next month", r"(?:45|60|90)[- ]days?", r"(?:[4-8]|four|five|six) weeks", "this quarter", "next quarter", r"(?:one|two|three|1|2|3) months?",
        r"couple (?:of )?months", "in escrow", "made an offer", "offer accepted", "actively looking", "proximo mes", "nachsten monat")),
    (1, cue("1", "no rush", "no hurry", "no timeline", "not urgent", r"just (?:looking|curious|exploring|browsing|researching|learning)", "some ?day",
        "eventually", "next year", "thinking about", "maybe later", r"not sure (?:yet|when)", "no date", "in the future", "sin prisa", "keine eile",
        "hat zeit")),
)  # fmt: skip


@lru_cache(maxsize=4096)
def urgency(text: str) -> int:
    """1 (no plan) to 5 (days). If words for haste and leisure conflict, the middle; if there are none, 2 for any text and 1 for no text."""
    folded = fold(text)
    levels = [level for level, words in _URGENCY if _first_said(words, folded) is not None]
    if not levels:
        return 2 if folded.strip() else 1
    if 1 in levels and max(levels) > 1:
        return 3 if max(levels) > 3 else 2
    return max(levels)


def _first_said(cue: Cue, folded: str) -> re.Match[str] | None:
    """The first place where a cue occurs without negation."""
    return next((m for m in cue.words.finditer(folded) if not _NEGATED.search(folded[max(0, m.start() - 40) : m.start()])), None)


def text_of(facts: Mapping[str, Any], names: Sequence[str]) -> str:
    """The named facts as one text, one line each."""
    return "\n".join(str(facts[name]) for name in names if facts.get(name) is not None)


def fold(text: str) -> str:
    """Lower case, without accents, with plain apostrophes."""
    return fold_with_origin(text)[0]


def fold_with_origin(text: str) -> tuple[str, Sequence[int]]:
    """Folded text, plus each character's position in the original, so that quotes stay verbatim."""
    if text.isascii():
        return text.lower(), range(len(text))
    folded: list[str] = []
    origin: list[int] = []
    for place, char in enumerate(text.replace("’", "'")):
        for part in unicodedata.normalize("NFKD", char):
            if not unicodedata.combining(part):
                for lower in part.lower():
                    folded.append(lower)
                    origin.append(place)
    return "".join(folded), origin
