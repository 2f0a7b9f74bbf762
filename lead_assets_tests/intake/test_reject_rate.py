"""A drop of which too much is rejected is told by a check; what a source sends beside its leads does not count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.intake.assets import reject_rate
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.intake.samples import NOON

DROPS = {
    "good": (40, ["no_identity"] * 10),
    "changed": (10, ["no_identity"] * 30),
    "webhook": (0, ["notice"] * 40),
    "tests": (30, ["test_event"] * 30),
}


@pytest.fixture
def warehouse(tmp_path: Any) -> DuckDBWarehouse:
    warehouse = DuckDBWarehouse(tmp_path)
    warehouse.prepare()
    return warehouse


def _rate(warehouse: DuckDBWarehouse, drops: dict[str, tuple[int, list[str]]]) -> Any:
    def place(name: str, number: int) -> dict[str, Any]:
        return {"campaign_id": "c", "drop_sha256": name, "drop_name": name, "position": number, "part": 1, "received_at": NOON}

    leads = [
        place(name, number) | {"lead_id": f"{name}{number}", "adapter": "csv", "payload": "{}", "extra": "{}"}
        for name, (good, _) in drops.items()
        for number in range(good)
    ]
    rejects = [
        place(name, 100 + number) | {"code": code, "reason": "r", "raw_text": "", "raw_bytes": 0}
        for name, (_, codes) in drops.items()
        for number, code in enumerate(codes)
    ]
    warehouse.write(RawLead, RawLead.frame(leads), ["c"])
    warehouse.write(RejectedPayload, RejectedPayload.frame(rejects), ["c"])
    return reject_rate(SimpleNamespace(warehouse=warehouse, partitions=["c"]))["c"]  # type: ignore[arg-type]


def test_a_drop_that_is_mostly_rejected_is_named_with_its_figures(warehouse: DuckDBWarehouse) -> None:
    verdict = _rate(warehouse, DROPS)
    assert not verdict.passed
    assert verdict.metadata["rejected"] == "changed: 30 of 40 payloads"


def test_notices_and_test_events_are_no_rejects_of_a_source(warehouse: DuckDBWarehouse) -> None:
    assert _rate(warehouse, {name: DROPS[name] for name in ("good", "webhook", "tests")}).passed


def test_small_drops_are_judged_together(warehouse: DuckDBWarehouse) -> None:
    assert _rate(warehouse, {"one": (0, ["no_identity"]), **{f"w{number}": (1, []) for number in range(30)}}).passed
    assert not _rate(warehouse, {f"w{number}": (0, ["no_identity"]) for number in range(30)}).passed
