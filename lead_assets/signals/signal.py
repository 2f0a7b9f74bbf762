"""A signal: a declaration in rules/signals.yaml, tied to a contract, a vendor's operation and a parser.

Belongs here: the form of the declaration and its errors. Does not belong here: buying (see `engine`), what a vendor's answer
says (its `parsers`), which column of a lead is a subject (see `subjects`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

import polars as pl
from pydantic import Field

from lead_assets.contracts import TABLES, SignalRow, Table
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import RulesError, nearest
from lead_assets.core.settings import Settings
from lead_assets.core.time_spans import Duration
from lead_assets.ledger.declared import DeclaredLifetimes, DeclaredRate
from lead_assets.ledger.model import Lifetimes, to_micros
from lead_assets.signals.worth import PRE_SCORE, TIER, Conditions, DeclaredWhen, PreScoreRules, SignalWhen, columns_known, faults_of
from lead_assets.vendors import all_parsers, all_questions, load_vendors
from lead_assets.vendors.answers import Parser
from lead_assets.vendors.offer import Billing, Offer, SubjectKind, Terms
from lead_assets.vendors.questions import Ask


@dataclass(frozen=True, kw_only=True)
class Source(Offer):
    """A vendor's operation that can answer a signal."""

    parser: Parser
    enabled: bool = True
    ask: Ask | None = None
    """The question for a subject, if it is not the subject itself (see `lead_assets.vendors.questions`)."""
    needs: Signal | None = None
    """Signals whose answers the question needs: bought first, unless the ledger has them. They have the same kind of subject."""
    reads: Signal | None = None
    """Signals whose answers help the question: taken from the ledger if available, never bought."""
    charged_elsewhere: frozenset[SubjectKind] = frozenset()
    """Kinds of subject for which this operation's answers are charged to another signal's table, the first to ask for them."""


@dataclass(frozen=True)
class Preference:
    """Prefers the answer whose `column` comes first in `order`; no further source is asked once its value is in `enough`."""

    column: str
    order: tuple[str, ...]
    enough: frozenset[str]


@dataclass(frozen=True)
class Signal:
    """One signal table, and how to fill it."""

    name: str
    contract: type[SignalRow]
    subject: SubjectKind
    lifetimes: Lifetimes
    sources: tuple[Source, ...]
    enabled: bool = True
    prefer: Preference | None = None
    """Without a preference, the first answer wins."""
    when: SignalWhen = field(default_factory=SignalWhen)

    @property
    def value_columns(self) -> list[str]:
        """The contract's own columns, without those common to all signals."""
        return list(self.contract.value_fields())

    @property
    def value_schema(self) -> pl.Schema:
        schema = self.contract.polars_schema()
        return pl.Schema({name: schema[name] for name in self.value_columns})

    @property
    def active_sources(self) -> tuple[Source, ...]:
        return tuple(source for source in self.sources if source.enabled) if self.enabled else ()


def load_signals(
    settings: Settings, *, contracts: Mapping[str, type[Table]] = TABLES, parsers: Mapping[str, Parser] | None = None
) -> dict[str, Signal]:
    """The declared signals by name, in the file's order. Raises RulesError for an unreadable file, an invalid field, or a contract or
    a parser that does not exist."""
    known = _Known(contracts, parsers)
    file = SIGNALS if known == _SHIPPED else replace(SIGNALS, mistakes=known.mistakes)
    rules = file.load(settings)
    signals: dict[str, Signal] = {}
    for name, rule in rules.signals.items():
        signals[name] = _signal(name, rule, rules, signals, contracts, known.all_parsers)
    return _charged_once(signals)


def load_pre_score(settings: Settings) -> PreScoreRules | None:
    """How the pre-score is made; None if rules/signals.yaml declares none. Raises RulesError."""
    return SIGNALS.load(settings).pre_score


def stages(signals: Iterable[Signal], pre_score: PreScoreRules | None) -> dict[str, int]:
    """Signal → the stage in which it is bought, from 1: after the signals that its `when` reads. What the pre-score is made from comes first, and all
    others after it, so that the best leads are bought for first. Signals that are not among `signals` are not waited for."""
    named = {signal.name: signal for signal in signals}
    inputs = set(pre_score.reads()) & named.keys() if pre_score else set()
    found: dict[str, int] = {}

    def stage(name: str) -> int:
        if name not in found:
            before = (set(named[name].when.reads()) & named.keys()) | (inputs if pre_score and name not in inputs else set())
            found[name] = 1 + max((stage(each) for each in before), default=0)
        return found[name]

    return {name: stage(name) for name in named}


