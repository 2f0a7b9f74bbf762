"""Looks for needles in everything that a home holds: every file's bytes and name, Parquet and Arrow columns, members of zip files, rows of databases (SQLite's
free pages and write-ahead log are bytes of its files), objects in a bucket, tables in Snowflake.

It knows nothing about what `forget` removes, so that it can prove it. Does not belong here: the forms of a needle (see `needles`).
"""

from __future__ import annotations

import io
import mmap
import multiprocessing
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from lead_assets.core.settings import Settings
from lead_assets.privacy import databases
from lead_assets.privacy.needles import Needle, Needles

_BLOCK = 32 << 20
_OVERLAP = 4 << 10
_WORTH_PROCESSES = 256 << 20
_MEMBERS_DEEP = 3
_EAGER = 64 << 20
"""Size of a Parquet file up to which it is read as a whole, which is faster."""
PARQUET, ARROW, ZIP = b"PAR1", b"ARROW1", b"PK\x03\x04"


@dataclass(frozen=True)
class Holding:
    """A place that something was found in. `where`: a file, an object, a table; `path`: the file, if it is one."""

    where: str
    found: dict[str, int]
    """How often, by kind and form: "email, plain"."""
    path: Path | None = None
    object: tuple[str, str] | None = None
    """Location and name, if it is an object of a store that is no local folder."""
    in_name: bool = False
    """Whether the name itself says it."""


def search(settings: Settings, needles: Needles, *, within: Path | None = None) -> list[Holding]:
    """Every place in the home (or in one folder of it) with something to find, sorted by name; empty if there is none."""
    if not needles.forms:
        return []
    roots = [within] if within else roots_of(settings)
    files = [file for root in roots for file in files_below(root)]
    found = {path: counter for path, counter in _looked(files, needles) if counter}
    named = {path for path in files if needles.finds(os.fsencode(str(path)))}
    holdings = [
        Holding(
            _relative(path, roots), {", ".join(key): count for key, count in found.get(path, Counter()).items()}, path, None, path in named
        )
        for path in sorted(found.keys() | named)
    ]
    if within is None:
        holdings += _elsewhere(settings, needles)
    return holdings


def roots_of(settings: Settings) -> list[Path]:
    """The local folders that are the home's: itself, and stores and Dagster's home where they are not below it."""
    stores = [settings.archive_location, settings.derived_location, settings.landing_location, str(settings.warehouse_folder)]
    folders = [settings.home, *(Path(store.removeprefix("file://")) for store in stores if "://" not in store.removeprefix("file://"))]
    if "DAGSTER_HOME" in os.environ:
        folders.append(Path(os.environ["DAGSTER_HOME"]))
    if not settings.ledger_location.startswith("postgresql"):
        folders.append(Path(settings.ledger_location.removeprefix("sqlite:///")).parent)
    roots: list[Path] = []
    for folder in sorted({folder.resolve() for folder in folders}):
        if folder.is_dir() and not any(folder.is_relative_to(root) for root in roots):
            roots.append(folder)
    return roots


def files_below(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def look_at(path: Path, needles: Needles) -> Counter[tuple[str, ...]]:
    """What one file holds."""
    counter: Counter[tuple[str, ...]] = Counter()
    for _, each in _looked([path], needles):
        counter += each
    return counter


def _looked(files: Iterable[Path], needles: Needles) -> Iterator[tuple[Path, Counter[tuple[str, ...]]]]:
    """The bytes of all files, in blocks; and what their kind keeps packed."""
    parts = [(path, start, start + _BLOCK) for path in files if (size := _size(path)) for start in range(0, size, _BLOCK)]
    totals: dict[Path, Counter[tuple[str, ...]]] = {}
    if sum(_size(path) for path in files) >= _WORTH_PROCESSES:
        # Not forked: polars' threads would not survive it.
        with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), _begin, (needles.needles, needles.beside)) as pool:
            looks = pool.map(_look_of_process, parts, chunksize=8)
            packed = [(path, _packed(path, needles)) for path in files]
            for (path, *_), counter in zip(parts, looks, strict=True):
                totals[path] = totals.get(path, Counter()) + counter
    else:
        for path, start, end in parts:
            totals[path] = totals.get(path, Counter()) + look_at_part(path, start, end, needles)
        packed = [(path, _packed(path, needles)) for path in files]
    for path, counter in packed:
        totals[path] = totals.get(path, Counter()) + counter
    yield from totals.items()


def look_at_part(path: Path, start: int, end: int, needles: Needles) -> Counter[tuple[str, ...]]:
    """What is in the bytes of a file from `start` to `end`, and in streams that begin there."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            before = min(start, _OVERLAP)  # where what stands at the start may have begun
            block = data[start - before : end + _OVERLAP]
            counter: Counter[tuple[str, ...]] = Counter(
                (form.needle.kind, form.name) for at, _, form in needles.places(block) if before <= at < before + end - start
            )
            return counter + Counter(needles.count_streams(data, start, min(end, len(data))))
    except (FileNotFoundError, ValueError):  # gone since it was listed, or empty
        return Counter()


_needles: Needles | None = None


def _begin(needles: tuple[Needle, ...], beside: frozenset[str]) -> None:
    global _needles
    _needles = Needles(needles, beside)


def _look_of_process(part: tuple[Path, int, int]) -> Counter[tuple[str, ...]]:
    assert _needles is not None
    return look_at_part(*part, _needles)


def _packed(path: Path, needles: Needles) -> Counter[tuple[str, ...]]:
    """What a file's kind keeps packed or in pieces."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if head.startswith(PARQUET):
            return Counter({("rows of Parquet",): count}) if (count := parquet_rows(path, needles)) else Counter()
        if head.startswith(databases.SQLITE):
            return Counter({("rows of SQLite",): count}) if (count := databases.rows_found(path, needles)) else Counter()
        if head.startswith((ZIP, ARROW)):
            return _in_bytes(path.read_bytes(), needles)
    except FileNotFoundError:
        pass
    return Counter()


