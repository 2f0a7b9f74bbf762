"""What collecting signals would cost: rehearses the engine itself, so its questions are known, not guessed.

Belongs here: from what a rehearsal wished to expected calls and cost. Does not belong here: the shares (see `lead_assets.estimating.expected`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import Expected, Experience
from lead_assets.signals.engine import collect
from lead_assets.signals.signal import Signal, Source

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.model import Want


class Rehearsed(NamedTuple):
    """What collecting signals would buy, each signal's table as the ledger alone would fill it, and per signal the subjects that are not bought because
    a lead brings the answer."""

    expected: list[Expected]
    frames: dict[str, pl.DataFrame]
    given: dict[str, int]


def rehearse(signals: Iterable[Signal], leads: pl.DataFrame, *, ledger: Ledger, settings: Settings, experience: Experience) -> Rehearsed:
    """What would be bought for the leads (rows of identity.leads), and each signal's table as the ledger alone would fill it. Writes nothing.

    In a rehearsal every answer still to be bought is unknown, so each source of a waterfall wishes for all that no earlier source has settled in the ledger.
    """
    expected: list[Expected] = []
    frames: dict[str, pl.DataFrame] = {}
    given: dict[str, int] = {}
    counted: set[str] = set()
    for signal in signals:
        sources = signal.active_sources
        before: Counter[tuple[str, str]] = Counter()
        for place in range(max(len(sources), 1)):
            stage = ledger.rehearsal()
            collected = collect(replace(signal, sources=sources[: place + 1]), leads, ledger=stage, settings=settings)
            frames[signal.name] = collected.frame
            if brought := collected.stats.given.total():
                given[signal.name] = brought
            wished = {want.key: want for want in stage.wished if want.key not in counted}
            counted |= wished.keys()
            asked: Counter[tuple[str, str]] = Counter()
            for want in wished.values():
                asked[want.provider, want.operation] += 1
            if wished:
                expected += _expected(signal, sources[place], place, wished.values(), sum(before.values()), stage.wished, experience)
            before += asked
    return Rehearsed([each for each in expected if each.subjects], frames, given)


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
            round(asked),
            calls if price else 0.0,
            calls * experience.mean_micros(operation, price),
        )


def _share(undecided: int, wished: int, declared: float) -> float:
    """The share of wishes that will actually be asked: all, except those that depend on answers still to be bought."""
    return 1.0 - min(1.0, undecided / wished) * (1.0 - declared)