def said_without_when(settings: Settings) -> object:
    """What rules/signals.yaml says, apart from when signals are bought and what a lead is worth: these have their own versions."""
    try:
        rules = SIGNALS.load(settings).model_dump(mode="json", exclude={"pre_score", "campaigns"})
    except RulesError as error:
        return error.faults
    for signal in rules["signals"].values():
        del signal["when"]
    return rules


def said_of_when(settings: Settings, name: str) -> object:
    """SignalWhen a signal is bought, in general and in campaigns that say otherwise."""
    try:
        rules = SIGNALS.load(settings)
    except RulesError as error:
        return error.faults
    return _when(name, rules).declared() if name in rules.signals else None


def said_of_pre_score(settings: Settings) -> object:
    """How the pre-score is made."""
    try:
        rules = load_pre_score(settings)
    except RulesError as error:
        return error.faults
    return rules.model_dump(mode="json") if rules else None


def signals_of_operations(signals: Iterable[Signal]) -> dict[str, str]:
    """Ledger operation → the signals that use it, as "a + b"."""
    served: dict[str, list[str]] = {}
    for signal in signals:
        for source in signal.sources:
            names = served.setdefault(source.ledger_operation, [])
            if signal.name not in names:
                names.append(signal.name)
    return {operation: " + ".join(names) for operation, names in served.items()}


def places_of_operations(signals: Iterable[Signal]) -> dict[str, int]:
    """Ledger operation → its place among the sources of its signal, from 1; the lowest if several signals use it."""
    places: dict[str, int] = {}
    for signal in signals:
        for place, source in enumerate(signal.sources, start=1):
            places[source.ledger_operation] = min(place, places.get(source.ledger_operation, place))
    return places


class _SourceRule(Declared):
    provider: str
    operation: str = Field(min_length=1)
    parser: str
    credits: Decimal = Field(ge=0)
    billing: Billing
    enabled: bool = True
    config: dict[str, Any] = Field(default_factory=dict)
    ask: str | None = None
    needs: str | None = None
    reads: str | None = None


class _PreferRule(Declared):
    column: str
    order: list[str] = Field(min_length=1)
    enough: list[str] = Field(min_length=1)


class _SignalRule(Declared):
    subject: SubjectKind
    lifetimes: DeclaredLifetimes
    sources: list[_SourceRule] = Field(min_length=1)
    enabled: bool = True
    prefer: _PreferRule | None = None
    when: DeclaredWhen = "always"


class _EndpointRule(Declared):
    batch_size: int | None = Field(None, ge=1)
    rates: list[DeclaredRate] | None = None


class _ProviderRule(Declared):
    credit_usd: Decimal = Field(ge=0)
    batch_size: int = Field(ge=1)
    concurrency: int = Field(ge=1, le=64)
    rates: list[DeclaredRate] = Field(default_factory=list)
    counted: Literal["by_key", "by_endpoint"] = "by_key"
    deadline: Duration | None = None
    paced_in_sandbox: bool = True
    endpoints: dict[str, _EndpointRule] = Field(default_factory=dict)


class _RulesFile(Declared):
    providers: dict[str, _ProviderRule]
    signals: dict[str, _SignalRule]
    pre_score: PreScoreRules | None = None
    campaigns: dict[str, dict[str, DeclaredWhen]] = Field(default_factory=dict)


def _terms(provider: str, rule: _ProviderRule, operation: str) -> Terms:
    own = rule.endpoints.get(operation, _EndpointRule())
    rates = rule.rates if own.rates is None else own.rates
    return Terms(
        credit_usd=rule.credit_usd,
        batch_size=own.batch_size or rule.batch_size,
        concurrency=rule.concurrency,
        bucket=f"{provider}.{operation}" if rule.counted == "by_endpoint" else provider,
        rates=tuple(each.rate() for each in rates),
        deadline=rule.deadline.total_seconds() if rule.deadline else None,
        paced_in_sandbox=rule.paced_in_sandbox,
    )


def _signal(
    name: str,
    rule: _SignalRule,
    rules: _RulesFile,
    before: Mapping[str, Signal],
    contracts: Mapping[str, type[Table]],
    parsers: Mapping[str, Parser],
) -> Signal:
    contract = contracts[f"signals.{name}"]
    assert issubclass(contract, SignalRow)  # see _Known.mistakes
    sources = []
    for source in rule.sources:
        provider = _terms(source.provider, rules.providers[source.provider], source.operation)
        sources.append(
            Source(
                provider=source.provider,
                operation=source.operation,
                parser=parsers[source.parser],
                price_micros=to_micros(source.credits * provider.credit_usd),
                billing=source.billing,
                terms=provider,
                enabled=source.enabled,
                config=source.config,
                ask=all_questions()[source.ask] if source.ask else None,
                needs=before[source.needs] if source.needs else None,
                reads=before[source.reads] if source.reads else None,
            )
        )
    prefer = Preference(rule.prefer.column, tuple(rule.prefer.order), frozenset(rule.prefer.enough)) if rule.prefer else None
    return Signal(name, contract, rule.subject, rule.lifetimes.lifetimes(), tuple(sources), rule.enabled, prefer, _when(name, rules))


