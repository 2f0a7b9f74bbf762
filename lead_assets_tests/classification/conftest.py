"""A real ledger and the real client, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from lead_assets.classification.classify import Classified, classify
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets_tests.classification.leads import enriched

Run = Callable[..., Classified]


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(settings.ledger_location)
    yield ledger
    ledger.close()


@pytest.fixture
def run(settings: Settings, ledger: Ledger) -> Run:
    """Classify leads; `settings` may be replaced, other arguments go to `classify`."""

    def run(leads: pl.DataFrame, added: pl.DataFrame | None = None, **arguments: Any) -> Classified:
        arguments.setdefault("settings", settings)
        return classify(leads, enriched(leads) if added is None else added, ledger=ledger, **arguments)

    return run