def _in_bytes(data: bytes, needles: Needles, deep: int = 0) -> Counter[tuple[str, ...]]:
    """What an object holds: its bytes, and what its kind keeps packed."""
    counter: Counter[tuple[str, ...]] = Counter(needles.count(data)) if needles.finds(data) else Counter()
    if data.startswith(ZIP) and deep < _MEMBERS_DEEP:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                counter += _in_bytes(archive.read(member), needles, deep + 1)
    elif data.startswith((PARQUET, ARROW)):
        frame = pl.read_parquet(io.BytesIO(data)) if data.startswith(PARQUET) else pl.read_ipc(io.BytesIO(data))
        if count := int(rows_with(frame, needles).sum()):
            counter[("rows of a table",)] += count
    return counter


def parquet_rows(path: Path, needles: Needles) -> int:
    """Rows of a Parquet file with something to find."""
    if _size(path) < _EAGER:
        return int(rows_with(pl.read_parquet(path, glob=False, hive_partitioning=False), needles).sum())
    table = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    texts = _texts(table.collect_schema())
    if not texts:
        return 0
    maybe = table.select(pl.any_horizontal(_contains(text, needles) for text in texts).sum()).collect(engine="streaming").item()
    return int(rows_with(table.collect(), needles).sum()) if maybe else 0


def rows_with(frame: pl.DataFrame, needles: Needles) -> pl.Series:
    """Which rows have something to find in a text."""
    texts = _texts(frame.schema)
    if not texts or frame.is_empty():
        return pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    # All columns in one look: preparing it for each takes longer than most looks.
    columns = frame.select(text.alias(f"c{number}") for number, text in enumerate(texts))
    every = pl.concat([column.alias("text") for column in columns])
    if not every.str.contains_any(needles.texts, ascii_case_insensitive=True).any():
        return pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
    maybe = frame.select(pl.any_horizontal(_contains(text, needles).fill_null(False) for text in texts)).to_series()
    rows = maybe.arg_true().to_list()
    sure = [row for row in rows if any(value is not None and needles.finds(value.encode()) for value in frame[row].select(texts).row(0))]
    return pl.Series([False]).new_from_index(0, frame.height).scatter(sure, True)


def _texts(schema: pl.Schema) -> list[pl.Expr]:
    found = []
    for name, dtype in schema.items():
        if dtype == pl.String:
            found.append(pl.col(name))
        elif dtype == pl.List(pl.String):
            found.append(pl.col(name).list.join("\n", ignore_nulls=True))
        elif isinstance(dtype, pl.Struct | pl.List | pl.Array):
            found.append(pl.struct(pl.col(name).alias("v")).struct.json_encode().alias(name))
        elif isinstance(dtype, pl.Categorical | pl.Enum):
            found.append(pl.col(name).cast(pl.String))
    return found


def _contains(text: pl.Expr, needles: Needles) -> pl.Expr:
    return text.str.contains_any(needles.texts, ascii_case_insensitive=True)


def _elsewhere(settings: Settings, needles: Needles) -> Iterator[Holding]:
    """Stores that are no local files."""
    from lead_assets.stores.objects import open_objects

    for location in _buckets(settings):
        store = open_objects(location)
        for entry in store.entries():
            counter, named = _in_bytes(store.get(entry.name), needles), needles.finds(entry.name.encode())
            if counter or named:
                found = {", ".join(key): count for key, count in counter.items()}
                yield Holding(f"{location}/{entry.name}", found, None, (location, entry.name), named)
    if settings.ledger_location.startswith("postgresql"):
        for table, count in databases.postgres_found(postgres_url(settings), needles).items():
            yield Holding(f"Postgres {table}", {"rows": count})
    if settings.env == "production":
        yield from _in_snowflake(settings, needles)


def _buckets(settings: Settings) -> list[str]:
    """The locations in buckets, without those below another: in production all are in one."""
    every = (settings.archive_location, settings.derived_location, settings.landing_location, settings.failed_leads_location or "")
    remote = {location.rstrip("/") for location in every if "://" in location.removeprefix("file://")}
    return sorted(each for each in remote if not any(each.startswith(f"{other}/") for other in remote))


def _in_snowflake(settings: Settings, needles: Needles) -> Iterator[Holding]:
    from lead_assets.contracts import TABLES
    from lead_assets.privacy import landed
    from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse

    warehouse = SnowflakeWarehouse(settings)
    if events := landed.events_found(warehouse, needles):
        yield Holding(f"Snowflake {landed.TABLE}", {"rows": events})
    for contract in TABLES.values():
        count = sum(int(rows_with(warehouse.read(contract, [key]), needles).sum()) for key in warehouse.partitions(contract))
        if count:
            yield Holding(f"Snowflake {contract.table}", {"rows": count})


def postgres_url(settings: Settings) -> sa.URL:
    return sa.make_url(settings.ledger_location).set(drivername="postgresql+psycopg")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _relative(path: Path, roots: Iterable[Path]) -> str:
    for root in roots:
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return str(path)
