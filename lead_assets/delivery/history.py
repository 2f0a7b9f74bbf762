"""The outbox as rows: deliveries and dead letters. They come from the ledger alone, so a rebuild gives the same rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import DeadLetter, Delivery
from lead_assets.ledger.database import from_us
from lead_assets.ledger.ledger import Ledger

_TIMES = ("created_at", "first_sent_at", "confirmed_at", "due_by")


def histories(ledger: Ledger, campaigns: Collection[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of `contracts.Delivery` and of `contracts.DeadLetter` for the campaigns."""
    entries = ledger.outbox.entries(campaigns)
    deliveries = pl.DataFrame([_column(name, dtype, entries) for name, dtype in Delivery.polars_schema().items()]).sort(Delivery.key)
    dead = [entry for entry in entries if entry["state"] == "dead"]
    letters = [
        (
            *(entry[name] for name in DeadLetter.key),
            entry["reason"] or "unknown",
            entry["attempts"],
            entry["uncertain"],
            _moment(max(at for at, state, _, _ in entry["history"] if state == "dead")),
        )
        for entry in dead
    ]
    return deliveries, pl.DataFrame(letters, schema=DeadLetter.polars_schema(), orient="row").sort(DeadLetter.key)


def _column(name: str, dtype: pl.DataType, entries: Sequence[dict[str, Any]]) -> pl.Series:
    if name == "history":
        return pl.Series(name, [_told(entry["history"]) for entry in entries], dtype)
    values = [entry[name] for entry in entries]
    # The ledger's microseconds are those of the column.
    return pl.Series(name, values, pl.Int64).cast(dtype) if name in _TIMES else pl.Series(name, values, dtype)


def _told(history: Sequence[tuple[int, str, str | None, int]]) -> str:
    told = [{"at": _moment(at), "attempt": attempt, "reason": reason, "state": state} for at, state, reason, attempt in history]
    return orjson.dumps(told, option=orjson.OPT_UTC_Z).decode()


def _moment(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)
