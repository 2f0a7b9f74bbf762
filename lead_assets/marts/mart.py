"""A mart is a SELECT in sql/marts/<table>.sql over tables named schema.table; what it reads and how its columns come about is read from the SQL.

Does not belong here: any one mart's SQL.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from lead_assets.contracts import TABLES, Table
from lead_assets.project_files import project_file


@dataclass(frozen=True)
class Mart:
    """A mart's SQL and the contracts of the tables it reads, sorted by name."""

    contract: type[Table]
    sql: str
    reads: tuple[type[Table], ...]

    @property
    def version(self) -> str:
        """Changes with the SQL; part of the asset's code version."""
        return hashlib.sha256(self.sql.encode()).hexdigest()[:12]


@functools.cache
def mart(contract: type[Table]) -> Mart:
    """The mart whose rows are of this contract. Raises ValueError if its SQL reads a table that no contract describes."""
    path = project_file("sql") / "marts" / f"{contract.table_name()}.sql"
    sql = path.read_text()
    names = _tables(sql)
    unknown = sorted(names - set(TABLES))
    if unknown:
        raise ValueError(f"sql/marts/{path.name} reads {unknown}, which no contract describes: use one of {sorted(TABLES)}")
    return Mart(contract, sql, tuple(TABLES[name] for name in sorted(names)))


def _tables(sql: str) -> set[str]:
    from sqlglot import exp, parse_one

    tree = parse_one(sql, dialect="duckdb")
    ctes = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    return {f"{table.db}.{table.name}" if table.db else table.name for table in tree.find_all(exp.Table)} - ctes
