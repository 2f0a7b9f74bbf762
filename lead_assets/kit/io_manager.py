"""Dagster's door to the warehouse: an asset returns a frame, its table's partitions are replaced; an input is read back as the same frame."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from dagster import (
    AssetExecutionContext,
    AssetKey,
    DagsterInvariantViolationError,
    InputContext,
    IOManager,
    OutputContext,
    StepExecutionContext,
)

from lead_assets.contracts import TABLES, WHOLE_HOME, Table
from lead_assets.stores.warehouse.base import Noting, Warehouse
from lead_assets.stores.warehouse.caller import on_behalf_of

Written = tuple[pl.DataFrame, Sequence[str], Noting | None]
"""Rows, the partitions that they replace, and what is noted of each."""


class WarehouseIOManager(IOManager):
    """One for every warehouse; https://docs.dagster.io/guides/build/io-managers. Asset key `schema/table` is table `schema.table`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def handle_output(self, context: OutputContext, obj: Written | pl.DataFrame) -> None:
        """Replace the partitions of the run by a frame's rows, or those that were made by theirs (see `kit.tables`)."""
        with on_behalf_of(context.run_id, context.asset_key.to_user_string()):
            contract = contract_of(context.asset_key)
            if isinstance(obj, pl.DataFrame):
                obj = obj, [WHOLE_HOME] if contract.grain == "home" else context.asset_partition_keys, None
            frame, partitions, noting = obj
            if partitions:
                self.warehouse.write(contract, frame, partitions, noting)

    def load_input(self, context: InputContext) -> pl.DataFrame:
        step = _reading_step(context)
        with on_behalf_of(step.run_id if step else None, context.asset_key.to_user_string()):
            return self.warehouse.read(contract_of(context.asset_key), _wanted(context))

    def query(self, context: AssetExecutionContext, sql: str, reads: Sequence[type[Table]]) -> pl.DataFrame:
        """A SELECT on behalf of the asset that is being materialized: over the run's partitions of the tables of its own grain, over all of the others.
        A table of the whole home sees all there is."""
        grain = contract_of(context.asset_key).grain
        partitions = None if grain == "home" else context.partition_keys
        with on_behalf_of(context.run.run_id, context.asset_key.to_user_string()):
            return self.warehouse.query(sql, reads, partitions, grain)


def contract_of(key: AssetKey) -> type[Table]:
    return TABLES[".".join(key.path)]


def _wanted(context: InputContext) -> Sequence[str] | None:
    """The partitions of an input; None for all that were written.

    To an asset of the whole home Dagster maps every campaign there is, also those that have not been run yet.
    """
    step = _reading_step(context)
    if contract_of(context.asset_key).grain == "home" or (step is not None and step.entity_partitions_def is None):
        return None
    return context.asset_partition_keys


def _reading_step(context: InputContext) -> StepExecutionContext | None:
    try:
        return context.step_context
    except DagsterInvariantViolationError:
        return None  # an asset's value loaded outside of a run, in a notebook say
