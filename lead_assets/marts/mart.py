"""A mart is a SELECT in sql/marts/<table>.sql over tables named schema.table, plus a contract for that table. Its inputs are found in the SQL.

A mart with grain `campaign` sees the run's campaigns; one with grain `home` sees all campaigns. One with grain `day` keeps the
rows of the run's days. `FROM signals.every AS …` reads the rows of all signals' tables, each with the name of its `signal`: a new one is in it.

Does not belong here: the SQL of a particular mart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lead_assets.contracts import TABLES, SignalRow, Table
from lead_assets.core.project_files import project_file

SCHEMA = "marts"


@dataclass(frozen=True)
class Mart:
    """A mart's SQL and the contracts of the tables it reads."""

    contract: type[Table]
    sql: str
    reads: tuple[type[Table], ...]

    @property
    def version(self) -> str:
        """Changes with the SQL; part of the asset's code version."""
        return hashlib.sha256(self.sql.encode()).hexdigest()[:12]


def shipped_sql() -> Path:
    """The folder of the product's own marts."""
    return project_file("sql") / "marts"


def marts_of(contracts: Iterable[type[Table]], folder: Path) -> list[Mart]:
    """The marts among the contracts. Raises ValueError for a mart without SQL, and for SQL without a contract, which would never run."""
    declared = {contract.table_name(): contract for contract in contracts if contract.schema_name() == SCHEMA}
    written = {path.stem for path in folder.glob("*.sql")}
    if lacking := sorted(declared.keys() - written):
        raise ValueError(f"mart {SCHEMA}.{lacking[0]} has a contract but no SQL: write {folder / lacking[0]}.sql")
    if unknown := sorted(written - declared.keys()):
        raise ValueError(
            f"{folder / unknown[0]}.sql has no contract: declare a Table with table = '{SCHEMA}.{unknown[0]}' in lead_assets/contracts/marts.py"
        )
    return [mart(contract, folder) for contract in declared.values()]


def mart(contract: type[Table], folder: Path | None = None) -> Mart:
    """The mart with this contract."""
    sql = ((folder or shipped_sql()) / f"{contract.table_name()}.sql").read_text(encoding="utf-8")
    sql = sql.replace("FROM signals.every AS", f"FROM {_every_signal()} AS")
    return Mart(contract, sql, tuple(read for name, read in TABLES.items() if _names(sql, name)))


def _names(sql: str, table: str) -> bool:
    """Whether the SQL names a table outside its comments. A parser would be exact but cost every run a tenth of a second; a test compares the two."""
    code = re.sub(r"--[^\n]*", "", sql)
    return re.search(rf"(?<![\w.]){re.escape(table)}(?![\w.])", code) is not None


def _every_signal() -> str:
    """The columns that all signals have, from all their tables, as a subquery."""
    columns = ", ".join(SignalRow.model_fields)
    signals = [contract for contract in TABLES.values() if issubclass(contract, SignalRow)]
    selects = [f"SELECT '{each.table_name()}' AS signal, {columns} FROM {each.table}" for each in signals]
    return "(\n    " + "\n    UNION ALL ".join(selects) + "\n)"
