"""The run and asset that are using the warehouse, so that Snowflake's query history can name them.

Does not belong here: how a warehouse records it (Snowflake: a query tag; DuckDB: not at all).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    run_id: str | None
    asset: str


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def caller() -> Caller | None:
    """The caller in this context; None outside a run."""
    return _caller.get()


@contextmanager
def on_behalf_of(run_id: str | None, asset: str) -> Iterator[None]:
    token = _caller.set(Caller(run_id, asset))
    try:
        yield
    finally:
        with suppress(ValueError):  # a terminated run's generator is closed in another context, where there is nothing to reset
            _caller.reset(token)
