"""Scores leads by what is known about each: the parts, weighted, add up to its score.

    weight of a rule  = weight of its part × its maximum / sum of its part's maxima
    max_points        = 100 × weight / sum of the weights that are known about this lead
    points            = max_points × value, where a value is 0 to 1
    moved             = max_points × (value − the campaign's average value)

`max_points` and `points` are whole hundredths, and the score is the sum of the points. What is not known about a lead is left out on both sides, so that
it is never counted as zero; `Score.unknown_parts` names it. Everything is done on whole columns; no code runs per row.

Does not belong here: the router's score and path (see `path`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from lead_assets.contracts import Score
from lead_assets.core.columns import beside
from lead_assets.model.profile import RULES_MODEL
from lead_assets.scoring.company import KNOWN_BY, with_company_scores
from lead_assets.scoring.path import RATING, route_score, router_columns, way
from lead_assets.scoring.ruleset import COMPANY_SCORES, Part, Rule, Ruleset, Scale, ScoringRules

CONTRAST, WIN_PROBABILITY, NO_WIN_PROBABILITY = "contrast", "win_probability", "no_win_probability"
"""Columns of the lookalike index and of the learned model."""

MOST_REASONS = 5

_KEYS = ["campaign_id", "lead_id"]
_ROWS_AT_ONCE = 100_000
_ALL = 10_000
"""A score of 100 in hundredths."""


def score(
    classifications: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame, rules: ScoringRules, *others: pl.DataFrame
) -> pl.DataFrame:
    """Scores of classified leads, in the columns of `contracts.Score`.

    classifications, leads, enriched: frames of the contracts Classification (or of `with_quarantined`), Lead, EnrichedLead, of any number of campaigns.
    `others`: further frames by campaign_id and lead_id, with the columns `contrast` and `win_probability`, and `no_win_probability` (why it is null, in
    words); without them these parts are unknown. The profile of a lead selects its rules.
    """
    features = with_company_scores(_features((classifications, leads, enriched, *others), _used(rules)), rules.company)
    scored = [
        rows
        for name, ruleset in rules.profiles.items()
        for rows in _scored(features.filter(_ruleset_name(rules) == name), name, ruleset, rules)
    ]
    return pl.concat([Score.empty(), *scored])


def with_quarantined(classifications: pl.DataFrame, quarantine: pl.DataFrame) -> pl.DataFrame:
    """The classified leads and those whose answer was refused, of whom nothing is known that a model says; `quarantined` is the code, or null."""
    code = pl.lit(None, dtype=pl.String).alias("quarantined")
    refused = quarantine.select(*_KEYS, "profile", quarantined="code")
    return (
        pl.concat([classifications.with_columns(code), refused], how="diagonal") if refused.height else classifications.with_columns(code)
    )


@dataclass(frozen=True)
class _Item:
    """One line of a score's parts. `value` is 0 to 1, or null if it is unknown; `because` and `missing` say why in words."""

    part: Part
    name: str
    weight: float
    value: pl.Expr
    because: pl.Expr
    missing: pl.Expr


# --- from tables to features ---


def _used(rules: ScoringRules) -> set[str]:
    columns = {"profile", "answer", "model", "fallback_reason", "quarantined", "enrichment_quality", *KNOWN_BY}
    columns |= {RATING, CONTRAST, WIN_PROBABILITY, NO_WIN_PROBABILITY}
    for ruleset in rules.profiles.values():
        columns |= {rule.column for members in ruleset.groups.values() for rule in members} | router_columns(ruleset)
    return columns


def _features(tables: Iterable[pl.DataFrame], used: set[str]) -> pl.DataFrame:
    """One row per classified lead with the columns that are used. If tables share a column, the first one's wins."""
    first, *rest = tables
    wide = first.select(*_KEYS, *(name for name in first.columns if name in used))
    for other in rest:
        own = [name for name in other.columns if name in used and name not in wide.columns]
        if own:
            wide = beside(wide, other.select(*_KEYS, *own), _KEYS)
    usual = {RATING: pl.Float64, CONTRAST: pl.Float64, WIN_PROBABILITY: pl.Float64, "quarantined": pl.String, NO_WIN_PROBABILITY: pl.String}
    return wide.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in usual.items() if name not in wide.columns)


