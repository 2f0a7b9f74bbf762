"""One step over some partitions: what a table function receives, and what it returns.

Does not belong here: running a step (see `tables`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from dagster import AssetExecutionContext

from lead_assets.contracts import Table
from lead_assets.core.settings import Settings
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.notes import Served
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import Warehouse


@dataclass(frozen=True)
class Made:
    """A table's rows for the partitions that had to be made."""

    frame: pl.DataFrame
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Partition → the metadata of its materialization, without personal data. Numbers use the names shared by all rooms."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """Metadata that is the same for every partition."""
    served: Mapping[str, Served] = field(default_factory=dict)
    """Partition → the ledger answers shown in its rows."""


@dataclass
class Step:
    """One step over some partitions. `partitions` are those that have to be made; the function's inputs contain only their rows."""

    context: AssetExecutionContext
    tags: Mapping[str, str]
    """Tags of the run."""
    partitions: list[str]
    contracts: Sequence[type[Table]]
    """The tables to make: all of the step's, or the selected ones."""
    settings: Settings
    ledger: Ledger
    archive: Archive
    io: WarehouseIOManager
    memo: dict[str, Any] = field(default_factory=dict)
    """What the function passes on to its checks."""

    @property
    def warehouse(self) -> Warehouse:
        return self.io.warehouse

    def query(self, sql: str, reads: Sequence[type[Table]]) -> pl.DataFrame:
        """A SELECT over the step's partitions of tables with its own grain, and all of other tables. A home-wide table sees everything."""
        grain = self.contracts[0].grain
        return self.warehouse.query(sql, reads, None if grain == "home" else self.partitions, grain)

    def stored(self, contract: type[Table]) -> pl.DataFrame:
        """The stored rows of the step's partitions."""
        return self.warehouse.read(contract, self.partitions)
