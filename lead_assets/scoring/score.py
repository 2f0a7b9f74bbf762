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
from lead_assets.core.columns import beside, selected, widened
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
    plan = _plan_of(rules)
    features = with_company_scores(_features((classifications, leads, enriched, *others), plan.used), rules.company)
    named = features.select(_ruleset_name(rules)).to_series()
    frames = [Score.empty()]
    for name in rules.profiles:
        own = named == name
        if own.any():
            frames += _scored(features if own.all() else features.filter(own), name, plan.items[name], rules)
    return pl.concat(frames)


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


@dataclass(frozen=True)
class _Plan:
    """What is made of rules before any lead is seen. To write the expressions takes longer than to work them out for a few leads."""

    rules: ScoringRules
    used: set[str]
    items: dict[str, list[_Item]]
    """By profile."""


_plans: list[_Plan] = []


def _plan_of(rules: ScoringRules) -> _Plan:
    """The plan of the rules in force, which are the same object until their file changes."""
    for plan in _plans:
        if plan.rules is rules:
            return plan
    plan = _Plan(rules, _used(rules), {name: list(_items(ruleset, rules)) for name, ruleset in rules.profiles.items()})
    _plans[:] = [plan]
    return plan


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
    wide = first[[*_KEYS, *(name for name in first.columns if name in used and name not in _KEYS)]]
    for other in rest:
        own = [name for name in other.columns if name in used and name not in wide.columns]
        if own:
            wide = beside(wide, other[[*_KEYS, *own]], _KEYS)
    usual = {RATING: pl.Float64, CONTRAST: pl.Float64, WIN_PROBABILITY: pl.Float64, "quarantined": pl.String, NO_WIN_PROBABILITY: pl.String}
    return wide.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in usual.items() if name not in wide.columns)


def _ruleset_name(rules: ScoringRules) -> pl.Expr:
    return pl.when(pl.col("profile").is_in(list(rules.profiles))).then(pl.col("profile")).otherwise(pl.lit(rules.default))


# --- from features to scores ---


def _scored(features: pl.DataFrame, name: str, items: list[_Item], rules: ScoringRules) -> Iterator[pl.DataFrame]:
    names = [item.name for item in items]
    values = selected(features, [pl.col("campaign_id"), *(item.value.cast(pl.Float64).alias(item.name) for item in items)])
    average = selected(values, [pl.col(names).mean().over("campaign_id")])
    weights = np.array([item.weight for item in items])
    texts = [item.because.alias(f"because {n}") for n, item in enumerate(items)]
    texts += [item.missing.alias(f"missing {n}") for n, item in enumerate(items)]
    for at in range(0, features.height, _ROWS_AT_ONCE):
        some = features[at : at + _ROWS_AT_ONCE]
        value, mean = (_matrix(frame[at : at + _ROWS_AT_ONCE], names) for frame in (values, average))
        known = ~np.isnan(value)
        most = _hundredths(np.where(known, weights, 0.0))
        points = np.rint(most * np.where(known, value, 0.0)).astype(np.int64)
        moved = np.rint(most * np.where(known, value - mean, 0.0)).astype(np.int64)
        total = pl.Series(points.sum(axis=1) / 100.0)
        said = widened(some, texts)
        lines = _Lines([said[f"because {n}"] for n in range(len(items))], items, known)
        some = some.with_columns(
            score=total,
            parts=lines.parts(points, most),
            reasons=lines.reasons(points, moved),
            unknown_parts=_unknown(items, said, known),
            ruleset=pl.lit(f"{name}-rules-{rules.version}"),
            route_score=route_score(some, rules.profiles[name], total),
        )
        quarantined = pl.col("quarantined").is_not_null()
        made = {
            "tier": _tier(rules),
            "path": pl.when(quarantined).then(pl.lit("manual_review")).otherwise(way(rules.paths)),
            "quarantined": quarantined,
            WIN_PROBABILITY: pl.col(WIN_PROBABILITY).fill_nan(None),
            CONTRAST: pl.col(CONTRAST).fill_nan(None),
        }
        yield selected(some, [made.get(column, pl.col(column)).alias(column) for column in Score.polars_schema()])


