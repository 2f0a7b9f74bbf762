"""What a signal is: a declaration in rules/signals.yaml, tied to its contract and its parsers.

Belongs here: the shape of the declaration and the errors of a wrong one. Does not belong here: buying (see `engine`), what a provider's answer
says (see `parsers`), which column of a lead is a subject (see `subjects`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lead_assets.contracts import TABLES, SignalRow, Table
from lead_assets.ledger.model import Lifetimes, Rate, to_micros
from lead_assets.project_files import rules_file
from lead_assets.settings import Settings
from lead_assets.signals import apollo_parsers as _apollo_parsers  # noqa: F401 - registers its parsers
from lead_assets.signals.parsers import PARSERS, Parser
from lead_assets.signals.subjects import SubjectKind

SignalProvider = Literal["pipe0", "apollo"]
Billing = Literal["always", "on_success"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class RulesError(ValueError):
    """rules/signals.yaml says something that cannot be. Names the file, the signal, the field and what to write there."""


@dataclass(frozen=True)
class ProviderTerms:
    """How a provider may be used."""

    credit_usd: Decimal
    batch_size: int
    concurrency: int
    rates: tuple[Rate, ...] = ()


@dataclass(frozen=True)
class Source:
    """One provider's operation that can answer a signal."""

    provider: SignalProvider
    operation: str
    """The vendor's own id, e.g. "company:overview@2"."""
    parser: Parser
    price_micros: int
    billing: Billing
    terms: ProviderTerms
    enabled: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ledger_operation(self) -> str:
        return f"{self.provider}.{self.operation}"


@dataclass(frozen=True)
class Signal:
    """One signal table and how it is filled."""

    name: str
    contract: type[SignalRow]
    subject: SubjectKind
    lifetimes: Lifetimes
    sources: tuple[Source, ...]
    enabled: bool = True

    @property
    def value_columns(self) -> list[str]:
        """The contract's own columns, without those that every signal table has."""
        return [name for name in self.contract.model_fields if name not in SignalRow.model_fields]

    @property
    def value_schema(self) -> pl.Schema:
        schema = self.contract.polars_schema()
        return pl.Schema({name: schema[name] for name in self.value_columns})

    @property
    def active_sources(self) -> tuple[Source, ...]:
        return tuple(source for source in self.sources if source.enabled) if self.enabled else ()


def load_signals(
    settings: Settings, *, contracts: Mapping[str, type[Table]] = TABLES, parsers: Mapping[str, Parser] = PARSERS
) -> dict[str, Signal]:
    """The declared signals by name, in the file's order. Raises RulesError for a file that is not YAML, a field that cannot be, a
    contract or a parser that does not exist."""
    import yaml

    path = rules_file("signals.yaml", settings)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = _RulesFile.model_validate(document)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" line {mark.line + 1}" if mark else ""
        raise RulesError(f"{path}{at}: not YAML: {getattr(error, 'problem', None) or error}") from None
    except ValidationError as error:
        raise RulesError(f"{path}: {_first_problem(error, document)}") from None
    terms = {name: _terms(rule) for name, rule in rules.providers.items()}
    return {name: _signal(path, name, rule, terms, contracts, parsers) for name, rule in rules.signals.items()}


def _duration(value: Any) -> Any:
    found = re.fullmatch(r"(\d+)\s*([smhdw])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration is a whole number and a unit, e.g. 30s, 5m, 12h, 90d, 2w")
    return timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})


_Duration = Annotated[timedelta, BeforeValidator(_duration)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _LifetimesRule(_Rule):
    found: _Duration
    not_found: _Duration
    unknown: _Duration = timedelta(minutes=5)


class _SourceRule(_Rule):
    provider: SignalProvider
    operation: str = Field(min_length=1)
    parser: str
    credits: Decimal = Field(ge=0)
    billing: Billing
    enabled: bool = True
    config: dict[str, Any] = Field(default_factory=dict)


class _SignalRule(_Rule):
    subject: SubjectKind
    lifetimes: _LifetimesRule
    sources: list[_SourceRule] = Field(min_length=1)
    enabled: bool = True


class _RateRule(_Rule):
    limit: int = Field(ge=1)
    per: _Duration
    burst: int = Field(1, ge=1)


class _ProviderRule(_Rule):
    credit_usd: Decimal = Field(ge=0)
    batch_size: int = Field(ge=1)
    concurrency: int = Field(ge=1, le=64)
    rates: list[_RateRule] = Field(default_factory=list)


class _RulesFile(_Rule):
    providers: dict[SignalProvider, _ProviderRule]
    signals: dict[str, _SignalRule]


def _terms(rule: _ProviderRule) -> ProviderTerms:
    rates = tuple(Rate(rate.limit, rate.per.total_seconds(), rate.burst) for rate in rule.rates)
    return ProviderTerms(rule.credit_usd, rule.batch_size, rule.concurrency, rates)


def _signal(
    path: Path,
    name: str,
    rule: _SignalRule,
    terms: Mapping[SignalProvider, ProviderTerms],
    contracts: Mapping[str, type[Table]],
    parsers: Mapping[str, Parser],
) -> Signal:
    contract = contracts.get(f"signals.{name}")
    if contract is None or not issubclass(contract, SignalRow):
        known = ", ".join(sorted(t.removeprefix("signals.") for t, c in contracts.items() if issubclass(c, SignalRow)))
        raise RulesError(
            f"{path}: signal '{name}' has no contract: add a SignalRow with table 'signals.{name}' to lead_assets/contracts/signals.py"
            f" (there are: {known})"
        )
    sources = []
    for number, source in enumerate(rule.sources, start=1):
        at = f"{path}: signal '{name}', source {number} ({source.provider} {source.operation})"
        if source.provider not in terms:
            raise RulesError(f"{at}: provider '{source.provider}' has no terms: add it under 'providers'")
        if source.parser not in parsers:
            raise RulesError(f"{at}: no parser '{source.parser}': there are {', '.join(sorted(parsers))}")
        provider = terms[source.provider]
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
            )
        )
    lifetimes = Lifetimes(rule.lifetimes.found, rule.lifetimes.not_found, rule.lifetimes.unknown)
    return Signal(name, contract, rule.subject, lifetimes, tuple(sources), rule.enabled)


def _first_problem(error: ValidationError, document: Any) -> str:
    problem = error.errors(include_url=False)[0]
    path = list(problem["loc"])
    where = "the file"
    if path[:1] == ["signals"] and len(path) > 1:
        where, path = f"signal '{path[1]}'", path[2:]
        if path[:1] == ["sources"] and len(path) > 1 and isinstance(path[1], int):
            where, path = f"{where}, source {path[1] + 1}", path[2:]
    elif path[:1] == ["providers"] and len(path) > 1:
        where, path = f"provider '{path[1]}'", path[2:]
    field_name = ".".join(str(part) for part in path)
    return f"{where}: {f'field {field_name!r}: ' if field_name else ''}{problem['msg']}"
