"""The outbox as rows: deliveries and dead letters. They come from the ledger alone, so a rebuild gives the same rows."""

from __future__ import annotations

from collections.abc import Collection
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
    names = list(Delivery.polars_schema())
    rows = [_row(entry) for entry in entries]
    told = [tuple(row[name] for name in names) for row in rows]
    deliveries = pl.DataFrame(told, schema=Delivery.polars_schema(), orient="row").sort(Delivery.key)
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


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    told = [{"at": _moment(at), "attempt": attempt, "reason": reason, "state": state} for at, state, reason, attempt in entry["history"]]
    return {**entry, **{name: _moment(entry[name]) for name in _TIMES}, "history": orjson.dumps(told, option=orjson.OPT_UTC_Z).decode()}


def _moment(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)
