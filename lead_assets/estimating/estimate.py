"""What running campaigns would cost, before anything is spent: reads leads from the archive and answers from the ledger (and, for briefs, what the last run
wrote of similar accounts), and writes nothing.

Does not belong here: what each room would buy (see `lead_assets.estimating.signals` and `lead_assets.estimating.model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lead_assets.core.settings import Settings
from lead_assets.estimating.archived import leads_of
from lead_assets.estimating.expected import Expected, load_experience
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import to_usd
from lead_assets.ledger.money import Budget
from lead_assets.ledger.opened import opened_ledger
from lead_assets.stores.opened import campaigns_of
from lead_assets.vendors import load_vendors

if TYPE_CHECKING:
    import polars as pl

    from lead_assets.estimating.signals import LeftOut

_SHOWN = 5
"""Most wordings of what left-out leads would need."""


def estimate(settings: Settings, campaigns: Sequence[str] | None) -> dict[str, Any]:
    """Calls and dollars by provider and operation. Returns the answer of `lead-assets estimate`. Raises ValueError for an unknown campaign."""
    wanted = campaigns_of(settings, campaigns)
    with opened_ledger(settings) as ledger:
        return estimate_from(ledger, settings, wanted)


def estimate_from(ledger: Ledger, settings: Settings, wanted: Sequence[str]) -> dict[str, Any]:
    """The same from an open ledger. `wanted`: keys of campaigns that the archive has."""
    leads = leads_of(settings, wanted, ledger)
    (expected, given, left_out), budgets = _rehearse(settings, leads, ledger, looks_at_briefs=True), ledger.budgets()
    total = sum(each.cost_micros for each in expected)
    asked = {each.provider for each in expected}
    return {
        "usd": to_usd(round(total)),
        "calls": round(sum(each.calls for each in expected)),
        "rows": [_row(each) for each in expected],
        "given": given,
        "not_worth_it": {
            signal: {
                "leads": round(each.leads),
                "saved_usd": to_usd(round(each.saved_micros)),
                "needs": {words: round(leads) for words, leads in list(each.needs.items())[:_SHOWN] if round(leads)},
            }
            for signal, each in left_out.items()
        },
        "campaigns": wanted,
        "without_key": sorted(provider for provider in _providers(settings) if load_vendors()[provider].key(settings) is None),
        "over_budget": [budget.as_row() for budget in budgets if _is_short(budget, expected, wanted, asked)],
        "synthetic": settings.world == "sandbox",
    }


def estimate_leads(settings: Settings, leads: pl.DataFrame, ledger: Ledger) -> dict[str, Any]:
    """What enriching and classifying these leads (rows of identity.leads) would cost now: {"usd", "calls", "rows"} as in `estimate`. Buys nothing."""
    expected, _, _ = _rehearse(settings, leads, ledger)
    return {
        "usd": to_usd(round(sum(each.cost_micros for each in expected))),
        "calls": round(sum(each.calls for each in expected)),
        "rows": [_row(each) for each in expected],
    }


def _row(each: Expected) -> dict[str, Any]:
    return {
        "provider": each.provider,
        "operation": each.operation,
        "signal": each.signal,
        "subjects": round(each.subjects),
        "calls": round(each.calls),
        "usd": to_usd(round(each.cost_micros)),
    }


def price_of(settings: Settings, ledger: Ledger, leads: pl.DataFrame) -> dict[str, Any]:
    """What it would cost to bring these leads (rows of identity.leads) up to a score: {"usd" (expected), "most_usd" (reserved if every question is asked),
    "calls", "rows" as in `estimate`, with "most_usd", "over_budget": budgets with less left than is expected}. Writes nothing and calls nobody."""
    campaigns, expected = (
        leads["campaign_id"].unique().to_list(),
        [each for each in _rehearse(settings, leads, ledger)[0] if each.signal != "summaries"],
    )
    most = [round(max(each.most_micros, each.cost_micros)) for each in expected]
    asked = {each.provider for each in expected}
    return {
        "usd": to_usd(round(sum(each.cost_micros for each in expected))),
        "most_usd": to_usd(sum(most)),
        "calls": round(sum(each.calls for each in expected)),
        "rows": [_row(each) | {"most_usd": to_usd(own)} for each, own in zip(expected, most, strict=True)],
        "over_budget": [budget.as_row() for budget in ledger.budgets() if _is_short(budget, expected, campaigns, asked)]
        if expected
        else [],
    }


def _rehearse(
    settings: Settings, leads: pl.DataFrame, ledger: Ledger, *, looks_at_briefs: bool = False
) -> tuple[list[Expected], dict[str, int], dict[str, LeftOut]]:
    """Expected purchases, per signal the subjects that are not bought because a lead brings the answer, and what each `when` leaves out."""
    from lead_assets.estimating import model as of_classification
    from lead_assets.estimating import signals as of_signals
    from lead_assets.signals.merge import enrich
    from lead_assets.signals.signal import load_pre_score, load_signals

    experience = load_experience(settings, ledger)
    signals = of_signals.rehearse(
        load_signals(settings).values(),
        leads,
        ledger=ledger,
        settings=settings,
        experience=experience,
        pre_score=load_pre_score(settings),
    )
    enriched = enrich(leads, signals.frames)
    asked = of_classification.rehearse(
        leads, enriched, ledger=ledger, settings=settings, experience=experience, looks_at_briefs=looks_at_briefs
    )
    return [*signals.expected, *asked], signals.given, signals.left_out


def _providers(settings: Settings) -> set[str]:
    from lead_assets.model.client import PROVIDER
    from lead_assets.signals.signal import load_signals

    return {source.provider for signal in load_signals(settings).values() for source in signal.active_sources} | {PROVIDER}


def _is_short(budget: Budget, expected: Sequence[Expected], campaigns: Sequence[str], providers: set[str]) -> bool:
    """Whether the budget has less left than the expected cost. Campaign budgets are judged only when estimating a single campaign."""
    if budget.scope == "campaign" and [budget.name] != list(campaigns):
        return False
    if budget.scope == "provider" and budget.name not in providers:
        return False
    mine = [each.cost_micros for each in expected if budget.scope != "provider" or each.provider == budget.name]
    return budget.free_micros < round(sum(mine))
