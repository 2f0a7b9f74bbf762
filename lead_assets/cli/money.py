"""Costs, budgets and the kill switch.

Does not belong here: estimates (see `estimate`), or how it looks in a terminal (see `show_money`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast, get_args

import polars as pl

from lead_assets.cli.worlds import bound_world
from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown
from lead_assets.ledger.model import to_micros
from lead_assets.ledger.money import Period, Scope
from lead_assets.ledger.opened import opened_ledger
from lead_assets.stores.opened import archive_of, unknown_campaign
from lead_assets.vendors import load_vendors

CostsBy = Literal["day", "campaign", "provider", "operation", "signal"]
BY: tuple[str, ...] = get_args(CostsBy)
PERIODS: tuple[str, ...] = get_args(Period)
_MOST_USD = 1_000_000_000
"""A higher limit is surely a typo. The ledger's 64-bit micro-dollars can hold nine thousand times as much."""
_FIGURES = ("answers", "calls", "usd", "uncertain_calls", "uncertain_usd", "input_tokens", "output_tokens")


def costs(settings: Settings, by: Sequence[CostsBy] = ("provider", "operation"), campaigns: Sequence[str] | None = None) -> dict[str, Any]:
    """Spending according to the journal. `calls` are answers that cost something. Returns the answer of `lead-assets costs`.

    Raises UnknownWord for a campaign that has neither leads nor costs."""
    wanted = [campaign_key(campaign) for campaign in campaigns] if campaigns else None
    with opened_ledger(settings) as ledger:
        # A campaign may have costs before it has leads (a search for companies), or leads without costs.
        known = {*archive_of(settings).campaigns(), *ledger.costs(["campaign"])["campaign_id"]} if wanted else set()
        if strangers := [key for key in wanted or () if key not in known]:
            raise unknown_campaign(strangers[0], sorted(known))
        frame = ledger.costs([name if name != "signal" else "operation" for name in by], wanted)
    if "signal" in by:
        frame = _by_signal(frame, settings)
    rows = frame.to_dicts()
    totals = {name: sum((row[name] for row in rows), start=0) for name in ("usd", "calls", "uncertain_usd", "uncertain_calls")}
    return {**totals, "by": list(by), "rows": rows, "synthetic": bound_world(settings) == "sandbox"}


def set_budget(settings: Settings, scope: tuple[Scope, str], limit_micros: int | None, period: Period) -> dict[str, Any]:
    """Set a spending limit, or lift it with None. See `parse_scope` and `parse_amount`."""
    with opened_ledger(settings) as ledger:
        ledger.set_budget(scope[0], limit_micros, name=scope[1], period=period)
    return show_budgets(settings)


def show_budgets(settings: Settings) -> dict[str, Any]:
    """All limits with what counts against them, and paused providers. Returns the answer of `lead-assets budget show`."""
    with opened_ledger(settings) as ledger:
        budgets, paused, circuits = ledger.budgets(), ledger.paused(), ledger.circuits()
    return {
        "budgets": [budget.as_row() for budget in budgets],
        "paused": sorted(name or "all" for name in paused),
        "circuits": [circuit.as_row() for circuit in circuits],
    }


def pause(settings: Settings, provider: str | None) -> dict[str, Any]:
    """Block new calls to one provider or to all; calls in progress finish and are journaled."""
    if provider:
        _known(provider)
    with opened_ledger(settings) as ledger:
        ledger.pause(provider)
    return show_budgets(settings)


def resume(settings: Settings, provider: str | None) -> dict[str, Any]:
    """Lift the pause and close the circuit of one provider, or of all. Returns `show_budgets` and `resumed`: what was lifted and closed.

    Raises ValueError if all are paused and only one should resume."""
    if provider:
        _known(provider)
    before = show_budgets(settings)
    with opened_ledger(settings) as ledger:
        if provider and "all" in before["paused"]:
            raise ValueError(f"all providers are paused, so '{provider}' cannot resume alone: run 'lead-assets resume' to lift the pause")
        ledger.resume(provider)
    lifted = [name for name in before["paused"] if provider in (None, name)]
    closed = [circuit["provider"] for circuit in before["circuits"] if provider in (None, circuit["provider"])]
    return {**show_budgets(settings), "resumed": {"paused": lifted, "circuits": closed}}


def parse_scope(text: str) -> tuple[Scope, str]:
    """Parse "total", "campaign:ID" or "provider:NAME" into (scope, name). Raises ValueError that says what to write."""
    kind, _, name = text.partition(":")
    if kind == "total" and not name:
        return "total", ""
    if kind == "campaign" and name:
        return "campaign", campaign_key(name)
    if kind == "provider" and name:
        return "provider", _known(name)
    raise ValueError(f"budget: unknown scope {text!r}: use total, campaign:ID or provider:NAME")


def parse_amount(usd: str) -> int | None:
    """Parse US dollars into micro-dollars, or "none" into None. Raises ValueError that says what to write."""
    if usd == "none":
        return None
    try:
        amount = Decimal(usd.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError(f"budget: {usd!r} is not an amount: give US dollars, e.g. 25 or 0.50, or 'none' to lift the limit")
    if amount < 0:
        raise ValueError(f"budget: {usd!r}: a limit cannot be negative: give 0 or more; 'lead-assets pause' stops all purchases")
    if amount > _MOST_USD:
        raise ValueError(f"budget: {usd!r}: the highest limit is {_MOST_USD:,} US dollars: give less, or 'none' to lift the limit")
    if amount != round(amount, 6):
        raise ValueError(f"budget: {usd!r}: the smallest unit is 0.000001 US dollars: give at most six decimals, or 0")
    return to_micros(amount)


def _known(provider: str) -> str:
    # A budget or pause for a misspelt name would have no effect.
    providers = load_vendors()
    if provider not in providers:
        raise unknown("no provider", provider, providers)
    return provider


def _by_signal(frame: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Rename operations to the signals they serve. One that serves two is a single purchase for both; one that serves none keeps its name."""
    from lead_assets.signals.signal import load_signals, signals_of_operations

    names = cast(Mapping[str, str], signals_of_operations(load_signals(settings).values()))
    others = [name for name in frame.columns if name not in _FIGURES and name != "operation"]
    renamed = frame.with_columns(pl.col("operation").replace(names).alias("signal"))
    return renamed.group_by(*others, "signal").agg(pl.col(_FIGURES).sum()).sort(*others, "signal")
