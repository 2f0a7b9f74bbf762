"""Scores by rules: parts add up to the score, every part has a reason, and broken rules are refused by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score
from lead_assets.core.document import RulesError
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score

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


def test_an_urgent_experienced_bridge_lead_is_hot_and_says_why() -> None:
    lead = {
        "loan_type": "bridge_rtl",
        "investor_experience": "experienced",
        "urgency_score": 5,
        "loan_amount_requested": 450000.0,
        "property_address": "1 Main St",
        "phone_e164": "+13055550100",
        "email_kind": "business",
    }
    row = score(*frames(lead), load_scoring_rules(Settings())).row(0, named=True)
    parts = {part["rule"]: part for part in json.loads(row["parts"])}
    assert row["tier"] == "hot"
    assert parts["urgency"] == {"rule": "urgency", "points": 25, "max_points": 25, "because": "urgency_score is 5"}
    assert parts["property_known"]["because"] == "property_address is known"


def test_a_lead_of_which_nothing_is_known_is_cold_not_an_error() -> None:
    row = score(*frames({"loan_type": None}), load_scoring_rules(Settings())).row(0, named=True)
    assert row["tier"] == "cold"
    assert all(part["because"].endswith(("missing", "is missing")) for part in json.loads(row["parts"]))


def test_each_profile_has_its_rules_and_an_unknown_profile_the_default() -> None:
    result = score(*frames({"profile": "lending"}, {"profile": "b2b"}, {"profile": "brand_new"}), load_scoring_rules(Settings()))
    assert dict(result.select("lead_id", "ruleset").iter_rows()) == {
        "ld_0": "lending-rules-1",
        "ld_1": "b2b-rules-1",
        "ld_2": "b2b-rules-1",
    }


def test_a_field_of_the_answer_can_score() -> None:
    leads = frames({"profile": "b2b", "answer": '{"icp_fit":"strong"}'}, {"profile": "b2b", "answer": '{"icp_fit":"weak"}'})
    strong, weak = score(*leads, load_scoring_rules(Settings()))["score"]
    assert strong - weak == 21


def test_personal_data_is_not_repeated_in_the_reasons() -> None:
    row = score(*frames({"property_address": "12 Secret Lane", "phone_e164": "+13055550100"}), load_scoring_rules(Settings())).row(
        0, named=True
    )
    assert "Secret" not in row["parts"]
    assert "305" not in row["parts"]


def test_no_leads_give_no_scores_with_the_right_types() -> None:
    assert score(*frames(), load_scoring_rules(Settings())).schema == Score.polars_schema()


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "profile": st.sampled_from(["lending", "b2b", "x"]),
                "loan_type": st.sampled_from(["bridge_rtl", "rental", "unknown", None]),
                "urgency_score": st.one_of(st.none(), st.integers(-5, 50)),
                "loan_amount_requested": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
                "answer": st.sampled_from(["{}", '{"icp_fit":"strong"}', '{"icp_fit":null}', '{"icp_fit":"\\"quoted\\""}']),
                "headcount_min": st.one_of(st.none(), st.integers(0, 10**6)),
            }
        ),
        max_size=6,
    )
)
def test_parts_always_sum_to_a_score_on_the_scale(leads: list[dict[str, Any]]) -> None:
    result = score(*frames(*leads), load_scoring_rules(Settings()))
    assert result.height == len(leads)
    for row in result.iter_rows(named=True):
        assert sum(part["points"] for part in json.loads(row["parts"])) == row["score"]
        assert 0 <= row["score"] <= 100


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"column": "shoe_size"}, "unknown column 'shoe_size'"),
        ({"values": None}, "exactly one of values, steps, present"),
        ({"values": {"bridge_rtl": 95}}, "add up to a maximum of"),
        ({"name": "urgency"}, "two rules have the same name"),
    ],
)
def test_rules_that_cannot_work_are_refused_by_name(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    rules = yaml.safe_load(SHIPPED.read_text())
    rules["profiles"]["lending"]["rules"][0].update(change)
    path = tmp_path / "scoring.yaml"
    path.write_text(yaml.safe_dump(rules))
    with pytest.raises(RulesError, match=says):
        load_scoring_rules(Settings(rules_dir=tmp_path))
