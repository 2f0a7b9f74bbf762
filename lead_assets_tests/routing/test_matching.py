"""Which territory gets which lead, and what the reason says."""

from __future__ import annotations

import polars as pl
import pytest

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score
from lead_assets.routing.fields import FIELDS, routing_schema
from lead_assets.routing.matching import match, routing_frame
from lead_assets_tests.routing.frames import NOON, chosen, routable, table

TABLE = """\
regions:
  DACH: [DE, AT, CH]
  West: [US-CA, US-OR]
  America: [US, CA]
owners:
  - {id: nina, name: Nina}
  - {id: diego, name: Diego}
  - {id: theo, name: Theo, active: false}
  - {id: omar, name: Omar}
  - {id: desk, name: Desk}
territories:
  - {name: away, owner: theo, when: {region: DACH}}
  - {name: large, owner: omar, when: {headcount: {min: 1000}, seniority: [vp, c_suite]}}
  - {name: dach, owner: nina, when: {region: [DACH]}}
  - {name: west, owner: diego, when: {region: West}}
  - {name: america, owner: desk, when: {region: [West, America], source: [Trade fair, Webinar]}}
  - {name: big loans, owner: omar, when: {loan_amount_requested: {min: 1500000}}}
  - {name: deciding, owner: omar, when: {icp_fit: [strong, moderate], persona: economic_buyer, buying_stage: decision}}
  - {name: small, owner: omar, when: {company_size: {min: 10, max: 50.5}}}
fallback_owner: desk
"""


def proposed(**lead: object) -> dict[str, object]:
    return chosen(routable(lead), table(TABLE))[0]


@pytest.mark.parametrize(
    ("lead", "territory", "reason"),
    [
        ({"country_code": "DE"}, "dach", "country DE is in DACH"),
        ({"country_code": "US", "state_code": "CA"}, "west", "state US-CA is in West"),
        ({"country_code": "US", "source": "TRADE FAIR "}, "america", "country US is in America and source Trade fair"),
        ({"country_code": "DE", "headcount_min": 1001, "seniority": "vp"}, "large", "headcount 1001 is at least 1000 and seniority vp"),
        ({"company_size": "1,001-5,000", "seniority": "vp"}, "large", "headcount 1001 is at least 1000 and seniority vp"),
        ({"company_size": "11 - 50"}, "small", "stated company size 11 is at least 10 and is at most 50.5"),
        ({"loan_amount_requested": 1500000.5}, "big loans", "loan amount 1500000.5 is at least 1500000"),
        ({"loan_amount_requested": 2e20}, "big loans", "loan amount 2e+20 is at least 1500000"),
        (
            {"icp_fit": "strong", "persona": "economic_buyer", "buying_stage": "decision"},
            "deciding",
            "fit strong and persona economic_buyer and buying stage decision",
        ),
        ({"country_code": "KE"}, "fallback", "no territory takes this lead (country KE)"),
        ({}, "fallback", "no territory takes this lead (country unknown)"),
        # A provider's headcount goes before the form's, a state needs its country, and a lead without a value meets no condition on it.
        (
            {"company_size": "1001-5000", "headcount_min": 11, "seniority": "vp"},
            "fallback",
            "no territory takes this lead (country unknown)",
        ),
        ({"country_code": "AU", "state_code": "CA"}, "fallback", "no territory takes this lead (country AU)"),
        ({"country_code": "US"}, "fallback", "no territory takes this lead (country US)"),
        ({"company_size": "many"}, "fallback", "no territory takes this lead (country unknown)"),
    ],
)
def test_the_first_territory_that_matches_takes_the_lead(lead: dict[str, object], territory: str, reason: str) -> None:
    row = proposed(**lead)
    assert (row["territory"], row["reason"], row["fallback"]) == (territory, reason, territory == "fallback")


@pytest.mark.parametrize(
    ("bounds", "rule", "inside", "outside"),
    [
        ("min: 50, max: 80", "score >= 50 and <= 80", [50.0, 80.0], [49.9, 80.1, None]),
        ("min: 50", "score >= 50", [50.0, 99.0], [49.9, None]),
        ("max: 80.5", "score <= 80.5", [0.0, 80.5], [80.6, None]),
        ("min: 50, max: 50", "score >= 50 and <= 50", [50.0], [49.0, 51.0]),
    ],
)
def test_the_bounds_of_a_number_belong_to_it(bounds: str, rule: str, inside: list[float | None], outside: list[float | None]) -> None:
    head = TABLE.split("territories:")[0]
    one = table(f"{head}territories:\n- {{name: t, owner: desk, when: {{score: {{{bounds}}}}}}}\nfallback_owner: omar\n")
    proposals = chosen(routable(*({"score": score} for score in inside + outside)), one)
    assert [row["rule"] for row in proposals] == [rule] * len(inside) + ["fallback"] * len(outside)


