"""Dagster's door to the warehouse: an asset returns a frame, its table's partitions are replaced; an input is read back as the same frame."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from dagster import AssetExecutionContext, AssetKey, DagsterInvariantViolationError, InputContext, IOManager, OutputContext

from lead_assets.contracts import TABLES, Table
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.caller import on_behalf_of


class WarehouseIOManager(IOManager):
    """One for every warehouse; https://docs.dagster.io/guides/build/io-managers. Asset key `schema/table` is table `schema.table`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def handle_output(self, context: OutputContext, obj: pl.DataFrame) -> None:
        with on_behalf_of(context.run_id, context.asset_key.to_user_string()):
            self.warehouse.write(contract_of(context.asset_key), obj, context.asset_partition_keys)

    def load_input(self, context: InputContext) -> pl.DataFrame:
        with on_behalf_of(_reading_run(context), context.asset_key.to_user_string()):
            return self.warehouse.read(contract_of(context.asset_key), context.asset_partition_keys)

    def query(self, context: AssetExecutionContext, sql: str, reads: Sequence[type[Table]]) -> pl.DataFrame:
        """A SELECT over the run's partitions, on behalf of the asset that is being materialized."""
        with on_behalf_of(context.run.run_id, context.asset_key.to_user_string()):
            return self.warehouse.query(sql, reads, context.partition_keys)


def contract_of(key: AssetKey) -> type[Table]:
    return TABLES[".".join(key.path)]


def _reading_run(context: InputContext) -> str | None:
    try:
        return context.step_context.run_id
    except DagsterInvariantViolationError:
        return None  # an asset's value loaded outside of a run, in a notebook say
