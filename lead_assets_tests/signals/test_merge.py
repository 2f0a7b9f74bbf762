"""The signals of a lead side by side."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import CompanyOverview, EnrichedLead, PersonProfile, SignalRow, TechStack, canonical_json
from lead_assets.contracts.enriched import signal_contracts
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import key_of
from lead_assets.kit.versions import code_version
from lead_assets.signals import assets
from lead_assets.signals.assets import signal_assets
from lead_assets.signals.merge import PRECEDENCE, enrich
from lead_assets_tests.signals.leads import at_companies

AS_OF = datetime(2026, 11, 2, 10, 0, 0, 5, tzinfo=UTC)
CONTRACTS = {contract.table_name(): contract for contract in signal_contracts()}


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


def test_a_share_of_signals_has_four_decimals_and_one_that_was_not_collected_costs_nothing() -> None:
    """Three leads, for which all three signals, two and one were found; the others have no row for them."""
    frames = {
        "company_overview": bought(CompanyOverview, "a", {}, {}, {}),
        "tech_stack": bought(TechStack, "a", {}, {}),
        "person": bought(PersonProfile, "a", {}),
    }
    merged = enrich(at_companies(["moreau.example"] * 3), frames)
    assert merged["enrichment_quality"].to_list() == [1.0, 0.6667, 0.3333]
    assert merged["signals_cost_usd"].to_list() == [Decimal("0.09"), Decimal("0.06"), Decimal("0.03")]


def test_a_lead_is_synthetic_if_a_value_that_was_found_is() -> None:
    """Found for real; made up; made up and not found, so that nothing of it is shown; one of two made up."""
    real, made_up = {"synthetic": False}, {"synthetic": True}
    frames = {
        "company_overview": bought(CompanyOverview, "a", real, made_up, made_up | {"state": "not_found", "reason": "no_result"}, real),
        "tech_stack": bought(TechStack, "a", real, real, real, made_up),
    }
    assert enrich(at_companies(["moreau.example"] * 4), frames)["synthetic"].to_list() == [False, True, False, True]


def test_a_signal_that_names_a_lead_twice_is_refused() -> None:
    with pytest.raises(pl.exceptions.ComputeError):
        enrich(at_companies(["moreau.example"]), {"company_overview": CompanyOverview.frame([overview("L0"), overview("L0")])})


@pytest.mark.parametrize("signals", [{}, {"company_overview": CompanyOverview.empty()}])
def test_columns_and_types_hold_for_any_set_of_signals(signals: dict[str, pl.DataFrame]) -> None:
    for leads in (at_companies([]), at_companies(["moreau.example"])):
        merged = enrich(leads, signals)
        assert merged.schema == EnrichedLead.polars_schema()
        assert merged.height == leads.height


def bought(contract: type[SignalRow], provider: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """A signal's table: what is not said of a lead is that it was found."""
    return contract.frame([overview(f"L{number}", provider=provider, **row) for number, row in enumerate(rows)])


