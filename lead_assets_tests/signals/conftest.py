"""All that collecting a signal takes, with a fresh ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Lifetimes
from lead_assets.ledger.purchase import Retry
from lead_assets.sandbox import Handle
from lead_assets.signals.engine import Collected, collect
from lead_assets.signals.signal import Signal, load_signals


@dataclass
class Room:
    """Everything that collecting a signal takes."""

    settings: Settings
    ledger: Ledger
    sandbox: Handle

    def signal(self, name: str = "company_overview", **changes: Any) -> Signal:
        return replace(load_signals(self.settings)[name], **changes)

    def impatient(self, name: str = "company_overview") -> Signal:
        """A signal whose unknown answers are asked again at once."""
        signal = self.signal(name)
        return replace(signal, lifetimes=Lifetimes(signal.lifetimes.found, signal.lifetimes.not_found, timedelta(0)))

    def collect(self, leads: pl.DataFrame, signal: Signal | None = None, retry: Retry | None = None) -> Collected:
        return collect(signal or self.signal(), leads, ledger=self.ledger, settings=self.settings, retry=retry)

    def begun(self) -> list[list[str]]:
        """The pipes of each run that pipe0 was asked for, in order; looking for its end is not asking for one."""
        return [sorted(request["operations"]) for request in self.sandbox.requests("pipe0") if request["method"] == "POST"]


@pytest.fixture
def room(sandbox: Handle, tmp_path: Path) -> Iterator[Room]:
    settings = Settings(home=tmp_path, sandbox_url=sandbox.url)
    ledger = Ledger(settings.ledger_location)
    yield Room(settings, ledger, sandbox)
    ledger.close()
