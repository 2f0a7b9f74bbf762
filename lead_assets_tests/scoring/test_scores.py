"""Scores: parts add up to the score, what is unknown is no zero, reasons say what moved it, and broken rules are refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lead_assets.contracts import Classification, EnrichedLead, Lead, Quarantined, Score, canonical_json
from lead_assets.core.document import RulesError
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.scoring.adoption import adoption
from lead_assets.scoring.ruleset import COMPANY_SCORES, ScoringRules, load_scoring_rules
from lead_assets.scoring.score import _part_of, score, with_quarantined

AT = datetime(2026, 11, 1, tzinfo=UTC)
SHIPPED = rules_file("scoring.yaml", Settings())


def frames(*leads: dict[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Classifications, leads and enriched leads of one campaign; each argument overrides columns of whichever tables have them."""
    classification, identity, enriched = [], [], []
    for index, changes in enumerate(leads):
        ids = {"campaign_id": "c", "lead_id": f"ld_{index}"}
        classification.append(
            ids
            | {
                "profile": "lending",
                "schema_version": "lending-1",
                "answer": "{}",
                "model": "m",
                "attempts": 1,
                "input_tokens": 1,
                "output_tokens": 1,
            }
            | {"cost_usd": Decimal(0), "enriched_at": AT, "synthetic": True}
            | {k: v for k, v in changes.items() if k in Classification.model_fields}
        )
        identity.append(
            ids
            | {
                "adapter": "lending_form",
                "drop_sha256": "0",
                "position": index,
                "part": 1,
                "received_at": AT,
                "payload": "{}",
                "extra": "{}",
                "account_key": "a",
            }
            | {k: v for k, v in changes.items() if k in Lead.model_fields}
        )
        enriched.append(
            ids
            | {"account_key": "a", "provenance": "{}", "signals_found": [], "signals_missed": [], "miss_reasons": "{}"}
            | {"signals_cost_usd": Decimal(0), "synthetic": True}
            | {k: v for k, v in changes.items() if k in EnrichedLead.model_fields}
        )
    return Classification.frame(classification), Lead.frame(identity), EnrichedLead.frame(enriched)


RULES = load_scoring_rules(Settings())
BRIDGE: dict[str, Any] = {
    "loan_type": "bridge_rtl",
    "investor_experience": "experienced",
    "urgency_score": 5,
    "loan_amount_requested": 450000.0,
    "property_address": "1 Main St",
    "phone_e164": "+13055550100",
    "email_kind": "business",
}
COMPANY: dict[str, Any] = {
    "profile": "b2b",
    "icp_fit": "moderate",
    "urgency_score": 3,
    "seniority": "manager",
    "headcount_min": 51,
    "email_kind": "business",
    "web_activity_score": 60.0,
    "email_engagement_score": 60.0,
}
"""A lead of which everything in fit and intent is known."""


def scored(*leads: dict[str, Any], rules: ScoringRules = RULES, more: pl.DataFrame | None = None) -> list[dict[str, Any]]:
    rows = score(*frames(*leads), rules, *([] if more is None else [more])).sort("lead_id").to_dicts()
    return [row | {"by": {part["rule"]: part for part in json.loads(row["parts"])}} for row in rows]


