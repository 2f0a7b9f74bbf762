"""The outbox as rows: deliveries and dead letters. They come from the ledger alone, so a rebuild gives the same rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import DeadLetter, Delivery
from lead_assets.ledger.ledger import Ledger

_TIMES = ("created_at", "first_sent_at", "confirmed_at", "due_by")
_OF_ENTRIES = [name for name in Delivery.polars_schema() if name != "history"]
_OF_EVENTS = {
    "id": pl.Int64(),
    "outbox_id": pl.Int64(),
    "at": pl.Int64(),
    "state": pl.String(),
    "reason": pl.String(),
    "attempt": pl.Int64(),
}


def histories(ledger: Ledger, campaigns: Collection[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of `contracts.Delivery` and of `contracts.DeadLetter` for the campaigns."""
    rows, events = ledger.outbox.columns(campaigns, ["id", *_OF_ENTRIES], list(_OF_EVENTS))
    schema = Delivery.polars_schema()
    # The ledger's microseconds are those of the columns.
    entries = _frame(rows, {"id": pl.Int64(), **{name: pl.Int64() if name in _TIMES else schema[name] for name in _OF_ENTRIES}})
    happened = _frame(events, _OF_EVENTS).sort("id")
    # Joined as lists: joining texts within the groups takes four times as long.
    told = happened.group_by("outbox_id", maintain_order=True).agg(history=_told(happened)).with_columns(pl.col("history").list.join(","))
    entries = entries.join(told, left_on="id", right_on="outbox_id", how="left", maintain_order="left").with_columns(
        pl.format("[{}]", pl.col("history").fill_null("")), *(pl.col(name).cast(schema[name]) for name in _TIMES)
    )
    died = happened.filter(pl.col("state") == "dead").group_by("outbox_id").agg(died_at=pl.col("at").max())
    letters = entries.filter(pl.col("state") == "dead").join(died, left_on="id", right_on="outbox_id", how="left")
    wanted = DeadLetter.polars_schema()
    letters = letters.with_columns(pl.col("reason").fill_null("unknown")).select(pl.col(name).cast(dtype) for name, dtype in wanted.items())
    return entries.select(schema.names()).sort(Delivery.key), letters.sort(DeadLetter.key)


def _frame(columns: Sequence[list[Any]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame([pl.Series(name, column, dtype) for (name, dtype), column in zip(schema.items(), columns, strict=True)])


def _told(events: pl.DataFrame) -> pl.Expr:
    """Each event as JSON, as orjson writes it."""
    moment = pl.from_epoch("at", time_unit="us")
    to_the_second, exact = moment.dt.to_string("%Y-%m-%dT%H:%M:%SZ"), moment.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
    at = pl.when(pl.col("at") % 1_000_000 == 0).then(to_the_second).otherwise(exact)
    reasons = events["reason"].unique()
    reason = pl.col("reason").replace_strict(reasons, [orjson.dumps(each).decode() for each in reasons], return_dtype=pl.String)
    said = {'{"at":"': at, '","attempt":': pl.col("attempt"), ',"reason":': reason, ',"state":"': pl.col("state")}
    return pl.concat_str([part for name, value in said.items() for part in (pl.lit(name), value)] + [pl.lit('"}')])
