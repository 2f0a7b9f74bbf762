"""Snowflake tables from contracts: identifiers, types, DDL, and the changes to make when a contract changes. Pure functions on text.

A JSON column is a VARIANT, for analysts, with its exact text beside it (`payload` and `payload__text`): a VARIANT forgets how a number was written
(250000.0 comes back as 250000), and a different text would give other rows, hashes and event ids than the same leads have in DuckDB.

Does not belong here: sending anything to Snowflake (see `snowflake`), or the one-time setup (see sql/snowflake/).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lead_assets.contracts import ColumnSpec, Grain, Table
from lead_assets.stores.warehouse.base import quoted

META_SCHEMA = "lead_assets"
PARTITIONS_TABLE = "partitions"
NOTES_TABLE = "notes"
PII_TAG = "pii"
_TEXT_SUFFIX = "__text"

# These are always read and replaced by campaign. A load is one file of few campaigns, so tables start out nearly clustered; keeping them clustered
# only pays off when a campaign has many wide rows. A table removed from this set keeps its clustering key until somebody drops it.
CLUSTERED = {"intake.raw_leads", "identity.leads", "signals.enriched_leads", "delivery.enrichment_events"}

_EVERYWHERE: dict[Grain, str] = {"campaign": " for every campaign", "day": " for every day", "home": ""}

_MARK = re.compile(r"\[contract (?P<fingerprint>[0-9a-f]{12}) generation (?P<generation>[0-9a-f]{32})\]$")


class MigrationRefused(ValueError):
    """Matching the contract would drop or change a column of a table. The text has the statement to run."""


@dataclass(frozen=True)
class Physical:
    """One column of a Snowflake table."""

    name: str
    type: str
    comment: str
    pii: str | None
    required: bool
    source: ColumnSpec
    """The contract column whose value it holds."""


@dataclass(frozen=True)
class Mark:
    """The end of a table's comment: which contract it was made for, and which table it is (a dropped and recreated table is a new one)."""

    fingerprint: str
    generation: str

    def __str__(self) -> str:
        return f"[contract {self.fingerprint} generation {self.generation}]"

    @staticmethod
    def read(comment: str | None) -> Mark | None:
        found = _MARK.search(comment or "")
        return Mark(found["fingerprint"], found["generation"]) if found else None


def identifier(name: str) -> str:
    """A name as Snowflake stores it: quoted, in upper case, so that people can write it unquoted in any case."""
    return quoted(name.upper())


def qualified(*names: str) -> str:
    return ".".join(identifier(name) for name in names)


def literal(text: str) -> str:
    """The project's own text (comments, tags) as a string constant. Outside values are bound, never written into a statement."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def table_of(database: str, contract: type[Table]) -> str:
    return qualified(database, contract.schema_name(), contract.table_name())


def keeps_text(column: ColumnSpec) -> bool:
    """Whether a column's exact text is stored beside it: JSON, and lists whose values a VARIANT may print differently."""
    if isinstance(column.dtype, pl.List):
        return column.dtype.inner not in (pl.String(), pl.Int64(), pl.Boolean())
    return column.json


def text_column(column: ColumnSpec) -> str:
    return f"{column.name}{_TEXT_SUFFIX}"


def physical(contract: type[Table]) -> list[Physical]:
    """The Snowflake columns of a contract's table, starting with the contract's own, in order."""
    columns = contract.columns()
    own = [
        Physical(column.name, snowflake_type(column), _prose(column.description), column.pii, column.name in contract.key, column)
        for column in columns
    ]
    texts = [
        Physical(text_column(column), "VARCHAR", f"Exact text of {column.name}", column.pii, False, column)
        for column in columns
        if keeps_text(column)
    ]
    return own + texts


def snowflake_type(column: ColumnSpec) -> str:
    if column.json:
        return "VARIANT"
    if isinstance(column.dtype, pl.List):
        return "ARRAY"
    if isinstance(column.dtype, pl.Decimal):
        return f"NUMBER({column.dtype.precision},{column.dtype.scale})"
    if isinstance(column.dtype, pl.Datetime):
        return "TIMESTAMP_TZ(6)"
    return {pl.String(): "VARCHAR", pl.Int64(): "NUMBER(19,0)", pl.Float64(): "FLOAT", pl.Boolean(): "BOOLEAN", pl.Date(): "DATE"}[
        column.dtype
    ]


