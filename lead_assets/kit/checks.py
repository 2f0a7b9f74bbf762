"""Checks of stored rows: each partition gets its own verdict, and each table one check derived from its contract.

Belongs here: the check derived from a contract, and turning verdicts into Dagster evaluations. Does not belong here: a room's own checks
(see its `assets.py`). https://docs.dagster.io/guides/test/asset-checks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetRecordsFilter,
    Output,
)

from lead_assets.contracts import TABLES, WHOLE_HOME, Table
from lead_assets.kit.dagster_internals import TARGETS, load
from lead_assets.kit.partitions import partitioned
from lead_assets.kit.step import Step
from lead_assets.stores.warehouse.base import Warehouse, quoted

AS_DECLARED = "as_declared"
_SHOWN_ROWS = 20


@dataclass(frozen=True)
class Verdict:
    """A check's result for one partition. `metadata` never contains personal data."""

    passed: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


Judge = Callable[[Step], Mapping[str, Verdict]]
"""The verdicts on the partitions just stored by the step; a partition that is left out has passed."""


@dataclass(frozen=True)
class Check:
    """A check that a table's step runs on the rows it has stored."""

    of: type[Table]
    name: str
    description: str
    judge: Judge
    blocking: bool = False
    severity: AssetCheckSeverity = AssetCheckSeverity.ERROR

    @property
    def spec(self) -> AssetCheckSpec:
        schema, table = self.of.table.split(".")
        partitions_def = partitioned(self.of.grain).get("partitions_def")
        return AssetCheckSpec(
            self.name, asset=[schema, table], blocking=self.blocking, partitions_def=partitions_def, description=self.description
        )


def as_declared(contract: type[Table]) -> Check:
    """The blocking check of every table: the stored rows match the contract."""
    return Check(
        of=contract,
        name=AS_DECLARED,
        description="The stored rows match the contract: the key is unique, required values are present, values are in their declared lists and ranges, "
        "and every referenced row exists.",
        judge=lambda step: faults(step.warehouse, contract, step.partitions),
        blocking=True,
    )


def evaluations(context: AssetExecutionContext, check: Check, verdicts: Mapping[str, Verdict], kept: Mapping[str, Any]) -> Iterator[Any]:
    """Dagster's events: one verdict per partition of the run. `kept`: partitions that were not made again because their last verdict was a pass.

    An `AssetCheckResult` gives one verdict for all partitions of a run, and the UI then shows it for none of them.
    """
    spec = check.spec
    if spec.partitions_def is None:
        verdict = verdicts.get(WHOLE_HOME, Verdict(True, {"kept": True} if WHOLE_HOME in kept else {}))
        yield AssetCheckResult(
            asset_key=spec.asset_key, check_name=spec.name, passed=verdict.passed, severity=check.severity, metadata=dict(verdict.metadata)
        )
        return
    yield Output(None, output_name=spec.get_python_identifier())
    targets = _targets(context, spec.asset_key)
    for key in context.partition_keys:
        verdict = verdicts.get(key, Verdict(True, {"kept": True} if key in kept else {}))
        yield AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=verdict.passed,
            severity=check.severity,
            blocking=check.blocking,
            metadata=dict(verdict.metadata),
            partition=key,
            target_materialization_data=targets.get(key),
        )


def adds_up(counts: pl.DataFrame, whole: str, *parts: str) -> dict[str, Verdict]:
    """Check per campaign that `whole` is the sum of its `parts`. `counts`: campaign_id and those columns, one row per campaign."""
    return {
        row["campaign_id"]: Verdict(row[whole] == sum(row[part] for part in parts), {name: row[name] for name in (whole, *parts)})
        for row in counts.to_dicts()
    }


def stored_counts(warehouse: Warehouse, partitions: Sequence[str], **tables: type[Table]) -> pl.DataFrame:
    """campaign_id and, under each name, the stored table's row count: one row per campaign."""
    joined = "".join(
        f" LEFT JOIN (SELECT campaign_id, COUNT(*) AS n FROM {contract.table} GROUP BY campaign_id) AS {name}"
        f" ON {name}.campaign_id = campaigns.campaign_id"
        for name, contract in tables.items()
    )
    every = " UNION ".join(f"SELECT campaign_id FROM {contract.table}" for contract in tables.values())
    columns = ", ".join(f"COALESCE({name}.n, 0) AS {name}" for name in tables)
    frame = warehouse.query(
        f"SELECT campaigns.campaign_id AS campaign_id, {columns} FROM ({every}) AS campaigns{joined}", list(tables.values()), partitions
    )
    empty = [key for key in partitions if key not in set(frame["campaign_id"])]
    rows = pl.DataFrame({"campaign_id": empty}, schema={"campaign_id": pl.String}).with_columns(
        pl.lit(0, pl.Int64).alias(name) for name in tables
    )
    return pl.concat([frame.cast(dict.fromkeys(tables, pl.Int64)), rows.select(frame.columns)]).sort("campaign_id")


@dataclass(frozen=True)
class _Rule:
    """`says` is the rule in words; `broken` the SQL condition for a row `t` that breaks it; `reads` the other table it needs."""

    says: str
    broken: str
    joins: str = ""
    reads: type[Table] | None = None


