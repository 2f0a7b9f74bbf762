"""Rows as CSV, XLSX, JSON or Parquet.

Senders' texts end up in spreadsheets, so in CSV and XLSX a text that a spreadsheet would run as a formula gets an apostrophe before it, as OWASP
recommends (https://owasp.org/www-community/attacks/CSV_Injection), unless raw rows are requested.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import BinaryIO

import polars as pl

_RUN = r"^[ ]*[=+\-@＝＋－＠]|^[\t\r\n]"
_NUMBER = r"^[+-]?\d+(?:\.\d+)?$"
_MOST_ROWS, _MOST_TEXT = 1_048_576, 32_767
_EXACT = 10**15
"""Integers up to this size survive in a sheet, which keeps fifteen digits of a number."""
_ISO_8601 = "%Y-%m-%dT%H:%M:%S%.6f%:z"


def encode(frame: pl.DataFrame, file_format: str, *, raw: bool = False) -> bytes:
    """The frame in one of FORMATS. `raw`: text as stored, including formulas. Raises ValueError for more rows than a sheet can hold."""
    if file_format in FOR_SPREADSHEETS:
        frame = for_spreadsheet(frame, raw=raw)
    return FORMATS[file_format](frame)


def for_spreadsheet(frame: pl.DataFrame, *, raw: bool = False) -> pl.DataFrame:
    """The frame as a spreadsheet can hold it: lists as JSON text, and no formulas unless `raw`."""
    frame = _with_text_for_lists(frame)
    return frame if raw else without_formulas(frame)


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before each text that a spreadsheet would execute. Signed numbers and phone numbers are not formulas."""
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.contains(_RUN) & ~text.str.contains(_NUMBER)).then("'" + text).otherwise(text).name.keep())


def _with_text_for_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """Spreadsheets have no lists, so they become JSON text."""
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    return frame.with_columns(
        pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1).alias(name) for name in lists
    )


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(datetime_format=_ISO_8601).encode()


def fits_a_sheet(rows: int) -> None:
    """Raises ValueError for more rows than a sheet can hold."""
    if rows >= _MOST_ROWS:
        raise ValueError(
            f"a sheet can hold {_MOST_ROWS - 1} rows but the table has {rows}: export it as csv or parquet, or with --campaign"
        )


def write_xlsx(frames: Iterable[pl.DataFrame], out: BinaryIO) -> None:
    """Frames with the same columns as one sheet, one in memory at a time. Formulas and lists are those of the frames (see `for_spreadsheet`)."""
    import xlsxwriter

    with xlsxwriter.Workbook(out, {"constant_memory": True}) as book:
        book.set_properties({"created": datetime(2000, 1, 1)})  # equal rows give equal bytes
        sheet = book.add_worksheet("rows")
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        bold = book.add_format({"bold": True})
        row = 0
        for frame in frames:
            if not row:
                sheet.write_row(0, 0, frame.columns, bold)
                sheet.freeze_panes(1, 0)
            for row, cells in enumerate(frame.iter_rows(), start=row + 1):  # noqa: B020 - goes on from the frame before
                for column, cell in enumerate(cells):
                    if isinstance(cell, bool):
                        sheet.write_boolean(row, column, cell)
                    elif isinstance(cell, int | float) and abs(cell) < _EXACT:
                        sheet.write_number(row, column, cell)
                    elif isinstance(cell, datetime):
                        sheet.write_datetime(row, column, cell.replace(tzinfo=None), moment)  # UTC, as everywhere
                    elif isinstance(cell, date):
                        sheet.write_datetime(row, column, cell, day)
                    elif cell is not None:
                        # Always as text, whatever it looks like; text too long for a cell is cut and marked.
                        text = str(cell)
                        sheet.write_string(row, column, text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…")


def _xlsx(frame: pl.DataFrame) -> bytes:
    fits_a_sheet(frame.height)
    out = io.BytesIO()
    write_xlsx([frame], out)
    return out.getvalue()


def _json(frame: pl.DataFrame) -> bytes:
    return (frame.write_json() + "\n").encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[pl.DataFrame], bytes]] = {"csv": _csv, "xlsx": _xlsx, "json": _json, "parquet": _parquet}
FOR_SPREADSHEETS = frozenset({"csv", "xlsx"})
