"""Which columns each mart's columns are made from, read from its SQL by sqlglot; and lead_assets/contracts/mart_lineage.json, which has it for everybody.

The file exists because parsing all marts takes a second, which every command would pay; a test keeps it current. Write it with
`python -m lead_assets.marts.lineage` (`make tables`).

A column is made from the columns whose values are in it. A count of rows is made from the key of the table that it counts, a constant from that
of the tables whose rows it marks; what only filters, joins or groups is not part of a value.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import Any, cast

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from lead_assets.contracts import TABLES
from lead_assets.contracts.base import MART_LINEAGE
from lead_assets.marts.mart import Mart, marts_of, shipped_sql

Made = dict[str, list[str]]
"""column → the columns it is made from, as schema.table.column, sorted."""


def lineage_of(mart: Mart) -> Made:
    """What each column of the mart's SELECT is made from."""
    tree = sqlglot.parse_one(mart.sql, read="duckdb")
    for count in list(tree.find_all(exp.Count)):
        if isinstance(count.this, exp.Star):
            _name_what_is_counted(count)
    tree = qualify(tree, dialect="duckdb", schema=_schema(), validate_qualify_columns=True, quote_identifiers=False)
    root = build_scope(tree)
    assert root is not None
    return {name: sorted(_memo(root, name, {})) for name in _query(root).named_selects}


def all_lineage() -> dict[str, Made]:
    """table → the lineage of its columns, for the product's marts."""
    return {mart.contract.table: lineage_of(mart) for mart in marts_of(TABLES.values(), shipped_sql())}


def _name_what_is_counted(count: exp.Count) -> None:
    """COUNT(*) counts the rows of the first table in FROM: written as a count of its key, for lineage alone."""
    select = count.find_ancestor(exp.Select)
    source = select.args["from_"].this if select is not None and select.args.get("from_") else None
    if not isinstance(source, exp.Table):
        return
    contract = TABLES.get(f"{source.db}.{source.name}")
    names: list[str] = list(contract.key) if contract else []
    if contract is None:
        ctes = {cte.alias_or_name: cte.this for cte in count.root().find_all(exp.CTE)}
        names = [name for name in ctes[source.name].named_selects if name != "*"][:1]
    columns = [exp.column(name, table=source.alias_or_name) for name in names]
    count.set("this", columns[0] if len(columns) == 1 else exp.Tuple(expressions=columns))


def _memo(scope: Scope, name: str, seen: dict[tuple[int, str], frozenset[str]]) -> frozenset[str]:
    known = seen.get((id(scope), name))
    if known is not None:
        return known
    seen[id(scope), name] = frozenset()  # a recursive CTE adds nothing of its own
    found: set[str] = set()
    if scope.set_operation_scopes:
        index = _query(scope).named_selects.index(name)
        for branch in scope.set_operation_scopes:
            found |= _memo(branch, _query(branch).named_selects[index], seen)
    else:
        selected = next(each for each in _query(scope).selects if each.alias_or_name == name)
        columns = list(selected.find_all(exp.Column))
        if not columns:  # a constant says of which table the row is
            tables = [source for source in scope.sources.values() if isinstance(source, exp.Table)]
            found |= {f"{table.db}.{table.name}.{TABLES[f'{table.db}.{table.name}'].key[-1]}" for table in tables}
        for column in columns:
            source = _source(scope, column.table)
            if isinstance(source, Scope):
                found |= _memo(source, column.name, seen)
            elif isinstance(source, exp.Table):
                found.add(f"{source.db}.{source.name}.{column.name}")
    seen[id(scope), name] = frozenset(found)
    return seen[id(scope), name]


def _query(scope: Scope) -> exp.Query:
    return cast(exp.Query, scope.expression)


def _source(scope: Scope, alias: str) -> Scope | exp.Table | None:
    """What an alias names in a scope, or in a subquery within its expressions."""
    if alias in scope.sources:
        found: Scope | exp.Table = scope.sources[alias]
        return found
    return next((each.sources[alias] for each in scope.subquery_scopes if alias in each.sources), None)


@functools.cache
def _schema() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for contract in TABLES.values():
        tree.setdefault(contract.schema_name(), {})[contract.table_name()] = {column.name: "text" for column in contract.columns()}
    return tree


def as_text(lineage: dict[str, Made]) -> str:
    return json.dumps(lineage, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    MART_LINEAGE.write_text(as_text(all_lineage()), encoding="utf-8")
    sys.stdout.write(f"{MART_LINEAGE}\n")
