"""Dagster's view of the signals room: one step a provider for all its signals, and the table that merges them.

Adding a signal takes an entry in rules/signals.yaml, a contract and a parser in its vendor's folder: its asset follows from these.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import cast

import polars as pl
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetIn,
    AssetsDefinition,
    MaterializeResult,
    ResourceParam,
    asset,
    multi_asset,
)

from lead_assets.contracts import EnrichedLead, Lead, Table
from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import asset_of, assets_of, key_of, limited, result_of
from lead_assets.kit.outages import circuits_shown, note_misses
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger import Ledger
from lead_assets.signals.agreement import Agreement, ledger_agrees
from lead_assets.signals.merge import enrich
from lead_assets.signals.signal import Signal, load_signals


def signal_assets(settings: Settings) -> list[AssetsDefinition]:
    """One multi-asset for each provider that is some signal's first source, and signals/enriched_leads over all signals."""
    try:
        declared = load_signals(settings)
    except RulesError:
        # The graph still has to load, so that the sensor and every run can say what is wrong: neither goes on with such rules.
        declared = load_signals(settings.model_copy(update={"rules_dir": None}))
    signals = sorted(declared.values(), key=_provider)
    return [*(_bought_from(provider, list(group)) for provider, group in groupby(signals, key=_provider)), _merged(signals)]


def _provider(signal: Signal) -> str:
    return signal.sources[0].provider


def _bought_from(provider: str, signals: Sequence[Signal]) -> AssetsDefinition:
    contracts = [signal.contract for signal in signals]
    by_key = {key_of(signal.contract): signal for signal in signals}
    agrees = AssetCheckSpec(
        "ledger_agrees",
        asset=key_of(contracts[0]),
        partitions_def=campaigns,
        description=f"What the signals of {provider} say they spent in this run is what the ledger journaled for these campaigns meanwhile.",
    )

    @multi_asset(
        **{**assets_of(contracts, kinds=["api"], required=False), "name": f"signals__{provider}"},
        ins={"leads": AssetIn(key_of(Lead))},
        check_specs=[agrees],
        can_subset=True,
        pool=provider,
    )
    def bought(
        context: AssetExecutionContext, leads: pl.DataFrame, ledger: ResourceParam[Ledger], settings: ResourceParam[Settings]
    ) -> Iterator[MaterializeResult | AssetCheckResult]:
        # Buying is loaded where it is done: every run pays for what the code location loads.
        from lead_assets.signals.engine import collect_all

        wanted = [signal for key, signal in by_key.items() if key in context.selected_asset_keys]
        since = ledger.last_call()
        collected = collect_all(wanted, limited(context, leads), ledger=ledger, settings=settings)
        circuits = circuits_shown(ledger)
        for signal in wanted:
            note_misses(context, ledger, signal.contract, collected[signal.name].lacking)
            yield result_of(signal.contract, collected[signal.name].frame, circuits=circuits, **collected[signal.name].stats.metadata())
        if agrees.key in context.selected_asset_check_keys:
            stats = [each.stats for each in collected.values()]
            yield agreement_check(agrees, ledger_agrees(ledger, since, context.partition_keys, stats))

    return bought


def agreement_check(spec: AssetCheckSpec, agreement: Agreement) -> AssetCheckResult:
    shown = {"ledger_usd": float(agreement.ledger_usd), "asset_usd": float(agreement.asset_usd)}
    return AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=agreement.holds,
        severity=AssetCheckSeverity.WARN,
        metadata={**shown, "ledger_uncertain_calls": agreement.ledger_uncertain, "asset_uncertain_calls": agreement.asset_uncertain},
    )


def _merged(signals: Sequence[Signal]) -> AssetsDefinition:
    ins = {signal.name: AssetIn(key_of(cast(type[Table], signal.contract))) for signal in signals}

    @asset(**asset_of(EnrichedLead), ins={"leads": AssetIn(key_of(Lead)), **ins})
    def enriched_leads(context: AssetExecutionContext, leads: pl.DataFrame, **collected: pl.DataFrame) -> MaterializeResult:
        frame = enrich(limited(context, leads), collected)
        return result_of(EnrichedLead, frame, with_a_signal=frame.filter(pl.col("signals_found").list.len() > 0).height)

    return enriched_leads
