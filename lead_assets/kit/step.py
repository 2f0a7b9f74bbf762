"""One step over some partitions: what the function that makes a table is given, and what it returns.

Does not belong here: the walk of a step (see `tables`).
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
    """A table's rows for the partitions that were to be made."""

    frame: pl.DataFrame
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Partition → what its materialization shows, never personal data. Numbers under the names that all rooms use."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """What every partition's materialization shows alike."""
    served: Mapping[str, Served] = field(default_factory=dict)
    """Partition → the ledger's answers that its rows show."""


@dataclass
class Step:
    """One step over some partitions. `partitions` are those that have to be made; what the function reads holds their rows only."""

    context: AssetExecutionContext
    tags: Mapping[str, str]
    """Of the run."""
    partitions: list[str]
    contracts: Sequence[type[Table]]
    """Tables that are to be made: all of the step, or those that were selected."""
    settings: Settings
    ledger: Ledger
    archive: Archive
    io: WarehouseIOManager
    memo: dict[str, Any] = field(default_factory=dict)
    """What the function leaves for its checks."""

    @property
    def warehouse(self) -> Warehouse:
        return self.io.warehouse

    def query(self, sql: str, reads: Sequence[type[Table]]) -> pl.DataFrame:
        """A SELECT over the step's partitions of the tables of its own grain, and over all of the others. A table of the whole home sees all there is."""
        grain = self.contracts[0].grain
        return self.warehouse.query(sql, reads, None if grain == "home" else self.partitions, grain)

    def stored(self, contract: type[Table]) -> pl.DataFrame:
        """The rows of the step's partitions as they are stored."""
        return self.warehouse.read(contract, self.partitions)
