"""What a company is worth, whoever its lead is: AI adoption, size and funding, 0 to 100 each; null if nothing is known of it.

Does not belong here: the words and points (rules/scoring.yaml, `company`), or what the scores weigh (see `score`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lead_assets.core.columns import widened
from lead_assets.scoring.adoption import adoption_scores
from lead_assets.scoring.ruleset import COMPANY_SCORES, CompanyRules, CompanyStep

KNOWN_BY = ("technologies", "posting_titles", "company_description", "headcount_min", "funding_total_usd")
"""The columns of signals.enriched_leads that the scores are made from."""


def with_company_scores(features: pl.DataFrame, rules: CompanyRules) -> pl.DataFrame:
    """`features`, with KNOWN_BY, and beside them COMPANY_SCORES (Int64)."""
    adoption = adoption_scores(rules.adoption, *(features[name] for name in KNOWN_BY[:3]))
    size, funding = _by_steps("headcount_min", rules.size), _by_steps("funding_total_usd", rules.funding)
    return widened(
        features.with_columns(adoption.alias(COMPANY_SCORES[0])), [size.alias(COMPANY_SCORES[1]), funding.alias(COMPANY_SCORES[2])]
    )


def _by_steps(column: str, steps: Sequence[CompanyStep]) -> pl.Expr:
    number = pl.col(column).cast(pl.Float64).fill_nan(None)
    points = pl.lit(0, dtype=pl.Int64)
    for step in sorted(steps, key=lambda step: step.at_least):
        points = pl.when(number >= step.at_least).then(pl.lit(step.points, dtype=pl.Int64)).otherwise(points)
    return pl.when(number.is_not_null()).then(points)
