"""Turns workbooks (.xlsx) into payloads: each sheet with a known header, row by row. Cells become the text that a CSV of the sheet would contain.

The reader (calamine) holds a sheet as a full rectangle, and a text once per cell that shows it, so a small file can demand any amount of memory.
Therefore a workbook is first copied member by member, counting bytes, and the size of its sheets is measured on the copy.

Does not belong here: which header means which field (see `headers`), or old workbooks and other spreadsheets (see `parse`).
"""

from __future__ import annotations

import html
import itertools
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import IO, Any

from lead_assets.core.limits import DropLimits
from lead_assets.intake.payloads import MAX_RAW_TEXT, Chunk, Fault, Reject, too_large, whole_file
from lead_assets.intake.tables import LOOKED_AT, find_header, values_of
from lead_assets.intake.unpacking import BLOCK, DAMAGE

_MOST_BYTES = 512 << 20
"""Most bytes of XML in one workbook."""
_MOST_CELLS = 4_000_000
"""Most cells in a sheet, from A1 to its last row and column: 32 bytes each in memory."""
_MOST_TEXT = 64 << 20
"""Most bytes of a workbook's shared texts; the texts shown in a sheet's cells may have four times as many."""
_MOST_FORMULAS = 100_000
_CHUNK_ROWS = 8_192
_EPOCH = datetime(1899, 12, 30)
_SERIALS = (20_000.0, 80_000.0)
"""Day numbers that count as dates in a column of times: 1954 to 2119."""
_TIMES = frozenset({"submitted_at", "created_at", "outcome_at"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_FILLED_CELL = re.compile(rb"<(?:\w+:)?c\s(?:[^>]*?\s)?r\s*=\s*[\"']\s*([A-Za-z]{1,4})(\d{1,8})[^>]*(?<!/)>")
_SHOWN = re.compile(rb"<(?:\w+:)?v\b[^>]*>\s*(\d{1,9})\s*<")
_NOT_COMPUTED = re.compile(
    rb"<(?:\w+:)?c\s([^>]*)>\s*<(?:\w+:)?f\b[^>]*?(?:/>|>([^<]*)</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\b[^>]*?(?:/>|>\s*</(?:\w+:)?v>))?\s*</(?:\w+:)?c>"
)
_REF = re.compile(rb"\br\s*=\s*[\"']\s*([A-Za-z]{1,4})(\d{1,8})")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]*?\b(?:\w+:)?id\s*=\s*[\"']([^\"']+)[\"'][^>]*>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s([^>]*)>")
_ID, _TARGET = (re.compile(rb"\b" + name + rb"\s*=\s*[\"']([^\"']*)[\"']") for name in (b"Id", b"Target"))
_IS_TEXT = re.compile(rb"\bt\s*=\s*[\"']str[\"']")
_TOO_MANY = Fault(
    "file_too_large",
    f"a sheet has more than {_MOST_CELLS} cells, or more than {4 * _MOST_TEXT} bytes of text: save it as CSV, or in parts",
)


@dataclass
class _Measured:
    """What a sheet's XML says about it. `formulas`: those without a computed value, by (row, column) from 0."""

    rows: int = 0
    columns: int = 0
    shown: Counter[int] = field(default_factory=Counter)
    formulas: dict[tuple[int, int], str] = field(default_factory=dict)


def payloads(archive: zipfile.ZipFile, size: int, limits: DropLimits, column_map: Mapping[str, str]) -> Iterator[Chunk]:
    """The rows of all sheets with a known header. Position is the row's number in its sheet, from 1, and continues from sheet to sheet.

    A sheet without a known header, among others that have one, is one reject.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    with tempfile.NamedTemporaryFile(prefix="lead-assets-", suffix=".xlsx") as copy:
        try:
            measured = _copied(archive, copy)
        except DAMAGE:
            measured = Fault("corrupt_workbook", "the workbook is damaged or cut off: save it again as .xlsx, or as CSV")
        if isinstance(measured, Fault):
            yield whole_file(measured, b"", size)
            return
        try:
            with CalamineWorkbook.from_path(copy.name) as book:
                yield from _sheets(book, measured, limits, column_map)
        except (CalamineError, OSError, ValueError) as error:
            yield whole_file(
                Fault("corrupt_workbook", f"the workbook cannot be read ({type(error).__name__}): save it again as .xlsx, or as CSV"),
                b"",
                size,
            )


def _sheets(book: Any, measured: list[_Measured], limits: DropLimits, column_map: Mapping[str, str]) -> Iterator[Chunk]:
    from python_calamine import SheetTypeEnum

    base, headed = 0, False
    strange: list[tuple[int, int]] = []
    for number, meta in enumerate(book.sheets_metadata):
        if meta.typ != SheetTypeEnum.WorkSheet:
            continue
        formulas = measured[number].formulas if number < len(measured) else {}
        sheet = book.get_sheet_by_index(number)
        rows = _rows(sheet, formulas)
        first: list[tuple[int, list[Any]]] = []
        for row in rows:
            first.append(row)
            if len(first) == LOOKED_AT:
                break
        header = find_header([[_text(cell) for cell in cells] for _, cells in first], column_map)
        if header is None:
            continue
        if header.known or header.row < 0:
            headed = True
            times = {name for name, key in header.keys.items() if key in _TIMES}
            chunk = Chunk(headers=header.keys, kind="table")
            for place, cells in itertools.chain(first[header.row + 1 :], rows):
                _take(chunk, base + place, cells, header.headers, times, limits)
                if len(chunk) >= _CHUNK_ROWS:
                    yield chunk
                    chunk = Chunk(headers=header.keys, kind="table")
            yield chunk
        else:
            strange.append((number + 1, base + first[0][0]))
        base += (sheet.end[0] if sheet.end else 0) + 1
    for number, position in strange:
        fault = Fault(
            "unknown_header",
            f"sheet {number} has no known header{'; the others were read' if headed else ''}: name its columns with --map from=to",
        )
        yield Chunk(rejects=[Reject(position, b"", fault)], kind="table")


def _take(chunk: Chunk, position: int, cells: list[Any], headers: tuple[str, ...], times: set[str], limits: DropLimits) -> None:
    texts = [_text(cell, as_time=header in times) for cell, header in itertools.zip_longest(cells, headers)]
    raw = "\t".join(texts).rstrip("\t").encode("utf-8", "replace")
    values: dict[str, str | None] | Fault
    if len(raw) > limits.payload_bytes:
        values = too_large(len(raw), limits.payload_bytes)
    elif found := _CONTROL.search(raw.decode()):
        column = raw.decode().count("\t", 0, found.start()) + 1
        values = Fault("control_characters", f"control character in column {column}: remove it")
    else:
        values = values_of(texts, headers)
    if isinstance(values, Fault):
        chunk.rejects.append(Reject(position, raw[: MAX_RAW_TEXT + 1], values, size=len(raw)))
    else:
        chunk.positions.append(position)
        chunk.raws.append(raw)
        chunk.values.append(values)


def _rows(sheet: Any, formulas: dict[tuple[int, int], str]) -> Iterator[tuple[int, list[Any]]]:
    """(row number from 1, cells from column A on) for rows that are not blank. Merged cells repeat their value in each row they cover."""
    left = [""] * (sheet.start[1] if sheet.start else 0)
    merged: dict[int, list[tuple[int, int]]] = {}
    ranges = sheet.merged_cell_ranges or ()
    # No real spreadsheet has overlapping ranges, and they would cost their product.
    plausible = sum(bottom - top for (top, _), (bottom, _) in ranges) <= _MOST_CELLS
    for (top, column), (bottom, _) in ranges:
        if bottom > top and plausible:
            merged.setdefault(top, []).append((bottom, column))
    by_row: dict[int, list[tuple[int, str]]] = {}
    for (row, column), formula in formulas.items():
        by_row.setdefault(row, []).append((column, formula))
    open_merges: list[tuple[int, int, Any]] = []
    for number, found in enumerate(sheet.iter_rows()):
        cells = left + found
        for column, formula in by_row.get(number, ()):
            if column < len(cells) and cells[column] == "":
                cells[column] = formula
        filled = any(cell != "" for cell in cells)
        open_merges = [each for each in open_merges if each[0] >= number]
        if filled:  # rows that contain only a merged cell are not leads
            for _, column, value in open_merges:
                if column < len(cells) and cells[column] == "":
                    cells[column] = value
        for bottom, column in merged.get(number, ()):
            if column < len(cells) and cells[column] != "":
                open_merges.append((bottom, column, cells[column]))
        if filled:
            yield number + 1, cells


def _text(cell: Any, *, as_time: bool = False) -> str:
    """A cell as a person would write it in a CSV: whole numbers without a point, dates as in ISO 8601."""
    if cell is None or cell == "":
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        if as_time and _SERIALS[0] <= cell <= _SERIALS[1]:
            moment = (_EPOCH + timedelta(days=cell)).replace(microsecond=0)
            return moment.date().isoformat() if cell.is_integer() else moment.isoformat()
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e16 else repr(cell)
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def _copied(archive: zipfile.ZipFile, target: IO[bytes]) -> list[_Measured] | Fault:
    """Copy the workbook's XML, unpacked, and measure its sheets, in order. Does not trust the zip directory."""
    sheets: dict[str, _Measured] = {}
    lengths: list[int] = []
    relations = order = b""
    copied = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
        for member in archive.infolist():
            name = member.filename.replace("\\", "/").lstrip("/")
            lower = name.casefold()
            if not lower.endswith((".xml", ".rels")):
                continue
            is_sheet, is_texts = lower.startswith("xl/worksheets/"), lower.endswith("sharedstrings.xml")
            kept: list[bytes] = []
            rest, here = b"", 0
            with archive.open(member) as source, copy.open(name, "w") as sink:
                while block := source.read(BLOCK):
                    copied += len(block)
                    here += len(block)
                    if copied > _MOST_BYTES or (here > _MOST_TEXT and is_texts):
                        return _TOO_MANY
                    sink.write(block)
                    if is_sheet:
                        rest = _measure(rest + block, sheets.setdefault(lower, _Measured()))
                    elif is_texts:
                        ends = (rest + block).split(b"</si>")
                        lengths += map(len, ends[:-1])
                        rest = ends[-1]
                    elif lower in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"):
                        kept.append(block)
            if is_sheet:
                _measure(rest, sheets.setdefault(lower, _Measured()), last=True)
            if lower == "xl/workbook.xml":
                order = b"".join(kept)
            elif kept:
                relations = b"".join(kept)
    for sheet in sheets.values():
        shown = sum(lengths[index] * times for index, times in sheet.shown.items() if index < len(lengths))
        if sheet.rows * sheet.columns > _MOST_CELLS or shown > 4 * _MOST_TEXT:
            return _TOO_MANY
    targets = {}
    for relation in _RELATION.findall(relations):
        if (each := _ID.search(relation)) and (to := _TARGET.search(relation)):
            path = to[1].decode("utf-8", "replace").casefold().lstrip("/")
            targets[each[1]] = path if path.startswith("xl/") else f"xl/{path}"
    return [sheets.get(targets.get(each, ""), _Measured()) for each in _SHEET.findall(order)]


def _measure(data: bytes, sheet: _Measured, *, last: bool = False) -> bytes:
    """Count the complete cells in the data; the remainder belongs to the next part."""
    cut = len(data) if last or len(data) > 8 * BLOCK else data.rfind(b"</row>")
    if cut < 0:
        return data
    part = data[:cut]
    for letters, row in set(_FILLED_CELL.findall(part)):
        sheet.columns = max(sheet.columns, _column(letters))
        sheet.rows = max(sheet.rows, int(row))
    sheet.shown.update(map(int, _SHOWN.findall(part)))
    if b"<f" in part or b":f" in part:
        for attributes, formula in _NOT_COMPUTED.findall(part):
            place = _REF.search(attributes)
            if place and formula and not _IS_TEXT.search(attributes) and len(sheet.formulas) < _MOST_FORMULAS:
                sheet.formulas[int(place[2]) - 1, _column(place[1]) - 1] = "=" + html.unescape(formula.decode("utf-8", "replace"))
    return data[cut:]


def _column(letters: bytes) -> int:
    """A column's number, from 1."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + letter - 64
    return number