def _ruleset_name(rules: ScoringRules) -> pl.Expr:
    return pl.when(pl.col("profile").is_in(list(rules.profiles))).then(pl.col("profile")).otherwise(pl.lit(rules.default))


# --- from features to scores ---


def _scored(features: pl.DataFrame, name: str, ruleset: Ruleset, rules: ScoringRules) -> Iterator[pl.DataFrame]:
    if features.is_empty():
        return
    items = list(_items(ruleset, rules))
    names = [item.name for item in items]
    values = features.select("campaign_id", *(item.value.cast(pl.Float64).alias(item.name) for item in items))
    average = values.select(pl.col(names).mean().over("campaign_id"))
    weights = np.array([item.weight for item in items])
    for at in range(0, features.height, _ROWS_AT_ONCE):
        some = features[at : at + _ROWS_AT_ONCE]
        value, mean = (_matrix(frame[at : at + _ROWS_AT_ONCE], names) for frame in (values, average))
        known = ~np.isnan(value)
        most = _hundredths(np.where(known, weights, 0.0))
        points = np.rint(most * np.where(known, value, 0.0)).astype(np.int64)
        moved = np.rint(most * np.where(known, value - mean, 0.0)).astype(np.int64)
        total = points.sum(axis=1)
        texts = some.select(
            *(item.because.alias(f"because {n}") for n, item in enumerate(items)),
            *(item.missing.alias(f"missing {n}") for n, item in enumerate(items)),
        )
        yield (
            some.select(_KEYS)
            .with_columns(
                score=pl.Series(total / 100.0),
                parts=_parts(items, texts, known, points, most),
                reasons=_reasons(items, texts, known, points, moved),
                unknown_parts=_unknown(items, texts, known),
                ruleset=pl.lit(f"{name}-rules-{rules.version}"),
            )
            .with_columns(_tier(rules), route_score=route_score(some, ruleset, pl.Series(total / 100.0)))
            .with_columns(way(rules.paths))
            .with_columns(
                pl.when(some["quarantined"].is_null()).then("path").otherwise(pl.lit("manual_review")).alias("path"),
                some["quarantined"].is_not_null(),
                *(some[name] for name in COMPANY_SCORES),
                *(some[name].fill_nan(None) for name in (WIN_PROBABILITY, CONTRAST)),
            )
            .select(Score.polars_schema().names())
        )


def _matrix(frame: pl.DataFrame, names: list[str]) -> np.ndarray:
    return frame.select(pl.col(names).fill_null(float("nan"))).to_numpy()


def _hundredths(weights: np.ndarray) -> np.ndarray:
    """Each row's weights as whole hundredths of a score that sum to 100 points; where no weight is known, zeros.

    Each is rounded with the sum up to it, so that the rounding errors do not add up (a form of the largest-remainder method).
    """
    whole = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights.cumsum(axis=1) * _ALL, whole, out=np.zeros_like(weights), where=whole > 0)
    return np.diff(np.rint(shares).astype(np.int64), axis=1, prepend=0)


def _tier(rules: ScoringRules) -> pl.Expr:
    reached = pl.when(pl.col("score") >= rules.tiers.hot).then(pl.lit("hot"))
    return reached.when(pl.col("score") >= rules.tiers.warm).then(pl.lit("warm")).otherwise(pl.lit("cold")).alias("tier")


# --- the parts ---


