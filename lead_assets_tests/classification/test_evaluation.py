"""Evaluation figures, how well the shipped prompt and rules do on the labelled leads, and how a regression is noticed."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import get_args

import polars as pl
import pytest
import yaml

from lead_assets.classification.baselines import Baselines
from lead_assets.classification.checks import Answers, drift, trailing
from lead_assets.classification.evaluation import measure, stability_index
from lead_assets.classification.golden import Golden, as_baseline, evaluate, load_golden, regressions
from lead_assets.classification.profiles import load_profiles
from lead_assets.contracts import Classification, GoldenEvaluation, Quarantined
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.sandbox import Handle
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import frame, lead, noted
from lead_assets_tests.classification.pipeline import QUIET, check_of, graph

LENDING = [each for each in load_golden() if each.profile == "lending"]
FIELDS = ("loan_type", "investor_experience")


def test_figures_of_one_field() -> None:
    measured = measure(["a", "a", "a", "b"], ["a", "a", "b", None])
    assert measured.accuracy == 0.5
    assert measured.recall == {"a": pytest.approx(2 / 3), "b": 0.0}
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
    golden = load_golden()
    kinds = {"scenario", "plain", "sparse", "vague", "contradictory", "multilingual", "adversarial"}
    assert {each.kind for each in golden} == kinds
    assert sum(each.kind == "scenario" for each in golden) == 7
    assert len(golden) - 7 >= 60
    assert len({each.id for each in golden}) == len({str(each.lead) for each in golden}) == len(golden)


def test_golden_labels_are_values_of_their_contract() -> None:
    for each in load_golden():
        contract = load_profiles()[each.profile].contract
        for field, expected in each.expected.items():
            if isinstance(expected, str):
                assert expected in get_args(contract.model_fields[field].annotation), (each.id, field)
            else:
                assert 1 <= expected[0] <= expected[1] <= 5, (each.id, field)


@pytest.mark.parametrize("field", FIELDS)
def test_rules_hold_their_baseline_on_the_golden_leads(field: str) -> None:
    by_rules = load_profiles()["lending"].by_rules
    measured = measure([str(each.expected[field]) for each in LENDING], [by_rules(dict(each.lead))[field] for each in LENDING])
    wrong = [(each.lead["notes"], pair) for each, pair in zip(LENDING, measured.pairs, strict=True) if pair[0] != pair[1]]
    assert mean(measured.recall.values()) >= 0.85, wrong


def test_no_golden_lead_is_lost_and_no_order_is_followed(run: Run) -> None:
    result = run(noted(*(each.lead["notes"] for each in LENDING)))
    assert result.quarantine.is_empty(), result.quarantine.select("code", "reason").rows()
    assert result.classifications.height == len(LENDING)
    assert not [message for message in result.classifications["outreach_message"] if "approved" in message or "3%" in message]


def few() -> list[Golden]:
    """Enough to have every kind, and one whose answer is quarantined."""
    kinds = {(each.profile, each.kind): each for each in load_golden()}
    return [*kinds.values(), Golden("bad", "plain", "lending", {"notes": "flip [[sandbox:placeholder]]"}, {"loan_type": "bridge_rtl"})]


def test_an_evaluation_has_accuracy_failures_and_cost_and_is_bought_once(ledger: Ledger, settings: Settings, sandbox: Handle) -> None:
    golden = few()
    first = evaluate(ledger, settings, golden=golden)
    assert first.rows.schema == GoldenEvaluation.polars_schema()
    assert set(first.rows["lead_id"]) == {each.id for each in golden}
    assert (first.leads, first.quarantined, first.model) == (len(golden), 1, "claude-haiku-5-5")
    assert first.failure_rate == pytest.approx(1 / len(golden))
    assert float(first.cost_usd) == pytest.approx(sandbox.meter()["anthropic"]["messages"]["usd"], abs=2e-5)
    assert first.rows["cost_usd"].sum() == first.cost_usd
    bad = first.rows.filter(pl.col("lead_id") == "bad").row(0, named=True)
    assert (bad["answered"], bad["correct"], bad["code"]) == (None, False, "placeholder")
    assert first.fields["lending.loan_type"].confusion["bridge_rtl"]["(none)"] == 1
    assert first.accuracy()["lending.loan_type"] == first.fields["lending.loan_type"].accuracy
    calls = sandbox.billed("anthropic")
    assert evaluate(ledger, settings, golden=golden).rows.equals(first.rows)
    assert sandbox.billed("anthropic") == calls


def test_a_campaigns_choice_of_profile_does_not_touch_the_golden_leads(ledger: Ledger, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "classification.yaml").write_text("campaigns: [{pattern: '*', profile: b2b}]")
    chosen = settings.model_copy(update={"rules_dir": tmp_path})
    assert evaluate(ledger, chosen, golden=few()).accuracy()["lending.loan_type"] > 0


def test_what_is_worse_than_recorded_is_a_regression(ledger: Ledger, settings: Settings) -> None:
    evaluation = evaluate(ledger, settings, golden=few())
    entry = yaml.safe_load(as_baseline(evaluation, synthetic=True))
    reached = Baselines.model_validate({"baselines": entry})
    assert regressions(evaluation, reached, synthetic=True) == []
    entry[0]["accuracy"]["lending.loan_type"] += 0.1
    entry[0]["accuracy"]["lending.gone"] = 0.5
    entry[0]["failure_rate"] = 0.0
    found = regressions(evaluation, Baselines.model_validate({"baselines": entry}), synthetic=True)
    assert [fault.split(":")[0] for fault in found][:2] == ["lending.loan_type", "lending.gone no longer has labels"]
    assert found[2].startswith("governance failures")
    # Not the same model: it is held to what rules reach, and to nothing if that is unknown.
    assert "no baseline" in regressions(evaluation, reached, synthetic=False)[0]
    entry[0] |= {"model": "rules-v1", "accuracy": {"lending.loan_type": 1.0}, "failure_rate": 1.0}
    assert "(rules-v1)" in regressions(evaluation, Baselines.model_validate({"baselines": entry}), synthetic=False)[0]


def test_the_golden_asset_shows_its_figures_and_holds_them_to_the_baseline(settings: Settings, sandbox: Handle) -> None:
    with graph(settings) as made:
        job = made.definitions.resolve_job_def("golden_evaluation")
        ran = job.execute_in_process(run_config=QUIET, instance=made.instance)
        assert check_of(ran, "classification/golden_evaluation:no_regression").passed
        (made_of,) = ran.asset_materializations_for_node("classification__golden_evaluation")
        assert made_of.metadata["confusion"].value.count("data:image/svg+xml;base64,") == 5
        assert made_of.metadata["model"].value == "claude-haiku-5-5"
        assert {"cost_usd", "governance_failure_rate", "accuracy: lending.loan_type"} <= set(made_of.metadata)
        assert made.rows(GoldenEvaluation).height > 200


def answers(run: Run, campaign: str, **shares: int) -> Answers:
    """Classified leads of a campaign: so many of each note."""
    notes = {"flips": "Fix and flip", "rentals": "Rental refinance, tenants in place", "bad": "flip [[sandbox:refusal]]"}
    leads = frame(*(lead(n, campaign, notes=notes[kind]) for n, kind in enumerate(k for k, count in shares.items() for _ in range(count))))
    result = run(leads)
    return result.classifications, result.quarantine


def test_a_shift_of_the_mix_or_of_the_failures_is_told(run: Run) -> None:
    before = answers(run, "before", flips=40, rentals=30)
    profiles = load_profiles()

    def shifted(**shares: int) -> set[str]:
        return {each.of for each in drift(answers(run, "now", **shares), before, profiles) if each.shifted}

    assert shifted(flips=38, rentals=32) == set()
    assert shifted(flips=5, rentals=65) == {"lending.loan_type"}
    assert "lending: failures" in shifted(flips=30, rentals=20, bad=20)
    # Too few to tell.
    assert shifted(rentals=20) == set()


def test_campaigns_are_compared_with_those_that_came_before(run: Run, tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse")
    for number in range(13):
        good, bad = answers(run, f"c{number:02}", flips=1)
        warehouse.write(Classification, good, [f"c{number:02}"])
        warehouse.write(Quarantined, bad, [f"c{number:02}"])
    order = [f"c{number:02}" for number in range(13)]
    assert trailing(warehouse, ["c12", "c11"], order)[0]["campaign_id"].to_list() == order[1:11]
    assert trailing(warehouse, ["c00"], order)[0].is_empty()
    assert trailing(warehouse, ["new"], [*order, "new"])[0]["campaign_id"].to_list() == order[3:]
