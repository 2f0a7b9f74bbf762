"""Snowflake's tables from the contracts: identifiers, types, DDL, and what must change when a contract does. Pure functions of text.

A JSON column is a VARIANT, for analysts, with its exact text beside it (`payload` and `payload__text`): a VARIANT forgets how a number was written
(250000.0 comes back as 250000), and texts that differ would give other rows, hashes and event ids than the same leads have in DuckDB.

Does not belong here: sending anything to Snowflake (see `snowflake`), or what a person sets up once (see sql/snowflake/).
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

# Every read and every replacement of these is by campaign. A load is one file of few campaigns, so tables are born nearly clustered; keeping them so
# pays only where a campaign's rows are wide and many. A table that leaves this set keeps its key until somebody drops it.
CLUSTERED = {"intake.raw_leads", "identity.leads", "signals.enriched_leads", "delivery.enrichment_events"}

_EVERYWHERE: dict[Grain, str] = {"campaign": " for every campaign", "day": " for every day", "home": ""}

_MARK = re.compile(r"\[contract (?P<fingerprint>[0-9a-f]{12}) generation (?P<generation>[0-9a-f]{32})\]$")


class MigrationRefused(ValueError):
    """A table would lose a column, or change one, to become what its contract says. The text has the statement to run."""


@dataclass(frozen=True)
class Physical:
    """One column as Snowflake has it."""

    name: str
    type: str
    comment: str
    pii: str | None
    required: bool
    source: ColumnSpec
    """The contract's column whose value it holds."""


@dataclass(frozen=True)
class Mark:
    """What a table's comment ends with: which contract it was made for, and which table it is (a dropped and remade one is another)."""

    fingerprint: str
    generation: str

    def __str__(self) -> str:
        return f"[contract {self.fingerprint} generation {self.generation}]"

    @staticmethod
    def read(comment: str | None) -> Mark | None:
        found = _MARK.search(comment or "")
        return Mark(found["fingerprint"], found["generation"]) if found else None


def identifier(name: str) -> str:
    """A name as Snowflake keeps it: quoted, in upper case, so that people may write it unquoted in any case."""
    return quoted(name.upper())


def qualified(*names: str) -> str:
    return ".".join(identifier(name) for name in names)


def literal(text: str) -> str:
    """Text of the project's own (comments, tags) as a string constant. What comes from outside is bound, never written into a statement."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def table_of(database: str, contract: type[Table]) -> str:
    return qualified(database, contract.schema_name(), contract.table_name())


def keeps_text(column: ColumnSpec) -> bool:
    """Whether a column's exact text stands beside it: JSON, and lists whose values a VARIANT may print otherwise."""
    if isinstance(column.dtype, pl.List):
        return column.dtype.inner not in (pl.String(), pl.Int64(), pl.Boolean())
    return column.json


def text_column(column: ColumnSpec) -> str:
    return f"{column.name}{_TEXT_SUFFIX}"