def _matrix(frame: pl.DataFrame, names: list[str]) -> np.ndarray:
    return selected(frame, [pl.col(names).fill_null(float("nan"))]).to_numpy()


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


class _Lines:
    """The parts of all scores as one long column, item by item, because a query for each of them would take longer than its work for a few leads."""

    def __init__(self, because: list[pl.Series], items: list[_Item], known: np.ndarray) -> None:
        self._rows, self._items, self._known = len(known), items, known
        self._because = pl.concat([each.alias("because") for each in because], rechunk=True)

    def parts(self, points: np.ndarray, most: np.ndarray) -> pl.Series:
        """The known parts as a JSON array, in the order of the rules, with sorted keys."""
        columns = {
            "because": self._in_json(),
            "most": _PLAIN[most.T.ravel()],
            "part": self._each([f',"part":"{item.part}","points":' for item in self._items]),
            "points": _PLAIN[points.T.ravel()],
            "rule": self._each([f',"rule":{_quoted(item.name)}}}' for item in self._items]),
        }
        line = pl.concat_str(pl.lit('{"because":"'), "because", pl.lit('","max_points":'), "most", "part", "points", "rule")
        lines = self._of_known(columns, line)
        beside = pl.DataFrame([lines[n * self._rows : (n + 1) * self._rows].alias(str(n)) for n in range(len(self._items))])
        return beside.select(pl.concat_str(pl.lit("["), pl.concat_str(pl.all(), separator=",", ignore_nulls=True), pl.lit("]"))).to_series()

    def reasons(self, points: np.ndarray, moved: np.ndarray) -> pl.Series:
        """The parts that moved the score most, up or down, in words; between equals, those with more points."""
        columns = {
            "moved": _SIGNED[(moved + _ALL).T.ravel()],
            "name": self._each([f" {item.name}: " for item in self._items]),
            "because": self._because,
        }
        lines = self._of_known(columns, pl.concat_str("moved", "name", "because", ignore_nulls=False))
        rank = np.where(self._known, np.abs(moved) * (_ALL + 1) + points, -1)
        width = min(MOST_REASONS, len(self._items))
        order = np.argsort(-rank, axis=1, kind="stable")[:, :width]
        picked = lines[(order * self._rows + np.arange(self._rows)[:, None]).ravel()]
        return picked.reshape((self._rows, width)).arr.to_list().list.drop_nulls()

    def _each(self, texts: list[str]) -> pl.Series:
        return pl.Series(texts)[np.repeat(np.arange(len(texts)), self._rows)]

    def _of_known(self, columns: dict[str, pl.Series], line: pl.Expr) -> pl.Series:
        frame = pl.DataFrame([series.alias(name) for name, series in columns.items()])
        return frame.select(pl.when(pl.lit(pl.Series(self._known.T.ravel()))).then(line)).to_series()

    def _in_json(self) -> pl.Series:
        """The texts as they stand between the quotes of a JSON string."""
        escaped = self._because.str.contains(_ESCAPED).fill_null(False)
        if not escaped.any():
            return self._because
        encoded = self._because.filter(escaped).to_frame().select(pl.struct(x="because").struct.json_encode()).to_series()
        # `scatter` changes the series that it is asked of, and the reasons say these texts as they are.
        return self._because.clone().scatter(escaped.arg_true(), encoded.str.slice(len('{"x":"')).str.head(-len('"}')))


def _unknown(items: list[_Item], texts: pl.DataFrame, known: np.ndarray) -> pl.Series:
    some = np.flatnonzero(~known.all(axis=0))
    if not some.size:
        return pl.repeat([], len(known), dtype=pl.List(pl.String), eager=True)
    lines = [_of_known(texts[f"missing {n}"], ~known[:, n]).alias(items[n].name) for n in some]
    return pl.DataFrame(lines).select(pl.concat_list(pl.all()).list.drop_nulls()).to_series()


def _of_known(text: pl.Series, known: np.ndarray) -> pl.Series:
    return text.zip_with(pl.Series(known), pl.Series([None], dtype=pl.String))


@cache
def _quoted(text: str) -> str:
    return pl.DataFrame({"x": [text]}).select(pl.struct("x").struct.json_encode()).item()[len('{"x":') : -1]
