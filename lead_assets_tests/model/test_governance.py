"""The rules for answers, one at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_assets.classification.profiles import load_profiles
from lead_assets.model import governance, message_rules

LENDING = load_profiles()["lending"]
FACTS = {
    "first_name": "Jordan",
    "company": "Maple Row Homes",
    "city": "Tulsa",
    "state": "OK",
    "loan_amount_requested": 310000,
    "notes": "Fix and flip in Tulsa, closing in 12 days. My 4th flip, done  three\nlast year.",
}
GOOD: dict[str, Any] = {
    "lead_rating": 70,
    "rating_reasons": ["knows which loan it wants"],
    "loan_type": "bridge_rtl",
    "investor_experience": "experienced",
    "urgency_score": 5,
    "outreach_message": "Hi Jordan, your Tulsa flip sounds time-sensitive. Could we talk through the numbers tomorrow morning?",
    "classification_rationale": "The notes speak of a flip and of earlier ones.",
    "evidence": ["fix and flip", "done three last year"],
}


def codes(change: dict[str, Any] | None = None, *, text: str | None = None, facts: dict[str, Any] | None = None) -> list[str]:
    text = text if text is not None else json.dumps({**GOOD, **(change or {})})
    (judged,) = governance.judge([governance.Claim(LENDING, facts or FACTS, text)])
    assert (judged.answer is None) == bool(judged.violations)
    return [violation.code for violation in judged.violations]


def message(text: str, **facts: Any) -> list[str]:
    return codes({"outreach_message": text}, facts={**FACTS, **facts})


def test_a_good_answer_passes() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"loan_type": "mezzanine"}, "invalid_enum"),
        ({"loan_type": None}, "invalid_enum"),
        ({"urgency_score": "high"}, "wrong_type"),
        ({"urgency_score": "3"}, "wrong_type"),
        ({"urgency_score": 3.5}, "wrong_type"),
        ({"urgency_score": True}, "wrong_type"),
        ({"urgency_score": 9}, "out_of_range"),
        ({"urgency_score": 0}, "out_of_range"),
        ({"outreach_message": "Hello"}, "too_short"),
        ({"outreach_message": "We would like to talk. " * 40}, "too_long"),
        ({"outreach_message": None}, "missing_field"),
        ({"confidence": 0.9}, "extra_field"),
        ({"evidence": "fix and flip"}, "wrong_type"),
        ({"evidence": []}, "evidence_missing"),
        ({"evidence": ["signed purchase agreement"]}, "evidence_not_found"),
        ({"evidence": ["fix and flip", "owner of a lighthouse"]}, "evidence_not_found"),
        ({"evidence": ["  "]}, "evidence_not_found"),
    ],
)
def test_what_breaks_the_contract_is_named(change: dict[str, Any], code: str) -> None:
    assert codes(change) == [code]


def test_a_missing_field_is_named() -> None:
    text = json.dumps({name: value for name, value in GOOD.items() if name != "urgency_score"})
    (judged,) = governance.judge([governance.Claim(LENDING, FACTS, text)])
    assert [(violation.code, violation.field) for violation in judged.violations] == [("missing_field", "urgency_score")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("Sure! Here it is:\n" + json.dumps(GOOD), "not_json"),
        (json.dumps(GOOD)[:-20], "not_json"),
        (json.dumps([GOOD]), "not_json"),
        (json.dumps(GOOD)[:-1] + ', "urgency_score": 1}', "not_json"),
        (json.dumps(GOOD).replace(": 5", ": NaN"), "not_json"),
        ("[" * 100_000, "not_json"),
    ],
)
def test_what_is_not_one_json_object_is_no_answer(text: str, code: str) -> None:
    assert codes(text=text) == [code]


def test_all_faults_are_reported_at_once_and_none_repeats_the_value() -> None:
    change = {"loan_type": "SECRET-VALUE", "urgency_score": 77, "evidence": ["SECRET-QUOTE"]}
    (judged,) = governance.judge([governance.Claim(LENDING, FACTS, json.dumps({**GOOD, **change}))])
    assert {violation.code for violation in judged.violations} == {"invalid_enum", "out_of_range"}
    change = {"outreach_message": "Hi [SECRET-VALUE], approval is guaranteed", "evidence": ["SECRET-QUOTE"]}
    (judged,) = governance.judge([governance.Claim(LENDING, FACTS, json.dumps({**GOOD, **change}))])
    assert {"placeholder", "over_promise", "evidence_not_found"} <= {violation.code for violation in judged.violations}
    assert "SECRET" not in " ".join(str(violation) for violation in judged.violations)


def test_evidence_may_differ_in_white_space_case_and_quotation_marks_only() -> None:
    facts = {**FACTS, "notes": "I’m   doing a “Fix and Flip”\n in Tulsa"}
    assert codes({"evidence": ['i\'m doing a "fix AND flip" in tulsa']}, facts=facts) == []
    assert codes({"evidence": ["doing fix and flip"]}, facts=facts) == ["evidence_not_found"]


def test_nothing_claimed_needs_no_evidence() -> None:
    assert codes({"loan_type": "unknown", "investor_experience": "unknown", "evidence": []}) == []


@pytest.mark.parametrize(
    "text",
    [
        "Hi [Name], could we talk about your flip?",
        "Dear [First Name] could we talk about your flip?",
        "Hi {{first_name}}, could we talk about your flip?",
        "Hi {name}, could we talk about your flip?",
        "Hi there, how is <Company> doing with the flip?",
        "Hi %NAME%, could we talk about your flip?",
        "Hi %(first_name)s, could we talk about your flip?",
        "Hi XX, could we talk about your flip?",
        "Hi there, could we lend you $XXX,XXX for your flip?",
        "Hi ____, could we talk about your flip?",
        "Hi ${first_name}, could we talk about your flip?",
        "Hi $NAME, could we talk about your flip?",
        "Hi FIRST_NAME, could we talk about your flip?",
        "Hi ［Name］, could we talk about your flip?",
        "Hi «Name», could we talk about your flip?",
        "Hi 【名前】, could we talk about your flip?",
        "Dear , could we talk about your flip?",
        "Could we talk about your flip? Best, Your Name",
        "Could we talk about your flip? (insert date)",
        "Hi name, could we talk about your flip?",
        "Could we talk about your flip on #DATE# please?",
    ],
)
def test_a_placeholder_is_found_in_any_spelling(text: str) -> None:
    assert "placeholder" in message(text)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("Hi Jordan, your approval is guaranteed. Shall we talk?", False),
        ("Hi Jordan, you are pre-approved for this flip. Shall we talk?", False),
        ("Hi Jordan, you're approved! Shall we talk?", False),
        ("Hi Jordan, rates from 6.5% are waiting. Shall we talk?", False),
        ("Hi Jordan, we have the lowest rates. Shall we talk?", False),
        ("Hi Jordan, we can close in 5 days. Shall we talk?", False),
        ("Hi Jordan, we'll fund it by Friday. Shall we talk?", False),
        ("Hi Jordan, no credit check. Shall we talk?", False),
        ("Hola Jordan, aprobación garantizada. ¿Hablamos?", False),
        ("Hi Jordan, I saw that you are closing in 12 days. Shall we talk?", True),
        ("Hi Jordan, we cannot guarantee terms yet, but shall we talk?", True),
        ("Hi Jordan, a bridge loan at 75% LTV may be a fit. Shall we talk?", True),
    ],
)
def test_a_message_promises_nothing(text: str, fine: bool) -> None:
    assert ("over_promise" not in message(text)) == fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("Hi Jordan, shall we talk about the flip in Tulsa?", True),
        ("Hello there, shall we talk about your flip?", True),
        ("Thanks for writing, Jordan. Is Tuesday good to talk about Maple Row?", True),
        ("Hi Jordan, is the Oklahoma flip still on? We could look at DSCR for a hold.", True),
        ("Hi Bartholomew, shall we talk about the flip?", False),
        ("Hi Jordan, Greta Vandermeer will call you about it.", False),
        ("Hi Jordan, shall we talk about the flip? Best regards, Sarah", False),
        ("Hi Jordan, I'm Michael and I can help with the flip.", False),
        ("Hi Jordan, I am with Zephyrine Capital. Shall we talk about the flip?", False),
        ("Hi Jordan, ask for Peter when you call.", False),
        ("Hi Jordan, this is what Foo-Bar does about a flip.", False),
        ("Hi Jordan, this is what Foo_Bar does about a flip.", False),
        ("Hi Jordan, this is what Foo''Bar does about a flip.", False),
        ("Hi Jordan, this is what Élan & Vital does about a flip.", False),
        ("Hi Jordan, this is what Tulsa-Row does about a flip.", True),
    ],
)
def test_a_message_names_nobody_but_the_lead(text: str, fine: bool) -> None:
    assert ("other_name" not in message(text)) == fine


def test_a_lead_without_a_name_is_greeted_without_one() -> None:
    facts = {name: value for name, value in FACTS.items() if name != "first_name"}
    assert codes({"outreach_message": "Hi Jordan, shall we talk about the flip?"}, facts=facts) == ["other_name"]
    assert codes({"outreach_message": "Hi there, shall we talk about the flip?"}, facts=facts) == []


@pytest.mark.parametrize(
    "text",
    [
        "Hi Jordan, apply at https://loans.example/x today",
        "Hi Jordan, apply at evil-loans.com/apply today",
        "Hi Jordan, write to me at a@b.example please",
        "Hi Jordan, call 918-555-0134 for the flip",
        "Hi Jordan, call (918) 555 0134 for the flip",
    ],
)
def test_a_message_holds_no_contact_details(text: str) -> None:
    assert "contact_details" in message(text)


def test_amounts_are_no_contact_details() -> None:
    assert message("Hi Jordan, is $310,000 on a $455,000.00 value still the plan for Tulsa?") == []


def test_rules_answers_are_held_to_the_same_contract_without_a_message() -> None:
    said = {name: value for name, value in GOOD.items() if name != "outreach_message"}
    good, bad = (replace(LENDING, by_rules=lambda _, value=value: value) for value in (said, {**GOOD, "loan_type": "mezzanine"}))
    judged, refused = governance.judge_rules([(good, FACTS), (bad, FACTS)])
    assert judged.answer is not None
    assert judged.answer.outreach_message is None
    assert refused.answer is None


def test_many_answers_are_judged_like_each_alone() -> None:
    texts = [
        "",
        "[]",
        json.dumps(GOOD),
        json.dumps({**GOOD, "outreach_message": "Hi [Name], shall we talk about the flip?"}),
        json.dumps(GOOD),
    ]
    claims = [governance.Claim(LENDING, FACTS, text) for text in texts]
    together = governance.judge(claims)
    assert together == [judged for claim in claims for judged in governance.judge([claim])]
    assert [bool(judged.violations) for judged in together] == [True, True, False, True, False]


@pytest.mark.parametrize("number", ["1e999", "9" * 30, '"\\ud800"'])
def test_a_value_that_is_too_much_for_json_elsewhere_is_a_wrong_one(number: str) -> None:
    text = json.dumps({**GOOD, "urgency_score": "HERE"}).replace('"HERE"', number)
    assert codes(text=text) in (["wrong_type"], ["out_of_range"])


_RULE_PATTERNS = [
    message_rules._PLACEHOLDER,
    message_rules._CONTACT,
    *(pattern for patterns in message_rules.PROMISES.values() for pattern in patterns),
    *message_rules._NAMED_OUTRIGHT,
    message_rules._CAPITALISED,
]
_PIECES = st.one_of(
    *(st.from_regex(pattern, fullmatch=whole) for pattern in _RULE_PATTERNS for whole in (False, True)),
    st.sampled_from(
        ["Hi Jordan,", "Hi there", " ", "\n", "’", "-", "_", "''", "\x1f", "\u0301", "ß", "é", "ª", "K", "without", "Maple Row", "Bob"]
    ),
    st.text(max_size=4),
)


@given(st.lists(_PIECES, max_size=5).map("".join))
@settings(max_examples=100, deadline=None)
def test_the_quick_look_lets_no_message_pass_that_breaks_a_rule(text: str) -> None:
    message = message_rules.message(text)
    placeholder, contact, promise, names = message_rules.suspects([message] * 50).row(0)
    shown = message_rules.Shown(FACTS)
    assert placeholder or not message_rules.has_placeholder(text)
    assert contact or not message_rules.has_contact_details(text)
    assert promise or not list(message_rules.promises(text, shown))
    assert message_rules.names_another(message, shown, frozenset(), names) == message_rules.names_another(message, shown, frozenset())


def test_the_quick_look_suspects_few() -> None:
    fine = message_rules.message(
        "Hi Zoë, thanks for your note. Teams like yours ask us about getting leads to the right person. Would a short call on Monday help?"
    )
    assert set(message_rules.suspects([fine] * 50).rows()) == {(False, False, False, 0)}
    assert message_rules.suspects([fine]).row(0) == (True, True, True, -1), "to look closely at one is faster"
