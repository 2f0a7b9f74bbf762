"""Scores leads by rules: all parts are kept, and they add up to the score."""

from __future__ import annotations

import polars as pl

from lead_assets.contracts import Score
from lead_assets.scoring.ruleset import Rule, Ruleset, ScoringRules

_KEYS = ["campaign_id", "lead_id"]


def score(classifications: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame, rules: ScoringRules) -> pl.DataFrame:
    """Scores of classified leads, in the columns of `contracts.Score`.

    classifications, leads, enriched: frames of the contracts Classification, Lead, EnrichedLead. The profile of a classified lead selects its rules.
    """
    features = _features(classifications, leads, enriched)
    scored = [_apply(features.filter(_ruleset_name(rules) == name), name, ruleset, rules) for name, ruleset in rules.profiles.items()]
    return pl.concat(scored).select(Score.polars_schema().names())


def _features(classifications: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame) -> pl.DataFrame:
    """One wide row per classified lead. If tables share a column, the classification's wins, then the lead's."""
    wide = classifications
    for other in (leads, enriched):
        own = [name for name in other.columns if name not in wide.columns]
        wide = wide.join(other.select(*_KEYS, *own), on=_KEYS, how="left", validate="1:1")
    return wide


def _ruleset_name(rules: ScoringRules) -> pl.Expr:
    return pl.when(pl.col("profile").is_in(list(rules.profiles))).then(pl.col("profile")).otherwise(pl.lit(rules.default))


def _apply(features: pl.DataFrame, name: str, ruleset: Ruleset, rules: ScoringRules) -> pl.DataFrame:
    points = [_points(rule).alias(f"__{rule.name}") for rule in ruleset.rules]
    total = pl.sum_horizontal(pl.col(f"__{rule.name}") for rule in ruleset.rules)
    parts = [_part(rule).struct.json_encode() for rule in ruleset.rules]
    tier = (
        pl.when(total >= rules.tiers.hot).then(pl.lit("hot")).when(total >= rules.tiers.warm).then(pl.lit("warm")).otherwise(pl.lit("cold"))
    )
    return features.with_columns(points).select(
        *_KEYS,
        total.cast(pl.Float64).alias("score"),
        tier.alias("tier"),
        pl.concat_str([pl.lit("["), pl.concat_str(parts, separator=","), pl.lit("]")]).alias("parts"),
        pl.lit(f"{name}-rules-{rules.version}").alias("ruleset"),
    )


def _column(rule: Rule) -> pl.Expr:
    if rule.column.startswith("answer."):
        return pl.col("answer").str.json_path_match("$." + rule.column.removeprefix("answer."))
    return pl.col(rule.column)


def _points(rule: Rule) -> pl.Expr:
    column = _column(rule)
    if rule.values is not None:
        return column.cast(pl.String).replace_strict(rule.values, default=rule.otherwise, return_dtype=pl.Int64).fill_null(rule.otherwise)
    if rule.present is not None:
        return pl.when(column.is_not_null()).then(rule.present).otherwise(rule.otherwise).cast(pl.Int64)
    points = pl.lit(rule.otherwise, dtype=pl.Int64)
    for step in sorted(rule.steps or [], key=lambda step: step.at_least):
        points = pl.when(column.cast(pl.Float64, strict=False) >= step.at_least).then(step.points).otherwise(points)
    return points.cast(pl.Int64)


def _part(rule: Rule) -> pl.Expr:
    """{"rule", "points", "max_points", "because"}. A rule about presence does not repeat the value, which may be personal data."""
    column = _column(rule)
    if rule.present is not None:
        because = pl.when(column.is_not_null()).then(pl.lit(f"{rule.column} is known")).otherwise(pl.lit(f"{rule.column} is missing"))
    else:
        because = pl.format(f"{rule.column} is {{}}", column.cast(pl.String).fill_null("missing"))
    return pl.struct(
        rule=pl.lit(rule.name), points=pl.col(f"__{rule.name}"), max_points=pl.lit(rule.max_points, dtype=pl.Int64), because=because
    )
