"""What CSV and spreadsheets share: finding the header, and turning a row's cells into a payload.

Does not belong here: reading cells (see `csv_payloads`, `sheet_payloads`), or which header means which field (see `headers`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lead_assets.intake.headers import bind
from lead_assets.intake.payloads import Fault

LOOKED_AT = 20
"""How many rows to search for the header: reports put title, date and filters above it."""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Header(NamedTuple):
    """`row`: its index among the rows searched, or -1 if there is none; `headers` as written, made unique; `keys`: the payload key of each, ""
    if unknown; `known`: the number of known ones."""

    row: int
    headers: tuple[str, ...]
    keys: dict[str, str]
    known: int


def find_header(rows: Sequence[Sequence[str]], column_map: Mapping[str, str]) -> Header | None:
    """The header among a table's first non-blank rows. A row below the first is a header only if everything above it is narrow, like a title."""
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
        # An address is not a header, so the table has none, and its first line is a lead. `--map column_1=email` names the columns.
        headers, keys = bind([f"column_{index}" for index in range(1, len(best.headers) + 1)], column_map)
        return Header(-1, headers, keys, 0)
    return best


def values_of(cells: Sequence[str], headers: tuple[str, ...]) -> dict[str, str | None] | Fault:
    """A row by its headers. Empty cells are null, and so are those missing at the end."""
    if len(cells) > len(headers) and any(cell.strip() for cell in cells[len(headers) :]):
        return Fault(
            "ragged_row", f"the row has {len(cells)} cells but the header has {len(headers)}: quote cells that contain the delimiter"
        )
    values = dict.fromkeys(headers)
    values.update((header, cell or None) for header, cell in zip(headers, cells, strict=False))
    return values
