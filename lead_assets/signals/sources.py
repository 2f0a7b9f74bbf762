"""Opens vendors for a signal's sources, and sets the terms under which their answers are kept.

Does not belong here: one vendor's requests (its `source`, see `lead_assets.vendors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from lead_assets.core.settings import Settings
from lead_assets.signals.signal import Signal, Source
from lead_assets.vendors import load_vendors
from lead_assets.vendors.offer import Opening, SourceClient, SubjectKind
from lead_assets.vendors.turns import Turns


def open_source(
    provider: str, settings: Settings, signals: Sequence[Signal], turns: Turns, underway: Sequence[Signal] | None = None
) -> AbstractAsyncContextManager[SourceClient]:
    """The vendor's client, for the current event loop and the `signals` collected in it. The vendor's key must be set. `underway`: those of them that may still
    ask, and changes while they do; by default all of them."""
    vendor = load_vendors()[provider]
    asked = [(signal.subject, source) for signal in signals for source in _asked(signal) if source.provider == provider]
    key = vendor.key(settings)
    if key is None or not asked:
        raise ValueError(f"{provider} has no key, or no signal uses it")

    def awaited(kind: SubjectKind) -> int:
        some = signals if underway is None else underway
        return len({own.operation for one in some if one.subject == kind for own in one.active_sources if own.provider == provider})

    return vendor.open_source(Opening(settings, vendor.url(settings), key, asked, turns, awaited))


def _asked(signal: Signal) -> list[Source]:
    """Everything the signal may have to ask: its sources, and those of the signals they need."""
    return [each for source in signal.active_sources for each in (source, *(source.needs.sources[:1] if source.needs else ()))]


def ledger_parameters(source: Source, settings: Settings) -> dict[str, Any]:
    """Everything that affects the answer besides operation and subject. A vendor's own mock answers count as different: they must never pass for facts."""
    mock = load_vendors()[source.provider].own_mock(settings)
    return {**source.config, **({"environment": "sandbox"} if mock else {})}


def price_micros(source: Source, settings: Settings) -> int:
    """The most one subject can cost here: a vendor's own mock answers are free."""
    return 0 if load_vendors()[source.provider].own_mock(settings) else source.price_micros
