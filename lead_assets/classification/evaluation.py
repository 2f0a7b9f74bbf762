"""Accuracy against labels, and drift in the distribution of classes.

Belongs here: plain measures over pairs and counts. Does not belong here: which leads are labelled, or what a check does with a figure.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Pair = tuple[str, str]
"""(label, answer)."""


@dataclass(frozen=True)
class Measured:
    """One field against its labels."""

    pairs: tuple[Pair, ...]

    @property
    def accuracy(self) -> float:
        """The share of correct answers; 0 if nothing is labelled."""
        return sum(truth == said for truth, said in self.pairs) / len(self.pairs) if self.pairs else 0.0

    @property
    def recall(self) -> dict[str, float]:
        """The recognised share of each labelled class."""
        by_class: defaultdict[str, list[bool]] = defaultdict(list)
        for truth, said in self.pairs:
            by_class[truth].append(truth == said)
        return {truth: sum(each) / len(each) for truth, each in sorted(by_class.items())}

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Counts by label, then by answer, over all classes seen on either side."""
        counted = Counter(self.pairs)
        classes = sorted({name for pair in self.pairs for name in pair})
        return {truth: {said: counted[truth, said] for said in classes} for truth in classes}


def measure(truths: Iterable[str], answers: Iterable[str | None]) -> Measured:
    """Pair labels with answers. A lead without an answer (quarantined) counts as wrong: its answer is "(none)"."""
    return Measured(tuple((truth, said if said is not None else "(none)") for truth, said in zip(truths, answers, strict=True)))


def stability_index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Population stability index of two class distributions. By convention: below 0.1 no change, 0.1 to 0.25 some, above that a shift.

    Half a count is added to each class, so that a class never seen before gives a finite figure. 0.0 if either side is empty.
    """
    classes: Sequence[str] = sorted({*before, *now})
    before_all, now_all = sum(before.values()), sum(now.values())
    if not before_all or not now_all:
        return 0.0
    index = 0.0
    for name in classes:
        expected = (before.get(name, 0) + 0.5) / (before_all + 0.5 * len(classes))
        actual = (now.get(name, 0) + 0.5) / (now_all + 0.5 * len(classes))
        index += (actual - expected) * math.log(actual / expected)
    return index
