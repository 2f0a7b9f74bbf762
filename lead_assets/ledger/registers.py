"""Permanent records besides calls: who owns each account, and who asked to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lead_assets.ledger.assignments_model import Assignment, Proposal
from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.schema import assignments, suppressions

if TYPE_CHECKING:
    import polars as pl


def assign(tx: Tx, proposals: Sequence[Proposal]) -> dict[str, Assignment]:
    """Assign each account without an owner to its first proposal. Returns the current owners by account key."""
    first: dict[str, Proposal] = {}
    for proposal in proposals:
        first.setdefault(proposal.account_key, proposal)
    if not first:
        return {}
    rows = [{**asdict(proposal), "assigned_at": tx.now_us} for proposal in first.values()]
    tx.execute(tx.insert(assignments).on_conflict_do_nothing(), rows)
    return assigned(tx, list(first))


def assigned(tx: Tx, account_keys: Sequence[str]) -> dict[str, Assignment]:
    """The owners of the given accounts, where there is one."""
    statement = sa.select(*(assignments.c[name] for name in _ASSIGNMENT)).where(tx.among(assignments.c.account_key, account_keys))
    return {row[0]: _assignment(row) for row in tx.rows(statement)}


def suppress(tx: Tx, rows: Sequence[tuple[str, str, str]]) -> None:
    """Record who must never be processed again: (kind, value_hash, reason) each. An earlier reason is kept."""
    values = [{"kind": kind, "value_hash": value_hash, "reason": reason, "suppressed_at": tx.now_us} for kind, value_hash, reason in rows]
    if values:
        tx.execute(tx.insert(suppressions).on_conflict_do_nothing(), values)


def suppressed(tx: Tx) -> pl.DataFrame:
    """All suppressions: kind, value_hash, reason, suppressed_at."""
    import polars as pl

    order = (suppressions.c.kind, suppressions.c.value_hash)
    rows = [(*row[:3], from_us(row[3])) for row in tx.rows(sa.select(suppressions).order_by(*order))]
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "kind": pl.String,
        "value_hash": pl.String,
        "reason": pl.String,
        "suppressed_at": pl.Datetime("us", "UTC"),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


_ASSIGNMENT = [field.name for field in fields(Assignment)]


def _assignment(row: Any) -> Assignment:
    values = dict(zip(_ASSIGNMENT, row, strict=True))
    return Assignment(**(values | {"assigned_at": from_us(values["assigned_at"]), "fallback": bool(values["fallback"])}))
