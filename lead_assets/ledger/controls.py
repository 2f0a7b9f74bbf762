"""What stops purchases besides budgets: the kill switch, open circuits, and the world a ledger belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.schema import circuits
from lead_assets.ledger.schema import controls as table

FAILURES_TO_OPEN = 8
"""Consecutive failures, over all processes, that open a provider's circuit. With fewer, the retries of a single call would open it."""
_COOL_SECONDS = 15.0
"""How long a circuit stays open at first. Each failed probe doubles it."""
_COOL_MOST = 600.0
_COOL_MOST_US = int(_COOL_MOST * 1e6)
_WORLD = "world"
_PAUSED = "paused:"


@dataclass(frozen=True)
class Circuit:
    """A provider that failed too often in a row. After `open_until` one batch probes it; until that is answered, no other call is let through."""

    provider: str
    open_until: datetime

    def as_row(self) -> dict[str, str]:
        return {"provider": self.provider, "open_until": self.open_until.isoformat(timespec="seconds")}


def refusals(tx: Tx, providers: set[str]) -> dict[str, str]:
    """The providers that must not be called now, with reasons."""
    if not providers:
        return {}
    paused = paused_providers(tx)
    reasons = dict.fromkeys(providers if "" in paused else providers & paused, "paused")
    for row in tx.execute(_OPEN, {"now": tx.now_us, "longest": tx.now_us + _COOL_MOST_US}):
        if row.provider in providers:
            reasons.setdefault(row.provider, "provider_error")
    return reasons


def pause(tx: Tx, provider: str | None) -> None:
    """Block new calls to one provider or to all. Calls in progress finish and are journaled."""
    statement = tx.insert(table).values(name=_PAUSED + (provider or ""), value="", set_at=tx.now_us)
    tx.execute(statement.on_conflict_do_nothing())


def resume(tx: Tx, provider: str | None) -> None:
    """Lift a pause and close the circuit of one provider, or of all."""
    if provider:
        tx.execute(sa.delete(table).where(table.c.name == _PAUSED + provider))
        close_circuits(tx, {provider})
    else:
        tx.execute(sa.delete(table).where(table.c.name.startswith(_PAUSED)))
        tx.execute(sa.delete(circuits))


def paused_providers(tx: Tx) -> set[str]:
    """The paused providers; the empty name means all."""
    return {name.removeprefix(_PAUSED) for (name,) in tx.execute(_PAUSES)}


def note_failure(tx: Tx, provider: str, *, counts: bool = True) -> bool:
    """Count a failure caused by the provider, unless already counted.

    Returns True if the circuit is now open, or its time is up and nobody has probed yet.
    """
    row = tx.execute(sa.select(circuits).where(circuits.c.provider == provider)).first()
    if not counts:
        return row is not None and row.failures >= FAILURES_TO_OPEN
    if row is not None and row.failures >= FAILURES_TO_OPEN and not row.probing:
        # Sent before the circuit opened. A dozen such calls in flight once kept a provider out for eight minutes.
        return True
    failures = (row.failures if row is not None else 0) + 1
    opened = failures >= FAILURES_TO_OPEN
    cool = min(_COOL_SECONDS * 2 ** min(failures - FAILURES_TO_OPEN, 10), _COOL_MOST) if opened else 0.0
    values = {"failures": failures, "open_until": tx.now_us + int(cool * 1e6), "probing": False}
    statement = tx.insert(circuits).values(provider=provider, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["provider"], set_=values))
    return opened


def begin_probes(tx: Tx, providers: set[str]) -> None:
    """When a circuit's time is up, let one batch through. Everybody else stays out until that batch ends or should have ended."""
    if providers & _failing(tx):
        tx.execute(
            sa.update(circuits)
            .where(circuits.c.provider.in_(sorted(providers)), circuits.c.failures >= FAILURES_TO_OPEN)
            .values(open_until=tx.now_us + int(_COOL_SECONDS * 1e6), probing=True)
        )


def open_circuits(tx: Tx) -> list[Circuit]:
    """The providers with an open circuit, and until when; after that, one call probes."""
    statement = sa.select(circuits.c.provider, circuits.c.open_until).where(circuits.c.failures >= FAILURES_TO_OPEN)
    longest = tx.now_us + _COOL_MOST_US
    rows = tx.rows(statement.order_by(circuits.c.provider))
    return [Circuit(provider, from_us(until if until <= longest else tx.now_us)) for provider, until in rows]


def close_circuits(tx: Tx, providers: set[str]) -> None:
    """Record that the providers answered, which clears their failures."""
    if providers & _failing(tx):
        tx.execute(sa.delete(circuits).where(circuits.c.provider.in_(sorted(providers))))


def _failing(tx: Tx) -> set[str]:
    """The providers whose last call failed; usually none."""
    return {provider for (provider,) in tx.raw_rows(_FAILING)}


_FAILING = sa.select(circuits.c.provider)
# A circuit that would stay open for longer was opened before the clock went back: its time is up.
_OPEN = sa.select(circuits).where(
    circuits.c.failures >= FAILURES_TO_OPEN, circuits.c.open_until > sa.bindparam("now"), circuits.c.open_until <= sa.bindparam("longest")
)
_PAUSES = sa.select(table.c.name).where(table.c.name.startswith(_PAUSED))


def bind_world(tx: Tx, world: str) -> str:
    """Bind the ledger to a world if it has none; returns the world it belongs to."""
    tx.execute(tx.insert(table).values(name=_WORLD, value=world, set_at=tx.now_us).on_conflict_do_nothing())
    return str(tx.execute(sa.select(table.c.value).where(table.c.name == _WORLD)).scalar_one())


def world(tx: Tx) -> Literal["sandbox", "live"] | None:
    """The world the ledger belongs to, if any."""
    bound: Literal["sandbox", "live"] | None = tx.execute(sa.select(table.c.value).where(table.c.name == _WORLD)).scalar()
    return bound
