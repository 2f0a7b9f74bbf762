"""A mart is a SELECT in sql/marts/<table>.sql over tables named schema.table; what it reads and how its columns come about is read from the SQL.

Does not belong here: any one mart's SQL.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass

from lead_assets.contracts import TABLES, Table
from lead_assets.core.project_files import project_file


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


@functools.cache
def mart(contract: type[Table]) -> Mart:
    """The mart whose rows are of this contract."""
    sql = (project_file("sql") / "marts" / f"{contract.table_name()}.sql").read_text()
    return Mart(contract, sql, tuple(read for name, read in TABLES.items() if _names(sql, name)))


def _names(sql: str, table: str) -> bool:
    """Whether the SQL names a table outside its comments. A parser would do more and take every run a tenth of a second; a test compares the two."""
    code = re.sub(r"--[^\n]*", "", sql)
    return re.search(rf"(?<![\w.]){re.escape(table)}(?![\w.])", code) is not None