@pytest.mark.parametrize(
    ("column", "preferred", "other"),
    [
        ("company_description", ("company_overview", "Ships things"), ("organization", "Moves things")),
        ("company_industry", ("company_overview", "Logistics"), ("organization", "Transport")),
        ("founded_year", ("company_overview", 1998), ("organization", 2001)),
        ("technologies", ("tech_stack", ["Kafka"]), ("organization", ["Excel"])),
        ("funding_total_usd", ("funding", 5e6), ("organization", 7e6)),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_of_several_values_the_preferred_signals_wins_whichever_came_first(
    column: str, preferred: tuple[str, Any], other: tuple[str, Any], turned: bool
) -> None:
    """Both have one; the preferred one is found and has none; it was not found; neither has one."""
    (first, better), (second, worse) = preferred, other
    contracts = {first: CONTRACTS[first], second: CONTRACTS[second]}
    unknown = {"state": "unknown", "reason": "provider_error"}
    # A row that is not found can hold a value that is not to be believed.
    frames = {
        first: bought(contracts[first], "a", {column: better}, {column: None}, unknown | {column: better}, {column: None}),
        second: bought(contracts[second], "b", *[{column: worse}] * 3, unknown | {column: worse}),
    }
    leads = at_companies(["moreau.example"] * 4)
    merged = enrich(leads, dict(reversed(frames.items())) if turned else frames)
    assert merged[column].to_list() == [better, worse, worse, None]
    said = [json.loads(each).get(column, {}).get("provider") for each in merged["provenance"]]
    assert said == ["a", "b", "b", None]


def test_what_only_one_signal_fills_is_of_that_signal() -> None:
    """Each column of each signal, as its contract says, and nothing of those that stay in the signal's own table."""
    several = {"company_description", "company_industry", "founded_year", "technologies", "funding_total_usd"}
    found = {column: signals for column, signals in PRECEDENCE.items() if len(signals) > 1}
    assert set(found) == several
    assert all(signals[1] == ("organization", column) for column, signals in found.items())
    assert {column: signals[0][0] for column, signals in PRECEDENCE.items()} == {
        **dict.fromkeys(["company_description", "company_industry", "company_region", "estimated_revenue"], "company_overview"),
        **dict.fromkeys(["founded_year", "headcount", "headcount_min", "headcount_max"], "company_overview"),
        **dict.fromkeys(["funding_total_usd", "latest_round", "latest_round_on"], "funding"),
        "technologies": "tech_stack",
        "news_summary": "news",
        "post_texts": "linkedin_posts",
        "contact_titles": "contacts",
        "posting_count": "job_postings",
        "posting_titles": "job_postings",
        "email_address": "email",
        "email_grade": "email",
    }


def test_a_signal_that_is_switched_off_lowers_no_leads_quality() -> None:
    """Four leads: found both; the other off; the other missed; both off, and nothing was asked."""
    off, missed = {"state": "unknown", "reason": "off"}, {"state": "not_found", "reason": "no_result"}
    frames = {
        "company_overview": bought(CompanyOverview, "a", {}, {}, {}, off),
        "tech_stack": bought(TechStack, "a", {}, off, missed, off),
    }
    merged = enrich(at_companies(["moreau.example"] * 4), frames)
    assert merged["enrichment_quality"].to_list() == [1.0, 1.0, 0.5, None]
    assert merged["signals_missed"].to_list() == [[], ["tech_stack"], ["tech_stack"], ["company_overview", "tech_stack"]]
    assert json.loads(merged["miss_reasons"][1]) == {"tech_stack": "off"}


def test_a_signal_that_fills_nothing_is_counted_all_the_same() -> None:
    person = bought(
        PersonProfile, "apollo", {"person_title": "CEO", "cost_usd": Decimal("0.02")}, {"state": "not_found", "reason": "no_result"}
    )
    merged = enrich(at_companies(["moreau.example"] * 2), {"person": person})
    assert merged["signals_found"].to_list() == [["person"], []]
    assert merged["miss_reasons"].to_list() == ["{}", '{"person":"no_result"}']
    assert merged["enrichment_quality"].to_list() == [1.0, 0.0]
    assert merged["signals_cost_usd"].to_list() == [Decimal("0.02"), Decimal("0.03")]


def test_another_precedence_is_another_version_of_the_table(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the signals' contracts and not in the logic of the merge, and a lead that is kept must not show the value of before."""

    def version() -> str | None:
        signal_assets(settings)
        return code_version(key_of(EnrichedLead), settings)

    shipped = version()
    monkeypatch.setattr(assets, "PRECEDENCE", PRECEDENCE | {"company_industry": PRECEDENCE["company_industry"][::-1]})
    assert version() != shipped
    monkeypatch.undo()
    assert version() == shipped


def test_the_head_office_is_read_as_a_place() -> None:
    """From the overview's text, else from the three fields of the organization; what names no place for certain is none."""
    texts = ["Austin, Texas, United States", "München, Bayern, Germany", "Springfield", None, None]
    frames = {
        "company_overview": bought(CompanyOverview, "a", *({"company_region": text} for text in texts)),
        "organization": bought(
            CONTRACTS["organization"],
            "b",
            {"hq_country": "France"},
            {},
            {},
            {"hq_city": "Lyon", "hq_country": "France"},
            {"hq_state": "Ohio", "hq_country": "United States"},
        ),
    }
    merged = enrich(at_companies([f"c{number}.example" for number in range(5)]), frames)
    expected = [("US", "US-TX"), ("DE", "DE-BY"), (None, None), ("FR", "FR-ARA"), ("US", "US-OH")]
    assert merged.select("hq_country_code", "hq_region").rows() == expected
