"""Why two leads or companies are one or two: what each thing that is compared says, in words and bits, and their sum.

Belongs here: one pair. Does not belong here: who is one in the end, which all pairs of a cluster decide together (see `standing`).
"""

from __future__ import annotations

from typing import NamedTuple

import duckdb
import polars as pl

from lead_assets.identity.records import RecordKind


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
    """Two members of `records` (see `records`) compared. The same levels as in Splink's comparison of all pairs; a test holds the two to one sum."""
    pair = [records.filter(pl.col("member") == member).select(kind.columns) for member in (one, other)]
    ends = [frame.rename({name: name + end for name in frame.columns}) for frame, end in zip(pair, ("_l", "_r"), strict=True)]
    both = pl.concat(ends, how="horizontal")
    asked = []
    for at, each in enumerate(kind.compared):
        unknown = f'"{each.column}_l" IS NULL OR "{each.column}_r" IS NULL'
        levels = " ".join(f"WHEN {level.sql} THEN {number}" for number, level in enumerate(each.levels))
        asked.append(f"CASE WHEN {unknown} THEN -1 {levels} ELSE {len(each.levels)} END AS level_{at}")
    with duckdb.connect() as connection:
        connection.register("pair", both.to_arrow())
        found = connection.sql(f"SELECT {', '.join(asked)} FROM pair").fetchall()[0]
    steps = []
    for each, level in zip(kind.compared, found, strict=True):
        says = "not known of both" if level < 0 else [*(known.label for known in each.levels), each.different][level]
        steps.append(SaidByColumn(each.name, says, 0.0 if level < 0 else float(each.bits[level])))
    return PairExplained(steps, kind.prior, kind.accept)
