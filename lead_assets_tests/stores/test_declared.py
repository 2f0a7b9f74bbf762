"""The one query that looks for faults in all tables of a step, on both warehouses."""

import pytest

from lead_assets.contracts import Lead, Score
from lead_assets.kit.checks import declared
from lead_assets_tests.kit.test_stored import score
from lead_assets_tests.rows import rows as rows_of
from lead_assets_tests.stores.conftest import Store


@pytest.mark.slow
def test_each_table_of_a_step_has_its_own_verdict_on_both_warehouses(store: Store) -> None:
    for campaign in ("spring", "fall"):
        store.warehouse.write(Lead, rows_of(Lead, ({"campaign_id": campaign, "lead_id": f"l{n}"} for n in range(3))), [campaign])
        store.warehouse.write(Score, Score.frame(score(n, campaign) for n in range(4 if campaign == "fall" else 3)), [campaign])
    found = declared(store.warehouse, [Lead, Score], ["spring", "fall"])
    assert {k: v.passed for k, v in found[Lead].items()} == {"spring": True, "fall": True}
    assert {k: v.passed for k, v in found[Score].items()} == {"spring": True, "fall": False}
    assert found[Score]["fall"].metadata["broken"]
    assert found[Lead]["fall"].metadata["rows"] == 3