def measured(**columns: Sequence[float | None]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    return pl.DataFrame({"campaign_id": ["c"] * count, "lead_id": [f"ld_{n}" for n in range(count)], **columns})


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> ScoringRules:
    rules = yaml.safe_load(SHIPPED.read_text())
    change(rules)
    (tmp_path / "scoring.yaml").write_text(yaml.safe_dump(rules))
    return load_scoring_rules(Settings(rules_dir=tmp_path))


def test_an_urgent_experienced_bridge_lead_is_hot_and_says_why() -> None:
    (row,) = scored(BRIDGE)
    assert row["tier"] == "hot"
    assert row["by"]["urgency"]["points"] == row["by"]["urgency"]["max_points"] > 20
    assert (row["by"]["urgency"]["part"], row["by"]["urgency"]["because"]) == ("intent", "urgency_score is 5")
    assert row["by"]["property_known"]["because"] == "property_address is known"


def test_a_lead_of_which_nothing_is_known_is_cold_not_an_error() -> None:
    (row,) = scored({"loan_type": None})
    assert row["tier"] == "cold"
    assert all(part["because"].endswith("is missing") for part in row["by"].values())
    assert "urgency: urgency_score is missing" in row["unknown_parts"]


def test_each_profile_has_its_rules_and_an_unknown_profile_the_default() -> None:
    rows = scored({"profile": "lending"}, {"profile": "b2b"}, {"profile": "brand_new"})
    assert [row["ruleset"] for row in rows] == ["lending-rules-3", "b2b-rules-3", "b2b-rules-3"]


def test_what_is_unknown_is_left_out_and_the_rest_weighs_more() -> None:
    whole, lacking = scored(COMPANY, {**COMPANY, "headcount_min": None})
    left = {name: part for name, part in whole["by"].items() if name not in ("company_size", "size")}
    assert lacking["by"].keys() == left.keys()
    assert "company_size: headcount_min is missing" in lacking["unknown_parts"]
    share = sum(part["points"] for part in left.values()) / sum(part["max_points"] for part in left.values())
    assert lacking["score"] == pytest.approx(100 * share, abs=0.1)
    assert sum(part["max_points"] for part in lacking["by"].values()) == pytest.approx(100, abs=1e-9)


def test_a_missing_value_that_a_rule_declares_is_known() -> None:
    with_amount, without = scored(BRIDGE, {**BRIDGE, "loan_amount_requested": None})
    assert without["by"]["loan_amount"]["points"] == 0
    assert without["score"] < with_amount["score"]
    assert not any(text.startswith("loan_amount:") for text in without["unknown_parts"])


def test_without_the_model_the_rest_is_weighted_up_and_the_row_says_so() -> None:
    rated, by_rules = scored({**COMPANY, "model": "m", "lead_rating": 80}, {**COMPANY, "model": "rules-v1", "fallback_reason": "no_key"})
    assert rated["by"]["judgement"]["because"] == "the model rates the lead 80 of 100"
    assert rated["by"]["judgement"]["points"] == pytest.approx(0.8 * rated["by"]["judgement"]["max_points"], abs=0.01)
    assert "judgement: rules answered, not a model (no_key)" in by_rules["unknown_parts"]
    assert "judgement" not in by_rules["by"]
    assert by_rules["score"] == scored(COMPANY)[0]["score"] < rated["score"]


def test_an_answer_without_a_rating_is_unknown_and_not_zero() -> None:
    (row,) = scored({**COMPANY, "model": "m"})
    assert "judgement: the model was not asked to rate the lead" in row["unknown_parts"]


def test_half_of_the_routers_score_is_the_models_rating() -> None:
    rated, unrated = scored(*({"profile": "b2b", **ROUTED, "lead_rating": rating} for rating in (30, None)))
    assert (rated["route_score"], rated["path"]) == (0.6, "manual_review")
    assert (unrated["route_score"], unrated["path"]) == (0.9, "route")


@pytest.mark.parametrize("column", ["contrast", "win_probability"])
def test_a_measure_of_another_room_counts_where_it_is_known(column: str) -> None:
    """Low, high and beyond the scale; null and not a number are unknown."""
    part = {"contrast": "lookalike", "win_probability": "learned"}[column]
    rows = scored(*[COMPANY] * 5, more=measured(**{column: [-9.0, 9.0, 0.0, None, float("nan")]}))
    low, high, _, none, nan = rows
    (plain,) = scored(COMPANY)
    assert low["by"][part]["points"] == 0
    assert high["by"][part]["points"] == high["by"][part]["max_points"] > 0
    assert low["score"] < plain["score"] < high["score"]
    for row in (none, nan):
        assert part not in row["by"]
        assert row["score"] == plain["score"]
        assert any(text.startswith(f"{part}:") for text in row["unknown_parts"])


def test_nothing_found_for_a_lead_counts_and_nothing_asked_does_not() -> None:
    rich, poor, unasked = scored(*({**COMPANY, "enrichment_quality": quality} for quality in (1.0, 0.0, None)))
    assert poor["score"] < unasked["score"] < rich["score"]
    assert "enrichment: no signal was requested" in unasked["unknown_parts"]


def test_reasons_begin_with_what_moved_the_score_most_against_the_campaigns_average() -> None:
    """All have a business mailbox, so it moves nobody, though it gives points; the size differs most."""
    rows = scored(*({**COMPANY, "headcount_min": size} for size in (1, 1, 1, 1001)))
    assert (
        rows[3]["reasons"][0] == f"+{rows[3]['by']['company_size']['max_points'] * (1 - 1.6 / 4):.2f} company_size: headcount_min is 1001"
    )
    assert rows[0]["reasons"][0].startswith("-")
    assert all("business_email" not in row["reasons"][0] for row in rows)


def test_the_average_is_of_the_leads_own_campaign() -> None:
    small, large = ({**COMPANY, "headcount_min": size} for size in (1, 1001))
    made = score(
        *(pl.concat([one, other.with_columns(campaign_id=pl.lit("d"))]) for one, other in zip(frames(small), frames(large), strict=True)),
        RULES,
    )
    assert all("+0.00" in reasons[0] for reasons in made["reasons"])


def test_reasons_do_not_change_the_parts_when_other_leads_arrive() -> None:
    (alone,) = scored(COMPANY)
    together = scored(COMPANY, {**COMPANY, "icp_fit": "strong"})[0]
    assert alone["parts"] == together["parts"]
    assert alone["reasons"] != together["reasons"]


def test_a_share_is_the_same_for_one_lead_as_for_many() -> None:
    """Otherwise points that end on half a hundredth are rounded up in a campaign of many and down for a lead alone."""
    alone, many = (pl.DataFrame({"points": [3.0] * count}).select(_part_of(pl.col("points"), 10.0)) for count in (1, 2))
    assert alone["points"][0] == many["points"][0]


def test_a_field_of_the_answer_can_score(tmp_path: Path) -> None:
    rules = changed(tmp_path, lambda rules: rules["profiles"]["b2b"]["fit"][0].update(column="answer.icp_fit"))
    strong, weak = scored(*({**COMPANY, "answer": f'{{"icp_fit":"{fit}"}}'} for fit in ("strong", "weak")), rules=rules)
    assert strong["by"]["icp_fit"]["points"] - weak["by"]["icp_fit"]["points"] == pytest.approx(
        strong["by"]["icp_fit"]["max_points"] * 21 / 25, abs=0.01
    )


def test_personal_data_is_not_repeated_in_the_reasons() -> None:
    (row,) = scored({"property_address": "12 Secret Lane", "phone_e164": "+13055550100"})
    said = json.dumps(row, default=str)
    assert "Secret" not in said
    assert "3055550100" not in said


def test_reasons_say_a_value_as_it_is() -> None:
    """They had it as the parts write it, in JSON."""
    (row,) = scored({"investor_experience": 'so-called "expert"'})
    assert '+0.00 experience: investor_experience is so-called "expert"' in row["reasons"]
    assert row["by"]["experience"]["because"] == 'investor_experience is so-called "expert"'


def test_a_quarantined_lead_is_scored_by_what_no_model_says_and_says_so() -> None:
    classified, leads, enriched = frames(COMPANY, COMPANY)
    refused = Quarantined.frame(
        [
            {
                "campaign_id": "c",
                "lead_id": "ld_1",
                "profile": "b2b",
                "schema_version": "b2b-1",
                "code": "refusal",
                "reason": "r",
                "attempt": 2,
            }
            | {
                "raw_text": "t",
                "model": "m",
                "input_tokens": 1,
                "output_tokens": 1,
                "cost_usd": Decimal(0),
                "quarantined_at": AT,
                "synthetic": True,
            }
        ]
    )
    whole, lacking = score(with_quarantined(classified.head(1), refused), leads, enriched, RULES).sort("lead_id").to_dicts()
    assert (whole["quarantined"], lacking["quarantined"], lacking["path"]) == (False, True, "manual_review")
    assert "judgement: the model's answer is in quarantine (refusal)" in lacking["unknown_parts"]
    assert "icp_fit: icp_fit is missing" in lacking["unknown_parts"]
    parts = json.loads(lacking["parts"])
    assert not {"icp_fit", "urgency", "judgement"} & {part["rule"] for part in parts}
    assert sum(part["max_points"] for part in parts) == pytest.approx(100, abs=1e-9)
    assert lacking["score"] > 0


KNOWN: dict[str, Any] = {
    "technologies": ["OpenAI API", "Excel"],
    "posting_titles": ["ML Engineer", "Nurse"],
    "company_description": "We use AI for robots",
    "headcount_min": 250,
    "funding_total_usd": 12_000_000.0,
}


def test_the_scores_of_a_company_are_columns_and_parts() -> None:
    known, nothing = scored({**COMPANY, **KNOWN}, {**COMPANY, "headcount_min": None})
    assert [known[name] for name in COMPANY_SCORES] == [20 + 15 + 20, 80, 60]
    assert {name for name, part in known["by"].items() if part["part"] == "company"} == {"ai_adoption", "size", "funding"}
    assert known["by"]["size"]["points"] == pytest.approx(0.8 * known["by"]["size"]["max_points"], abs=0.01)
    assert [nothing[name] for name in COMPANY_SCORES] == [None, None, None]
    assert {"ai_adoption: nothing is known of it", "size: nothing is known of it", "funding: nothing is known of it"} <= set(
        nothing["unknown_parts"]
    )


def test_nothing_seen_in_what_is_known_is_a_zero_and_not_unknown() -> None:
    (row,) = scored({**COMPANY, "technologies": ["Excel"], "funding_total_usd": 0.0})
    assert [row[name] for name in COMPANY_SCORES] == [0, 60, 0]


def test_a_company_has_the_score_that_the_discovery_engine_gives_it() -> None:
    rules = RULES.company.adoption
    companies = [
        {"technologies": ["OpenAI", "Databricks", "Jasper"], "posting_titles": None, "company_description": "Generative AI, and more AI"},
        {"technologies": [], "posting_titles": ["Data Scientist", "AI Lead", "Said"], "company_description": None},
        {"technologies": None, "posting_titles": None, "company_description": "chairs"},
    ]
    expected = [
        adoption(
            rules,
            technologies=each["technologies"] or [],
            posting_titles=each["posting_titles"] or [],
            description=each["company_description"],
        ).score
        for each in companies
    ]
    assert [row["ai_adoption_score"] for row in scored(*({**COMPANY, **each} for each in companies))] == expected


def test_no_leads_give_no_scores_with_the_right_types() -> None:
    assert score(*frames(), RULES).schema == Score.polars_schema()


def test_more_leads_than_are_written_at_once_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    leads = [{**COMPANY, "headcount_min": size, "urgency_score": size % 5 + 1} for size in (1, 11, 51, 201, 5, 12, 77)]
    whole = score(*frames(*leads), RULES)
    monkeypatch.setattr("lead_assets.scoring.score._ROWS_AT_ONCE", 2)
    assert score(*frames(*leads), RULES).equals(whole)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "profile": st.sampled_from(["lending", "b2b", "x"]),
                "loan_type": st.sampled_from(["bridge_rtl", "rental", "unknown", 'odd "one"\\', None]),
                "urgency_score": st.one_of(st.none(), st.integers(-5, 50)),
                "loan_amount_requested": st.one_of(st.none(), st.floats()),
                "icp_fit": st.sampled_from(["strong", None, '"quoted"', "tab\t"]),
                "headcount_min": st.one_of(st.none(), st.integers(0, 10**6)),
                "enrichment_quality": st.one_of(st.none(), st.floats(0, 1)),
            }
        ),
        max_size=6,
    )
)
def test_parts_always_sum_to_a_score_on_the_scale(leads: list[dict[str, Any]]) -> None:
    rows = scored(*leads)
    assert len(rows) == len(leads)
    for row in rows:
        parts = row["by"].values()
        assert abs(sum(part["points"] for part in parts) - row["score"]) < 1e-9
        assert abs(sum(part["max_points"] for part in parts) - 100) < 1e-9
        assert all(0 <= part["points"] <= part["max_points"] for part in parts)
        assert 0 <= row["score"] <= 100
        assert 0 <= row["route_score"] <= 1
        assert row["parts"] == canonical_json(json.loads(row["parts"]))
        assert len(row["reasons"]) == min(5, len(row["by"]))


