"""What a lead is worth before money is spent: its pre-score, and which signals its `when` lets it have.

Belongs here: the pre-score and the conditions of signals, as declared in rules/signals.yaml, and applying them to leads. Does not belong here: buying (see
`engine`), what the budget allows (see `plan`), the score that decides who is called (see `lead_assets.scoring`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import polars as pl
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from lead_assets.contracts import Lead, PreScore, SignalRow, Table
from lead_assets.core.columns import beside, selected, widened
from lead_assets.core.conditions import Between, KnownValue, Test, plain_number
from lead_assets.core.declared import Declared
from lead_assets.core.document import nearest

PRE_SCORE = "pre_score"
TIER = "tier"
NOT_WORTH_IT = "not_worth_it"
"""The reason for a miss that the signal's `when` decided."""
_KEYS = ["campaign_id", "lead_id"]
_OF_SIGNALS = {name: dtype for name, dtype in SignalRow.polars_schema().items() if name in ("state", "provider")}
_OF_PRE_SCORE: dict[str, pl.DataType] = {PRE_SCORE: pl.Float64(), TIER: pl.String()}

Points = Annotated[int, Field(ge=0)]


class PreScoreStep(Declared):
    at_least: float
    points: Points


def _columns(value: object) -> object:
    return [value] if isinstance(value, str) else value


class PreScorePart(Declared):
    """One part of the pre-score. Exactly one of `values`, `steps`, `contains` and `present` sets the points.

    The first of its columns that has a value counts. Without a match, `otherwise` applies. If none of the columns has a value, the part is left out, unless
    `unknown` says what that is worth.
    """

    name: str = Field(min_length=1)
    column: Annotated[tuple[str, ...], BeforeValidator(_columns), Field(min_length=1)]
    values: dict[str, Points] | None = None
    steps: list[PreScoreStep] | None = None
    contains: dict[str, Points] | None = None
    present: Points | None = None
    otherwise: Points = 0
    unknown: Points | None = None

    @property
    def max_points(self) -> int:
        steps = [step.points for step in self.steps or []]
        return max(
            [*(self.values or {}).values(), *steps, *(self.contains or {}).values(), self.present or 0, self.otherwise, self.unknown or 0]
        )

    @model_validator(mode="after")
    def _one_way_to_score(self) -> PreScorePart:
        if sum(way is not None for way in (self.values, self.steps, self.contains, self.present)) != 1:
            raise ValueError("give exactly one of values, steps, contains, present")
        return self


class PreScoreTiers(Declared):
    """The lowest pre-score of each tier; a lead below the last one is cold."""

    hot: float
    warm: float

    @model_validator(mode="after")
    def _in_order(self) -> PreScoreTiers:
        if not self.hot > self.warm:
            raise ValueError("tier hot must start above tier warm: raise hot or lower warm")
        return self


class PreScoreRules(Declared):
    """The pre-score: 100 × points / most points, over the parts of which something is known. So parts for different kinds of leads can stand side by side."""

    tiers: PreScoreTiers
    parts: list[PreScorePart] = Field(min_length=1)

    def reads(self) -> list[str]:
        """The signals whose columns it uses, sorted."""
        return sorted({name for part in self.parts for column in part.column if (name := signal_of(column))})


Conditions = dict[str, Test]


def _listed(value: object) -> object:
    return [value] if isinstance(value, dict) else value


_Alternatives = Annotated[tuple[Annotated[Conditions, Field(min_length=1)], ...], BeforeValidator(_listed), Field(min_length=1)]
DeclaredWhen = Annotated[
    Annotated[_Alternatives, Tag("conditions")] | Annotated[Literal["always"], Tag("always")],
    Discriminator(lambda value: "always" if isinstance(value, str) else "conditions"),
]
"""A condition on each of several columns, or a list of such conditions, of which one is enough; "always" in a campaign lifts the general one."""