def _items(ruleset: Ruleset, rules: ScoringRules) -> Iterator[_Item]:
    for part, members in ruleset.groups.items():
        whole = sum(rule.max_points for rule in members)
        for rule in members:
            weight = getattr(ruleset.weights, part) * rule.max_points / whole
            missing = pl.lit(f"{rule.name}: {rule.column} is missing")
            yield _Item(part, rule.name, weight, _part_of(_points(rule), rule.max_points), _because(rule), missing)
    weights, quality, rating = ruleset.weights, pl.col("enrichment_quality"), pl.col(RATING)
    by_rules = pl.format("judgement: rules answered, not a model ({})", pl.col("fallback_reason").fill_null("no reason given"))
    measures = [
        _Item(
            "judgement",
            "judgement",
            weights.judgement,
            _part_of(rating, 100).clip(0, 1),
            pl.format("the model rates the lead {} of 100", rating),
            pl.when(pl.col("quarantined").is_not_null())
            .then(pl.format("judgement: the model's answer is in quarantine ({})", "quarantined"))
            .when(pl.col("model") == RULES_MODEL)
            .then(by_rules)
            .otherwise(pl.lit("judgement: the model was not asked to rate the lead")),
        ),
        _Item(
            "lookalike",
            "lookalike",
            weights.lookalike,
            _scaled(CONTRAST, rules.scales.lookalike),
            pl.format("contrast is {}", pl.col(CONTRAST).round(3)),
            pl.lit("lookalike: nothing to compare the lead with"),
        ),
        _Item(
            "enrichment",
            "enrichment",
            weights.enrichment,
            quality.clip(0, 1),
            pl.format("enrichment_quality is {}", quality.round(2)),
            pl.lit("enrichment: no signal was requested"),
        ),
        *(
            _Item(
                "company",
                name.removesuffix("_score"),
                weights.company / len(COMPANY_SCORES),
                _part_of(pl.col(name), 100),
                pl.format(f"{name} is {{}}", pl.col(name)),
                pl.lit(f"{name.removesuffix('_score')}: nothing is known of it"),
            )
            for name in COMPANY_SCORES
        ),
        _Item(
            "learned",
            "learned",
            weights.learned,
            _scaled(WIN_PROBABILITY, rules.scales.learned),
            pl.format("win_probability is {}", pl.col(WIN_PROBABILITY).round(3)),
            pl.format("learned: {}", pl.col(NO_WIN_PROBABILITY).fill_null("no model is in use")),
        ),
    ]
    yield from (item for item in measures if item.weight > 0)


def _scaled(column: str, scale: Scale) -> pl.Expr:
    value = pl.col(column).fill_nan(None)
    return _part_of(value - scale.low, scale.high - scale.low).clip(0, 1)


def _part_of(value: pl.Expr, whole: float) -> pl.Expr:
    """Value / whole, the same for one lead as for many: polars divides by a number in a frame of one row, and multiplies by its inverse in any other."""
    return value * (1.0 / whole)


def _column(rule: Rule) -> pl.Expr:
    if rule.column.startswith("answer."):
        return pl.col("answer").str.json_path_match("$." + rule.column.removeprefix("answer."))
    return pl.col(rule.column)


def _points(rule: Rule) -> pl.Expr:
    """Null where the column has no value and the rule does not say what that is worth."""
    column, least = _column(rule), rule.otherwise or 0.0
    if rule.present is not None:
        return pl.when(column.is_not_null()).then(pl.lit(rule.present)).otherwise(pl.lit(least))
    if rule.values is not None:
        text = column.cast(pl.String)
        points = text.replace_strict(rule.values, default=least, return_dtype=pl.Float64)
        return pl.when(text.is_not_null()).then(points).otherwise(pl.lit(rule.otherwise, dtype=pl.Float64))
    number = column.cast(pl.Float64, strict=False).fill_nan(None)
    points = pl.lit(least)
    for step in sorted(rule.steps or [], key=lambda step: step.at_least):
        points = pl.when(number >= step.at_least).then(pl.lit(step.points)).otherwise(points)
    return pl.when(number.is_not_null()).then(points).otherwise(pl.lit(rule.otherwise, dtype=pl.Float64))


