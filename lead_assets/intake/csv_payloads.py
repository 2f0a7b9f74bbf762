"""CSV bytes to payloads: which delimiter, which line is the header, one row at a time. One bad row never costs its neighbours.

Does not belong here: which header means which field (see `headers`), and which payload shape a table has (see `adapters`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lead_assets.intake.headers import bind
from lead_assets.intake.json_payloads import C0
from lead_assets.intake.payloads import Chunk, Fault, Reject, too_large

_BAD_QUOTING = Fault("bad_quoting", "a quote is not closed, or text follows a closing quote: double the quotes inside a cell")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DELIMITERS = ",;\t|"
_CHUNK_ROWS = 16_384
_WHITE = b" \t\r\n"
_BLANK_LINE = re.compile(rb"[ \t]*\r?\n")
_EXCEL_HINT = re.compile(rb"\s*sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How one table is written: its delimiter, its headers as written (made unique), the payload key of each ("" for none), where its rows begin."""

    delimiter: str
    headers: tuple[str, ...]
    keys: dict[str, str]
    body_offset: int
    body_line: int


def sniff(data: bytes, column_map: Mapping[str, str], max_payload_bytes: int) -> Dialect | None:
    """The dialect of a table; None if the data has no header that means anything and does not look like a table either.

    `column_map` (header → payload key, as `--map from=to` gives it) comes before the aliases. The delimiter is the one that makes most headers known.
    """
    offset, line = 0, 1
    delimiters = _DELIMITERS
    if hint := _EXCEL_HINT.match(data):
        offset, line, delimiters = hint.end(), 2, hint[1].decode("latin-1")
    while blank := _BLANK_LINE.match(data, offset):
        offset, line = blank.end(), line + 1
    best: tuple[int, int] = (0, 0)
    found: Dialect | None = None
    for delimiter in delimiters:
        header = data[offset : _record_end(_record_pattern(delimiter), data, offset)]
        if len(header) > max_payload_bytes:
            continue
        try:
            cells = next(csv.reader([header.rstrip(b"\r\n").decode()], delimiter=delimiter), [])
        except (UnicodeDecodeError, csv.Error):
            continue
        headers, keys = bind(cells, column_map)
        known = sum(1 for key in keys.values() if key)
        if (known, len(headers)) > best:
            best = (known, len(headers))
            found = Dialect(delimiter, headers, keys, offset + len(header), line + header.count(b"\n"))
    if found and not best[0] and any(_ADDRESS.fullmatch(header.strip()) for header in found.headers):
        # An address is no header: the table has none, and its first line is a lead like the others. `--map column_1=email` names the columns.
        names = tuple(f"column_{index}" for index in range(1, len(found.headers) + 1))
        headers, keys = bind(list(names), column_map)
        return Dialect(found.delimiter, headers, keys, offset, line)
    if found and (best[0] or _is_regular(data, found)):
        return found
    return None


def rows(data: bytes, dialect: Dialect, max_payload_bytes: int) -> Iterator[Chunk]:
    """Payloads of a table; position is the line the row begins on, the header's being 1. Blank lines are no payloads. An empty cell is null."""
    if csv.field_size_limit() < max_payload_bytes:
        csv.field_size_limit(max_payload_bytes)  # the module's default refuses a cell of 128 KiB
    record = _record_pattern(dialect.delimiter)
    offset, line = dialect.body_offset, dialect.body_line
    chunk = Chunk(headers=dialect.keys)
    while offset < len(data):
        end = _record_end(record, data, offset)
        raw = data[offset:end].rstrip(b"\r\n")
        if raw.strip(_WHITE):
            cells = _cells(raw, dialect, max_payload_bytes)
            if isinstance(cells, Fault) and (cut := raw.find(b"\n")) >= 0:
                # More likely a quote that was never closed than a row of many lines: only its first line is refused, the next may be a good row.
                raw = raw[:cut].rstrip(b"\r")
                end = offset + cut + 1
                cells = _cells(raw, dialect, max_payload_bytes)
                cells = cells if isinstance(cells, Fault) else _BAD_QUOTING
            if isinstance(cells, Fault):
                chunk.rejects.append(Reject(line, raw, cells))
            else:
                chunk.positions.append(line)
                chunk.raws.append(raw)
                chunk.values.append({name: cell or None for name, cell in zip(dialect.headers, cells, strict=True)})
        line += data.count(b"\n", offset, end)
        offset = end
        if len(chunk) >= _CHUNK_ROWS:
            yield chunk
            chunk = Chunk(headers=dialect.keys)
    yield chunk


def _cells(raw: bytes, dialect: Dialect, max_payload_bytes: int) -> list[str] | Fault:
    if len(raw) > max_payload_bytes:
        return too_large(len(raw), max_payload_bytes)
    if found := C0.search(raw):
        return Fault("control_characters", f"a control character stands at byte {found.start() + 1} of the row: remove it")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return Fault("wrong_encoding", f"byte {error.start + 1} of the row is not UTF-8: save the file as 'CSV UTF-8'")
    try:
        cells = next(csv.reader((text,), delimiter=dialect.delimiter, strict=True), [])
    except csv.Error:
        return _BAD_QUOTING
    expected = len(dialect.headers)
    if len(cells) > expected and not any(cells[expected:]):
        return cells[:expected]  # delimiters that a spreadsheet leaves at the end of a row
    if len(cells) != expected:
        return Fault("ragged_row", f"the row has {len(cells)} cells and the header {expected}: quote cells that hold the delimiter")
    return cells


def _record_pattern(delimiter: str) -> re.Pattern[bytes]:
    """One row with its line end; a cell that begins with a quote may hold line ends. Possessive, so that no text makes it try twice."""
    d = re.escape(delimiter.encode("latin-1"))
    cell = rb'(?:"(?:[^"]++|"")*+"[^\n' + d + rb"]*+|[^\n" + d + rb'"][^\n' + d + rb"]*+)?+"
    return re.compile(cell + rb"(?:" + d + cell + rb")*+(?:\n|\Z)")


def _record_end(record: re.Pattern[bytes], data: bytes, offset: int) -> int:
    """Where the row that begins at `offset` ends. A quote that is never closed ends with its line, not with the file."""
    match = record.match(data, offset)
    end = match.end() if match else 0
    return end if end > offset else data.find(b"\n", offset) + 1 or len(data)


def _is_regular(data: bytes, dialect: Dialect) -> bool:
    """Whether unknown headers still make a table: two cells or more, and as many in each of the next rows."""
    if len(dialect.headers) < 2:
        return False
    record = _record_pattern(dialect.delimiter)
    offset, looked_at = dialect.body_offset, 0
    while offset < len(data) and looked_at < 5:
        end = _record_end(record, data, offset)
        if raw := data[offset:end].strip(_WHITE):
            looked_at += 1
            if isinstance(_cells(raw, dialect, 1 << 20), Fault):
                return False
        offset = end
    return looked_at > 0
