"""References from one rules file to another, or to a room that it cannot see: profiles, signals, operations, the fields of an answer.

Belongs here: names in one file that must exist elsewhere. Does not belong here: what a room can check in its own file (see `mistakes` in its
`RulesFile`).
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel

from lead_assets.briefs.brief import PROFILE as BRIEF
from lead_assets.classification.profiles import load_profiles
from lead_assets.contracts import TABLES, Classification, EnrichedLead, Lead, SignalRow
from lead_assets.core.declared import Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import ESTIMATE, Shares
from lead_assets.intake.shapes import load_shapes
from lead_assets.routing.model import RoutingTable
from lead_assets.routing.table import ROUTING
from lead_assets.scoring.ruleset import SCORING, Rule, ScoringRules
from lead_assets.signals.signal import SIGNALS

Where = tuple[int | str, ...]

_R = TypeVar("_R", bound=BaseModel)


def across(known: Mapping[RulesFile[Any], Any], settings: Settings) -> Iterator[tuple[RulesFile[Any], Mistake]]:
    """Faults in readable files, each with its file."""

    def of(file: RulesFile[_R], faults: Callable[[_R], Iterable[Mistake]]) -> Iterator[tuple[RulesFile[Any], Mistake]]:
        if file in known:
            for fault in faults(cast(_R, known[file])):
                yield file, fault

    yield from of(SCORING, _scoring)
    yield from of(ROUTING, lambda table: _routing(table, settings))
    if SIGNALS in known:
        yield from of(ESTIMATE, lambda shares: _estimate(shares, _operations(known[SIGNALS], settings)))


def _scoring(rules: ScoringRules) -> Iterator[Mistake]:
    profiles = load_profiles()
    for name, ruleset in rules.profiles.items():
        yield from _unknown(("profiles", name), "profile", name, profiles)
        if name in profiles:
            for group, members in ruleset.groups.items():
                for index, rule in enumerate(members):
                    yield from _rule(("profiles", name, group, index), rule, profiles[name].contract)


def _rule(at: Where, rule: Rule, answer: type[BaseModel]) -> Iterator[Mistake]:
    field = rule.column.removeprefix("answer.")
    if field != rule.column:
        yield from _unknown((*at, "column"), "field of the answer", field, answer.model_fields)
        contracts: tuple[type[BaseModel], ...] = (answer,)
    else:
        contracts = (Classification, Lead, EnrichedLead)  # the order in which scoring looks up a column that several have
    possible = next((_words(contract, field) for contract in contracts if field in contract.model_fields), ())
    for value in rule.values or {} if possible else {}:
        yield from _unknown((*at, "values", value), f"value of {rule.column}", value, possible)


def _routing(table: RoutingTable, settings: Settings) -> Iterator[Mistake]:
    words = {"profile": tuple(load_profiles()), "adapter": tuple(load_shapes(settings).shapes)}
    for index, territory in enumerate(table.territories):
        for field, test in territory.when.items():
            for word in test if isinstance(test, tuple) and field in words else ():
                yield from _unknown(("territories", index, "when", field), field, word, words[field])


def _estimate(shares: Shares, operations: Iterable[str]) -> Iterator[Mistake]:
    signals = [name.removeprefix("signals.") for name, contract in TABLES.items() if issubclass(contract, SignalRow)]
    profiles = [*load_profiles(), BRIEF.name]
    for operation in shares.billed:
        yield from _unknown(("billed", operation), "operation", operation, operations)
    for signal in shares.asked:
        yield from _unknown(("asked", signal), "signal", signal, signals)
    for key in ("output_tokens", "added_characters"):
        for profile in getattr(shares.model, key):
            yield from _unknown(("model", key, profile), "profile", profile, profiles)


def _operations(rules: Any, settings: Settings) -> set[str]:
    """The operations that signals use, now or as shipped: shares for a source that was removed do no harm."""
    shipped = SIGNALS.load(settings.model_copy(update={"rules_dir": None}))
    return {
        f"{source.provider}.{source.operation}" for each in (rules, shipped) for rule in each.signals.values() for source in rule.sources
    }


def _unknown(where: Where, kind: str, word: str, known: Iterable[str]) -> Iterator[Mistake]:
    listed = sorted(known)
    if word not in listed:
        yield Mistake(where, f"unknown {kind} '{word}'{nearest(word, listed)}: correct or remove it; known: {', '.join(listed)}")


def _words(contract: type[BaseModel], field: str) -> tuple[str, ...]:
    """All values that a field can have, if its contract lists them."""
    annotation = contract.model_fields[field].annotation
    for part in (annotation, *typing.get_args(annotation)):
        if typing.get_origin(part) is Literal:
            return typing.get_args(part)
    return ()
