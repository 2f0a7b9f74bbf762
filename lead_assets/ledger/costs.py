"""Spending: sums over the journal, grouped as requested."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

import sqlalchemy as sa

from lead_assets.ledger.database import Tx
from lead_assets.ledger.model import to_usd
from lead_assets.ledger.schema import calls, spend

if TYPE_CHECKING:
    import polars as pl

By = Literal["day", "campaign", "provider", "operation", "state", "reason"]
_COLUMNS = {name: spend.c["campaign_id" if name == "campaign" else name] for name in get_args(By)}


class Billed(TypedDict):
    """`calls`: answers that cost something. `uncertain_calls`: calls that may have been billed but whose answer was lost; `usd` excludes their price."""

    calls: int
    usd: Decimal
    uncertain_calls: int


def costs(tx: Tx, by: Sequence[By], campaigns: Collection[str] | None) -> pl.DataFrame:
    """One row per value of `by`: those columns, answers, calls, usd, uncertain_calls, uncertain_usd, input_tokens, output_tokens."""
    import polars as pl

    unknown = [name for name in by if name not in _COLUMNS]
    if unknown:
        raise ValueError(f"costs: cannot group by {', '.join(unknown)}: use {', '.join(_COLUMNS)}")
    groups = [_COLUMNS[name] for name in by]
    sums = [
        sa.cast(sa.func.sum(column), sa.BigInteger)
        for column in (
            spend.c.calls,
            spend.c.billed_calls,
            spend.c.cost_micros,
            spend.c.uncertain_calls,
            spend.c.uncertain_micros,
            spend.c.input_tokens,
            spend.c.output_tokens,
        )
    ]
    statement = sa.select(*groups, *sums).group_by(*groups).order_by(*groups)
    if campaigns is not None:
        statement = statement.where(tx.among(spend.c.campaign_id, campaigns))
    names = [_COLUMNS[name].name for name in by]
    figures = ["answers", "calls", "usd", "uncertain_calls", "uncertain_usd", "input_tokens", "output_tokens"]
    money = {"usd", "uncertain_usd"}
    schema = dict.fromkeys(names, pl.String()) | {name: pl.Decimal(18, 6) if name in money else pl.Int64() for name in figures}
    rows = [dict(zip([*names, *figures], row, strict=True)) for row in tx.rows(statement) if row[-1] is not None]
    for row in rows:
        row.update({name: to_usd(row[name]) for name in money})
    return pl.DataFrame(rows, schema=schema, orient="row")


def billed(tx: Tx, since: int | None, campaigns: Collection[str] | None) -> Billed:
    """What was billed: in total, since a call id (`last_call`), or for some campaigns."""
    if since is None:
        statement = sa.select(sa.func.sum(spend.c.billed_calls), sa.func.sum(spend.c.cost_micros), sa.func.sum(spend.c.uncertain_calls))
        campaign = spend.c.campaign_id
    else:
        certain = sa.not_(calls.c.uncertain)
        statement = sa.select(
            sa.func.count().filter(certain, calls.c.cost_micros > 0),
            sa.func.sum(calls.c.cost_micros).filter(certain),
            sa.func.count().filter(calls.c.uncertain),
        ).where(calls.c.id > since)
        campaign = calls.c.campaign_id
    if campaigns is not None:
        statement = statement.where(tx.among(campaign, campaigns))
    count, micros, uncertain = tx.rows(statement)[0]
    return Billed(calls=int(count or 0), usd=to_usd(int(micros or 0)), uncertain_calls=int(uncertain or 0))


def journaled(tx: Tx) -> pl.DataFrame:
    """One row per call in the journal, by id: everything but whom it was about and what was answered (see `contracts.JournaledCall`).

    call_id, question (id of the first call with the same key), attempt (1 for the first), about (id of the first call with the same subject), day,
    answered_at, campaign_id, provider, operation, state, reason, uncertain, cost_usd, uncertain_usd, input_tokens, output_tokens, latency_ms.
    """
    import polars as pl

    types = {name: pl.Int64() if name in _NUMBERS else pl.String() for name in _JOURNALED_COLUMNS}
    last = last_call(tx)
    frames = [
        pl.DataFrame(tx.raw_rows(_JOURNALED, {"first": first, "past": first + _ROWS_AT_ONCE}), schema=types, orient="row")
        for first in range(0, last + 1, _ROWS_AT_ONCE)
    ]
    frame = pl.concat(frames).sort("call_id")
    answered = pl.from_epoch(pl.col("answered_at"), "us").dt.replace_time_zone("UTC")
    price = (pl.col("micros").cast(pl.Decimal(18, 6)) / 1_000_000).cast(pl.Decimal(18, 6))
    nothing = pl.lit(0).cast(pl.Decimal(18, 6))
    return frame.with_columns(
        answered_at=answered,
        day=pl.coalesce(pl.col("day").str.to_date("%Y-%m-%d"), answered.dt.date()),
        question=pl.col("call_id").min().over("key"),
        attempt=pl.int_range(1, pl.len() + 1).over("key"),
        # A person who was forgotten has no subject any more, and such calls are about nobody in common.
        about=pl.when(pl.col("subject") == "").then(pl.col("call_id")).otherwise(pl.col("call_id").min().over("subject")),
        uncertain=pl.col("uncertain").cast(pl.Boolean),
        cost_usd=pl.when(pl.col("uncertain") == 0).then(price).otherwise(nothing),
        uncertain_usd=pl.when(pl.col("uncertain") == 0).then(nothing).otherwise(price),
    ).drop("key", "subject", "micros")


def attempts_about(tx: Tx, subjects: Collection[str]) -> pl.DataFrame:
    """The calls about some subjects, by id, with the subject: subject, provider, operation, state, reason, uncertain, cost_usd, latency_ms, answered_at.

    Reads the whole journal, which has no index on subjects: for a person who asks, not for a run.
    """
    import polars as pl

    statement = sa.select(
        *(calls.c[name] for name in ("subject", "provider", "operation", "state", "reason")),
        sa.case((calls.c.uncertain, 1), else_=0),
        *(calls.c[name] for name in ("cost_micros", "latency_ms", "answered_at")),
    )
    rows = tx.rows(statement.where(tx.among(calls.c.subject, subjects)).order_by(calls.c.id))
    names = ("subject", "provider", "operation", "state", "reason", "uncertain", "cost_usd", "latency_ms", "answered_at")
    texts = names[:5]
    frame = pl.DataFrame(
        [tuple(row) for row in rows], schema={name: pl.String() if name in texts else pl.Int64() for name in names}, orient="row"
    )
    return frame.with_columns(
        uncertain=pl.col("uncertain") == 1,
        cost_usd=(pl.col("cost_usd").cast(pl.Decimal(18, 6)) / 1_000_000).cast(pl.Decimal(18, 6)),
        answered_at=pl.from_epoch(pl.col("answered_at"), "us").dt.replace_time_zone("UTC"),
    )


_ROWS_AT_ONCE = 200_000
"""Rows fetched at a time: as Python objects, five million would take gigabytes."""
# A prefix of the key, a SHA-256, is as unique and a quarter of the size.
_JOURNALED = sa.text(
    "SELECT id, SUBSTR(key, 1, 16), subject, day, answered_at, campaign_id, provider, operation, state, reason, "
    "CASE WHEN uncertain THEN 1 ELSE 0 END, cost_micros, input_tokens, output_tokens, latency_ms "
    "FROM calls WHERE id >= :first AND id < :past"
)
_JOURNALED_COLUMNS = (
    *("call_id", "key", "subject", "day", "answered_at", "campaign_id", "provider", "operation", "state", "reason"),
    *("uncertain", "micros", "input_tokens", "output_tokens", "latency_ms"),
)
_NUMBERS = ("call_id", "answered_at", "uncertain", "micros", "input_tokens", "output_tokens", "latency_ms")


def last_call(tx: Tx) -> int:
    return int(tx.execute(sa.select(sa.func.max(calls.c.id))).scalar() or 0)


def called_since(tx: Tx, call: int) -> set[str]:
    """The keys of all calls after a call id."""
    return {key for (key,) in tx.rows(sa.select(calls.c.key).where(calls.c.id > call).distinct())}


def last_calls(tx: Tx, call: int) -> dict[str, int]:
    """Key → its newest call, of the keys that were called after a call id."""
    newest = sa.select(calls.c.key, sa.func.max(calls.c.id)).where(calls.c.id > call).group_by(calls.c.key)
    return dict(map(tuple, tx.rows(newest)))


def called_for_others(tx: Tx, call: int, campaigns: Collection[str]) -> dict[str, int]:
    """Key → its first call after a call id, of the calls that none of `campaigns` has paid for."""
    paid = sa.select(calls.c.key, calls.c.campaign_id, calls.c.id).where(calls.c.id > call).order_by(calls.c.id.desc())
    return {key: number for key, campaign, number in tx.rows(paid) if campaign not in campaigns}
