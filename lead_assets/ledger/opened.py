"""Opens the ledger named by the settings for the duration of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger


@contextmanager
def opened_ledger(settings: Settings) -> Iterator[Ledger]:
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(settings.ledger_location)
    try:
        yield ledger
    finally:
        ledger.close()
