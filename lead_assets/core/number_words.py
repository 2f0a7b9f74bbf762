"""Words that stand beside numbers, such as "about", "million" and "employees", in several languages.

Belongs here: reading `number_words.yaml`. Does not belong here: reading numbers (see `values` and `lead_assets.intake.amounts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lead_assets.core.shipped import read_shipped


def alternatives(kind: str) -> str:
    """A pattern for any word of this kind, the longest first."""
    declared = _declared()[kind]
    texts = declared.values() if isinstance(declared, dict) else [declared]
    return "|".join(sorted({re.escape(word) for text in texts for word in _words(text)}, key=lambda word: (-len(word), word)))


@cache
def magnitudes() -> dict[str, float]:
    """Each word for a magnitude and what it multiplies by: "tsd" → 1000.0."""
    return {word: float(scale) for scale, text in _declared()["magnitudes"].items() for word in _words(text)}


def _words(text: str) -> Iterable[str]:
    return (word.strip() for word in text.split(","))


@cache
def _declared() -> dict[str, Any]:
    declared: dict[str, Any] = read_shipped(Path(__file__).with_suffix(".yaml"))
    return declared
