"""Dagster's door to the warehouse: an asset returns a frame, its table's partitions are replaced; an input is read back as the same frame."""

from __future__ import annotations

import polars as pl
from dagster import AssetKey, InputContext, IOManager, OutputContext

from lead_assets.contracts import TABLES, Table
from lead_assets.warehouse.base import Warehouse


class WarehouseIOManager(IOManager):
    """One for every warehouse; https://docs.dagster.io/guides/build/io-managers. Asset key `schema/table` is table `schema.table`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def handle_output(self, context: OutputContext, obj: pl.DataFrame) -> None:
        self.warehouse.write(contract_of(context.asset_key), obj, context.asset_partition_keys)

    def load_input(self, context: InputContext) -> pl.DataFrame:
        return self.warehouse.read(contract_of(context.asset_key), context.asset_partition_keys)


def contract_of(key: AssetKey) -> type[Table]:
    return TABLES[".".join(key.path)]
