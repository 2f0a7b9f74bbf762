"""Permanent records besides calls: who asked to be forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lead_assets.core.suppressing import Kind, SuppressionKeyError, contact_values, fingerprint, keyed, value_hash
from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.model import Want
from lead_assets.ledger.schema import controls, suppressions

if TYPE_CHECKING:
    import polars as pl


def knows_key(tx: Tx, key: bytes | None) -> bool:
    """Whether the suppressions are stored under this key (True), or not yet (False). Raises SuppressionKeyError for another one than theirs."""
    stored = tx.execute(sa.select(controls.c.value).where(controls.c.name == _KEY)).scalar()
    if stored is None:
        return key is None
    if key is None or fingerprint(key) != stored:
        raise SuppressionKeyError(
            f"ledger: its suppressions are keyed, and {'no key is set' if key is None else 'the key at hand is another one'}: set "
            "LEAD_ASSETS_SUPPRESSION_KEY to the key that they were made with (without it: suppression.key in LEAD_ASSETS_HOME), or restore it from a backup"
        )
    return True


def take_key(tx: Tx, key: bytes) -> None:
    """Key the suppressions that were stored without one, once."""
    if knows_key(tx, key):
        return
    rows = [row._asdict() | {"value_hash": keyed(key, row.value_hash)} for row in tx.rows(sa.select(suppressions))]
    tx.execute(sa.delete(suppressions))
    if rows:
        tx.execute(sa.insert(suppressions), rows)
    tx.execute(sa.insert(controls), {"name": _KEY, "value": fingerprint(key), "set_at": tx.now_us})


def suppress(tx: Tx, rows: Sequence[tuple[str, str, str]]) -> None:
    """Record who must never be processed again: (kind, stored hash, reason) each. An earlier reason is kept."""
    values = [{"kind": kind, "value_hash": value_hash, "reason": reason, "suppressed_at": tx.now_us} for kind, value_hash, reason in rows]
    if values:
        tx.execute(tx.insert(suppressions).on_conflict_do_nothing(), values)


def lift(tx: Tx, rows: Sequence[tuple[str, str]]) -> int:
    """Suppress no longer: (kind, stored hash) each. Returns how many were suppressed."""
    mine = (sa.and_(suppressions.c.kind == kind, suppressions.c.value_hash == hashed) for kind, hashed in rows)
    return int(tx.execute(sa.delete(suppressions).where(sa.or_(sa.false(), *mine))).rowcount)


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


def suppressed_among(tx: Tx, hashes: Iterable[str]) -> dict[tuple[str, str], str]:
    """The reasons of those of the stored hashes that are suppressed, by (kind, hash)."""
    statement = sa.select(suppressions.c.kind, suppressions.c.value_hash, suppressions.c.reason)
    return {(kind, hashed): reason for kind, hashed, reason in tx.rows(statement.where(tx.among(suppressions.c.value_hash, hashes)))}


def kept_out(tx: Tx, wants: Sequence[Want], key: bytes | None) -> set[str]:
    """The keys of wants about people or companies that are suppressed: of those whose subject names an e-mail address or a domain."""
    if not wants or tx.execute(sa.select(suppressions.c.kind).limit(1)).scalar() is None:
        return set()
    hashes: dict[tuple[str, str], set[str]] = {}
    for want in wants:
        for kind, value in _named_in(want.subject):
            hashes.setdefault((kind, keyed(key, value_hash(value))), set()).add(want.key)
    if not hashes:
        return set()
    knows_key(tx, key)
    found = suppressed_among(tx, {hashed for _, hashed in hashes})
    return {each for pair, keys in hashes.items() if pair in found for each in keys}


def _named_in(subject: str) -> list[tuple[Kind, str]]:
    """What a subject ("jane@acme.com", "jane@acme.com jane doe acme.com", "acme.com") names that may be suppressed."""
    words = subject.split(" ")
    values = [value for word in words if "@" in word for value in contact_values(word)]
    return values + [("domain", word) for word in words if "." in word and "@" not in word and "/" not in word]


_KEY = "suppression_key"
