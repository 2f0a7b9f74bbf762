"""The asset of the spending room: one table, made after everything that buys."""

from collections.abc import Mapping

from dagster import AssetsDefinition

from lead_assets.contracts import TABLES, WHOLE_HOME, Calls, Classification, GoldenEvaluation, SignalRow, Summary, Table, canonical_json
from lead_assets.kit.conditions import after_the_campaigns
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import tables

# Their rows are not read, but their purchases must be complete.
BUYERS: list[type[Table]] = [contract for contract in TABLES.values() if issubclass(contract, SignalRow)]
BUYERS += [Classification, Summary, GoldenEvaluation]


def spending_assets(signals: Mapping[str, str]) -> list[AssetsDefinition]:
    """spending/calls. `signals`: ledger operation → the signals that use it, from rules/signals.yaml."""

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

    return [calls]
