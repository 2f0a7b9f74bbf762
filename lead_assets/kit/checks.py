"""Checks of stored rows: each partition gets its own verdict, and each table one check derived from its contract.

Belongs here: the check derived from a contract, and turning verdicts into Dagster evaluations. Does not belong here: a room's own checks
(see its `assets.py`). https://docs.dagster.io/guides/test/asset-checks
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import polars as pl
from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    DagsterEventType,
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
        judge=lambda step: _as_declared(step, contract),
        blocking=True,
    )


Targets = dict[AssetKey, dict[str, Any]]
"""The materializations that verdicts refer to, by asset and partition: looked up once for all checks of an asset in a step."""


def evaluations(
    context: AssetExecutionContext,
    check: Check,
    verdicts: Mapping[str, Verdict],
    kept: Mapping[str, Any],
    known: Targets | None = None,
) -> Iterator[Any]:
    """Dagster's events: one verdict per partition of the run. `kept`: partitions that were not made again because their last verdict was a pass. `known`:
    what was looked up for the step's earlier checks.

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
    known = {} if known is None else known
    if spec.asset_key not in known:
        known[spec.asset_key] = _targets(context, spec.asset_key)
    targets = known[spec.asset_key]
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
    """The verdict on each of the stored partitions, with every rule that is broken."""
    rules, part = _rules(contract), _partition(contract)
    counts = ", ".join(f"SUM(CASE WHEN {rule.broken} THEN 1 ELSE 0 END) AS f{number}" for number, rule in enumerate(rules))
    names = ", ".join(f"t.{quoted(name)}" for name in contract.key)
    repeated = f"SELECT {part} AS part, {names}, COUNT(*) AS n FROM {contract.table} AS t GROUP BY {part}, {names} HAVING COUNT(*) > 1"
    joins = "".join(rule.joins for rule in rules)
    judged = f"SELECT {part} AS part, COUNT(*) AS n{', ' + counts if counts else ''} FROM {contract.table} AS t{joins} GROUP BY {part}"
    sql = (
        f"SELECT f.*, u.twice AS twice FROM ({judged}) AS f"
        f" LEFT JOIN (SELECT part, SUM(n - 1) AS twice FROM ({repeated}) AS r GROUP BY part) AS u ON u.part = f.part"
    )
    found = warehouse.query(sql, _read_by(contract, rules), partitions, contract.grain)
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


def _as_declared(step: Step, contract: type[Table]) -> Mapping[str, Verdict]:
    if _DECLARED not in step.memo:
        step.memo[_DECLARED] = declared(step.warehouse, step.contracts, step.partitions)
    verdicts: dict[str, Verdict] = step.memo[_DECLARED][contract]
    return verdicts


_DECLARED = "as declared"


def declared(warehouse: Warehouse, contracts: Sequence[type[Table]], partitions: Sequence[str]) -> dict[type[Table], dict[str, Verdict]]:
    """The verdicts on the stored partitions of tables of one grain."""
    return {
        contract: faults(warehouse, contract, partitions)
        if rows is None
        else {key: Verdict(True, {"rows": rows.get(key, 0)}) for key in partitions}
        for contract, rows in _rows_if_good(warehouse, contracts, partitions).items()
    }


def _rows_if_good(
    warehouse: Warehouse, contracts: Sequence[type[Table]], partitions: Sequence[str]
) -> dict[type[Table], dict[str, int] | None]:
    """Each table's number of rows by partition, or None if a row breaks a rule. One query for all tables of a step, which have one grain: to count the rows
    that break each rule takes several times as long, and mostly there are none."""
    sql = " UNION ALL ".join(_counted(contract, number) for number, contract in enumerate(contracts))
    reads = dict.fromkeys(each for contract in contracts for each in _read_by(contract, _rules(contract)))
    found = warehouse.query(sql, list(reads), partitions, contracts[0].grain)
    rows: dict[int, dict[str, int]] = {number: {} for number in range(len(contracts))}
    bad: set[int] = set()
    for number, key, count, most, broken in found.select("place", "part", "n", "most", "broken").iter_rows():
        rows[number][key] = int(count)
        if most > 1 or broken:
            bad.add(number)
    return {contract: None if number in bad else rows[number] for number, contract in enumerate(contracts)}


def _counted(contract: type[Table], number: int) -> str:
    """The table's number, its partition, its rows, the most rows of one key, and the rows that break a rule."""
    rules, part = _rules(contract), _partition(contract)
    broken = " OR ".join(f"({rule.broken})" for rule in rules) or "FALSE"
    names = ", ".join(f"t.{quoted(name)}" for name in contract.key)
    joins = "".join(rule.joins for rule in rules)
    by_key = (
        f"SELECT {part} AS part, COUNT(*) AS n, SUM(CASE WHEN {broken} THEN 1 ELSE 0 END) AS broken"
        f" FROM {contract.table} AS t{joins} GROUP BY {part}, {names}"
    )
    return f"SELECT {number} AS place, part, SUM(n) AS n, MAX(n) AS most, SUM(broken) AS broken FROM ({by_key}) AS k{number} GROUP BY part"


def _partition(contract: type[Table]) -> str:
    key = contract.partition_column()
    return "'" + WHOLE_HOME + "'" if key is None else f"CAST(t.{quoted(key)} AS VARCHAR)"


def _read_by(contract: type[Table], rules: Sequence[_Rule]) -> list[type[Table]]:
    return list(dict.fromkeys([contract, *(rule.reads for rule in rules if rule.reads is not None)]))


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


@functools.cache
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
    run_id, storage = context.run.run_id, context.instance.event_log_storage
    if not isinstance(storage, internals.SqlEventLogStorage):
        return {}
    import sqlalchemy as sa  # the instance's storage has imported it

    # Dagster's own query reads every event whole, with all its metadata.
    events = internals.SqlEventLogStorageTable.c
    made = (
        sa.select(events.partition, sa.func.max(events.id), sa.func.max(events.timestamp))
        .where(events.asset_key == key.to_string(), events.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION.value)
        .where(events.partition.in_(context.partition_keys), events.run_id == run_id)
        .group_by(events.partition)
    )
    with storage.index_connection() as connection:
        rows = connection.execute(made).all()
    target = internals.AssetCheckEvaluationTargetMaterializationData
    return {
        partition: target(run_id=run_id, storage_id=storage_id, timestamp=when.replace(tzinfo=UTC).timestamp())
        for partition, storage_id, when in rows
    }
