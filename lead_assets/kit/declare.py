"""Turns a contract into Dagster's asset arguments: key, group, description, kinds, owners, schema, version, partitions.

One description of a table thus drives DDL, docs, column schema, PII tags and checks, and an asset function only declares, calls and returns.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetOut,
    AutomationCondition,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableConstraints,
    TableSchema,
)

from lead_assets.contracts import ColumnSpec, Table
from lead_assets.kit.partitions import partitioned

# We use this on purpose, and every user of every command would see the warning.
warnings.filterwarnings("ignore", message=".*`backfill_policy`.*")
warnings.filterwarnings("ignore", message=".*partitions_def on an AssetCheckSpec.*")
# Dagster itself passes it when a sensor may start several jobs.
warnings.filterwarnings("ignore", message="Parameter `owners` of initializer `SensorDefinition.*")

OWNERS = ["team:lead-data"]
GRAIN_TAG = "lead_assets/grain"
"""Tag of every asset: what one partition holds (a campaign, a day or the whole home). Jobs select by it, and so can UI users."""
IO_MANAGER = "warehouse"
LIMIT_TAG = "lead_assets/limit"
"""Run tag: the maximum number of leads per campaign that continue from identity into the rooms that cost money."""
MODE_TAG = "lead_assets/mode"
"""Run tag: "batch" uses the model's Message Batches, cheaper by half but slower; "interactive" asks at once. Backfills default to "batch"."""
BUY_TAG = "lead_assets/buy"
"""Run tag: with "never" the run costs nothing: answers in the ledger are served at any age, and missing ones are unknown (not_bought)."""


def key_of(contract: type[Table]) -> AssetKey:
    """Table `schema.name` is asset `schema/name`."""
    return AssetKey(contract.table.split("."))


def assets_of(
    contracts: Sequence[type[Table]], *, kinds: Iterable[str] = (), required: bool = True, condition: AutomationCondition | None = None
) -> dict[str, Any]:
    """Arguments of `@multi_asset` for tables filled by one step. required=False is for a step that can be subset."""
    kinds = list(kinds)
    (grain,) = {contract.grain for contract in contracts}  # a step has only one kind of partition
    return {
        "name": f"{contracts[0].schema_name()}__{'__'.join(contract.table_name() for contract in contracts)}",
        "outs": {
            contract.table_name(): AssetOut(
                key=key_of(contract),
                io_manager_key=IO_MANAGER,
                is_required=required,
                automation_condition=condition,
                **_common(contract, kinds),
            )
            for contract in contracts
        },
        **partitioned(grain),
    }


def limited(context: AssetExecutionContext, leads: pl.DataFrame) -> pl.DataFrame:
    """The leads that may cost money in this run: all, or the first N to arrive per campaign if the run has the limit tag."""
    limit = context.run.tags.get(LIMIT_TAG)
    if limit is None:
        return leads
    order = ["campaign_id", "received_at", "drop_sha256", "position", "part", "lead_id"]
    return leads.sort(order).group_by("campaign_id", maintain_order=True).head(int(limit))


def table_schema(contract: type[Table]) -> TableSchema:
    """The contract as Dagster's column schema; personal data is tagged `pii`."""
    return TableSchema(
        columns=[_table_column(contract, column) for column in contract.columns()],
        constraints=TableConstraints(other=[f"unique ({', '.join(contract.key)})"]),
    )


def column_lineage(contract: type[Table]) -> TableColumnLineage:
    """Column lineage, as the contract states it. A place outside the tables, such as ledger.answers, is a column of an asset that is not in the graph."""
    return TableColumnLineage(
        {column.name: [_column_dep(source) for source in column.sources] for column in contract.columns() if column.sources},
    )


def _common(contract: type[Table], kinds: Iterable[str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/column_schema": table_schema(contract),
        "dagster/table_name": contract.table,
        "dagster/column_lineage": column_lineage(contract),
    }
    return {
        "group_name": contract.schema_name(),
        "description": contract.description(),
        "owners": OWNERS,
        "kinds": {"polars", *kinds},
        "tags": {GRAIN_TAG: contract.grain},
        "metadata": metadata,
    }


def _table_column(contract: type[Table], column: ColumnSpec) -> TableColumn:
    return TableColumn(
        name=column.name,
        type=column.sql_type,
        description=column.description,
        constraints=TableColumnConstraints(nullable=column.nullable, unique=(column.name,) == contract.key),
        tags=_tags(column),
    )


def _tags(column: ColumnSpec) -> Mapping[str, str] | None:
    return {"pii": column.pii} if column.pii else None


def _column_dep(source: str) -> TableColumnDep:
    *asset, column = source.split(".")
    return TableColumnDep(asset_key=AssetKey(asset), column_name=column)
