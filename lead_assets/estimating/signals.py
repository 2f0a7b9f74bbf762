"""What collecting signals would cost: rehearses the engine itself, so its questions are known, not guessed.

Belongs here: from what a rehearsal wished to expected calls and cost. Does not belong here: the shares (see `lead_assets.estimating.expected`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import Expected, Experience, Scenario
from lead_assets.ledger.recall import NOT_BOUGHT
from lead_assets.signals.engine import collect, worth_of
from lead_assets.signals.signal import Signal, Source, stages
from lead_assets.signals.worth import NOT_WORTH_IT, PreScoreRules, Worth

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.model import Want


class LeftOut(NamedTuple):
    """What a signal's `when` leaves out: leads and, for each, what would have to change; and what buying for them, too, would cost."""

    leads: float
    saved_micros: float
    needs: dict[str, float]
    """In words → leads, most first."""


class Rehearsed(NamedTuple):
    """What collecting signals would buy, each signal's table as the ledger alone would fill it, per signal the subjects that are not bought because
    a lead brings the answer, and per signal with a `when` what that leaves out."""

    expected: list[Expected]
    frames: dict[str, pl.DataFrame]
    given: dict[str, int]
    left_out: dict[str, LeftOut]


@dataclass(frozen=True)
class _EstimatingDesk:
    signals: Sequence[Signal]
    leads: pl.DataFrame
    ledger: Ledger
    settings: Settings
    experience: Experience
    pre_score: PreScoreRules | None


def rehearse(
    signals: Iterable[Signal],
    leads: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    experience: Experience,
    pre_score: PreScoreRules | None = None,
) -> Rehearsed:
    """What would be bought for the leads (rows of identity.leads), and each signal's table as the ledger alone would fill it. Writes nothing.

    In a rehearsal every answer still to be bought is unknown, so each source of a waterfall wishes for all that no earlier source has settled in the ledger.
    And what a `when` lets through may depend on such answers: it is rehearsed for each case that rules/estimate.yaml expects (`companies`), and the
    results are added by the cases' shares.
    """
    order = stages(signals := list(signals), pre_score)
    ordered = sorted(signals, key=lambda signal: order[signal.name])
    desk = _EstimatingDesk(ordered, leads, ledger, settings, experience, pre_score)
    cases = experience.shares.companies or [Scenario(share=1)]
    frames: dict[str, pl.DataFrame] = {}
    given: dict[str, int] = {}
    expected: list[Expected] = []
    left_out: dict[str, LeftOut] = {}
    first = [signal for signal in ordered if order[signal.name] == 1]
    counted: set[str] = set()
    for signal in first:
        expected += _of_signal(signal, desk, _worth(desk, {}, order), counted, frames, given)
        _left_out(left_out, signal, desk, frames[signal.name], expected, 1.0)
    if not any((frames[signal.name]["reason"] == NOT_BOUGHT).any() for signal in first):
        cases = [Scenario(share=1)]  # everything is known
    for number, case in enumerate(cases):
        known = {name: _as_expected(name, frame, case) for name, frame in frames.items() if order[name] == 1}
        own: dict[str, pl.DataFrame] = {}
        seen, bought = set(counted), list[Expected]()
        for signal in ordered[len(first) :]:
            worth = _worth(desk, known | {name: _as_expected(name, frame, case) for name, frame in own.items()}, order)
            ignored: dict[str, int] = {}
            bought += _of_signal(signal, desk, worth, seen, own, given if number == 0 else ignored)
            _left_out(left_out, signal, desk, own[signal.name], bought, case.share)
        expected += [_times(each, case.share) for each in bought]
        frames |= own if number == 0 else {}
    return Rehearsed(_added(expected), frames, given, {name: each for name, each in left_out.items() if round(each.leads)})


def _worth(desk: _EstimatingDesk, frames: dict[str, pl.DataFrame], order: dict[str, int]) -> Worth:
    return worth_of(desk.leads, frames, desk.pre_score, order)


