"""The scoring rules from rules/scoring.yaml, validated on reading.

Does not belong here: applying them (see `score` and `path`).
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from lead_assets.contracts import Classification, EnrichedLead, Lead
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings

FEATURES: frozenset[str] = frozenset(column.name for contract in (Lead, EnrichedLead, Classification) for column in contract.columns())
"""Columns a rule may use: those of the lead, its signals and its classification. `answer.x` is field x of the classifier's answer."""

Part = Literal["fit", "intent", "judgement", "lookalike", "enrichment", "company", "learned"]
PARTS: tuple[Part, ...] = typing.get_args(Part)
"""What a score is made of, in the order of `Score.parts`: two groups of rules, then five measures."""

COMPANY_SCORES = ("ai_adoption_score", "size_score", "funding_score")
"""0 to 100 each, the items of the part `company`: columns of scoring.scores."""

Points = Annotated[float, Field(ge=0)]


class PointsStep(Declared):
    at_least: float
    points: Points


class Rule(Declared):
    """One part of a score. Exactly one of `values`, `steps` and `present` sets the points.

    A value that matches nothing gives `otherwise`, or 0. A missing value gives `otherwise` if that is declared; if not, the rule is unknown for the lead.
    """

    name: str
    column: str
    values: dict[str, Points] | None = None
    steps: list[PointsStep] | None = None
    present: Points | None = None
    otherwise: Points | None = None

    @property
    def max_points(self) -> float:
        given = [*(self.values or {}).values(), *(step.points for step in self.steps or []), self.present or 0]
        return max([*given, self.otherwise or 0])

    @model_validator(mode="after")
    def _one_way_to_score(self) -> Rule:
        if sum(way is not None for way in (self.values, self.steps, self.present)) != 1:
            raise ValueError("give exactly one of values, steps, present")
        return self


class RouterStep(Declared):
    at_least: float
    points: float


class RouterRule(Declared):
    """One term of the router's score, from -1 to 1. Exactly one of `values`, `steps`, `present` and `words`; `words` need `points`.

    `columns` are tried in order; the first with a value counts. A missing value gives nothing.
    """

    name: str
    columns: Annotated[list[str], Field(min_length=1)]
    values: dict[str, float] | None = None
    steps: list[RouterStep] | None = None
    present: float | None = None
    words: Annotated[list[str], Field(min_length=1)] | None = None
    points: float | None = None

    @model_validator(mode="after")
    def _one_way_to_score(self) -> RouterRule:
        if sum(way is not None for way in (self.values, self.steps, self.present, self.words)) != 1:
            raise ValueError("give exactly one of values, steps, present, words")
        if (self.words is None) != (self.points is None):
            raise ValueError("words and points belong together: give both or neither")
        return self


Weight = Annotated[float, Field(ge=0)]


class PartWeights(Declared):
    """What each part counts. Only their ratios matter, because the weights of what is known about a lead are scaled to 100."""

    fit: Weight
    intent: Weight
    judgement: Weight = 0
    lookalike: Weight = 0
    enrichment: Weight = 0
    company: Weight = 0
    learned: Weight = 0


class Ruleset(Declared):
    """The rules for one classification profile. Within a part, a rule's weight is its share of the part's points."""

    weights: PartWeights
    fit: Annotated[list[Rule], Field(min_length=1)]
    intent: Annotated[list[Rule], Field(min_length=1)]
    router: list[RouterRule] = []
    """Rules of the router's score; without any, `route_score` is the score divided by 100."""

    @property
    def groups(self) -> dict[Part, list[Rule]]:
        return {"fit": self.fit, "intent": self.intent}


class Scale(Declared):
    """A measure's values that count as nothing and as everything; in between it is proportional."""

    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Scale:
        if not self.high > self.low:
            raise ValueError("high must be above low: raise high or lower low")
        return self


class Scales(Declared):
    lookalike: Scale
    learned: Scale


