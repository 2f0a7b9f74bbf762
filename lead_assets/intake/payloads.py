"""The results of parsing: payloads with their position, and faults with a code. The vocabulary of the intake room.

Does not belong here: reading a format (see `parse`), or the meaning of a payload's fields (see `adapters`, `rows`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from lead_assets.intake.alike import Alike

MAX_DEPTH = 32
"""Deepest allowed nesting. Far more than any lead needs, and far below the limits of JSON writers and VARIANT columns."""

MAX_RAW_TEXT = 64 * 1024
"""Bytes of a rejected payload kept in the table; the archive has all of it."""

FORGOTTEN = "lead_assets:forgotten"
"""Stands in a drop in place of a payload whose person was forgotten, so that the drop still has as many payloads as were counted on its arrival."""

EXPIRED = "lead_assets:expired"
"""Stands in a drop in place of a payload that was kept as long as rules/privacy.yaml says."""

_CONTROLS = {code: f"\\x{code:02x}" for code in range(32) if chr(code) not in "\t\n\r"}


class Fault(NamedTuple):
    """Why a payload was rejected. `reason` names the place and the next step, never the value."""

    code: str
    reason: str
    field: str | None = None


class Reject(NamedTuple):
    """A rejected payload. `campaign` is its own campaign as the sender wrote it, if it could be read."""

    position: int
    raw: bytes
    fault: Fault
    campaign: str | None = None
    size: int = 0
    """Size of the whole payload, if `raw` does not contain all of it."""
    part: int = 1
    """Which lead of the payload is meant, from 1."""

    @property
    def raw_bytes(self) -> int:
        return self.size or len(self.raw)

    @property
    def raw_text(self) -> str:
        return printable(self.raw)


@dataclass
class Chunk:
    """Some thousands of payloads of a drop, in columns: `values[i]` stood at `positions[i]` as `raws[i]`.

    `headers` is None for JSON; for rows of a table and for forms it maps each header as written to the field it stands for. A header that occurs
    twice has a value each time, as `name` and `name_2`. `column_map` is the sender's own, for all kinds. `drops[i]` is the number of the drop that
    `values[i]` came in, where payloads of several are together.
    """

    positions: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    headers: dict[str, str] | None = None
    kind: Literal["json", "table", "form"] = "json"
    column_map: Mapping[str, str] = field(default_factory=dict)
    drops: list[int] = field(default_factory=list)
    encoding: str | None = None
    """The guessed encoding of the drop, if the bytes were the only evidence."""
    alike: Alike | None = None
    """The payloads' lines, where they seem to be written alike: `raws` and `values` are then empty, and `json_payloads.plain` fills them."""

    def __len__(self) -> int:
        return len(self.positions) + len(self.rejects)


def printable(raw: bytes) -> str:
    """The bytes as text, cut at MAX_RAW_TEXT bytes: without half characters, control characters or invalid UTF-8."""
    cut = raw[:MAX_RAW_TEXT]
    if len(raw) > MAX_RAW_TEXT:
        cut = re.sub(rb"[\xc0-\xff][\x80-\xbf]{0,3}\Z", b"", cut)
    return cut.decode("utf-8", "backslashreplace").translate(_CONTROLS)


def whole_file(fault: Fault, head: bytes, size: int) -> Chunk:
    """A file that cannot be read at all, or not to its end: one reject, at position 0."""
    return Chunk(rejects=[Reject(0, head[: MAX_RAW_TEXT + 1], fault, size=size)])


def too_large(size: int, limit: int) -> Fault:
    return Fault(
        "payload_too_large",
        f"the payload is {size} bytes, more than the {limit} allowed: send it smaller, or raise LEAD_ASSETS_MAX_PAYLOAD_BYTES",
    )


def marked(raw: bytes) -> Fault | None:
    """Why nothing is left of a payload, if it is a mark."""
    if FORGOTTEN.encode() in raw:
        return forgotten()
    if EXPIRED.encode() in raw:
        return Fault("expired", "the payload was kept as long as rules/privacy.yaml says: nothing is left of it, and nothing is to be done")
    return None


def forgotten() -> Fault:
    return Fault("forgotten", "the person asked to be forgotten: nothing is left of the payload, and nothing is to be done")


def campaign_of(value: Any) -> str | None:
    """The campaign named in the payload, as the sender wrote it; None if there is none."""
    if isinstance(value, dict):
        for key in ("campaign_id", "utm_campaign"):
            named = value.get(key)
            if isinstance(named, int) and not isinstance(named, bool):
                return str(named)
            if isinstance(named, str) and named.strip():
                return named.strip()
    return None