def faults(warehouse: Warehouse, contract: type[Table], partitions: Sequence[str]) -> dict[str, Verdict]:
    """The verdict on each of the stored partitions."""
    rules = _rules(contract)
    key = contract.partition_column()
    part = "'" + WHOLE_HOME + "'" if key is None else f"CAST(t.{quoted(key)} AS VARCHAR)"
    counts = ", ".join(f"SUM(CASE WHEN {rule.broken} THEN 1 ELSE 0 END) AS f{number}" for number, rule in enumerate(rules))
    names = ", ".join(f"t.{quoted(name)}" for name in contract.key)
    repeated = f"SELECT {part} AS part, {names}, COUNT(*) AS n FROM {contract.table} AS t GROUP BY {part}, {names} HAVING COUNT(*) > 1"
    joins = "".join(rule.joins for rule in rules)
    judged = f"SELECT {part} AS part, COUNT(*) AS n{', ' + counts if counts else ''} FROM {contract.table} AS t{joins} GROUP BY {part}"
    sql = (
        f"SELECT f.*, u.twice AS twice FROM ({judged}) AS f"
        f" LEFT JOIN (SELECT part, SUM(n - 1) AS twice FROM ({repeated}) AS r GROUP BY part) AS u ON u.part = f.part"
    )
    reads = list(dict.fromkeys([contract, *(rule.reads for rule in rules if rule.reads is not None)]))
    found = warehouse.query(sql, reads, partitions, contract.grain)
    broken: dict[str, dict[str, int]] = {key: {} for key in partitions}
    for row in found.rows(named=True):
        broken[row["part"]] |= {rule.says: int(row[f"f{number}"]) for number, rule in enumerate(rules) if row[f"f{number}"]}
        if row["twice"]:
            broken[row["part"]][f"unique ({', '.join(contract.key)})"] = int(row["twice"])
    rows = dict(found.select("part", "n").iter_rows())
    return {
        key: Verdict(not each, {"rows": int(rows.get(key, 0)), **(_shown(warehouse, contract, key, rules, each) if each else {})})
        for key, each in broken.items()
    }


def _shown(
    warehouse: Warehouse, contract: type[Table], partition: str, rules: Sequence[_Rule], broken: Mapping[str, int]
) -> dict[str, Any]:
    """Which rules are broken, by how many rows, the keys of some, and a query that shows them."""
    names = ", ".join(f"t.{quoted(name)}" for name in contract.key)
    of_rows = [rule for rule in rules if rule.says in broken]
    conditions = " OR ".join(f"({rule.broken})" for rule in of_rows)
    joins = "".join(rule.joins for rule in of_rows)
    source = f"FROM {contract.table} AS t{joins}"
    repeated = f"SELECT {names}, COUNT(*) AS n {source} GROUP BY {names} HAVING COUNT(*) > 1"
    select = f"SELECT {names} {source} WHERE {conditions}" if of_rows else repeated
    reads = list(dict.fromkeys([contract, *(rule.reads for rule in of_rows if rule.reads is not None)]))
    rows = warehouse.query(f"{select} LIMIT {_SHOWN_ROWS}", reads, [partition], contract.grain)
    column = contract.partition_column()
    mine = f" AND t.{quoted(column)} = '{partition}'" if column is not None else ""
    query = select.replace(" WHERE ", " WHERE (", 1) + ")" + mine if of_rows else select
    return {"broken": dict(broken), "rows_by_key": [[str(value) for value in row] for row in rows.iter_rows()], "query": query}


def _rules(contract: type[Table]) -> list[_Rule]:
    rules: list[_Rule] = []
    for column in contract.columns():
        name = f"t.{quoted(column.name)}"
        if not column.nullable:
            rules.append(_Rule(f"{column.name} is not null", f"{name} IS NULL"))
        if column.values:
            listed = ", ".join("'" + value.replace("'", "''") + "'" for value in column.values)
            rules.append(_Rule(f"{column.name} is one of {', '.join(column.values)}", f"{name} NOT IN ({listed})"))
        low = 0.0 if column.low is None and isinstance(column.dtype, pl.Decimal) else column.low  # money is never negative
        if low is not None:
            rules.append(_Rule(f"{column.name} is at least {low:g}", f"{name} < {low:g}"))
        if column.high is not None:
            rules.append(_Rule(f"{column.name} is at most {column.high:g}", f"{name} > {column.high:g}"))
    for number, (columns, table) in enumerate(contract.refers):
        target = TABLES[table]
        pairs = list(zip(columns, target.key, strict=True))
        joined = " AND ".join(f"t.{quoted(own)} = r{number}.{quoted(other)}" for own, other in pairs)
        own = ", ".join(columns)
        given = " AND ".join(f"t.{quoted(name)} IS NOT NULL" for name in columns)
        missing = f"r{number}.{quoted(target.key[0])} IS NULL AND {given}"
        rules.append(_Rule(f"({own}) is in {table}", missing, f" LEFT JOIN {table} AS r{number} ON {joined}", target))
    return rules


def _targets(context: AssetExecutionContext, key: AssetKey) -> dict[str, Any]:
    """The materialization that each partition's verdict refers to: the one that this run has just made."""
    internals = load(TARGETS)
    if internals is None:
        return {}
    target = internals.AssetCheckEvaluationTargetMaterializationData
    keys = list(context.partition_keys)
    wanted = AssetRecordsFilter(asset_key=key, asset_partitions=keys)
    records = context.instance.fetch_materializations(wanted, limit=len(keys)).records
    return {
        record.partition_key: target(run_id=record.run_id, storage_id=record.storage_id, timestamp=record.timestamp)
        for record in records
        if record.partition_key is not None and record.run_id == context.run.run_id
    }
