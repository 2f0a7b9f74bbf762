"""Connects Dagster to the warehouse: a frame that an asset returns replaces its table's partitions; an input is read back as the same frame."""

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
"""Rows, the partitions they replace, and the note for each partition."""


class WarehouseIOManager(IOManager):
    """Works with every warehouse; https://docs.dagster.io/guides/build/io-managers. Asset key `schema/table` is table `schema.table`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def handle_output(self, context: OutputContext, obj: Written | pl.DataFrame) -> None:
        """Replace the run's partitions with a frame's rows, or only those that were made (see `kit.tables`)."""
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
        """A SELECT for the asset being materialized. It sees the run's partitions of tables with the same grain, and all of other tables.
        A home-wide table sees everything."""
        grain = contract_of(context.asset_key).grain
        partitions = None if grain == "home" else context.partition_keys
        with on_behalf_of(context.run.run_id, context.asset_key.to_user_string()):
            return self.warehouse.query(sql, reads, partitions, grain)


def contract_of(key: AssetKey) -> type[Table]:
    return TABLES[".".join(key.path)]


def _wanted(context: InputContext) -> Sequence[str] | None:
    """The partitions of an input; None means all written ones.

    For a home-wide asset, Dagster maps every campaign, including those that have not been run yet.
    """
    step = _reading_step(context)
    if contract_of(context.asset_key).grain == "home" or (step is not None and step.entity_partitions_def is None):
        return None
    return context.asset_partition_keys


def _reading_step(context: InputContext) -> StepExecutionContext | None:
    try:
        return context.step_context
    except DagsterInvariantViolationError:
        return None  # loaded outside a run, for example in a notebook
