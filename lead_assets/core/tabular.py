"""Any table a person has at hand, as a frame: CSV with any common delimiter and encoding, Parquet, or a workbook's first sheet.

Belongs here: reading and writing files of unknown columns. Does not belong here: what the columns mean; a drop of leads is read by intake, which loses nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import polars as pl

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".xls")
_SNIFFED = 64 * 1024
_MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A"]


class UnreadableTable(ValueError):
    """The file is not a table that can be read. The text names the file and the next step, and never repeats a cell."""


def read_table(path: Path) -> pl.DataFrame:
    """All rows of a CSV, TSV, Parquet or XLSX file. Numbers are numbers and everything else is text. Raises UnreadableTable."""
    _known(path.name)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UnreadableTable(f"{path}: there is no such file") from None
    except OSError as error:
        raise UnreadableTable(f"{path.name}: cannot be read ({type(error).__name__})") from None
    return table_of(data, path.name)


def table_of(data: bytes, name: str) -> pl.DataFrame:
    """`read_table` for the bytes of a file of this name."""
    suffix = _known(name)
    try:
        if suffix == ".parquet":
            return pl.read_parquet(BytesIO(data))
        if suffix in (".xlsx", ".xls"):
            return _from_sheet(data, name)
        return _from_text(data, name)
    except UnreadableTable:
        raise
    except (OSError, pl.exceptions.PolarsError, ValueError) as error:
        raise UnreadableTable(
            f"{name}: cannot be read as {suffix.removeprefix('.')} ({type(error).__name__}); save it again and retry"
        ) from None


def _known(name: str) -> str:
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableTable(f"{name}: not a known kind of table; use one of {', '.join(SUFFIXES)}")
    return suffix


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Writes CSV or Parquet, by the file's ending. In CSV, lists are JSON and a text that a spreadsheet would run as a formula gets an apostrophe."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        frame.write_parquet(path)
    elif suffix in (".csv", ".tsv"):
        frame = frame.with_columns(
            pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1).alias(name)
            for name, dtype in frame.schema.items()
            if dtype.is_nested()
        )
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        formula = pl.col(texts).str.contains(r"^[=+\-@\t\r]") & pl.col(texts).cast(pl.Float64, strict=False).is_null()
        safe = frame.with_columns(pl.when(formula).then("'" + pl.col(texts)).otherwise(pl.col(texts)).name.keep()) if texts else frame
        safe.write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    else:
        raise UnreadableTable(f"{path.name}: name the output .csv, .tsv or .parquet")


def _from_sheet(data: bytes, name: str) -> pl.DataFrame:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        rows = CalamineWorkbook.from_filelike(BytesIO(data)).get_sheet_by_index(0).to_python(skip_empty_area=True)
    except CalamineError as error:
        raise ValueError(str(error)) from None
    if not rows:
        raise UnreadableTable(f"{name}: the first sheet is empty")
    text = BytesIO()
    _write_rows(rows, text)
    return _from_text(text.getvalue(), name)


def _write_rows(rows: Sequence[Sequence[object]], out: BytesIO) -> None:
    from io import TextIOWrapper

    wrapped = TextIOWrapper(out, encoding="utf-8", newline="")
    csv.writer(wrapped).writerows(rows)
    wrapped.detach()


def _from_text(raw: bytes, name: str) -> pl.DataFrame:
    text = _decoded(raw, name)
    first = text[:_SNIFFED]
    if not first.strip():
        raise UnreadableTable(f"{name}: the file is empty")
    return pl.read_csv(
        text.encode(),
        separator=_delimiter(first),
        null_values=_MISSING,
        infer_schema_length=None,
        try_parse_dates=False,
        truncate_ragged_lines=True,
    )


def _decoded(raw: bytes, name: str) -> str:
    for encoding in ("utf-8-sig", "utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    from charset_normalizer import from_bytes

    best = from_bytes(raw).best()
    if best is None:
        raise UnreadableTable(f"{name}: its encoding cannot be told; save it as UTF-8")
    return str(best)


def _delimiter(text: str) -> str:
    header = text.splitlines()[0]
    try:
        return csv.Sniffer().sniff(text[: text.rfind("\n") + 1] or text, delimiters=",;\t|").delimiter
    except csv.Error:
        return max(",;\t|", key=header.count)