def physical(contract: type[Table]) -> list[Physical]:
    """The columns of a contract's table in Snowflake, the contract's own first, in its order."""
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
    """Changes when anything does that the table's DDL would say."""
    parts = [contract.description(), str(contract.table in CLUSTERED)]
    parts += [f"{column.name}|{column.type}|{column.comment}|{column.pii}|{column.required}" for column in physical(contract)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def create_meta(database: str, present: Collection[str] = ()) -> list[str]:
    """The schema and table that say which partitions were written: an emptied partition is there and has no rows. `present`: the table's columns."""
    partitions, notes = (qualified(database, META_SCHEMA, name) for name in (PARTITIONS_TABLE, NOTES_TABLE))
    # Made when every partition was a campaign.
    rename = [f'ALTER TABLE {partitions} RENAME COLUMN "CAMPAIGN_ID" TO "PARTITION_KEY"'] if "CAMPAIGN_ID" in present else []
    return [
        f"CREATE SCHEMA IF NOT EXISTS {qualified(database, META_SCHEMA)}",
        *rename,
        f"CREATE TABLE IF NOT EXISTS {partitions} "
        '("TABLE_NAME" VARCHAR NOT NULL, "GENERATION" VARCHAR NOT NULL, "PARTITION_KEY" VARCHAR NOT NULL) '
        "COMMENT = 'Partitions that were written, empty ones too. Rows may repeat; none is ever removed.'",
        f"CREATE TABLE IF NOT EXISTS {notes} "
        '("TABLE_NAME" VARCHAR NOT NULL, "GENERATION" VARCHAR NOT NULL, "PARTITION_KEY" VARCHAR NOT NULL, "NOTE" VARCHAR, "NOTED_AT" NUMBER(38,0)) '
        "COMMENT = 'What each partition was made from, so that it is not made again for nothing. The latest row of a partition counts.'",
    ]


def create_table(database: str, contract: type[Table], generation: str) -> list[str]:
    """Statements that make a contract's table; the loser of a race to make it changes nothing but tags that say the same."""
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
    """Statements that bring an existing table (column name → type, as information_schema says) to its contract.

    Raises MigrationRefused, with the statement to run, where a column would be lost or changed.
    """
    wanted = {column.name.upper(): column for column in physical(contract)}
    table = table_of(database, contract)
    for name, type_ in present.items():
        column = wanted.get(name)
        if column is None:
            raise MigrationRefused(_refusal(contract, table, name, "is no longer in its contract"))
        if _kind(type_) != _kind(column.type):
            raise MigrationRefused(_refusal(contract, table, name, f"is {type_} and its contract says {column.type}"))
    added = [column for name, column in wanted.items() if name not in present]
    kept = [column for name, column in wanted.items() if name in present]
    return [
        *(
            # Never NOT NULL: rows that were there before have no value until their partition is materialized again.
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {identifier(column.name)} {column.type} COMMENT {literal(column.comment)}"
            for column in added
        ),
        *(f"ALTER TABLE {table} ALTER COLUMN {identifier(column.name)} COMMENT {literal(column.comment)}" for column in kept),
        *_tags(database, contract, list(wanted.values())),
        *([f"ALTER TABLE {table} {_cluster_by(contract)}"] if contract.table in CLUSTERED else []),
        # Last: until it is done, the next process starts over.
        f"COMMENT ON TABLE {table} IS {literal(_comment(contract, generation))}",
    ]


def present_columns(rows: Sequence[tuple[str, str, int | None, int | None]]) -> dict[str, str]:
    """information_schema's (column_name, data_type, numeric_precision, numeric_scale) as column name → type."""
    return {name: f"{type_}({precision},{scale})" if type_ == "NUMBER" else type_ for name, type_, precision, scale in rows}


def _tags(database: str, contract: type[Table], columns: Sequence[Physical]) -> Iterator[str]:
    tag = qualified(database, META_SCHEMA, PII_TAG)
    for column in columns:
        change = f"SET TAG {tag} = {literal(column.pii)}" if column.pii else f"UNSET TAG {tag}"
        yield f"ALTER TABLE {table_of(database, contract)} MODIFY COLUMN {identifier(column.name)} {change}"


def _cluster_by(contract: type[Table]) -> str:
    column = contract.partition_column()
    assert column is not None, f"{contract.table} has one partition, by which nothing can be clustered"
    return f"CLUSTER BY ({identifier(column)})"


def _comment(contract: type[Table], generation: str) -> str:
    return f"{_prose(contract.description())} {Mark(fingerprint(contract), generation)}"


def _refusal(contract: type[Table], table: str, column: str, what: str) -> str:
    return (
        f"snowflake: column {column} of {contract.table} {what}. Nothing was changed. To let it go, run: "
        f"ALTER TABLE {table} DROP COLUMN {identifier(column)}; then materialize {contract.table.replace('.', '/')}{_EVERYWHERE[contract.grain]}: "
        "its rows come back from archive and ledger, and nothing is bought again"
    )


def _kind(type_: str) -> str:
    """A type as information_schema and the DDL both can be read: VARCHAR is TEXT there, and TIMESTAMP_TZ(6) has no digits."""
    name = type_.replace(" ", "").upper()
    if name.startswith("NUMBER("):
        return name
    name = name.split("(")[0]
    return {"VARCHAR": "TEXT", "STRING": "TEXT", "ARRAY": "VARIANT", "OBJECT": "VARIANT", "DOUBLE": "FLOAT"}.get(name, name)


def _prose(text: str) -> str:
    """A comment without straight quotes: what stands in a refusal or a history can be copied as it is."""
    return text.replace("'", "’")
