"""The router's score, 0 to 1, and the path it sends a lead on.

The terms of rules/scoring.yaml (`router`) add up to the rules' half; the model's own judgement of the lead is the other half. Without it, the rules decide
alone. Unlike the parts of a score, a term that is not known adds nothing: clients of the lead router expect its sum.

Does not belong here: whose a lead is (see the room `routing`).
"""

from __future__ import annotations

import re

import polars as pl

from lead_assets.core.columns import selected
from lead_assets.scoring.ruleset import Paths, RouterRule, Ruleset

RATING = "lead_rating"
"""The model's own judgement of a lead, 0 to 100: a column of classification.classifications."""


def router_columns(ruleset: Ruleset) -> set[str]:
    return {column for rule in ruleset.router for column in rule.columns}


def route_score(features: pl.DataFrame, ruleset: Ruleset, score: pl.Series) -> pl.Series:
    """Each row's score from 0 to 1, to two decimals. `score` (0 to 100) is used where a profile has no rules of the router."""
    if not ruleset.router:
        return (score / 100).round(2)
    rules = pl.sum_horizontal(_points(rule, features.schema).fill_null(0.0) for rule in ruleset.router).clip(0, 1)
    half = (rules + (pl.col(RATING) / 100).clip(0, 1)) / 2
    return selected(features, [pl.coalesce(half, rules).round(2)]).to_series()


def way(paths: Paths) -> pl.Expr:
    """`route`, `nurture` or `manual_review`, by the column `route_score`. Every lead has an owner, if only the fallback one, so the score decides."""
    at = pl.col("route_score")
    routed = pl.when(at >= paths.route).then(pl.lit("route"))
    return routed.when(at < paths.nurture).then(pl.lit("nurture")).otherwise(pl.lit("manual_review")).alias("path")


def _points(rule: RouterRule, schema: pl.Schema) -> pl.Expr:
    if rule.present is not None:
        return pl.when(pl.any_horizontal(_has(column, schema) for column in rule.columns)).then(pl.lit(rule.present))
    if rule.steps is not None:
        number = pl.coalesce(pl.col(column).cast(pl.Float64, strict=False).fill_nan(None) for column in rule.columns)
        points = pl.lit(0.0)
        for step in sorted(rule.steps, key=lambda step: step.at_least):
            points = pl.when(number >= step.at_least).then(pl.lit(step.points)).otherwise(points)
        return points
    text = pl.coalesce(pl.col(column).cast(pl.String) for column in rule.columns)
    if rule.values is not None:
        return text.replace_strict(rule.values, default=0.0, return_dtype=pl.Float64)
    return pl.when(text.str.contains(_any_of(rule.words or []))).then(pl.lit(rule.points))


def _has(column: str, schema: pl.Schema) -> pl.Expr:
    return pl.col(column).list.len() > 0 if isinstance(schema[column], pl.List) else pl.col(column).is_not_null()


def _any_of(words: list[str]) -> str:
    """A pattern for any of the words as a whole word, in upper or lower case."""
    return rf"(?i)(?:^|\W)(?:{'|'.join(re.escape(word) for word in words)})(?:\W|$)"