def fingerprint(contract: type[Table]) -> str:
    """Changes whenever the table's DDL would."""
    parts = [contract.description(), str(contract.table in CLUSTERED)]
    parts += [f"{column.name}|{column.type}|{column.comment}|{column.pii}|{column.required}" for column in physical(contract)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def create_meta(database: str, present: Collection[str] = ()) -> list[str]:
    """The schema and tables that record written partitions: an emptied partition exists but has no rows. `present`: the table's columns."""
    partitions, notes = (qualified(database, META_SCHEMA, name) for name in (PARTITIONS_TABLE, NOTES_TABLE))
    # The table dates from when every partition was a campaign.
    rename = [f'ALTER TABLE {partitions} RENAME COLUMN "CAMPAIGN_ID" TO "PARTITION_KEY"'] if "CAMPAIGN_ID" in present else []
    return [
        f"CREATE SCHEMA IF NOT EXISTS {qualified(database, META_SCHEMA)}",
        *rename,
        f"CREATE TABLE IF NOT EXISTS {partitions} "
        '("TABLE_NAME" VARCHAR NOT NULL, "GENERATION" VARCHAR NOT NULL, "PARTITION_KEY" VARCHAR NOT NULL) '
        "COMMENT = 'Partitions written so far, including empty ones. Rows may repeat; none is ever removed.'",
        f"CREATE TABLE IF NOT EXISTS {notes} "
        '("TABLE_NAME" VARCHAR NOT NULL, "GENERATION" VARCHAR NOT NULL, "PARTITION_KEY" VARCHAR NOT NULL, "NOTE" VARCHAR, "NOTED_AT" NUMBER(38,0)) '
        "COMMENT = 'What each partition was made from, so that unchanged ones are skipped. The latest row of a partition counts.'",
    ]


def create_table(database: str, contract: type[Table], generation: str) -> list[str]:
    """Statements that create a contract's table. If two processes race, the loser only sets the same tags again."""
    columns = [
        f"{identifier(column.name)} {column.type}{' NOT NULL' if column.required else ''} COMMENT {literal(column.comment)}"
        for column in physical(contract)
    ]
    key = f"PRIMARY KEY ({', '.join(identifier(name) for name in contract.key)})"
    cluster = f" {_cluster_by(contract)}" if contract.table in CLUSTERED else ""
    table = table_of(database, contract)
    return [
        f"CREATE TABLE IF NOT EXISTS {table} ({', '.join([*columns, key])}){cluster} COMMENT = {literal(_comment(contract, generation))}",
        *_tags(database, contract, [column for column in physical(contract) if column.pii]),
    ]


def migrate(database: str, contract: type[Table], present: Mapping[str, str], generation: str) -> list[str]:
    """Statements that bring an existing table (column name → type, from information_schema) in line with its contract.

    Raises MigrationRefused, with the statement to run, if a column would be dropped or changed.
    """
    wanted = {column.name.upper(): column for column in physical(contract)}
    table = table_of(database, contract)
    for name, type_ in present.items():
        column = wanted.get(name)
        if column is None:
            raise MigrationRefused(_refusal(contract, table, name, "is no longer in its contract"))
        if _kind(type_) != _kind(column.type):
            raise MigrationRefused(_refusal(contract, table, name, f"is {type_} but its contract says {column.type}"))
    added = [column for name, column in wanted.items() if name not in present]
    kept = [column for name, column in wanted.items() if name in present]
    return [
        *(
            # Never NOT NULL: existing rows have no value until their partition is materialized again.
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {identifier(column.name)} {column.type} COMMENT {literal(column.comment)}"
            for column in added
        ),
        *(f"ALTER TABLE {table} ALTER COLUMN {identifier(column.name)} COMMENT {literal(column.comment)}" for column in kept),
        *_tags(database, contract, list(wanted.values())),
        *([f"ALTER TABLE {table} {_cluster_by(contract)}"] if contract.table in CLUSTERED else []),
        # Last: until this is done, the next process starts over.
        f"COMMENT ON TABLE {table} IS {literal(_comment(contract, generation))}",
    ]


def present_columns(rows: Sequence[tuple[str, str, int | None, int | None]]) -> dict[str, str]:
    """Rows of information_schema (column_name, data_type, numeric_precision, numeric_scale) as column name → type."""
    return {name: f"{type_}({precision},{scale})" if type_ == "NUMBER" else type_ for name, type_, precision, scale in rows}


def _tags(database: str, contract: type[Table], columns: Sequence[Physical]) -> Iterator[str]:
    tag = qualified(database, META_SCHEMA, PII_TAG)
    for column in columns:
        change = f"SET TAG {tag} = {literal(column.pii)}" if column.pii else f"UNSET TAG {tag}"
        yield f"ALTER TABLE {table_of(database, contract)} MODIFY COLUMN {identifier(column.name)} {change}"


def _cluster_by(contract: type[Table]) -> str:
    column = contract.partition_column()
    assert column is not None, f"{contract.table} has only one partition, so it cannot be clustered by partition"
    return f"CLUSTER BY ({identifier(column)})"


def _comment(contract: type[Table], generation: str) -> str:
    return f"{_prose(contract.description())} {Mark(fingerprint(contract), generation)}"


def _refusal(contract: type[Table], table: str, column: str, what: str) -> str:
    return (
        f"snowflake: column {column} of {contract.table} {what}. Nothing was changed. To drop it, run: "
        f"ALTER TABLE {table} DROP COLUMN {identifier(column)}; then materialize {contract.table.replace('.', '/')}{_EVERYWHERE[contract.grain]}: "
        "its rows are rebuilt from archive and ledger, and nothing is bought again"
    )


def _kind(type_: str) -> str:
    """A type in a form comparable between DDL and information_schema, which says TEXT for VARCHAR and omits the digits of TIMESTAMP_TZ(6)."""
    name = type_.replace(" ", "").upper()
    if name.startswith("NUMBER("):
        return name
    name = name.split("(")[0]
    return {"VARCHAR": "TEXT", "STRING": "TEXT", "ARRAY": "VARIANT", "OBJECT": "VARIANT", "DOUBLE": "FLOAT"}.get(name, name)


def _prose(text: str) -> str:
    """A comment without straight quotes, so that statements in errors and histories can be copied as they are."""
    return text.replace("'", "’")