def _of_signal(
    signal: Signal, desk: _EstimatingDesk, worth: Worth | None, counted: set[str], frames: dict[str, pl.DataFrame], given: dict[str, int]
) -> list[Expected]:
    """What the signal would buy, source by source. Adds what it wishes to `counted`, its table to `frames`, its gifts to `given`."""
    sources = signal.active_sources
    before: Counter[tuple[str, str]] = Counter()
    expected: list[Expected] = []
    for place in range(max(len(sources), 1)):
        stage = desk.ledger.rehearsal()
        own = replace(signal, sources=sources[: place + 1])
        collected = collect(own, desk.leads, ledger=stage, settings=desk.settings, worth=worth)
        frames[signal.name] = collected.frame
        if brought := collected.stats.given.total():
            given[signal.name] = brought
        wished = {want.key: want for want in stage.wished if want.key not in counted}
        counted.update(wished)
        asked: Counter[tuple[str, str]] = Counter()
        for want in wished.values():
            asked[want.provider, want.operation] += 1
        if wished:
            expected += _expected(signal, sources[place], place, wished.values(), sum(before.values()), stage.wished, desk.experience)
        before += asked
    return expected


def _left_out(
    found: dict[str, LeftOut], signal: Signal, desk: _EstimatingDesk, frame: pl.DataFrame, expected: Sequence[Expected], share: float
) -> None:
    """Add what the signal's `when` leaves out in a case."""
    left = frame.filter(pl.col("reason") == NOT_WORTH_IT)
    if left.is_empty():
        return
    whole = _of_signal(signal, desk, None, set(), {}, {})
    saved = sum(each.cost_micros for each in whole) - sum(each.cost_micros for each in expected if each.signal == signal.name)
    old = found.get(signal.name, LeftOut(0, 0, {}))
    needs = Counter(old.needs)
    for words, count in left["needs"].fill_null("").value_counts().iter_rows():
        needs[words] += count * share
    found[signal.name] = LeftOut(old.leads + left.height * share, old.saved_micros + max(saved, 0) * share, dict(needs.most_common()))


def _as_expected(name: str, frame: pl.DataFrame, case: Scenario) -> pl.DataFrame:
    """A signal's table, with what the case says in place of answers that would be bought."""
    said = case.says.get(name)
    due = pl.col("reason") == NOT_BOUGHT
    if said is None:
        return frame.with_columns(state=pl.when(due).then(pl.lit("not_found")).otherwise(pl.col("state")))
    values = [
        pl.when(due.fill_null(False)).then(pl.lit(value).cast(frame.schema[column])).otherwise(pl.col(column)).alias(column)
        for column, value in said.items()
    ]
    return frame.with_columns(*values, state=pl.when(due.fill_null(False)).then(pl.lit("found")).otherwise(pl.col("state")))


def _times(each: Expected, share: float) -> Expected:
    return replace(each, subjects=each.subjects * share, calls=each.calls * share, cost_micros=each.cost_micros * share)


def _added(expected: Iterable[Expected]) -> list[Expected]:
    """One entry per provider, operation and signal, in the order in which they are bought."""
    sums: dict[tuple[str, str, str], Expected] = {}
    for each in expected:
        key = each.provider, each.operation, each.signal
        old = sums.get(key, replace(each, subjects=0, calls=0.0, cost_micros=0.0))
        sums[key] = replace(
            old,
            subjects=old.subjects + each.subjects,
            calls=old.calls + each.calls,
            cost_micros=old.cost_micros + each.cost_micros,
            most_micros=max(old.most_micros, each.most_micros),  # of one case or another
        )
    whole = (replace(each, subjects=round(each.subjects)) for each in sums.values())
    return [each for each in whole if each.subjects]


def _expected(
    signal: Signal, source: Source, place: int, wished: Iterable[Want], before: int, all_wished: list[Want], experience: Experience
) -> Iterable[Expected]:
    by_operation: dict[str, list[Want]] = {}
    for want in wished:
        by_operation.setdefault(want.operation, []).append(want)
    for operation, wants in by_operation.items():
        share = 1.0
        if operation == source.ledger_operation:
            share = _share(before, len(wants), experience.asked(signal.name, place))
            if source.needs is not None:
                first = source.needs.sources[0].ledger_operation
                needed = len({want.key for want in all_wished if want.operation == first})
                share *= _share(needed, len(wants), experience.billed(first))
        asked = len(wants) * share
        calls = asked * experience.billed(operation)
        price = max(want.price_micros for want in wants)
        yield Expected(
            wants[0].provider,
            operation,
            signal.name,
            asked,
            calls if price else 0.0,
            calls * experience.mean_micros(operation, price),
            sum(want.price_micros for want in wants),
        )


def _share(undecided: int, wished: int, declared: float) -> float:
    """The share of wishes that will actually be asked: all, except those that depend on answers still to be bought."""
    return 1.0 - min(1.0, undecided / wished) * (1.0 - declared)
