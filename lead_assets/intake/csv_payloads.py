"""CSV bytes to payloads: which delimiter, which header means which field, one row at a time. One bad row never costs its neighbours.

The headers people write are declared in `HEADER_ALIASES`. Does not belong here: which payload shape a table has (see `adapters`).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lead_assets.core.unknown_words import unknown
from lead_assets.intake.adapters import FIELD_KEYS
from lead_assets.intake.json_payloads import C0
from lead_assets.intake.payloads import Chunk, Fault, Reject, too_large

HEADER_ALIASES: dict[str, str] = {
    alias: key
    for key, aliases in {
        "email": "e mail|email address|e mail address|mail|work email|business email|contact email|email 1|correo|correo electronico|courriel",
        "phone": "phone number|telephone|telephone number|tel|mobile|mobile phone|mobile number|cell|cell phone|work phone|telefon|telefono",
        "full_name": "fullname|contact|contact name|lead name|person name",
        "first_name": "first|firstname|given name|forename|vorname|prenom",
        "last_name": "last|lastname|surname|family name|nachname",
        "company": "company name|companyname|organisation|organisation name|organization name|account|account name|employer|business|business name|firma",
        "title": "job|position|role|job role|designation",
        "job_title": "jobtitle",
        "website": "web site|company website|company url|website url|homepage|web|url|domain|company domain",
        "linkedin_url": "linkedin|linked in|linkedin profile|linkedin profile url|linkedin url|person linkedin url",
        "country": "country region|country code|country name|nation|land|pais|pays",
        "state": "state province|state region|province|region|state code",
        "city": "town|locality",
        "industry": "sector",
        "company_size": "employees|number of employees|no of employees|headcount|employee count|company headcount",
        "source": "lead source|original source|channel",
        "status": "lead status",
        "notes": "note|comment|comments|message|description",
        "submitted_at": "submitted|submission date|submission time|timestamp|date submitted",
        "created_at": "created|created date|create date|date created",
        "lead_id": "lead|leadid|id",
        "customer_id": "customer|customerid",
        "campaign_id": "campaign|campaignid",
        "utm_campaign": "utm|campaign source",
        "property_address": "property street",
        "property_city": "property town",
        "property_state": "property province",
        "property_type": "type of property",
        "loan_amount_requested": "loan amount|requested loan amount|amount requested",
        "purchase_price": "price",
        "estimated_arv": "arv|after repair value",
        "outcome": "result|deal outcome",
        "outcome_at": "outcome date|closed at|close date",
    }.items()
    for alias in aliases.split("|")
}
"""Headers as people write them (case, accents and punctuation aside) → the payload key they mean. A key is its own alias."""

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


def header_key(header: str) -> str:
    """A header folded to how aliases are written: lower case, no accents, one space for any run of punctuation."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", header) if not unicodedata.combining(c)).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()


def check_column_map(column_map: Mapping[str, str]) -> None:
    """Raises UnknownWord if a target of `--map from=to` is not a field that a lead can have."""
    if strangers := sorted(target for target in column_map.values() if target not in FIELD_KEYS):
        raise unknown("--map: no field", strangers[0], sorted(FIELD_KEYS))


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
        headers, keys = _bind(cells, column_map)
        known = sum(1 for key in keys.values() if key)
        if (known, len(headers)) > best:
            best = (known, len(headers))
            found = Dialect(delimiter, headers, keys, offset + len(header), line + header.count(b"\n"))
    if found and not best[0] and any(_ADDRESS.fullmatch(header.strip()) for header in found.headers):
        # An address is no header: the table has none, and its first line is a lead like the others. `--map column_1=email` names the columns.
        names = tuple(f"column_{index}" for index in range(1, len(found.headers) + 1))
        headers, keys = _bind(list(names), column_map)
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


def _bind(cells: list[str], column_map: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Headers made unique, and the payload key of each. The first header that means a key has it; later ones keep their own name."""
    wanted = {header_key(source): target for source, target in column_map.items()}
    headers: list[str] = []
    keys: dict[str, str] = {}
    for index, cell in enumerate(cells, start=1):
        name = cell.strip() or f"column_{index}"
        count = 2
        while name in keys:
            name, count = f"{cell.strip()}_{count}", count + 1
        headers.append(name)
        keys[name] = ""
    taken: set[str] = set()
    for name in sorted(headers, key=lambda name: header_key(name) not in wanted):
        folded = header_key(name)
        plain = folded.replace(" ", "_")
        key = wanted.get(folded) or (plain if plain in FIELD_KEYS else HEADER_ALIASES.get(folded, ""))
        if key not in taken:
            keys[name] = key
        if key:
            taken.add(key)
    return tuple(headers), keys


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
