"""The assets of the spending room: two tables from the ledger, made after everything that buys."""

from collections.abc import Mapping

from dagster import AssetsDefinition

from lead_assets.contracts import (
    TABLES,
    WHOLE_HOME,
    Calls,
    Classification,
    GoldenEvaluation,
    JournaledCall,
    SignalRow,
    Summary,
    Table,
    canonical_json,
)
from lead_assets.kit.conditions import after_the_campaigns
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import COST_USD, tables

# Their rows are not read, but their purchases must be complete.
BUYERS: list[type[Table]] = [contract for contract in TABLES.values() if issubclass(contract, SignalRow)]
BUYERS += [Classification, Summary, GoldenEvaluation]


def spending_assets(signals: Mapping[str, str], places: Mapping[str, int]) -> list[AssetsDefinition]:
    """spending/calls and ledger/calls. `signals`: ledger operation → the signals that use it; `places`: → its place in the waterfall (rules/signals.yaml)."""

    @tables(
        Calls,
        after=BUYERS,
        logic=["lead_assets.spending"],
        outside=lambda step, _: step.ledger.last_call(),
        version=canonical_json(signals),
        condition=after_the_campaigns(),
    )
    def calls(step: Step) -> Made:
        from lead_assets.spending.calls import calls as calls_of

        frame = calls_of(step.ledger, signals)
        figures = {name: frame[name].sum() for name in ("answers", "calls", "cost_usd")}
        return Made(frame, {WHOLE_HOME: {**figures, "uncertain_calls": frame["uncertain_calls"].sum()}})

    @tables(
        JournaledCall,
        after=BUYERS,
        logic=["lead_assets.spending"],
        outside=lambda step, _: step.ledger.last_call(),
        version=canonical_json([signals, places]),
        condition=after_the_campaigns(),
    )
    def journal(step: Step) -> Made:
        from lead_assets.spending.calls import journaled

        frame = journaled(step.ledger, signals, places)
        return Made(frame, {WHOLE_HOME: {"uncertain_calls": frame["uncertain"].sum(), COST_USD: frame[COST_USD].sum()}})

    return [calls, journal]