class Evidence(Declared):
    """Points for one kind of evidence: `each` per hit, at most `most`."""

    each: int = Field(ge=0)
    most: int = Field(ge=0)
    words: list[str] = Field(min_length=1)


class AdoptionRules(Declared):
    stack: Evidence
    postings: Evidence
    description: Evidence


class CompanyStep(Declared):
    at_least: float
    points: Annotated[int, Field(ge=0, le=100)]


class CompanyRules(Declared):
    """How a company is judged, whoever its lead is."""

    adoption: AdoptionRules
    size: Annotated[list[CompanyStep], Field(min_length=1)]
    funding: Annotated[list[CompanyStep], Field(min_length=1)]


class Tiers(Declared):
    """The lowest score of each tier; a lead below the last one is cold."""

    hot: float
    warm: float

    @model_validator(mode="after")
    def _in_order(self) -> Tiers:
        if not self.hot > self.warm:
            raise ValueError("tier hot must start above tier warm: raise hot or lower warm")
        return self


class Paths(Declared):
    """Where the router sends a lead by its `route_score`: at least `route` to its owner, below `nurture` to nurturing, otherwise to a person who looks."""

    route: Annotated[float, Field(ge=0, le=1)]
    nurture: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Paths:
        if not self.route >= self.nurture:
            raise ValueError("path route must not start below nurture: raise route or lower nurture")
        return self


class ScoringRules(Declared):
    version: int
    tiers: Tiers
    paths: Paths
    scales: Scales
    company: CompanyRules
    default: str
    profiles: Annotated[dict[str, Ruleset], Field(min_length=1)]


def load_scoring_rules(settings: Settings) -> ScoringRules:
    """The scoring rules in force. Raises RulesError."""
    return SCORING.load(settings)


def _mistakes(rules: ScoringRules) -> Iterator[Mistake]:
    if rules.default not in rules.profiles:
        yield Mistake(
            ("default",), f"profile '{rules.default}' has no rules{nearest(rules.default, rules.profiles)}: add it under profiles"
        )
    for profile, ruleset in rules.profiles.items():
        at = ("profiles", profile)
        yield from _weights((*at, "weights"), ruleset)
        # A name stands for one part of the score, in whichever group.
        names: list[str] = [*PARTS, *(name.removesuffix("_score") for name in COMPANY_SCORES)]
        for group, members in ruleset.groups.items():
            for index, rule in enumerate(members):
                where = (*at, group, index)
                if rule.name in names:
                    yield Mistake((*where, "name"), f"two rules have the same name, '{rule.name}': rename one")
                names.append(rule.name)
                if not rule.column.startswith("answer."):
                    yield from _column((*where, "column"), rule.column)
                if rule.max_points == 0:
                    yield Mistake(where, f"rule '{rule.name}' gives no points: give it some or remove it")
        for index, term in enumerate(ruleset.router):
            for number, column in enumerate(term.columns):
                yield from _column((*at, "router", index, "columns", number), column)


def _weights(at: tuple[int | str, ...], ruleset: Ruleset) -> Iterator[Mistake]:
    for group in ruleset.groups:
        if getattr(ruleset.weights, group) == 0:
            yield Mistake((*at, group), f"the rules of {group} have no weight: give them some, because they are known for every lead")


def _column(at: tuple[int | str, ...], column: str) -> Iterator[Mistake]:
    if column not in FEATURES:
        yield Mistake(
            at,
            f"unknown column '{column}'{nearest(column, FEATURES)}: use one of identity.leads, signals.enriched_leads or "
            "classification.classifications, or answer.<field>",
        )


_PARTS: Mapping[str, str] = {"profiles": "profile", "fit": "rule", "intent": "rule", "router": "rule"}

_MOVED = {"profiles.*.rules": "enter its points in 'fit' and 'intent', which 'weights' weigh against each other"}
SCORING = RulesFile("scoring.yaml", ScoringRules, _mistakes, lambda rules: f"version {rules.version}", parts=_PARTS, moved=_MOVED)