def _when(name: str, rules: _RulesFile) -> SignalWhen:
    def conditions(declared: DeclaredWhen) -> tuple[Conditions, ...]:
        return () if declared == "always" else tuple(declared)

    own = [(pattern, conditions(signals[name])) for pattern, signals in rules.campaigns.items() if name in signals]
    return SignalWhen(conditions(rules.signals[name].when), tuple(own))


def _charged_once(signals: Mapping[str, Signal]) -> dict[str, Signal]:
    """SignalWhen two signals ask the same, it is bought once, and only the table of the first signal to ask shows the cost."""

    def asked_first(signal: Signal) -> Source | None:
        first = signal.active_sources[:1]
        return first[0] if first and first[0].ask is None else None

    def elsewhere(asking: Signal, source: Source) -> frozenset[SubjectKind]:
        return frozenset(
            other.subject
            for other in signals.values()
            if other.name != asking.name
            and (first := asked_first(other)) is not None
            and (first.ledger_operation, first.config) == (source.ledger_operation, source.config)
        )

    def settled(signal: Signal) -> Signal:
        sources = []
        for source in signal.sources:
            # The first to ask bears its own cost, or two signals would refer to each other.
            own = replace(source, charged_elsewhere=elsewhere(signal, source)) if source is not asked_first(signal) else source
            if own.needs is not None:
                needed = own.needs.sources[0]
                own = replace(own, needs=replace(own.needs, sources=(replace(needed, charged_elsewhere=elsewhere(signal, needed)),)))
            sources.append(own)
        return replace(signal, sources=tuple(sources))

    return {name: settled(signal) for name, signal in signals.items()}


@dataclass(frozen=True)
class _Known:
    """The contracts and parsers that signals can use, by name."""

    contracts: Mapping[str, type[Table]]
    parsers: Mapping[str, Parser] | None = None
    """None: those of the vendors' folders."""

    @property
    def all_parsers(self) -> Mapping[str, Parser]:
        return all_parsers() if self.parsers is None else self.parsers

    def mistakes(self, rules: _RulesFile) -> Iterator[Mistake]:
        """Mistakes in a well-formed rules/signals.yaml."""
        vendors = [vendor.name for vendor in load_vendors().values() if vendor.answers_signals]
        for name in rules.providers:
            if name not in vendors:
                yield Mistake(("providers", name), _no_vendor(name, vendors))
        before: list[str] = []
        for name, rule in rules.signals.items():
            at = ("signals", name)
            contract = self.contracts.get(f"signals.{name}")
            if contract is None or not issubclass(contract, SignalRow):
                known = sorted(table.removeprefix("signals.") for table, each in self.contracts.items() if issubclass(each, SignalRow))
                yield Mistake(
                    at,
                    f"no contract 'signals.{name}'{nearest(name, known)}: add a SignalRow for this table to a module in lead_assets/contracts"
                    f" (known: {', '.join(known)})",
                )
            elif rule.prefer is not None and rule.prefer.column not in contract.model_fields:
                columns = list(contract.value_fields())
                yield Mistake(
                    (*at, "prefer", "column"),
                    f"no column '{rule.prefer.column}' in {contract.table}{nearest(rule.prefer.column, columns)}: use one of {', '.join(columns)}",
                )
            for number, source in enumerate(rule.sources):
                yield from self._of_source(rules, (*at, "sources", number), source, before)
            before.append(name)
        yield from self._of_worth(rules)

    def _of_worth(self, rules: _RulesFile) -> Iterator[Mistake]:
        """Mistakes in what is said of when signals are bought."""
        columns = columns_known(self.contracts, list(rules.signals), pre_score=rules.pre_score is not None)
        places: list[tuple[tuple[int | str, ...], DeclaredWhen]] = [
            (("signals", name, "when"), rule.when) for name, rule in rules.signals.items()
        ]
        for pattern, own in rules.campaigns.items():
            for name, when in own.items():
                if name in rules.signals:
                    places.append((("campaigns", pattern, name), when))
                else:
                    known = list(rules.signals)
                    yield Mistake(
                        ("campaigns", pattern, name), f"unknown signal '{name}'{nearest(name, known)}: use one of {', '.join(known)}"
                    )
        for at, when in places:
            for number, conditions in enumerate(() if when == "always" else when):
                for column, test in conditions.items():
                    if column in (PRE_SCORE, TIER) and rules.pre_score is None:
                        yield Mistake(
                            at, f"{column} is tested, but there is no pre-score: add 'pre_score' with tiers and parts to this file"
                        )
                    else:
                        yield from (Mistake((*at, number, column), what) for what in faults_of(column, test, columns))
        if rules.pre_score is not None:
            names = [part.name for part in rules.pre_score.parts]
            for number, part in enumerate(rules.pre_score.parts):
                if part.name in names[:number]:
                    yield Mistake(("pre_score", "parts", number), f"two parts have the same name, '{part.name}': rename one")
                for column in part.column:
                    usable = columns_known(self.contracts, list(rules.signals), pre_score=False)
                    yield from (Mistake(("pre_score", "parts", number, "column"), what) for what in faults_of(column, None, usable))
        yield from _circles(rules)

    def _of_source(self, rules: _RulesFile, at: tuple[int | str, ...], source: _SourceRule, before: list[str]) -> Iterator[Mistake]:
        vendors = [vendor.name for vendor in load_vendors().values() if vendor.answers_signals]
        if source.provider not in vendors:
            yield Mistake((*at, "provider"), _no_vendor(source.provider, vendors))
        elif source.provider not in rules.providers:
            yield Mistake((*at, "provider"), f"provider '{source.provider}' has no terms: add it under 'providers'")
        for key, word, known in (("parser", source.parser, self.all_parsers), ("ask", source.ask, all_questions())):
            if word is not None and word not in known:
                yield Mistake((*at, key), f"no {key} '{word}'{nearest(word, known)}: use one of {', '.join(sorted(known))}")
        for key, other in (("needs", source.needs), ("reads", source.reads)):
            if other is not None and other not in before:
                where = "move it up" if other in rules.signals else f"use one of {', '.join(before) or 'none'}"
                yield Mistake((*at, key), f"signal '{other}' must be declared above this one{nearest(other, before)}: {where}")


