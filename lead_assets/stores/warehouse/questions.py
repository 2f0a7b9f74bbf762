"""An analyst's SELECT over the tables: what it may read, and personal data masked in it, the same on both warehouses.

Belongs here: the mask of a column, and the check and rewriting of a query. Does not belong here: running it (see `Warehouse.query`), or Snowflake's
own masking policies for people with a client of their own (sql/snowflake/04_masking.sql; the masks look the same).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from lead_assets.contracts import TABLES, ColumnSpec, Table
from lead_assets.core.document import nearest
from lead_assets.stores.warehouse.base import Warehouse

if TYPE_CHECKING:
    from sqlglot import exp

MASKED = "masked"
"""The schema of masked views: masked.identity_leads shows identity.leads."""

_PLAIN = re.compile(r"[A-Za-z_]\w*")


class QuestionError(ValueError):
    """A query that cannot be run. The text says what is wrong with it and what to do."""


def ask(
    warehouse: Warehouse, sql: str, *, pii: bool = False, limit: int | None = None, partitions: Sequence[str] | None = None
) -> pl.DataFrame:
    """The result of a SELECT over all partitions of the tables, or over some campaigns.

    Personal data is masked unless `pii`; views in `masked` are masked in any case.

    limit: most rows to return, if the query has no LIMIT of its own. Raises QuestionError for anything but one SELECT over tables that exist.
    """
    rewritten, reads = checked(sql, pii=pii, limit=limit)
    try:
        return warehouse.query(rewritten, reads, partitions)
    except Exception as error:
        # By name, because neither warehouse's module is imported for the other's sake.
        if type(error).__module__.split(".")[0] not in ("duckdb", "_duckdb") and type(error).__name__ != "SnowflakeFailed":
            raise
        said = str(error).strip().split("\n")[0]
        of_file = ".parquet" in said
        step = (
            "if the file is damaged, run its campaign again, which makes it anew" if of_file else "tables and columns are in docs/TABLES.md"
        )
        raise QuestionError(f"the query failed: {said}: {step}") from error


def checked(sql: str, *, pii: bool, limit: int | None = None) -> tuple[str, list[type[Table]]]:
    """The query to run in place of `sql`, and the tables that it reads. Raises QuestionError."""
    import sqlglot
    from sqlglot import exp

    try:
        statements = [each for each in sqlglot.parse(sql, read="duckdb") if each is not None]
    except sqlglot.errors.SqlglotError as error:
        said = str(error).strip().split("\n")[0]
        raise QuestionError(f"the query is not SQL: {said}: write one SELECT") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QuestionError("the query is not one SELECT: tables are derived from archive and ledger, and are only read here")
    tree = statements[0]
    own = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    if odd := [name for name in own if not _PLAIN.fullmatch(name)]:
        raise QuestionError(f"WITH {odd[0]!r}: name it with letters, digits and underscores only")
    reads: dict[str, type[Table]] = {}
    for table in list(tree.find_all(exp.Table)):
        if not table.db and table.name in own and isinstance(table.this, exp.Identifier):
            continue
        contract, masked = _contract(table)
        reads[contract.table] = contract
        if masked or not pii:
            table.replace(_masked(contract, table.alias_or_name))
        elif not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
    if not reads:
        raise QuestionError("the query reads no table: 'lead-assets show' lists them")
    for column in tree.find_all(exp.Column):
        column.set("db", None)  # identity.leads.email: the table now goes by its alias
        column.set("catalog", None)
    if limit is not None and tree.args.get("limit") is None:
        tree = tree.limit(limit, copy=False)
    return tree.sql(dialect="duckdb"), list(reads.values())


def mask(column: ColumnSpec, name: str) -> str:
    """The SQL expression that shows a column without personal data: an address keeps its domain, any other value only shows that it exists."""
    if column.pii is None:
        return name
    if column.pii == "email" and not column.json and column.dtype == pl.String():
        return f"REGEXP_REPLACE({name}, '^[^@]*', '***')"
    shown = "'\"***\"'" if column.json else "['***']" if isinstance(column.dtype, pl.List) else "'***'"
    return f"CASE WHEN {name} IS NULL THEN NULL ELSE {shown} END"


def masked_row(contract: type[Table], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table as `mask` shows it."""
    return {column.name: _masked_value(column, row[column.name]) for column in contract.columns() if column.name in row}


def _masked_value(column: ColumnSpec, value: Any) -> Any:
    if column.pii is None or value is None:
        return value
    if column.pii == "email" and not column.json and column.dtype == pl.String():
        return re.sub(r"^[^@]*", "***", value, count=1)
    return '"***"' if column.json else ["***"] if isinstance(column.dtype, pl.List) else "***"


def masked_view(contract: type[Table]) -> str:
    """The name of a table's masked view, as schema.view."""
    return f"{MASKED}.{contract.schema_name()}_{contract.table_name()}"


def masked_select(contract: type[Table]) -> str:
    """A SELECT of all columns of a table with personal data masked."""
    # Unquoted, because a quoted name in lower case is another name in Snowflake.
    columns = ", ".join(f"{mask(column, column.name)} AS {column.name}" for column in contract.columns())
    return f"SELECT {columns} FROM {contract.table}"


def _masked(contract: type[Table], alias: str) -> exp.Expression:
    import sqlglot

    (subquery,) = sqlglot.parse_one(f"SELECT * FROM ({masked_select(contract)}) AS {alias}", read="duckdb").args["from_"].iter_expressions()
    return subquery


def _contract(table: exp.Table) -> tuple[type[Table], bool]:
    """The contract of a table named in a query, and whether its masked view was named."""
    from sqlglot import exp

    if not isinstance(table.this, exp.Identifier):
        raise QuestionError(f"{table.sql(dialect='duckdb')}: only the project's tables can be read here, not files or functions")
    name = ".".join(part.name for part in table.parts).lower()
    views = {masked_view(contract): contract for contract in TABLES.values()}
    if name in views:
        return views[name], True
    if name not in TABLES:
        listed = [*TABLES, *views]
        raise QuestionError(f"no table {name!r}{nearest(name, listed)}: name it schema.table; 'lead-assets show' lists all")
    return TABLES[name], False
