"""On whose behalf the warehouse is used: the run and asset that Snowflake's query history then names.

Does not belong here: how a warehouse says it (Snowflake: a query tag; DuckDB: not at all).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    run_id: str | None
    asset: str


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def caller() -> Caller | None:
    """Who is at work in this context; None outside of a run."""
    return _caller.get()


@contextmanager
def on_behalf_of(run_id: str | None, asset: str) -> Iterator[None]:
    token = _caller.set(Caller(run_id, asset))
    try:
        yield
    finally:
        _caller.reset(token)
