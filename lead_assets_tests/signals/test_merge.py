"""The signals of a lead side by side."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import CompanyOverview, EnrichedLead, canonical_json
from lead_assets.signals.merge import enrich
from lead_assets_tests.signals.leads import at_companies

AS_OF = datetime(2026, 11, 2, 10, 0, 0, 5, tzinfo=UTC)


def overview(lead_id: str, **columns: Any) -> dict[str, Any]:
    row = {"campaign_id": "spring", "lead_id": lead_id, "state": "found", "stale": False, "synthetic": True, "cost_usd": Decimal("0.03")}
    return row | {"provider": "pipe0", "as_of": AS_OF} | columns


def test_each_value_says_who_said_it_and_when() -> None:
    leads = at_companies(["moreau.example", "okoye.example", None])
    signal = CompanyOverview.frame(
        [
            overview("L0", company_industry="Logistics", headcount_min=51),
            overview("L1", state="not_found", reason="no_result", cost_usd=Decimal("0.03")),
            overview("L2", state="unknown", reason="no_subject", provider=None, as_of=None, cost_usd=Decimal(0)),
        ]
    )
    rows = enrich(leads, {"company_overview": signal}).to_dicts()
    said = {"as_of": "2026-11-02T10:00:00.000005Z", "provider": "pipe0"}
    assert rows[0]["provenance"] == canonical_json({"company_industry": said, "headcount_min": said})
    assert rows[0]["signals_found"] == ["company_overview"]
    assert rows[0]["miss_reasons"] == "{}"
    assert rows[0]["synthetic"] is True
    assert [row["signals_missed"] for row in rows] == [[], ["company_overview"], ["company_overview"]]
    assert [json.loads(row["miss_reasons"]) for row in rows[1:]] == [{"company_overview": "no_result"}, {"company_overview": "no_subject"}]
    assert rows[1]["provenance"] == "{}"
    assert [row["signals_cost_usd"] for row in rows] == [Decimal("0.03"), Decimal("0.03"), Decimal(0)]


def test_a_lead_that_a_signal_does_not_know_is_kept_and_says_so() -> None:
    leads = at_companies(["moreau.example", "okoye.example"])
    merged = enrich(leads, {"company_overview": CompanyOverview.frame([overview("L1", company_industry="Rail")])})
    assert merged["lead_id"].to_list() == ["L0", "L1"]
    assert merged["miss_reasons"].to_list() == ['{"company_overview":"not_collected"}', "{}"]


def test_a_signal_that_names_a_lead_twice_is_refused() -> None:
    with pytest.raises(pl.exceptions.ComputeError):
        enrich(at_companies(["moreau.example"]), {"company_overview": CompanyOverview.frame([overview("L0"), overview("L0")])})


@pytest.mark.parametrize("signals", [{}, {"company_overview": CompanyOverview.empty()}])
def test_columns_and_types_hold_for_any_set_of_signals(signals: dict[str, pl.DataFrame]) -> None:
    for leads in (at_companies([]), at_companies(["moreau.example"])):
        merged = enrich(leads, signals)
        assert merged.schema == EnrichedLead.polars_schema()
        assert merged.height == leads.height
