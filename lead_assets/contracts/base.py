"""Table contracts: one pydantic model per table, which drives DDL, polars schema, Dagster column schema and docs.

Belongs here: the vocabulary of contracts (`Table`, `Column`, `Json`). Does not belong here: any one table (see the sibling modules, one per room)
or anything that reads or writes rows (see `lead_assets.stores.warehouse`).
"""

from __future__ import annotations

import functools
import hashlib
import json
import types
import typing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

Pii = Literal["email", "name", "phone", "address", "profile", "free_text"]

Grain = Literal["campaign", "day", "home"]
"""What one partition of a table holds: a campaign, a day (UTC), or everything in the home."""

PARTITION_COLUMNS: dict[Grain, str] = {"campaign": "campaign_id", "day": "day"}
"""The column that names a row's partition. A home-wide table has one partition and needs no such column."""

WHOLE_HOME = "all"
"""Key of the single partition of a home-wide table."""


References = tuple[tuple[tuple[str, ...], str], ...]
"""References to other tables: (own columns, "schema.table"), with the columns in the order of the other table's key."""

OF_A_LEAD: References = ((("campaign_id", "lead_id"), "identity.leads"),)


Sources = str | tuple[str, ...]
"""Where a column comes from: columns as "schema.table.column", or places outside the tables as "store.part" (see OUTSIDE)."""

OUTSIDE: dict[str, str] = {
    "archive.drops": "the bytes that arrived, and their receipts",
    "archive.events": "the events as they were sent",
    "ledger.answers": "what providers and models answered, when, and for how much",
    "ledger.assignments": "who owns each account, and since when",
    "ledger.outbox": "what was to be sent to whom, and what came of it",
    "ledger.journal": "every call, whatever came of it",
    "ledger.suppressions": "who must not be processed, and why",
    "rules.files": "the business rules",
    "models.learned": "a model learned from outcomes, and an index of past leads",
    "rules.labels": "what people say the answer should be",
}
"""What the tables are made from that is no table."""

MART_LINEAGE = Path(__file__).with_name("mart_lineage.json")
"""Where the columns of marts come from, read from their SQL (see `lead_assets.marts.lineage`)."""


@dataclass(frozen=True)
class Column:
    """What pydantic's own `Field` cannot say about a column.

    `pii`: kind of personal data, which becomes a column tag in Dagster and a masking policy in Snowflake.
    `source`: the upstream column it is copied or derived from, as "schema.table.column", or several, where it matters in order of preference; drives
    column lineage. `Table.origins` says it for several columns at once.
    `low`, `high`: the range of its values, inclusive; checked on the stored rows.
    `enriches`: for a signal's column, the column of signals.enriched_leads that it fills: True for the one with the same name, False for none (see
    `signals`). `rank`: when several signals fill one column, the lowest rank with a value wins.
    """

    description: str
    pii: Pii | None = None
    source: Sources | None = None
    low: float | None = None
    high: float | None = None
    enriches: str | bool | None = None
    rank: int = 1

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,) if isinstance(self.source, str) else self.source or ()


class _JsonMarker:
    """Marks a text column as holding one JSON document (VARIANT in Snowflake)."""


Json = Annotated[str, _JsonMarker()]
"""A text column with one JSON document, keys sorted, so that equal content is equal text."""

Money = Annotated[Decimal, "USD"]
"""US dollars, exact to one millionth."""

MONEY_DTYPE = pl.Decimal(18, 6)

_DTYPES: dict[Any, pl.DataType] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
    datetime: pl.Datetime("us", "UTC"),
    date: pl.Date(),
    Decimal: MONEY_DTYPE,
}

_SQL_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Boolean: "BOOLEAN",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
    pl.Date: "DATE",
}


@dataclass(frozen=True)
class ColumnSpec:
    """One column of a contract, resolved."""

    name: str
    dtype: pl.DataType
    nullable: bool
    json: bool
    description: str
    pii: Pii | None
    sources: tuple[str, ...]
    values: tuple[str, ...] = ()
    """The values it may take, if its type lists them."""
    low: float | None = None
    high: float | None = None

    @property
    def sql_type(self) -> str:
        """The SQL type, as DuckDB shows it."""
        if self.json:
            return "JSON"
        if isinstance(self.dtype, pl.List):
            return "VARCHAR[]"
        if isinstance(self.dtype, pl.Decimal):
            return f"DECIMAL({self.dtype.precision},{self.dtype.scale})"
        return _SQL_TYPES[self.dtype.base_type()]


class Table(BaseModel):
    """Base class of all table contracts. Subclasses set `table` ("schema.name"), `key` (the columns that identify a row), and `grain` unless the
    table is partitioned by campaign."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    grain: ClassVar[Grain] = "campaign"
    refers: ClassVar[References] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        column = cls.partition_column()
        if hasattr(cls, "table") and column is not None and column not in cls.model_fields:
            raise TypeError(
                f"{cls.__name__}: a table with grain {cls.grain!r} needs a column {column!r} that names each row's partition: "
                f"add it, or set `grain` to another of {', '.join(typing.get_args(Grain))}"
            )

    @classmethod
    def origins(cls) -> typing.Mapping[str, Sources]:
        """Where columns come from that do not say it themselves, by names separated by spaces; "*": all others. A source "schema.table.*" is the
        column of the same name there."""
        return {}

    @classmethod
    def partition_column(cls) -> str | None:
        """The column that holds the row's partition; None for a home-wide table."""
        return PARTITION_COLUMNS.get(cls.grain)

    @classmethod
    def columns(cls) -> tuple[ColumnSpec, ...]:
        return _columns(cls)

    @classmethod
    def polars_schema(cls) -> pl.Schema:
        """Column names and types, in order. The object is shared: do not change it."""
        return _schema(cls)

    @classmethod
    def empty(cls) -> pl.DataFrame:
        """An empty frame with the contract's columns and types."""
        return _empty(cls).clone()

    @classmethod
    def frame(cls, rows: typing.Iterable[dict[str, Any]]) -> pl.DataFrame:
        """A frame of the given rows (dicts; a missing key is null) with the contract's columns and types."""
        listed, schema = list(rows), cls.polars_schema()
        return pl.DataFrame([column_of_values(name, [row.get(name) for row in listed], dtype) for name, dtype in schema.items()])

    @classmethod
    def schema_name(cls) -> str:
        return cls.table.split(".")[0]

    @classmethod
    def table_name(cls) -> str:
        return cls.table.split(".")[1]

    @classmethod
    def description(cls) -> str:
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def fingerprint(cls) -> str:
        """Changes with the columns, their types or nullability, and the grain; part of the asset's code version."""
        shape: list[Any] = [(column.name, str(column.dtype), column.nullable, column.json) for column in cls.columns()]
        if cls.grain != "campaign":
            shape.append(cls.grain)
        return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:12]