@dataclass(frozen=True)
class SignalWhen:
    """For which leads a signal is bought: in general, and in campaigns that say otherwise (the first pattern that fits counts). Empty: for all."""

    general: tuple[Conditions, ...] = ()
    campaigns: tuple[tuple[str, tuple[Conditions, ...]], ...] = ()

    def of(self, campaign_id: str) -> tuple[Conditions, ...]:
        return next((own for pattern, own in self.campaigns if fnmatchcase(campaign_id, pattern)), self.general)

    def columns(self) -> list[str]:
        """Everything that a condition tests, sorted."""
        every = [self.general, *(own for _, own in self.campaigns)]
        return sorted({column for alternatives in every for conditions in alternatives for column in conditions})

    def reads(self) -> list[str]:
        """The signals whose columns it tests, sorted."""
        return sorted({name for column in self.columns() if (name := signal_of(column))})

    @property
    def uses_pre_score(self) -> bool:
        return bool({PRE_SCORE, TIER} & set(self.columns()))

    def declared(self) -> object:
        """What it says, independent of its layout in the file."""
        return [_said(self.general), [(pattern, _said(own)) for pattern, own in self.campaigns]]


def _said(alternatives: tuple[Conditions, ...]) -> list[dict[str, object]]:
    return [{column: test if isinstance(test, tuple) else test.model_dump() for column, test in each.items()} for each in alternatives]


def signal_of(column: str) -> str | None:
    """The signal of a column written as signal.column; None for a column of the lead or the pre-score."""
    return column.split(".")[0] if "." in column else None


def columns_known(contracts: Mapping[str, type[Table]], signals: Sequence[str], *, pre_score: bool) -> dict[str, pl.DataType]:
    """Column → type, for everything that a condition or a part may use."""
    known = dict(Lead.polars_schema()) | (_OF_PRE_SCORE if pre_score else {})
    for name in signals:
        contract = contracts.get(f"signals.{name}")
        if contract is not None and issubclass(contract, SignalRow):
            schema = contract.polars_schema()
            known |= {f"{name}.{column}": schema[column] for column in [*_OF_SIGNALS, *contract.value_fields()]}
    return known


def faults_of(column: str, test: Test | None, known: Mapping[str, pl.DataType]) -> Iterator[str]:
    """What is wrong with a condition (or, without a test, with a column), in words."""
    if column not in known:
        yield (
            f"unknown column '{column}'{nearest(column, known)}: use one of identity.leads, {PRE_SCORE}, {TIER}, "
            "or signal.column, such as company_overview.headcount_min"
        )
        return
    dtype = known[column]
    if isinstance(test, Between) and not dtype.is_numeric():
        yield f"{column} is not a number: write a list of values, or {{known: true}}"
    if isinstance(test, tuple) and not (dtype == pl.String or dtype == pl.List(pl.String)):
        yield f"{column} is not text: write " + ("{min: …}, {max: …} or both" if dtype.is_numeric() else "{known: true} or {known: false}")


_CONDITIONS: dict[tuple[str, frozenset[str]], tuple[pl.Expr, pl.Expr]] = {}
"""By conditions and the columns that are known: whether a lead meets them, and what it lacks, in words."""
_MOST_CONDITIONS = 1_000


