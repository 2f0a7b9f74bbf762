"""What commands do when Dagster's own database goes away mid-run: wait for it and run the campaign again, which buys nothing twice.

The ledger waits on its own (see `lead_assets.ledger.database`); Dagster's storage waits only seconds. Runs that a daemon starts are retried by
the daemon (deploy/dagster.yaml); this is for runs inside a command.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from dagster import DagsterInstance, DagsterRun

T = TypeVar("T")

_ATTEMPTS = 8
_PATIENCE = 180.0
"""Longest outage to wait for, in seconds: a managed Postgres is back from a failover within two minutes."""
_LOST = ("OperationalError", "InterfaceError", "DagsterPostgresException")
_FULL = ("database or disk is full", "No space left on device")

_log = logging.getLogger(__name__)


def outlast(instance: DagsterInstance, work: Callable[[], T], *, is_lost: Callable[[T], bool] = lambda result: False) -> T:
    """The work's result. If storage is lost (shown by an exception, or by `is_lost` on the result), wait until it is back and start over."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            result = work()
        except Exception as error:
            if not lost(error) or attempt == _ATTEMPTS:
                raise
        else:
            if not is_lost(result) or attempt == _ATTEMPTS:
                return result
        _log.warning("Dagster's storage was lost; waiting for it to run again")
        wait(instance)
    raise AssertionError("the last attempt returns or raises")


def lost(error: BaseException | None) -> bool:
    """Whether an exception or one of its causes says that a database went away. A full disk does not come back by waiting."""
    while error is not None and not is_full_text(str(error)):
        if type(error).__name__ in _LOST:
            return True
        error = error.__cause__ or error.__context__
    return False


def is_lost_text(failure: str) -> bool:
    """The same for a failed step's text."""
    return any(name in failure for name in _LOST) and not is_full_text(failure)


def is_full_text(failure: str) -> bool:
    """Whether it says that the disk is full."""
    return any(text in failure for text in _FULL)


def end(instance: DagsterInstance, run_id: str) -> None:
    """Mark an interrupted run as failed, so that it does not show as started forever."""
    run = instance.get_run_by_id(run_id)
    if isinstance(run, DagsterRun) and not run.is_finished:
        instance.report_run_failed(run, "its storage was lost; the campaign is being run again")


def wait(instance: DagsterInstance) -> None:
    """Return once the storage answers. Raises its error if that takes too long."""
    give_up = time.monotonic() + _PATIENCE
    pause = 0.2
    while True:
        try:
            instance.get_runs_count()
        except Exception as error:
            if not lost(error) or time.monotonic() > give_up:
                raise
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            return