def _because(rule: Rule) -> pl.Expr:
    """A rule about presence does not repeat the value, which may be personal data."""
    column = _column(rule)
    if rule.present is not None:
        return pl.when(column.is_not_null()).then(pl.lit(f"{rule.column} is known")).otherwise(pl.lit(f"{rule.column} is missing"))
    return pl.format(f"{rule.column} is {{}}", column.cast(pl.String).fill_null("missing"))


# --- in words ---

_PLAIN = pl.Series([str(number / 100.0) for number in range(_ALL + 1)])
_SIGNED = pl.Series([f"{number / 100.0:+.2f}" for number in range(-_ALL, _ALL + 1)])
"""Each hundredth as text, because looking a number up is ten times as fast as writing it."""

_ESCAPED = r'["\\\x00-\x1f]'


def _parts(items: list[_Item], texts: pl.DataFrame, known: np.ndarray, points: np.ndarray, most: np.ndarray) -> pl.Series:
    """The known parts as a JSON array, in the order of the rules, with sorted keys."""
    because = texts.select(pl.col(f"because {n}") for n in range(len(items)))
    escaped = because.select(pl.all().str.contains(_ESCAPED).any()).row(0)
    lines = because.select(
        pl.when(pl.lit(pl.Series(known[:, n])))
        .then(
            pl.concat_str(
                pl.lit('{"because":"'),
                _in_json(f"because {n}") if escaped[n] else pl.col(f"because {n}"),
                pl.lit('","max_points":'),
                pl.lit(_PLAIN.gather(most[:, n])),
                pl.lit(f',"part":"{item.part}","points":'),
                pl.lit(_PLAIN.gather(points[:, n])),
                pl.lit(f',"rule":{_quoted(item.name)}}}'),
            )
        )
        .alias(str(n))
        for n, item in enumerate(items)
    )
    joined = pl.concat_str(pl.all(), separator=",", ignore_nulls=True)
    return lines.select(pl.concat_str(pl.lit("["), joined, pl.lit("]"))).to_series()


def _reasons(items: list[_Item], texts: pl.DataFrame, known: np.ndarray, points: np.ndarray, moved: np.ndarray) -> pl.Series:
    """The parts that moved the score most, up or down, in words; between equals, those with more points."""
    rows, count = known.shape
    lines = texts.select(
        pl.when(pl.lit(pl.Series(known[:, n])))
        .then(
            pl.concat_str(pl.lit(_SIGNED.gather(moved[:, n] + _ALL)), pl.lit(f" {item.name}: "), pl.col(f"because {n}"), ignore_nulls=False)
        )
        .alias(str(n))
        for n, item in enumerate(items)
    ).get_columns()
    rank = np.where(known, np.abs(moved) * (_ALL + 1) + points, -1)
    width = min(MOST_REASONS, count)
    order = np.argsort(-rank, axis=1, kind="stable")[:, :width]
    picked = pl.concat(lines, rechunk=True).gather((order * rows + np.arange(rows)[:, None]).ravel())
    return picked.reshape((rows, width)).arr.to_list().list.drop_nulls()


def _unknown(items: list[_Item], texts: pl.DataFrame, known: np.ndarray) -> pl.Series:
    some = np.flatnonzero(~known.all(axis=0))
    if not some.size:
        return pl.repeat([], len(known), dtype=pl.List(pl.String), eager=True)
    lines = [_of_known(texts[f"missing {n}"], ~known[:, n]).alias(items[n].name) for n in some]
    return pl.DataFrame(lines).select(pl.concat_list(pl.all()).list.drop_nulls()).to_series()


def _of_known(text: pl.Series, known: np.ndarray) -> pl.Series:
    return text.zip_with(pl.Series(known), pl.Series([None], dtype=pl.String))


def _in_json(column: str) -> pl.Expr:
    """The texts of a column as they stand between the quotes of a JSON string."""
    encoded = pl.struct(pl.col(column).alias("x")).struct.json_encode()
    return encoded.str.slice(len('{"x":"')).str.head(-len('"}'))


@cache
def _quoted(text: str) -> str:
    return pl.DataFrame({"x": [text]}).select(pl.struct("x").struct.json_encode()).item()[len('{"x":') : -1]