@dataclass(frozen=True)
class Worth:
    """What is known about a run's leads when their signals are bought."""

    rules: PreScoreRules | None = None
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """By name, the tables of signals that were bought before."""
    scores: pl.DataFrame | None = None
    """Rows of signals.pre_scores; None if the signals that they need are only now bought."""

    def judged(self, when: SignalWhen, leads: pl.DataFrame) -> pl.DataFrame:
        """Columns worth (whether to buy), needs (what would have to change, in words; null if nothing) and rank (1: the lead to buy for first), in the
        order of `leads`. A condition on something that is not known yet counts as met."""
        return self.judged_by([when], leads)[0]

    def judged_by(self, whens: Sequence[SignalWhen], leads: pl.DataFrame) -> list[pl.DataFrame]:
        """`judged` by each of them. What they share, and the order of buying, is found once."""
        scores, ranks = self._ranked(leads)
        columns = list(dict.fromkeys(column for when in whens for column in when.columns() if signal_of(column) in self.frames))
        facts = with_columns_of(leads, self.frames, columns).hstack(scores.get_columns())
        campaigns = list(dict.fromkeys(leads["campaign_id"].to_list()))
        every = {str(when): when for when in whens}
        tests = {text: self._tests(when, campaigns) for text, when in every.items()}
        # Not `select`: of constants it makes one row, also where there is no lead.
        said = widened(
            facts,
            [each.alias(f"__{name} {text}") for text, pair in tests.items() for name, each in zip(("worth", "needs"), pair, strict=True)],
        )
        found = {
            text: pl.DataFrame([said[f"__worth {text}"].alias("worth"), said[f"__needs {text}"].alias("needs"), ranks]) for text in every
        }
        return [found[str(when)] for when in whens]

    def _ranked(self, leads: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """The columns of the pre-score, and the place of each lead in the order of buying."""
        # For the order of buying, a first look at what is free is better than none.
        scores = self.scores
        if scores is None and self.rules is not None:
            scores = pre_scores(leads, {}, self.rules)
        joined = leads[[*_KEYS, "received_at"]]
        by: list[str | pl.Expr] = ["received_at", *_KEYS]
        if scores is None:
            order = joined.select(pl.arg_sort_by(by, nulls_last=True))
        else:
            joined = beside(joined, scores[[*_KEYS, PRE_SCORE, TIER]], _KEYS)
            order = joined.select(pl.arg_sort_by(PRE_SCORE, *by, descending=[True, False, False, False], nulls_last=True))
        ranks = [0] * leads.height
        for rank, row in enumerate(order.to_series().to_list(), start=1):
            ranks[row] = rank
        own = [joined[name] for name in (PRE_SCORE, TIER) if name in joined.columns]
        return pl.DataFrame(own), pl.Series("rank", ranks, dtype=pl.Int64)

    def _tests(self, when: SignalWhen, campaigns: Sequence[str]) -> tuple[pl.Expr, pl.Expr]:
        declared: dict[str, tuple[tuple[Conditions, ...], list[str]]] = {}
        for campaign in campaigns:
            own = when.of(campaign)
            declared.setdefault(str(own), (own, []))[1].append(campaign)
        worth, needs = pl.lit(True), pl.lit(None, dtype=pl.String)
        for text, (own, names) in declared.items():
            # Kept, because to write expressions takes longer than to work them out for a few leads.
            key = text, frozenset(column for each in own for column in each if self._knows(column))
            # One look, because another thread may clear it between two.
            if (written := _CONDITIONS.get(key)) is None:
                if len(_CONDITIONS) >= _MOST_CONDITIONS:
                    _CONDITIONS.clear()
                written = _CONDITIONS[key] = self._any(own)
            met, lacking = written
            if len(declared) == 1:
                worth, needs = met, lacking
                continue
            here = pl.col("campaign_id").is_in(names)
            worth = pl.when(here).then(met).otherwise(worth)
            needs = pl.when(here).then(lacking).otherwise(needs)
        return worth, pl.when(~worth).then(needs)

    def _any(self, alternatives: tuple[Conditions, ...]) -> tuple[pl.Expr, pl.Expr]:
        if not alternatives:
            return pl.lit(True), pl.lit(None, dtype=pl.String)
        pairs = [self._all(conditions) for conditions in alternatives]
        lacking = pl.concat_str([words for _, words in pairs], separator="; or ", ignore_nulls=True)
        return pl.any_horizontal(met for met, _ in pairs), lacking

    def _all(self, conditions: Conditions) -> tuple[pl.Expr, pl.Expr]:
        known = {column: test for column, test in conditions.items() if self._knows(column)}
        if not known:
            return pl.lit(True), pl.lit(None, dtype=pl.String)
        lacking = [pl.when(~meets(column, test)).then(_needs(column, test)) for column, test in known.items()]
        met = pl.all_horizontal(meets(column, test) for column, test in known.items())
        return met, pl.concat_str(lacking, separator=", ", ignore_nulls=True)

    def _knows(self, column: str) -> bool:
        signal = signal_of(column)
        return signal in self.frames if signal else column not in _OF_PRE_SCORE or self.scores is not None


def with_columns_of(leads: pl.DataFrame, frames: Mapping[str, pl.DataFrame], columns: Sequence[str]) -> pl.DataFrame:
    """The leads, with these columns of signals (written signal.column) beside their own."""
    wanted: dict[str, list[str]] = {}
    for column in columns:
        name, _, own = column.partition(".")
        wanted.setdefault(name, []).append(own)
    for name, columns_of_it in wanted.items():
        leads = beside(leads, frames[name][[*_KEYS, *columns_of_it]], _KEYS, prefix=f"{name}.")
    return leads


def meets(column: str, test: Test) -> pl.Expr:
    """Whether a column meets a condition: true or false, never null. A column without a value meets only {known: false}."""
    value = pl.col(column)
    if isinstance(test, KnownValue):
        return value.is_not_null() if test.known else value.is_null()
    if isinstance(test, Between):
        met = pl.lit(True)
        if test.min is not None:
            met = met & (value >= test.min)
        if test.max is not None:
            met = met & (value <= test.max)
        return met.fill_null(False)
    words = [word.lower() for word in test]
    if column in _LISTS:
        return value.list.eval(pl.element().str.to_lowercase().is_in(words)).list.any().fill_null(False)
    return value.str.to_lowercase().is_in(words).fill_null(False)


def _needs(column: str, test: Test) -> pl.Expr:
    """What a lead has and what it would need. A value that may be personal data is not repeated."""
    said = "pre-score" if column == PRE_SCORE else column
    if isinstance(test, KnownValue):
        return pl.lit(f"{said} is {'unknown' if test.known else 'known'}, needs to be {'known' if test.known else 'unknown'}")
    if isinstance(test, Between):
        bounds = [None if test.min is None else plain_number(test.min), None if test.max is None else plain_number(test.max)]
        wanted = f"{bounds[0]} to {bounds[1]}" if None not in bounds else f"at most {bounds[1]}" if bounds[0] is None else str(bounds[0])
        return pl.format(f"{said} {{}}, needs {wanted}", _shown(column))
    return pl.format(f"{said} {{}}, needs {' or '.join(test)}", _shown(column))


def _shown(column: str) -> pl.Expr:
    value = pl.col(column)
    if column in _PERSONAL or column in _LISTS:
        return pl.when(value.is_null()).then(pl.lit("unknown")).otherwise(pl.lit("differs"))
    text = pl.col(column).cast(pl.String)
    number = text.str.replace(r"\.0+$", "") if column in _NUMBERS else text
    return number.fill_null("unknown")


def pre_scores(leads: pl.DataFrame, frames: Mapping[str, pl.DataFrame], rules: PreScoreRules) -> pl.DataFrame:
    """Rows of signals.pre_scores for the leads (columns of identity.leads). `frames`: the tables of signals, by name; one that is not there is unknown."""
    columns = [column for part in rules.parts for column in part.column if signal_of(column) in frames]
    facts = with_columns_of(leads, frames, list(dict.fromkeys(columns)))
    said = _expressions_of(
        rules.model_dump_json(), frozenset(column for part in rules.parts for column in part.column if column in facts.columns)
    )
    # Each value once: an expression is worked out as often as it is written.
    return selected(widened(widened(selected(facts, said.values), said.points), [said.total]), said.scores)


class _PreScoreExpressions(NamedTuple):
    """The values of the parts, their points, and the rows made from both."""

    values: list[pl.Expr]
    points: list[pl.Expr]
    total: pl.Expr
    scores: list[pl.Expr]


@lru_cache(maxsize=64)
def _expressions_of(declared: str, columns: frozenset[str]) -> _PreScoreExpressions:
    """How rules (as JSON) are worked out in a frame with these columns. Kept, because to write expressions takes longer than to work them out for a few
    leads."""
    rules = PreScoreRules.model_validate_json(declared)
    values = {f"__value {part.name}": value for part in rules.parts if (value := _value(part, columns)) is not None}
    points = [_points(part, values).alias(f"__{part.name}") for part in rules.parts]
    most = [pl.when(pl.col(f"__{part.name}").is_not_null()).then(pl.lit(part.max_points)) for part in rules.parts]
    reached = pl.sum_horizontal(pl.col(f"__{part.name}") for part in rules.parts)
    total = pl.col("__total")
    tier = (
        pl.when(total >= rules.tiers.hot).then(pl.lit("hot")).when(total >= rules.tiers.warm).then(pl.lit("warm")).otherwise(pl.lit("cold"))
    )
    parts = [_part(part, values).struct.json_encode() for part in rules.parts]
    scores = {
        PRE_SCORE: total.cast(pl.Float64),
        TIER: tier,
        "parts": pl.concat_str([pl.lit("["), pl.concat_str(parts, separator=","), pl.lit("]")]),
    }
    return _PreScoreExpressions(
        [*map(pl.col, _KEYS), *(value.alias(name) for name, value in values.items())],
        points,
        (100 * reached / pl.sum_horizontal(most)).fill_nan(0.0).round(1).alias("__total"),
        [scores[name].alias(name) if name in scores else pl.col(name) for name in PreScore.polars_schema()],
    )


def _value(part: PreScorePart, present: Collection[str]) -> pl.Expr | None:
    """The first of the part's columns with a value, as a number for steps and as text otherwise, in small letters if it is searched; None if no column is
    there."""
    columns = [column for column in part.column if column in present]
    if not columns:
        return None
    if part.steps is not None:
        return pl.coalesce(_number(column) for column in columns)
    text = pl.coalesce(pl.col(column).cast(pl.String) for column in columns)
    return text.str.to_lowercase() if part.contains is not None else text


def _number(column: str) -> pl.Expr:
    """A number, or the first one in a text: 1,001-5,000 is 1001."""
    if column in _NUMBERS:
        return pl.col(column).cast(pl.Float64)
    return pl.col(column).str.replace_all(r"(\d),(\d)", "$1$2").str.extract(r"(\d+(?:\.\d+)?)").cast(pl.Float64, strict=False)


def _points(part: PreScorePart, present: Collection[str]) -> pl.Expr:
    if f"__value {part.name}" not in present:
        return pl.lit(part.unknown, dtype=pl.Int64)
    value = pl.col(f"__value {part.name}")
    points = pl.lit(part.otherwise, dtype=pl.Int64)
    if part.values is not None:
        points = value.replace_strict(part.values, default=part.otherwise, return_dtype=pl.Int64)
    elif part.present is not None:
        points = pl.lit(part.present, dtype=pl.Int64)
    elif part.steps is not None:
        steps = sorted(part.steps, key=lambda step: step.at_least, reverse=True)
        points = pl.coalesce(*(pl.when(value >= step.at_least).then(pl.lit(step.points)) for step in steps), points)
    else:
        worth: dict[int, list[str]] = {}
        for word, each in (part.contains or {}).items():
            worth.setdefault(each, []).append(word.lower())
        best_first = sorted(worth.items(), reverse=True)
        points = pl.coalesce(*(pl.when(value.str.contains_any(words)).then(pl.lit(each)) for each, words in best_first), points)
    return pl.when(value.is_null()).then(pl.lit(part.unknown, dtype=pl.Int64)).otherwise(points).cast(pl.Int64)


def _part(part: PreScorePart, present: Collection[str]) -> pl.Expr:
    """{"part", "points", "max_points", "because"}; without points if it is unknown. Text and whatever may be personal data is not repeated."""
    value, name = pl.col(f"__value {part.name}"), " or ".join(part.column)
    if f"__value {part.name}" not in present:
        because = pl.lit(f"{name} is unknown")
    elif part.present is not None or part.contains is not None or _PERSONAL & set(part.column):
        because = pl.when(value.is_null()).then(pl.lit(f"{name} is unknown")).otherwise(pl.lit(f"{name} is known"))
    else:
        text = value.cast(pl.String).str.replace(r"\.0+$", "") if part.steps is not None else value
        because = pl.format(f"{name} is {{}}", text.fill_null("unknown"))
    return pl.struct(
        part=pl.lit(part.name), points=pl.col(f"__{part.name}"), max_points=pl.lit(part.max_points, dtype=pl.Int64), because=because
    )


def _of_every_table() -> dict[str, tuple[pl.DataType, bool]]:
    """Column, as conditions write it → its type, and whether it is personal data."""
    from lead_assets.contracts import TABLES

    found = {column.name: (column.dtype, column.pii is not None) for column in Lead.columns()}
    found |= {name: (dtype, False) for name, dtype in _OF_PRE_SCORE.items()}
    for table, contract in TABLES.items():
        if issubclass(contract, SignalRow):
            name = table.removeprefix("signals.")
            found |= {f"{name}.{column.name}": (column.dtype, column.pii is not None) for column in contract.columns()}
    return found


_EVERY = _of_every_table()
_NUMBERS = frozenset(name for name, (dtype, _) in _EVERY.items() if dtype.is_numeric())
_LISTS = frozenset(name for name, (dtype, _) in _EVERY.items() if isinstance(dtype, pl.List))
_PERSONAL = frozenset(name for name, (_, personal) in _EVERY.items() if personal)
