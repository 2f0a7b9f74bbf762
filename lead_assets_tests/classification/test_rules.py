"""The rules classifier: correct often enough on what people write, and undecided when they say nothing."""

from __future__ import annotations

import csv
import json
from statistics import mean

import pytest

from lead_assets.classification import rules
from lead_assets.classification.evaluation import measure
from lead_assets.classification.profiles import load_profiles
from lead_assets.core.project_files import project_file
from lead_assets.model import governance

LENDING, B2B = load_profiles()["lending"], load_profiles()["b2b"]

SENTENCES = [
    ("Need to close on a fix and flip in 10 days, I've done 12 flips in the last 3 years.", "bridge_rtl", "experienced"),
    ("Looking to refinance my portfolio of 8 rentals into one DSCR loan", "rental", "experienced"),
    ("hi, interested in maybe buying something, never done this before, not sure where to start", "unknown", "first_time"),
    ("Bridge loan for a 12-unit building, we will sell in 12 months. We have closed 9 commercial deals.", "bridge_rtl", "experienced"),
    ("I flip houses but this one is a rental? First deal, but I have 20 properties already.", "unknown", "unknown"),
    ("Purchasing a single-family rental, tenants in place, $2,400 monthly rent, want a 30-year fixed.", "rental", "unknown"),
    ("This is my first flip, rehab budget 40k", "bridge_rtl", "first_time"),
    ("Own 4 doors and want to cash out refi two duplexes", "rental", "experienced"),
    ("Buying my first rental property", "rental", "first_time"),
    ("hard money for auction purchase, gut rehab, list it in spring. Seasoned investor.", "bridge_rtl", "experienced"),
    ("Please call me", "unknown", "unknown"),
    ("What are your rates?", "unknown", "unknown"),
    ("Quiero reformar una casa y venderla, es mi primera inversión", "bridge_rtl", "first_time"),
    ("Wir vermieten bereits 5 Wohnungen und wollen refinanzieren", "rental", "experienced"),
    ("not a flip - I want to hold it long and rent it out. Own three rentals.", "rental", "experienced"),
    ("short-term rental (Airbnb) cabin purchase, already run 3 of these", "rental", "experienced"),
    ("new construction spec home, builder with 15 years experience", "bridge_rtl", "experienced"),
    ("Never flipped before but my brother has. Want to fix & flip a bungalow", "bridge_rtl", "first_time"),
    ("not my first deal, value-add fourplex, exit in 9 months", "bridge_rtl", "experienced"),
    ("our next project: ground-up duplex, builder's risk in place", "bridge_rtl", "experienced"),
    ("new to real estate, saw your ad", "unknown", "first_time"),
]


def labelled() -> list[tuple[dict[str, object], str, str]]:
    truth = {row["lead_id"]: row for row in csv.DictReader(project_file("fixtures/labels/lending.csv").open())}
    cases: list[tuple[dict[str, object], str, str]] = []
    for line in project_file("fixtures/lending_scenarios.ndjson").read_text().splitlines():
        payload = json.loads(line)
        facts = {name: payload[name] for name in ("notes", "purchase_price", "estimated_arv", "property_type") if payload.get(name)}
        label = truth[payload["lead_id"]]
        cases.append((facts, label["loan_type"], label["investor_experience"]))
    return [*cases, *(({"notes": notes}, loan, experience) for notes, loan, experience in SENTENCES)]


@pytest.mark.parametrize(("field", "place"), [("loan_type", 1), ("investor_experience", 2)])
def test_labelled_leads_are_read_right(field: str, place: int) -> None:
    cases = labelled()
    assert len(cases) >= 28
    measured = measure([str(case[place]) for case in cases], [LENDING.by_rules(case[0])[field] for case in cases])
    assert mean(measured.recall.values()) >= 0.85, [
        (case[0]["notes"], pair) for case, pair in zip(cases, measured.pairs, strict=True) if pair[0] != pair[1]
    ]


def test_every_answer_by_rules_meets_the_contract() -> None:
    for facts, _, _ in labelled():
        for profile in (LENDING, B2B):
            (judged,) = governance.judge_rules([(profile, facts)])
            assert judged.answer is not None, judged.violations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("just looking, no rush", 1),
        ("interested in a loan", 2),
        ("thinking of buying next month", 3),
        ("closing date is set, under contract", 4),
        ("need it within 5 days", 5),
        ("need funds asap", 5),
        ("not urgent", 1),
        ("ASAP but no rush", 3),
    ],
)
def test_urgency_is_read_from_the_words(text: str, expected: int) -> None:
    assert rules.urgency(text) == expected


def test_quotes_are_verbatim_even_where_folding_changes_lengths() -> None:
    assert rules.decide("ÇŒUR ﬁne — Fix & Flip!", [rules.cue("x", "fix & flip")]).quotes == ("Fix & Flip",)


def test_a_value_after_repair_far_above_the_price_is_a_renovation_only_where_words_are_silent() -> None:
    numbers = {"purchase_price": 100_000, "estimated_arv": 180_000}
    assert LENDING.by_rules(numbers)["loan_type"] == "bridge_rtl"
    assert LENDING.by_rules({**numbers, "notes": "I want to rent it out"})["loan_type"] == "rental"


@pytest.mark.parametrize(
    ("facts", "fit", "stage"),
    [
        ({"company_headcount": "51-200", "company_headcount_min": 51, "notes": "Please send pricing"}, "strong", "decision"),
        ({"company_size": "11-50", "notes": "We are comparing tools"}, "moderate", "consideration"),
        ({"company_size": "2-10"}, "weak", "unknown"),
        ({"company_size": "5,001-10,000", "notes": "student, writing a thesis"}, "weak", "awareness"),
        ({}, "unknown", "unknown"),
    ],
)
def test_b2b_leads_are_read(facts: dict[str, object], fit: str, stage: str) -> None:
    answer = B2B.by_rules(facts)
    assert (answer["icp_fit"], answer["buying_stage"]) == (fit, stage)


@pytest.mark.parametrize(
    ("said", "loan"),
    [
        ("not sure if flip or rent", "unknown"),
        ("Undecided whether to flip it or rent it out", "unknown"),
        ("Flip or hold, depends on the market", "unknown"),
        ("Renting it out or selling, whatever pays", "unknown"),
        ("Bridge loan to buy now, refinance into a DSCR loan later", "bridge_rtl"),
        ("Hard money for the rehab, then refi once tenants are in", "bridge_rtl"),
        ("Need a bridge, will refinance in 12 months", "bridge_rtl"),
        ("Rehab first, then long-term refinance", "bridge_rtl"),
        ("Refinance my rental, rented for two years", "rental"),
        ("Refinance out of a bridge loan into a 30-year DSCR, tenants in place", "rental"),
        ("DSCR loan, and refinance of the fourplex next door", "rental"),
    ],
)
def test_a_choice_is_undecided_and_a_later_refinance_is_not_the_loan_wanted(said: str, loan: str) -> None:
    assert load_profiles()["lending"].by_rules({"notes": said})["loan_type"] == loan
