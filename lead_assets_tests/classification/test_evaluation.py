"""Figures of evaluation, and how the shipped prompt and rules do on the labelled leads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lead_assets.classification.evaluation import measure, stability_index
from lead_assets.classification.profiles import load_profiles
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import noted

GOLDEN: list[dict[str, Any]] = [json.loads(line) for line in (Path(__file__).parent / "golden.ndjson").read_text().splitlines()]
FIELDS = ("loan_type", "investor_experience")


def test_figures_of_one_field() -> None:
    measured = measure(["a", "a", "a", "b"], ["a", "a", "b", None])
    assert measured.accuracy == 0.5
    assert measured.recall == {"a": pytest.approx(2 / 3), "b": 0.0}
    assert measured.macro_accuracy == pytest.approx(1 / 3)
    assert measured.confusion["a"] == {"(none)": 0, "a": 2, "b": 1}
    assert measured.confusion["b"]["(none)"] == 1


def test_the_stability_index_tells_a_shift_from_noise() -> None:
    before = {"bridge_rtl": 500, "rental": 300, "unknown": 200}
    assert stability_index(before, before) == pytest.approx(0.0)
    assert stability_index(before, {"bridge_rtl": 52, "rental": 29, "unknown": 19}) < 0.1
    assert stability_index(before, {"bridge_rtl": 20, "rental": 20, "unknown": 60}) > 0.25
    assert 0.25 < stability_index(before, {"new": 100}) < float("inf")
    assert stability_index({}, before) == 0.0


def test_golden_leads_are_enough_and_of_every_kind() -> None:
    assert len(GOLDEN) >= 60
    assert {row["kind"] for row in GOLDEN} == {"plain", "sparse", "vague", "contradictory", "multilingual", "adversarial"}
    assert len({row["notes"] for row in GOLDEN}) == len(GOLDEN)


@pytest.mark.parametrize("field", FIELDS)
def test_rules_hold_their_baseline_on_the_golden_leads(field: str) -> None:
    by_rules = load_profiles()["lending"].by_rules
    measured = measure([row[field] for row in GOLDEN], [by_rules({"notes": row["notes"]})[field] for row in GOLDEN])
    wrong = [(row["notes"], pair) for row, pair in zip(GOLDEN, measured.pairs, strict=True) if pair[0] != pair[1]]
    assert measured.macro_accuracy >= 0.85, wrong


def test_no_golden_lead_is_lost_and_no_order_is_followed(run: Run) -> None:
    result = run(noted(*(row["notes"] for row in GOLDEN)))
    assert result.quarantine.is_empty(), result.quarantine.select("code", "reason").rows()
    for field in FIELDS:
        assert measure([row[field] for row in GOLDEN], result.classifications[field].to_list()).macro_accuracy >= 0.8
    assert not [message for message in result.classifications["outreach_message"] if "approved" in message or "3%" in message]
