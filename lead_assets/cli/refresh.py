"""Deliberate repurchases: replaces a signal's answers beyond a given age, through the engine that bought them first.

Does not belong here: buying (see `lead_assets.signals.engine`), or making the tables again (see `pipeline`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from lead_assets.cli import pipeline, runs
from lead_assets.contracts import Lead, PreScore
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown
from lead_assets.ledger.model import Lifetimes
from lead_assets.ledger.opened import opened_ledger
from lead_assets.rules.check import check_rules
from lead_assets.stores.opened import campaigns_of, warehouse_of


def refresh(
    settings: Settings,
    signal: str,
    older_than: timedelta,
    *,
    campaigns: Sequence[str] | None = None,
    progress: runs.Progress | None = None,
) -> dict[str, Any]:
    """Buy the signal again for all subjects with an older answer, then materialize its table and everything downstream (None: for every campaign that has
    been run). Returns the answer of `lead-assets refresh`. Raises UnknownWord for a signal or campaign that does
    not exist, ValueError for a campaign that has not been run."""
    from lead_assets.signals.engine import collect
    from lead_assets.signals.signal import load_pre_score, load_signals
    from lead_assets.signals.worth import Worth

    check_rules(settings)
    signals = load_signals(settings)
    if signal not in signals:
        raise unknown("no signal", signal, signals)
    warehouse = warehouse_of(settings)
    warehouse.prepare()
    known = warehouse.partitions(Lead)
    wanted = campaigns_of(settings, campaigns) if campaigns else known
    if strangers := sorted(set(wanted) - set(known)):
        raise ValueError(
            f"campaign {strangers[0]!r} has no leads in the warehouse: run it first with 'lead-assets run --campaign {strangers[0]}'"
        )
    own = signals[signal].lifetimes
    younger = Lifetimes(min(own.found, older_than), min(own.not_found, older_than), own.unknown)
    with opened_ledger(settings) as ledger:
        leads = warehouse.read(Lead, wanted)
        # What is not worth buying is not worth buying again. What was never made says nothing.
        frames = {name: warehouse.read(signals[name].contract, wanted) for name in signals[signal].when.reads() if name in signals}
        scores = warehouse.read(PreScore, wanted)
        worth = Worth(
            load_pre_score(settings), {name: each for name, each in frames.items() if each.height}, scores if scores.height else None
        )
        stats = collect(replace(signals[signal], lifetimes=younger), leads, ledger=ledger, settings=settings, worth=worth).stats
    ran = pipeline.run(settings, campaigns=wanted, select=f'key:"signals/{signal}"+', progress=progress) if stats.total.bought else None
    shown = stats.metadata()
    return {
        "signal": signal,
        "campaigns": wanted,
        "usd": shown["cost_usd"],
        "bought": shown["calls_bought"],
        "ledger_hits": shown["calls_saved"],
        **{name: shown[name] for name in ("subjects", "missed", "uncertain_calls")},
        "run_ids": ran["run_ids"] if ran else [],
        "billed_downstream": ran["billed"] if ran else {"calls": 0, "usd": 0, "uncertain_calls": 0},
        "failures": ran["failures"] if ran else [],
    }
