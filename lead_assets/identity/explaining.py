"""Why two leads or companies are one or two: what each thing that is compared says, in words and bits, and their sum.

Belongs here: one pair. Does not belong here: who is one in the end, which all pairs of a cluster decide together (see `standing`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from lead_assets.identity.records import RecordKind
from lead_assets.identity.standing import levels


class SaidByColumn(NamedTuple):
    """What one column says: how far it agrees, and what that is worth. `bits` is 0 if it is unknown on either side."""

    name: str
    says: str
    bits: float


class PairExplained(NamedTuple):
    steps: list[SaidByColumn]
    prior: float
    accept: float

    @property
    def weight(self) -> float:
        return round(self.prior + sum(step.bits for step in self.steps), 3)


def explained(records: pl.DataFrame, one: str, other: str, kind: RecordKind) -> PairExplained:
    """Two members of `records` (see `records`) compared."""
    pair = pl.concat(records.filter(pl.col("member") == member) for member in (one, other))
    found = levels(pair, np.array([0]), np.array([1]), kind).row(0)
    steps = []
    for each, level in zip(kind.compared, found, strict=True):
        says = "not known of both" if level < 0 else [*(known.label for known in each.levels), each.different][level]
        steps.append(SaidByColumn(each.name, says, 0.0 if level < 0 else float(each.bits[level])))
    return PairExplained(steps, kind.prior, kind.accept)