def _circles(rules: _RulesFile) -> Iterator[Mistake]:
    """Signals that wait for each other, directly or by way of the pre-score."""
    inputs = [name for name in (rules.pre_score.reads() if rules.pre_score else []) if name in rules.signals]
    waits = {name: [each for each in _when(name, rules).reads() if each in rules.signals] for name in rules.signals}
    for name in rules.signals:
        if name in inputs and _when(name, rules).uses_pre_score:
            yield Mistake(
                ("signals", name, "when"),
                f"'{name}' waits for the pre-score, and the pre-score reads '{name}': test columns of the lead instead, or take '{name}' out of "
                "pre_score.parts",
            )
    # The inputs of the pre-score come before all other signals.
    for name in inputs:
        for other in waits[name]:
            if other not in inputs:
                yield Mistake(
                    ("signals", name, "when"),
                    f"'{name}' waits for '{other}', and '{other}' for the pre-score, which reads '{name}': let the pre-score read '{other}', too, "
                    "or test something else",
                )
    told: set[frozenset[str]] = set()
    for name in rules.signals:
        for other in waits[name]:
            path = _path(other, name, waits)
            if path and frozenset(path) not in told:
                told.add(frozenset(path))
                by_way = f" (by way of {', '.join(path[1:-1])})" if len(path) > 2 else ""
                yield Mistake(
                    ("signals", name, "when"),
                    f"'{name}' waits for '{other}', and '{other}' waits for '{name}'{by_way}: take one of them out of the other's 'when'",
                )


def _path(start: str, end: str, waits: Mapping[str, list[str]]) -> list[str]:
    """The signals from `start` to `end` along what they wait for; empty if there is no way."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        if way[-1] == end:
            return way
        ways += [[*way, each] for each in waits[way[-1]] if each not in seen]
        seen.update(waits[way[-1]])
    return []


def _no_vendor(name: str, vendors: list[str]) -> str:
    return f"no vendor '{name}'{nearest(name, vendors)}: use one of {', '.join(vendors)}, or put its folder into lead_assets/vendors"


_SHIPPED = _Known(TABLES)

SIGNALS = RulesFile(
    "signals.yaml",
    _RulesFile,
    _SHIPPED.mistakes,
    lambda rules: f"{len(rules.signals)} signals",
    parts={"signals": "signal", "sources": "source", "providers": "provider", "parts": "part", "campaigns": "campaign"},
)
