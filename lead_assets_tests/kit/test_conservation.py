"""Nothing is lost or made up between rooms: each conservation check fails if one stored row is missing or one is extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from lead_assets.briefs import assets as briefs
from lead_assets.classification import assets as classification
from lead_assets.contracts import (
    Classification,
    Duplicate,
    EnrichedLead,
    Lead,
    Quarantined,
    QuarantinedSummary,
    RawLead,
    RejectedPayload,
    Score,
    Summary,
    SuppressedLead,
    Table,
)
from lead_assets.core.settings import Settings
from lead_assets.identity import assets as identity
from lead_assets.intake import assets as intake
from lead_assets.kit.checks import Verdict
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.step import Step
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.classification.pipeline import graph, ingest_notes
from lead_assets_tests.rows import rows

Stored = Mapping[type[Table], list[str]]
"""Table → the ids of its rows."""

RECEIVED = pl.DataFrame({"campaign_id": ["fall", "spring"], "received": [2, 4]}, schema={"campaign_id": pl.String, "received": pl.Int64})
HOT = {"tier": "hot"}

# Each check, what is stored where nothing is lost, and the tables of which one row is taken away and one added.
WHOLE: dict[str, tuple[Callable[[Step], Mapping[str, Verdict]], Stored]] = {
    "intake": (intake.conserves, {RawLead: ["a", "b", "c"], RejectedPayload: ["d"]}),
    "identity": (identity.conserves, {RawLead: ["a", "b", "c", "d"], Lead: ["a", "b"], Duplicate: ["c"], SuppressedLead: ["d"]}),
    "classification": (classification.conserves, {EnrichedLead: ["a", "b", "c"], Classification: ["a", "b"], Quarantined: ["c"]}),
    "briefs": (briefs.conserves, {Score: ["a", "b", "c"], Summary: ["a", "b"], QuarantinedSummary: ["c"]}),
}
CASES = [pytest.param(room, contract, id=f"{room}-{contract.table}") for room, (_, stored) in WHOLE.items() for contract in stored]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one warehouse: each test writes all partitions that it reads."""
    return tmp_path_factory.mktemp("stored")


def verdicts(room: str, stored: Stored, folder: Path, settings: Settings) -> Mapping[str, Verdict]:
    """Of a campaign that is stored so, and of one beside it that lost nothing."""
    judge, whole = WHOLE[room]
    warehouse = DuckDBWarehouse(folder / "warehouse")
    for contract in whole:
        for campaign, ids in (("spring", stored[contract]), ("fall", whole[contract][:0])):
            given = ({"campaign_id": campaign, "lead_id": each, "position": number, "part": 1, **HOT} for number, each in enumerate(ids))
            warehouse.write(contract, rows(contract, given), [campaign])
    unused = cast(Any, None)
    step = Step(
        context=unused,
        tags={},
        partitions=["fall", "spring"],
        contracts=[],
        settings=settings,
        ledger=unused,
        archive=unused,
        io=WarehouseIOManager(warehouse),
    )
    step.memo["received"] = RECEIVED.with_columns(received=pl.when(campaign_id="fall").then(0).otherwise("received"))
    return judge(step)


@pytest.mark.parametrize("room", WHOLE)
def test_what_adds_up_passes(room: str, folder: Path, settings: Settings) -> None:
    said = verdicts(room, WHOLE[room][1], folder, settings)
    assert {key: each.passed for key, each in said.items()} == {"fall": True, "spring": True}


@pytest.mark.parametrize(("room", "contract"), CASES)
@pytest.mark.parametrize("change", [lambda ids: ids[:-1], lambda ids: [*ids, "z"]], ids=["lost", "made up"])
def test_one_row_too_few_or_too_many_fails_for_its_campaign(
    room: str, contract: type[Table], change: Callable[[list[str]], list[str]], folder: Path, settings: Settings
) -> None:
    whole = WHOLE[room][1]
    said = verdicts(room, {**whole, contract: change(whole[contract])}, folder, settings)
    assert {key: each.passed for key, each in said.items()} == {"fall": True, "spring": False}


def test_a_lead_that_is_both_classified_and_quarantined_hides_none_that_was_lost(folder: Path, settings: Settings) -> None:
    said = verdicts("classification", {EnrichedLead: ["a", "b"], Classification: ["a"], Quarantined: ["a"]}, folder, settings)
    assert not said["spring"].passed


@pytest.mark.parametrize("contract", [RawLead, Classification, Summary], ids=lambda contract: contract.table)
def test_what_is_lost_on_the_way_to_the_store_stops_the_run(
    contract: type[Table], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = DuckDBWarehouse.write

    def careless(self: DuckDBWarehouse, of: Any, frame: pl.DataFrame, *rest: Any) -> None:
        honest(self, of, frame[:-1] if of is contract else frame, *rest)

    monkeypatch.setattr(DuckDBWarehouse, "write", careless)
    ingest_notes(settings, "spring", ["Fix and flip, 12 flips done, need to close this week", "Rental refinance, tenants in place"])
    with graph(settings) as made:
        result = made.run("spring")
        assert not result.success
        bad = [(e.asset_key.to_user_string(), e.check_name) for e in result.get_asset_check_evaluations() if not e.passed]
        assert bad == [(contract.table.replace(".", "/"), "conserves")]