def column_of_values(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    """The values as a column. Lists and times go by way of text and whole numbers: polars takes 5 µs for each list and 1 µs for each time."""
    try:
        if (
            isinstance(dtype, pl.List)
            and dtype.inner == pl.String
            and all(type(each) is str for value in values if value for each in value)
        ):
            return pl.Series(
                name, [None if value is None else orjson.dumps(value).decode() for value in values], pl.String
            ).str.json_decode(dtype)
        if isinstance(dtype, pl.Datetime):
            whole = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
            return pl.Series(name, whole, pl.Int64).cast(dtype)
    except TypeError:
        pass  # no list, or no time: polars says what it is
    return pl.Series(name, values, dtype)


_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def contracts_of(module: types.ModuleType) -> list[type[Table]]:
    """The tables declared in a module, in order."""
    declared = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Table)]
    return [each for each in declared if each.__module__ == module.__name__ and hasattr(each, "table")]


def canonical_json(value: Any) -> str:
    """JSON text with sorted keys, so that equal content has equal text and equal hashes. What JSON has no number for (NaN, infinity) is null."""
    try:
        text = orjson.dumps(value, default=str, option=_CANONICAL)
    except TypeError:  # integers above 64 bits, lone surrogates, keys that are not text
        text = b"e-"
    if b"e-" in text or b"0.0000" in text:  # orjson writes numbers below 0.0001 in another way
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return text.decode()


_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS


@functools.cache
def _schema(contract: type[Table]) -> pl.Schema:
    return pl.Schema({column.name: column.dtype for column in contract.columns()})


@functools.cache
def _empty(contract: type[Table]) -> pl.DataFrame:
    return pl.DataFrame(schema=_schema(contract))


@functools.cache
def _columns(contract: type[Table]) -> tuple[ColumnSpec, ...]:
    origins = _origins(contract)
    return tuple(_column_spec(name, field, origins.get(name, origins.get("*", ()))) for name, field in contract.model_fields.items())


def _origins(contract: type[Table]) -> dict[str, tuple[str, ...]]:
    """Column → its sources, as far as the contract's `origins` and its SQL say them."""
    said = {name: (each,) if isinstance(each, str) else each for names, each in contract.origins().items() for name in names.split()}
    if unknown := sorted(said.keys() - contract.model_fields.keys() - {"*"}):
        raise TypeError(f"{contract.__name__}.origins names {unknown[0]!r}, which is no column of it: correct the name")
    if hasattr(contract, "table"):
        said |= {name: tuple(sources) for name, sources in _mart_lineage().get(contract.table, {}).items()}
    return said


@functools.cache
def _mart_lineage() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = json.loads(MART_LINEAGE.read_text(encoding="utf-8"))
    return found


def _column_spec(name: str, field: FieldInfo, origins: tuple[str, ...]) -> ColumnSpec:
    annotation, nullable = _strip_optional(field.annotation)
    markers = _markers(field)
    column = column_of(field)
    return ColumnSpec(
        name=name,
        dtype=_dtype(_unwrap(annotation)),
        nullable=nullable,
        json=any(isinstance(m, _JsonMarker) for m in markers),
        description=column.description,
        pii=column.pii,
        sources=column.sources or tuple(f"{each[:-1]}{name}" if each.endswith(".*") else each for each in origins),
        values=tuple(map(str, typing.get_args(_unwrap(annotation)))) if typing.get_origin(_unwrap(annotation)) is Literal else (),
        low=column.low,
        high=column.high,
    )


def column_of(field: FieldInfo) -> Column:
    """What a contract says about a column besides its type."""
    return next((m for m in _markers(field) if isinstance(m, Column)), Column(field.description or ""))


def _markers(field: FieldInfo) -> list[Any]:
    annotation, _ = _strip_optional(field.annotation)
    return [*field.metadata, *_metadata_of(annotation), *_metadata_of_optional(field.annotation)]


def _dtype(annotation: Any) -> pl.DataType:
    if typing.get_origin(annotation) is list:
        return pl.List(_dtype(_unwrap(typing.get_args(annotation)[0])))
    if typing.get_origin(annotation) is Literal:
        return pl.String()
    return _DTYPES[annotation]


def _unwrap(annotation: Any) -> Any:
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


def _strip_optional(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
        if len(inner) == 1:
            return inner[0], True
    return annotation, False


def _metadata_of(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


def _metadata_of_optional(annotation: Any) -> tuple[Any, ...]:
    return tuple(m for arg in typing.get_args(annotation) for m in _metadata_of(arg))
