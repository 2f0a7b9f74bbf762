"""Turns CSV text into payloads: finds delimiter and header, then reads row by row. A bad row never affects its neighbours.

Rows are read in blocks, by splitting or with Python's csv; a block with anything unusual is read row by row, which is slow but exact.
Does not belong here: which header means which field (see `headers`), or which payload shape a table has (see `adapters`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress

from lead_assets.intake.json_payloads import C0
from lead_assets.intake.payloads import MAX_RAW_TEXT, Chunk, Fault, Reject, too_large
from lead_assets.intake.tables import LOOKED_AT, Header, find_header, values_of
from lead_assets.intake.text import WHITE, Text

_BAD_QUOTING = Fault("bad_quoting", "a quote is not closed, or text follows a closing quote: double the quotes inside a cell")
_USUAL_DELIMITERS = ",;\t|"
_DELIMITER = re.compile(r"[^\w\s\"'@.\-+()/\\#]", re.ASCII)
_CHUNK_ROWS = 16_384
_BLANK_LINE = re.compile(rb"[ \t]*\r?\n")
_EXCEL_HINT = re.compile(rb"\s*sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """The format of one table: its delimiter, its headers as written (made unique), the payload key of each ("" for none), and where its rows start."""

    delimiter: str
    headers: tuple[str, ...]
    keys: dict[str, str]
    body_offset: int


def sniff(data: bytes, column_map: Mapping[str, str], max_payload_bytes: int) -> Dialect | None:
    """The dialect of a table, from its first part; None if it has no known header and does not look like a table either.

    `column_map` (header → payload key, from `--map from=to`) takes precedence over aliases. The chosen delimiter is the one with the most known headers.
    """
    offset = 0
    delimiters = _delimiters(data)
    if hint := _EXCEL_HINT.match(data):
        offset, delimiters = hint.end(), hint[1].decode("latin-1")
    best: tuple[int, int] = (0, 0)
    found: tuple[str, Header, list[int]] | None = None
    for delimiter in delimiters:
        rows, ends = _first_rows(data, offset, delimiter, max_payload_bytes)
        header = find_header(rows, column_map)
        if header is None:
            continue
        rank = (header.known, len(header.headers))
        usual = delimiter in _USUAL_DELIMITERS or hint is not None
        if rank > best and (usual or header.known > 1):
            best, found = rank, (delimiter, header, ends)
    if found is None:
        return None
    delimiter, header, ends = found
    dialect = Dialect(delimiter, header.headers, header.keys, ends[header.row] if header.row >= 0 else offset)
    return dialect if header.known or header.row < 0 or _is_regular(data, dialect, max_payload_bytes) else None


def rows(text: Text, dialect: Dialect, max_payload_bytes: int) -> Iterator[Chunk]:
    """The payloads of a table; position is the line where the row starts, from 1. Blank lines are skipped. An empty cell is null."""
    if csv.field_size_limit() < max_payload_bytes:
        csv.field_size_limit(max_payload_bytes)  # the module's default refuses a cell of 128 KiB
    text.more(dialect.body_offset)
    while text.data or not text.ended:
        cut = len(text.data) if text.ended else text.data.rfind(b"\n") + 1
        if cut:
            block, line = text.data[:cut], text.lines_gone + 1
            read, chunk = _plain_block(block, line, dialect, max_payload_bytes)
            if chunk is None:
                read, chunk = _quoted_block(block, line, dialect, max_payload_bytes)
            if chunk is not None:
                text.more(read)
                yield from _in_parts(chunk, dialect)
            else:
                yield from _exactly(text, cut, dialect, max_payload_bytes)
        elif len(text.data) > max_payload_bytes:
            yield from _exactly(text, 1, dialect, max_payload_bytes)
        else:
            text.more()


def _plain_block(block: bytes, line: int, dialect: Dialect, max_payload_bytes: int) -> tuple[int, Chunk | None]:
    """The rows of a block without quotes, and the bytes read for them; None if anything in it is unusual."""
    block_of_unix = block.replace(b"\r\n", b"\n")
    if b'"' in block or C0.search(block) or b"\r" in block_of_unix:
        return 0, None
    raws = block_of_unix.split(b"\n")
    if not raws[-1]:
        raws.pop()
    if not all(raws) or max(map(len, raws), default=0) > max_payload_bytes:
        return 0, None
    try:
        cells = [raw.split(dialect.delimiter) for raw in block_of_unix.decode().split("\n")[: len(raws)]]
    except UnicodeDecodeError:
        return 0, None
    return len(block), _chunk(list(range(line, line + len(raws))), raws, cells, dialect)


def _quoted_block(block: bytes, line: int, dialect: Dialect, max_payload_bytes: int) -> tuple[int, Chunk | None]:
    """The rows of a block, read with the csv module, and the bytes read for them, except a row that continues after it. None if anything is unusual."""
    if C0.search(block):
        return 0, None
    try:
        lines = [f"{each}\n" for each in block.decode().split("\n")]
    except UnicodeDecodeError:
        return 0, None
    positions: list[int] = []
    raws: list[bytes] = []
    cells: list[list[str]] = []
    reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
    start, read = 0, len(block)
    try:
        for row in reader:
            raw = lines[start] if reader.line_num == start + 1 else "".join(lines[start : reader.line_num])
            if row and (len(row) > 1 or row[0].strip()):
                positions.append(line + start)
                raws.append(raw.rstrip("\r\n").encode())
                cells.append(row)
            start = reader.line_num
    except csv.Error:
        read = len("".join(lines[:start]).encode())
        if reader.line_num < len(lines) or len(block) - read > max_payload_bytes:
            return 0, None
    if not raws or max(map(len, raws)) > max_payload_bytes:
        return 0, None
    return read, _chunk(positions, raws, cells, dialect)


def _chunk(positions: list[int], raws: list[bytes], cells: list[list[str]], dialect: Dialect) -> Chunk:
    """The rows as payloads by header; rows that do not fit the header become rejects."""
    headers = dialect.headers
    expected = len(headers)
    chunk = Chunk(positions, raws, [], headers=dialect.keys, kind="table")
    if set(map(len, cells)) == {expected}:
        chunk.values = [dict(zip(headers, [cell or None for cell in row], strict=True)) for row in cells]
        return chunk
    kept: list[bool] = []
    for position, raw, row in zip(positions, raws, cells, strict=True):
        values = values_of(row, headers)
        kept.append(not isinstance(values, Fault))
        if isinstance(values, Fault):
            chunk.rejects.append(Reject(position, raw, values))
        else:
            chunk.values.append(values)
    chunk.positions, chunk.raws = list(compress(positions, kept)), list(compress(raws, kept))
    return chunk


def _in_parts(chunk: Chunk, dialect: Dialect) -> Iterator[Chunk]:
    for start in range(0, max(len(chunk.positions), 1), _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        yield Chunk(
            chunk.positions[part],
            chunk.raws[part],
            chunk.values[part],
            chunk.rejects if start == 0 else [],
            headers=dialect.keys,
            kind="table",
        )


def _exactly(text: Text, until: int, dialect: Dialect, max_payload_bytes: int) -> Iterator[Chunk]:
    """The rows that start before `until`, one by one."""
    record = _record_pattern(dialect.delimiter)
    chunk = Chunk(headers=dialect.keys, kind="table")
    at, line = 0, text.lines_gone + 1
    while at < until and at < len(text.data):
        end = _record_end(record, text.data, at)
        if end >= len(text.data) and not text.ended:
            if len(text.data) - at <= max_payload_bytes:
                until -= at
                text.more(at)
                at = 0
                continue
            if b"\n" not in text.data[at:]:
                head, size = text.long_line(at)
                if head:
                    chunk.rejects.append(Reject(line, head, too_large(size, max_payload_bytes), size=size))
                break
            end = text.data.find(b"\n", at) + 1  # a quote that is not closed within the maximum row size: it ends with its line
        raw = text.data[at:end].rstrip(b"\r\n")
        if raw.strip(WHITE):
            cells = _cells(raw, dialect, max_payload_bytes)
            if isinstance(cells, Fault) and (cut := raw.find(b"\n")) >= 0:
                # More likely an unclosed quote than a row with many lines: reject only its first line, because the next may be a good row.
                raw = raw[:cut].rstrip(b"\r")
                end = at + cut + 1
                cells = _cells(raw, dialect, max_payload_bytes)
                cells = cells if isinstance(cells, Fault) else _BAD_QUOTING
            values = cells if isinstance(cells, Fault) else values_of(cells, dialect.headers)
            if isinstance(values, Fault):
                chunk.rejects.append(Reject(line, raw[: MAX_RAW_TEXT + 1], values, size=len(raw)))
            else:
                chunk.positions.append(line)
                chunk.raws.append(raw)
                chunk.values.append(values)
        line += text.data.count(b"\n", at, end)
        at = end
        if len(chunk) >= _CHUNK_ROWS:
            yield chunk
            chunk = Chunk(headers=dialect.keys, kind="table")
    else:
        text.more(at)
    yield chunk


def _cells(raw: bytes, dialect: Dialect, max_payload_bytes: int) -> list[str] | Fault:
    if len(raw) > max_payload_bytes:
        return too_large(len(raw), max_payload_bytes)
    if found := C0.search(raw):
        return Fault("control_characters", f"control character at byte {found.start() + 1} of the row: remove it")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return Fault("wrong_encoding", f"byte {error.start + 1} of the row is not UTF-8: save the file as 'CSV UTF-8'")
    try:
        return next(csv.reader((text,), delimiter=dialect.delimiter, strict=True), [])
    except csv.Error:
        return _BAD_QUOTING


def _delimiters(data: bytes) -> str:
    """The usual delimiters, plus any other character found between words on the first lines."""
    first = b"\n".join(data[:8192].split(b"\n")[:LOOKED_AT]).decode("ascii", "ignore")
    return _USUAL_DELIMITERS + "".join(sorted(set(_DELIMITER.findall(first)) - set(_USUAL_DELIMITERS)))


def _first_rows(data: bytes, offset: int, delimiter: str, max_payload_bytes: int) -> tuple[list[list[str]], list[int]]:
    """The cells of the first non-blank rows, as far as they can be read, and where each row ends."""
    record = _record_pattern(delimiter)
    found: list[list[str]] = []
    ends: list[int] = []
    while offset < len(data) and len(found) < LOOKED_AT:
        if blank := _BLANK_LINE.match(data, offset):
            offset = blank.end()
            continue
        end = _record_end(record, data, offset)
        raw = data[offset:end].rstrip(b"\r\n")
        offset = end
        if len(raw) > max_payload_bytes:
            break
        try:
            cells = next(csv.reader([raw.decode()], delimiter=delimiter), [])
        except (UnicodeDecodeError, csv.Error):
            if not found:
                break  # the row below does not stand in for an unreadable header
            continue
        if any(cell.strip() for cell in cells):
            found.append(cells)
            ends.append(end)
    return found, ends


def _record_pattern(delimiter: str) -> re.Pattern[bytes]:
    """One row with its line end; a cell that starts with a quote may contain line ends. Possessive, so that no text causes backtracking."""
    d = re.escape(delimiter.encode("latin-1"))
    cell = rb'(?:"(?:[^"]++|"")*+"[^\n' + d + rb"]*+|[^\n" + d + rb'"][^\n' + d + rb"]*+)?+"
    return re.compile(cell + rb"(?:" + d + cell + rb")*+(?:\n|\Z)")


def _record_end(record: re.Pattern[bytes], data: bytes, offset: int) -> int:
    """Where the row that starts at `offset` ends. An unclosed quote ends with its line, not with the file."""
    match = record.match(data, offset)
    end = match.end() if match else 0
    return end if end > offset else data.find(b"\n", offset) + 1 or len(data)


def _is_regular(data: bytes, dialect: Dialect, max_payload_bytes: int) -> bool:
    """Whether unknown headers still form a table: two or more cells, and equally many in each of the next rows."""
    if len(dialect.headers) < 2:
        return False
    next_rows, _ = _first_rows(data, dialect.body_offset, dialect.delimiter, max_payload_bytes)
    return bool(next_rows) and all(len(row) == len(dialect.headers) for row in next_rows[:5])
