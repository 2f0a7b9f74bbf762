"""The assets of the signals room: steps that buy, the pre-score, and the table that merges all signals.

A step buys the signals of one provider that can be bought at the same time. A signal whose `when` reads others waits for them, and what the pre-score is made
from is bought before everything else (see `signal.stages`).

To add a signal, write an entry in rules/signals.yaml, a contract, and a parser in the vendor's folder: the asset follows from these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import polars as pl
from dagster import AssetCheckSeverity, AssetsDefinition

from lead_assets.contracts import EnrichedLead, Lead, PreScore, Table, canonical_json
from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings
from lead_assets.kit import pictures
from lead_assets.kit.checks import Check, Verdict
from lead_assets.kit.declare import key_of, limited
from lead_assets.kit.notes import Served, prefixes
from lead_assets.kit.outages import circuits_shown, note_misses
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import Own, counts_by, figures_by, joined, tables
from lead_assets.signals.agreement import ledger_agrees
from lead_assets.signals.merge import PRECEDENCE, enrich
from lead_assets.signals.signal import (
    Signal,
    load_pre_score,
    load_signals,
    said_of_pre_score,
    said_of_when,
    said_without_when,
    stages,
)
from lead_assets.signals.worth import PreScoreRules, Worth, pre_scores
from lead_assets.vendors import load_vendors

_LOGIC = ["lead_assets.signals", "lead_assets.vendors", "lead_assets.core"]


def signal_assets(settings: Settings) -> list[AssetsDefinition]:
    """For each stage, one multi-asset per provider that is the first source of a signal; signals/pre_scores, if it is declared; and signals/enriched_leads
    over all signals."""
    signals, pre_score = loadable_signals(settings)
    order = stages(signals.values(), pre_score)
    steps = sorted(signals.values(), key=lambda signal: (order[signal.name], _provider(signal)))
    room = _Room(signals, order, pre_score)
    bought = [
        _bought_from(provider, stage, list(group), room)
        for (stage, provider), group in groupby(steps, key=lambda signal: (order[signal.name], _provider(signal)))
    ]
    return [*bought, *([_pre_scored(pre_score, signals)] if pre_score else []), _merged(sorted(signals.values(), key=_provider))]


@dataclass(frozen=True)
class _Room:
    """All signals, and when each is bought."""

    signals: Mapping[str, Signal]
    order: Mapping[str, int]
    pre_score: PreScoreRules | None

    def awaits_pre_score(self, signal: Signal) -> bool:
        return self.pre_score is not None and signal.name not in self.pre_score.reads()

    def read_by(self, signals: Sequence[Signal]) -> list[str]:
        """The signals that the conditions of `signals` test."""
        return sorted({name for signal in signals for name in signal.when.reads()} & self.signals.keys())


def loadable_signals(settings: Settings) -> tuple[dict[str, Signal], PreScoreRules | None]:
    """The declared signals and how the pre-score is made, or the shipped ones if the declarations cannot be read."""
    try:
        return load_signals(settings), load_pre_score(settings)
    except RulesError:
        # The graph still has to load, so that the sensor and runs can report what is wrong: neither continues with such rules.
        shipped = settings.model_copy(update={"rules_dir": None})
        return load_signals(shipped), load_pre_score(shipped)


def _provider(signal: Signal) -> str:
    return signal.sources[0].provider


def _bought_from(provider: str, stage: int, signals: Sequence[Signal], room: _Room) -> AssetsDefinition:
    contracts = [signal.contract for signal in signals]
    waits = room.read_by(signals)
    scored = any(room.awaits_pre_score(signal) for signal in signals)
    judges = {"pre_scores": PreScore} if any(signal.when.uses_pre_score for signal in signals) else {}
    beside = [signal for signal in room.signals.values() if room.order[signal.name] >= stage and signal not in signals] if scored else []
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
        reads={"leads": Lead, **{name: room.signals[name].contract for name in waits}, **judges},
        after=[PreScore] if scored and not judges else [],
        name=f"signals__{provider}" + (f"__{stage}" if stage > 1 else ""),
        kinds=["api"],
        pool=provider,
        can_subset=True,
        logic=_LOGIC,
        says=said_without_when,
        own={signal.contract: _own(signal, room) for signal in signals},
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
    def bought(step: Step, leads: pl.DataFrame, **read: pl.DataFrame) -> list[Made]:
        # Imported here because every run pays for what the code location imports.
        from lead_assets.signals.engine import collect_all
        from lead_assets.signals.waterfall import trouble_of

        wanted = [by_key[key_of(contract)] for contract in step.contracts]
        step.memo["since"] = step.ledger.last_call()
        scores = read.pop("pre_scores", None)
        if scored and scores is None:
            scores = step.stored(PreScore)  # for the order of buying, on which no row depends
        collected = collect_all(
            wanted,
            limited(step.context, leads),
            ledger=step.ledger,
            settings=step.settings,
            worth=Worth(room.pre_score, read, scores),
            beside=beside,
            trouble=trouble_of(step.context.run.run_id),
        )
        step.memo["stats"] = [each.stats for each in collected.values()]
        circuits = circuits_shown(step.ledger)
        recalled = {signal.name: prefixes(collected[signal.name].stats.recalled) for signal in wanted}
        for signal in wanted:
            note_misses(step, signal.contract, collected[signal.name].lacking)
        return [
            Made(
                collected[signal.name].frame,
                collected[signal.name].stats.figures(collected[signal.name].frame),
                {"circuits": circuits},
                served={
                    key: Served(prefixes(look.keys), look.until, recalled[signal.name])
                    for key, look in collected[signal.name].looks.items()
                },
            )
            for signal in wanted
        ]

    return bought


def _own(signal: Signal, room: _Room) -> Own:
    reads: list[type[Table]] = [
        Lead,
        *(room.signals[name].contract for name in room.read_by([signal])),
        *([PreScore] if signal.when.uses_pre_score else []),
    ]
    return Own(reads, lambda settings: said_of_when(settings, signal.name))


def _pre_scored(rules: PreScoreRules, signals: Mapping[str, Signal]) -> AssetsDefinition:
    @tables(
        PreScore,
        reads={"leads": Lead, **{name: signals[name].contract for name in rules.reads() if name in signals}},
        logic=["lead_assets.signals.worth", "lead_assets.core"],
        says=said_of_pre_score,
        limited=Lead,
    )
    def scored(step: Step, leads: pl.DataFrame, **collected: pl.DataFrame) -> Made:
        frame = pre_scores(limited(step.context, leads), collected, load_pre_score(step.settings) or rules)
        tiers = {campaign: {"hot": 0, "warm": 0, "cold": 0} | found for campaign, found in counts_by(frame, "tier").items()}
        return Made(frame, joined(tiers, figures_by(frame, mean_pre_score=pl.col("pre_score").mean())))

    return scored


def _verdict(step: Step, since: int, campaign: str, stats: Sequence) -> Verdict:
    agreement = ledger_agrees(step.ledger, since, campaign, stats)
    shown = {"ledger_usd": float(agreement.ledger_usd), "asset_usd": float(agreement.asset_usd)}
    counted = {"ledger_uncertain_calls": agreement.ledger_uncertain, "asset_uncertain_calls": agreement.asset_uncertain}
    return Verdict(agreement.holds, shown | counted)


def coverage_drawn(rows: pl.DataFrame, _step: Step) -> str | None:
    """The share of leads for which each signal found something."""
    found = dict(rows["signals_found"].explode().drop_nulls().value_counts(sort=True).iter_rows())
    return pictures.bars("Leads with each signal, %", {name: 100 * count / rows.height for name, count in found.items()}) if found else None


def _merged(signals: Sequence[Signal]) -> AssetsDefinition:
    @tables(
        EnrichedLead,
        reads={"leads": Lead, **{signal.name: signal.contract for signal in signals}},
        logic=["lead_assets.signals.merge", "lead_assets.core"],
        says=said_without_when,
        version=canonical_json(PRECEDENCE),
        pictures={EnrichedLead: coverage_drawn},
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
