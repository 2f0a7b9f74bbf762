"""The journal: every paid answer, and the newest one per key.

Belongs here: writing and reading `calls` and `heads`, and packing bodies. Does not belong here: who may call (`claims`), money (`money`).
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from lead_assets.contracts.signals import State
from lead_assets.ledger.database import Tx, from_us, insert_into, one_of
from lead_assets.ledger.model import Answer, History, T
from lead_assets.ledger.schema import calls, heads

_PACK_FROM = 200
"""Size in bytes from which a body is compressed: below it, zlib's overhead outweighs the gain."""


@dataclass(frozen=True)
class JournalEntry:
    """One row of the journal, before it has an id."""

    key: str
    state: State
    reason: str | None
    provider: str
    operation: str
    subject: str
    campaign_id: str
    cost_micros: int
    answered_us: int
    day: str
    """The day (UTC) whose budgets it counts against: the one that reserved its price, whenever the answer comes."""
    uncertain: bool = False
    """The call may have been billed but nobody saw its answer: it counts as spending, but not as an answer."""
    vendor_ref: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    body: bytes | None = None


def pack(body: Any) -> bytes | None:
    """A JSON-serialisable body as bytes, compressed if that saves space."""
    if body is None:
        return None
    try:
        text = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # orjson refuses integers above 64 bits and lone surrogates, and vendors send both.
        text = json.dumps(body, default=str).encode()
    return pack_text(text)


def pack_text(text: bytes) -> bytes:
    return zlib.compress(text, 6) if len(text) >= _PACK_FROM else text


def unpack_text(data: bytes | None) -> bytes:
    """The JSON text of a body; empty if there is none."""
    if data is None:
        return b""
    # zlib data starts with the byte "x", which cannot start a JSON text.
    return zlib.decompress(data) if data[:1] == b"x" else bytes(data)


def unpack(data: bytes | None) -> Any:
    if data is None:
        return None
    text = unpack_text(data)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def write(tx: Tx, entries: Sequence[JournalEntry]) -> None:
    """Journal the entries; each answer becomes the newest for its key and state."""
    if not entries:
        return
    first = (tx.execute(_LAST_ID).scalar() or 0) + 1
    rows: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    unknown: list[dict[str, Any]] = []
    for number, entry in enumerate(entries, first):
        rows.append(
            {
                "id": number,
                "key": entry.key,
                "state": entry.state,
                "reason": entry.reason,
                "provider": entry.provider,
                "operation": entry.operation,
                "subject": entry.subject,
                "campaign_id": entry.campaign_id,
                "cost_micros": entry.cost_micros,
                "uncertain": entry.uncertain,
                "vendor_ref": entry.vendor_ref,
                "input_tokens": entry.input_tokens,
                "output_tokens": entry.output_tokens,
                "latency_ms": entry.latency_ms,
                "answered_at": entry.answered_us,
                "body": entry.body,
                "day": entry.day,
            }
        )
        if not entry.uncertain:
            (unknown if entry.state == "unknown" else known).append({"key": entry.key, "id": number})
    tx.execute(_INSERT, rows)
    _point(tx, "known_id", known)
    _point(tx, "unknown_id", unknown)


def histories(tx: Tx, keys: Iterable[str]) -> dict[str, History]:
    """The newest known and the newest unknown answer per key, where they exist."""
    found = tx.raw_rows(heads_of(tx.postgres), {"listed": tx.listed(keys)})
    wanted = [number for _, known, unknown in found for number in (known, unknown) if number is not None]
    if not wanted:
        return {}
    rows = tx.raw_rows(_answers_of(tx.postgres), {"listed": tx.listed(wanted)})
    answers = {row[0]: _answer(*row) for row in rows}
    return {key: History(answers.get(known), answers.get(unknown)) for key, known, unknown in found}


def already_written(tx: Tx, pairs: Iterable[tuple[str, int]]) -> set[str]:
    """The keys among (key, answered_us) whose exact answer is in the journal: what a cut-off transaction did commit."""
    times = dict(pairs)
    statement = (
        sa.select(calls.c.key, calls.c.answered_at)
        .join(heads, sa.or_(heads.c.known_id == calls.c.id, heads.c.unknown_id == calls.c.id))
        .where(tx.among(heads.c.key, times))
    )
    return {key for key, answered_at in tx.rows(statement) if times[key] == answered_at}


_ANSWERS = sa.select(
    calls.c.id,
    calls.c.key,
    calls.c.state,
    calls.c.reason,
    calls.c.cost_micros,
    calls.c.answered_at,
    calls.c.campaign_id,
    calls.c.vendor_ref,
    calls.c.input_tokens,
    calls.c.output_tokens,
    calls.c.latency_ms,
    calls.c.body,
)


class _Journaled(Answer):
    """An answer as the journal has it: its body is not read yet."""

    packed: bytes | None

    if not TYPE_CHECKING:

        @functools.cached_property
        def body(self) -> Any:
            return unpack(self.packed)

    def read(self, parser: Callable[[Any], T]) -> T:
        return parser(self.__dict__["body"] if "body" in self.__dict__ else unpack(self.packed))


def _answer(
    _id: int,
    key: str,
    state: State,
    reason: str | None,
    cost_micros: int,
    answered_us: int,
    campaign_id: str,
    vendor_ref: str | None,
    input_tokens: int,
    output_tokens: int,
    latency_ms: int,
    body: bytes | None,
) -> Answer:
    answer = object.__new__(_Journaled)
    # What the class's own constructor does for a frozen dataclass takes 3 µs, as long as parsing the body.
    answer.__dict__.update(
        key=key,
        state=state,
        reason=reason,
        packed=body,
        cost_micros=cost_micros,
        answered_at=from_us(answered_us),
        campaign_id=campaign_id,
        vendor_ref=vendor_ref,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        latency_ms=latency_ms,
        stale=False,
        bought=False,
    )
    return answer


def _point(tx: Tx, column: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    tx.execute(_pointing(column, tx.postgres), rows)


_LAST_ID = sa.select(sa.func.max(calls.c.id))
_INSERT = sa.insert(calls)


@functools.cache
def heads_of(postgres: bool) -> Any:
    """A SELECT of key, known_id, unknown_id for the parameter `listed`."""
    return sa.select(heads.c.key, heads.c.known_id, heads.c.unknown_id).where(one_of(heads.c.key, postgres))


@functools.cache
def _answers_of(postgres: bool) -> Any:
    return _ANSWERS.where(one_of(calls.c.id, postgres))


@functools.cache
def _pointing(column: str, postgres: bool) -> Any:
    statement = insert_into(heads, postgres).values({"key": sa.bindparam("key"), column: sa.bindparam("id")})
    return statement.on_conflict_do_update(index_elements=["key"], set_={column: statement.excluded[column]})