def test_what_can_be_asked_of_a_lead() -> None:
    """Tables of rules rely on every one of these: taking one away breaks theirs."""
    assert set(FIELDS) == {
        *("region", "country_code", "state_code", "campaign_id", "adapter", "source", "email_kind", "company_domain"),
        *("seniority", "department", "property_type", "industry", "profile", "loan_type", "investor_experience"),
        *("icp_fit", "persona", "buying_stage", "tier", "company_size", "headcount", "loan_amount_requested", "urgency_score", "score"),
        *("path", "segment", "named_account", "existing_owner", "customer"),
    }


def test_a_territory_whose_owner_is_not_active_is_passed_over() -> None:
    assert proposed(country_code="AT")["owner"] == "nina"
    back = table(TABLE.replace(", active: false", "").replace("{region: [DACH]}", "{country_code: [FR]}"))
    assert [row["owner"] for row in chosen(routable({"country_code": "AT"}), back)] == ["theo"]


@pytest.mark.parametrize(
    ("stated", "lower_bound"),
    [
        ("51-200", 51.0),
        ("10,001+", 10001.0),
        ("5.000 - 10.000", 5000.0),
        ("1 001–5 000 employees", 1001.0),
        ("about 40", 40.0),
        ("10k+", 10_000.0),
        ("5k-10k", 5000.0),
        ("> 1000", 1000.0),
        ("mehr als 500 Mitarbeiter", 500.0),
        ("11 à 50 salariés", 11.0),
        ("< 5000", None),
        ("up to 5000", None),
        ("moins de 5000", None),
        ("founded 5001", None),
        ("self-employed", None),
        ("", None),
        (None, None),
    ],
)
def test_a_stated_size_goes_by_its_lower_bound(stated: str | None, lower_bound: float | None) -> None:
    assert routable({"company_size": stated}).select(FIELDS["company_size"].value()).item() == lower_bound


def test_rows_keep_their_order_and_every_field_can_be_routed_by() -> None:
    leads = routable(*({"country_code": code} for code in ("KE", "DE", "US", "AT")))
    assert [row["lead_id"] for row in chosen(leads, table(TABLE))] == leads["lead_id"].to_list()
    for name, field in FIELDS.items():
        if not field.columns:
            continue
        value = "DACH" if field.kind == "region" else "DE" if name == "country_code" else next(iter(field.values or ["x"]))
        when = f"{name}: " + ("{min: 3}" if field.kind == "number" else f"[{value}]")
        one = table(TABLE.split("territories:")[0] + f"territories:\n- {{name: t, owner: desk, when: {{{when}}}}}\nfallback_owner: omar\n")
        column = field.columns[0][1]
        typed = pl.lit("3" if field.kind == "number" else "DE" if field.kind == "region" else value).cast(routing_schema()[column])
        assert chosen(routable({}).with_columns(typed.alias(column)), one)[0]["territory"] == "t", name
        assert chosen(routable({}).with_columns(pl.lit(None, routing_schema()[column]).alias(column)), one)[0]["fallback"], name


def test_no_leads_give_no_decisions() -> None:
    assert chosen(routable(), table(TABLE)) == []


def test_a_frame_without_a_column_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="the frame lacks state_code, loan_type"):
        match(routable({}).drop("loan_type", "state_code"), table(TABLE))


def test_the_routed_frame_has_a_row_for_each_score_and_the_columns_of_all_four_tables() -> None:
    """Also for one that nobody enriched or classified; one without a score is not routed."""
    ids = [{"campaign_id": "fall", "lead_id": lead_id} for lead_id in "abc"]
    leads = Lead.frame([row | {"received_at": NOON, "country_code": "DE", "account_key": "x.example", "position": 1} for row in ids])
    enriched = EnrichedLead.frame([row | {"headcount_min": 51, "account_key": "x.example"} for row in ids[:2]])
    classifications = Classification.frame([ids[1] | {"loan_type": "rental", "profile": "lending"}])
    scores = Score.frame([row | {"score": 71.5, "tier": "hot"} for row in ids[1:]])
    frame = routing_frame(leads, enriched, classifications, scores, table(TABLE))
    assert frame.schema == routing_schema()
    assert frame.select("lead_id", "country_code", "headcount_min", "loan_type", "tier", "score").rows() == [
        ("b", "DE", 51, "rental", "hot", 71.5),
        ("c", "DE", None, None, "hot", 71.5),
    ]
