"""Several leads at once, without a service. What pages make of it is in test_explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import Lead
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.service import several
from lead_assets.service.enriching import OneLead
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.rows import rows


def test_who_is_forgotten_while_others_are_enriched_is_not_bought_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse")
    leads = rows(Lead, [{"campaign_id": "a", "lead_id": each} for each in ("L1", "L2")])
    warehouse.write(Lead, leads, ["a"])
    asked: list[several.LeadName] = []

    def through(some: pl.DataFrame, found: list[OneLead], **_: Any) -> None:
        asked.extend(several.names_of(some))
        warehouse.write(Lead, leads.head(1), ["a"])

    monkeypatch.setattr(several, "through_together", through)
    monkeypatch.setattr(several, "_AT_ONCE", 1)
    ledger: Any = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    tally = several.enrich_several(leads, None, 1.0, ledger=ledger, settings=Settings(home=tmp_path), archive=None, warehouse=warehouse)  # type: ignore[arg-type]
    assert asked == tally.done == [("a", "L1")]
    assert tally.others == {several.GONE: [("a", "L2")]}