ROUTED: dict[str, Any] = {
    "headcount_min": 20,
    "company_industry": "B2B SaaS",
    "title": "Sales Director, EMEA",
    "country_code": "DE",
    "technologies": ["Segment"],
    "email_kind": "business",
}


@pytest.mark.parametrize(
    ("change", "expected", "path"),
    [
        ({}, 0.9, "route"),
        ({"headcount_min": 100}, 1.0, "route"),
        ({"headcount_min": 19}, 0.6, "manual_review"),
        ({"company_industry": "Retail"}, 0.7, "route"),
        ({"company_industry": None, "industry": "fintech"}, 0.9, "route"),
        ({"title": "Leader of overheads"}, 0.7, "route"),
        ({"country_code": "XX", "technologies": []}, 0.7, "route"),
        ({"email_kind": "free"}, 0.5, "manual_review"),
        ({"headcount_min": None, "email_kind": "free"}, 0.2, "nurture"),
        ({"headcount_min": None, "title": None, "email_kind": "free", "company_industry": None}, 0.0, "nurture"),
    ],
)
def test_the_routers_score_is_the_sum_that_its_clients_know(change: dict[str, Any], expected: float, path: str) -> None:
    (row,) = scored({"profile": "b2b", **ROUTED, **change})
    assert (row["route_score"], row["path"]) == (expected, path)


