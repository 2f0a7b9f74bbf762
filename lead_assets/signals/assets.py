"""The assets of the signals room: one step per provider for all its signals, and the table that merges them.

To add a signal, write an entry in rules/signals.yaml, a contract, and a parser in the vendor's folder: the asset follows from these.
"""

from collections.abc import Sequence
from itertools import groupby

import polars as pl
from dagster import AssetCheckSeverity, AssetsDefinition

from lead_assets.contracts import EnrichedLead, Lead, canonical_json
from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings
from lead_assets.kit.checks import Check, Verdict
from lead_assets.kit.declare import key_of, limited
from lead_assets.kit.notes import Served, prefixes
from lead_assets.kit.outages import circuits_shown, note_misses
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import figures_by, tables
from lead_assets.signals.agreement import ledger_agrees
from lead_assets.signals.merge import PRECEDENCE, enrich
from lead_assets.signals.signal import Signal, load_signals
from lead_assets.vendors import load_vendors

_LOGIC = ["lead_assets.signals", "lead_assets.vendors", "lead_assets.core"]
_RULES = ["signals.yaml"]


def signal_assets(settings: Settings) -> list[AssetsDefinition]:
    """One multi-asset per provider that is the first source of a signal, and signals/enriched_leads over all signals."""
    signals = sorted(loadable_signals(settings).values(), key=_provider)
    return [*(_bought_from(provider, list(group)) for provider, group in groupby(signals, key=_provider)), _merged(signals)]


def loadable_signals(settings: Settings) -> dict[str, Signal]:
    """The declared signals, or the shipped ones if the declarations cannot be read."""
    try:
        return load_signals(settings)
    except RulesError:
        # The graph still has to load, so that the sensor and runs can report what is wrong: neither continues with such rules.
        return load_signals(settings.model_copy(update={"rules_dir": None}))


def _provider(signal: Signal) -> str:
    return signal.sources[0].provider


def _bought_from(provider: str, signals: Sequence[Signal]) -> AssetsDefinition:
    contracts = [signal.contract for signal in signals]
    by_key = {key_of(signal.contract): signal for signal in signals}
    asked = sorted({source.provider for signal in signals for source in signal.sources})

    def who_answers(step: Step, _: str) -> object:
        vendors = load_vendors()
        return [(name, vendors[name].key(step.settings) is not None, vendors[name].is_mock(step.settings)) for name in asked]

    def agrees(step: Step) -> dict[str, Verdict]:
        since, stats = step.memo["since"], step.memo["stats"]
        return {key: _verdict(step, since, key, stats) for key in step.partitions}

    @tables(
        *contracts,
        reads={"leads": Lead},
        name=f"signals__{provider}",
        kinds=["api"],
        pool=provider,
        can_subset=True,
        logic=_LOGIC,
        rules=_RULES,
        outside=who_answers,
        buys=True,
        limited=Lead,
        checks=[
            Check(
                contracts[0],
                "ledger_agrees",
                f"The cost that {provider}'s signals report for the campaign in this run equals the cost in the ledger's journal.",
                agrees,
                severity=AssetCheckSeverity.WARN,
            )
        ],
    )
    def bought(step: Step, leads: pl.DataFrame) -> list[Made]:
        # Imported here because every run pays for what the code location imports.
        from lead_assets.signals.engine import collect_all

        wanted = [by_key[key_of(contract)] for contract in step.contracts]
        step.memo["since"] = step.ledger.last_call()
        collected = collect_all(wanted, limited(step.context, leads), ledger=step.ledger, settings=step.settings)
        step.memo["stats"] = [each.stats for each in collected.values()]
        circuits = circuits_shown(step.ledger)
        for signal in wanted:
            note_misses(step, signal.contract, collected[signal.name].lacking)
        return [
            Made(
                collected[signal.name].frame,
                collected[signal.name].stats.figures(collected[signal.name].frame),
                {"circuits": circuits},
                served={key: Served(prefixes(look.keys), look.until) for key, look in collected[signal.name].looks.items()},
            )
            for signal in wanted
        ]

    return bought


def _verdict(step: Step, since: int, campaign: str, stats: Sequence) -> Verdict:
    agreement = ledger_agrees(step.ledger, since, campaign, stats)
    shown = {"ledger_usd": float(agreement.ledger_usd), "asset_usd": float(agreement.asset_usd)}
    counted = {"ledger_uncertain_calls": agreement.ledger_uncertain, "asset_uncertain_calls": agreement.asset_uncertain}
    return Verdict(agreement.holds, shown | counted)


def _merged(signals: Sequence[Signal]) -> AssetsDefinition:
    @tables(
        EnrichedLead,
        reads={"leads": Lead, **{signal.name: signal.contract for signal in signals}},
        logic=["lead_assets.signals.merge", "lead_assets.core"],
        rules=_RULES,
        version=canonical_json(PRECEDENCE),
        limited=Lead,
    )
    def enriched_leads(step: Step, leads: pl.DataFrame, **collected: pl.DataFrame) -> Made:
        frame = enrich(limited(step.context, leads), collected)
        found = figures_by(
            frame,
            with_a_signal=(pl.col("signals_found").list.len() > 0).sum(),
            enrichment_quality=pl.col("enrichment_quality").mean(),
            table_cost_usd=pl.col("signals_cost_usd").sum(),
        )
        return Made(frame, found)

    return enriched_leads
