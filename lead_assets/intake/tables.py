"""What CSV and spreadsheets have in common: which line is the header, and what a row's cells are.

Does not belong here: reading cells (see `csv_payloads`, `sheet_payloads`), and which header means which field (see `headers`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lead_assets.intake.headers import bind
from lead_assets.intake.payloads import Fault

LOOKED_AT = 20
"""Rows among which the header is looked for: reports put their title, date and filters above it."""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Header(NamedTuple):
    """`row`: its number among the rows that were looked at, or -1 if the table has none; `headers` as written, made unique; `keys`: what each means, ""
    for nothing known; `known`: how many mean something."""

    row: int
    headers: tuple[str, ...]
    keys: dict[str, str]
    known: int


def find_header(rows: Sequence[Sequence[str]], column_map: Mapping[str, str]) -> Header | None:
    """The header among a table's first rows, which are not blank. A row below the first is one only if what stands above it is narrow, like a title."""
    best: Header | None = None
    widest = 0
    for number, cells in enumerate(rows[:LOOKED_AT]):
        filled = sum(1 for cell in cells if cell.strip())
        if best is None or (filled > 2 and widest * 2 <= filled):
            headers, keys = bind(list(cells), column_map)
            found = Header(number, headers, keys, sum(1 for key in keys.values() if key))
            if best is None or found.known > max(best.known, 1):
                best = found
        widest = max(widest, filled)
    if best and not best.known and any(_ADDRESS.fullmatch(header.strip()) for header in best.headers):
        # An address is no header: the table has none, and its first line is a lead like the others. `--map column_1=email` names the columns.
        headers, keys = bind([f"column_{index}" for index in range(1, len(best.headers) + 1)], column_map)
        return Header(-1, headers, keys, 0)
    return best


def values_of(cells: Sequence[str], headers: tuple[str, ...]) -> dict[str, str | None] | Fault:
    """A row by its headers. Cells that a spreadsheet leaves out at the end are null, and so are empty ones."""
    if len(cells) > len(headers) and any(cell.strip() for cell in cells[len(headers) :]):
        return Fault("ragged_row", f"the row has {len(cells)} cells and the header {len(headers)}: quote cells that hold the delimiter")
    values = dict.fromkeys(headers)
    values.update((header, cell or None) for header, cell in zip(headers, cells, strict=False))
    return values