def test_a_profile_without_rules_of_the_router_is_routed_by_its_score() -> None:
    (row,) = scored(BRIDGE)
    assert row["route_score"] == round(row["score"] / 100, 2)
    assert row["path"] == ("route" if row["route_score"] >= 0.7 else "manual_review")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("fit", 0, {"column": "shoe_size"}), "unknown column 'shoe_size'"),
        (("fit", 0, {"values": None}), "exactly one of values, steps, present"),
        (("fit", 0, {"values": {"bridge_rtl": 0}}), "rule 'loan_type' gives no points"),
        (("fit", 0, {"name": "urgency"}), "two rules have the same name"),
        (("intent", 0, {"name": "learned"}), "two rules have the same name"),
        (("weights", None, {"fit": 0}), "the rules of fit have no weight"),
        (("weights", None, {"fitt": 1}), "unknown key 'fitt'"),
    ],
)
def test_rules_that_cannot_work_are_refused_by_name(tmp_path: Path, change: tuple[str, int | None, dict[str, Any]], says: str) -> None:
    group, index, values = change

    def edit(rules: dict[str, Any]) -> None:
        at = rules["profiles"]["lending"][group]
        (at if index is None else at[index]).update(values)

    with pytest.raises(RulesError, match=says):
        changed(tmp_path, edit)
