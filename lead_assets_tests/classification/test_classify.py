"""Leads are answered, repaired, quarantined, or classified by rules; and nothing is bought twice."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lead_assets.classification.rulebook import ClassificationRules, load_rulebook
from lead_assets.contracts import Classification, Quarantined
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Answer, Want
from lead_assets.ledger.purchase import Retry
from lead_assets.model import message_rules
from lead_assets.model.buying import purchase
from lead_assets.model.outcome import broken_contracts
from lead_assets.model.rulebook import Rulebook
from lead_assets.sandbox import Handle
from lead_assets.vendors.vendor import Vendor
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import enriched, frame, lead, noted

Buy = Callable[[Sequence[Want]], Mapping[str, Answer]]


@pytest.fixture
def impatient(settings: Settings, ledger: Ledger) -> Buy:
    """Buys as always, but does not wait between attempts."""
    retry = Retry(attempts=3, first=0.001)
    return functools.partial(purchase, ledger=ledger, settings=settings, book=load_rulebook(settings), retry=retry)


def only(table: pl.DataFrame) -> dict[str, Any]:
    assert table.height == 1, table
    return table.row(0, named=True)


def test_leads_are_classified_in_the_contract_of_the_table(run: Run, sandbox: Handle) -> None:
    leads = noted("Fix and flip, we have done 12 flips, closing in 10 days.", "Refinance of my rental portfolio, tenants in place.", "")
    result = run(leads)
    assert result.quarantine.is_empty()
    assert result.classifications.schema == Classification.polars_schema()
    assert result.classifications["loan_type"].to_list() == ["bridge_rtl", "rental", "unknown"]
    # Two of the three calls found the stable part of the prompt in the vendor's cache.
    assert 0.5 * result.stats.total()["input_tokens"] < result.stats.total()["cached_tokens"] < result.stats.total()["input_tokens"]
    row = result.classifications.row(0, named=True)
    assert (row["profile"], row["schema_version"], row["investor_experience"], row["attempts"]) == (
        "lending",
        "lending-2",
        "experienced",
        1,
    )
    assert row["model"] == "claude-haiku-5-5"
    assert row["synthetic"] is True
    assert json.loads(row["answer"])["outreach_message"] == row["outreach_message"]
    assert Decimal(str(sandbox.meter()["anthropic"]["messages"]["usd"])) == pytest.approx(
        result.classifications["cost_usd"].sum(), abs=Decimal("0.000003")
    )


def unrated(settings: Settings) -> Rulebook[ClassificationRules]:
    """The rulebook as it was before profiles asked for a rating."""
    book = load_rulebook(settings)
    return replace(book, profiles={name: profile.before or profile for name, profile in book.profiles.items()})


def test_a_model_rates_the_lead_with_reasons_and_rules_do_not(run: Run, settings: Settings) -> None:
    row = only(run(noted("Fix and flip, we have done 12 flips, closing in 10 days.")).classifications)
    assert 50 < row["lead_rating"] <= 100
    assert 1 <= len(row["rating_reasons"]) <= 3
    without_key = settings.model_copy(update={"anthropic_api_key": None, "sandbox_url": None})
    row = only(run(noted("Rental refinance"), settings=without_key).classifications)
    assert (row["model"], row["lead_rating"], row["rating_reasons"]) == ("rules-v1", None, None)


def test_answers_of_an_earlier_edition_stand_and_only_new_questions_are_asked_with_the_new_one(
    run: Run, sandbox: Handle, settings: Settings
) -> None:
    """A repaired and a quarantined answer stand, too."""
    old = noted("Fix and flip", "[[sandbox:placeholder]] rental refinance", "[[sandbox:refusal]]")
    first = run(old, rulebook=unrated(settings))
    calls = sandbox.meter()["anthropic"]["messages"]["requests"]
    again = run(old)
    assert sandbox.meter()["anthropic"]["messages"]["requests"] == calls == 4
    assert again.classifications.equals(first.classifications)
    assert again.quarantine.equals(first.quarantine)
    assert broken_contracts(again.classifications, load_rulebook(settings).profiles) == {}
    both = run(pl.concat([old, frame(lead(7, notes="Bridge loan for an auction"))])).classifications.sort("lead_id")
    assert sandbox.meter()["anthropic"]["messages"]["requests"] == calls + 1
    assert both["schema_version"].to_list() == ["lending-1", "lending-2"]
    assert both["lead_rating"].is_null().to_list() == [True, False]


def test_a_second_run_buys_nothing_and_gives_the_same_rows(run: Run, sandbox: Handle) -> None:
    leads = noted("Fix and flip", "[[sandbox:placeholder]] rental refinance", "[[sandbox:refusal]]")
    first = run(leads)
    calls = sandbox.meter()["anthropic"]["messages"]["requests"]
    second = run(leads)
    assert sandbox.meter()["anthropic"]["messages"]["requests"] == calls == 4
    assert second.classifications.equals(first.classifications)
    assert second.quarantine.equals(first.quarantine)
    assert second.stats.total()["calls_bought"] == 0


def test_leads_that_show_the_same_are_one_call_that_is_paid_once(run: Run, sandbox: Handle) -> None:
    rows = [lead(number, campaign, notes="Fix and flip") for number, campaign in [(1, "a"), (2, "a"), (3, "b")]]
    result = run(frame(*rows)).classifications
    assert sandbox.billed("anthropic") == 1
    assert result["loan_type"].to_list() == ["bridge_rtl"] * 3
    assert [cost > 0 for cost in result["cost_usd"]] == [True, False, False]
    assert [tokens > 0 for tokens in result["input_tokens"]] == [True, False, False]
    # The campaign that did not pay is rebuilt alone to the same row.
    assert run(frame(rows[2])).classifications.equals(result[2:])


@pytest.mark.parametrize(
    ("trigger", "code", "attempts"),
    [
        ("refusal", "refusal", 1),
        ("max_tokens", "truncated", 2),
        ("empty", "empty", 2),
        ("bad_enum", "invalid_enum", 2),
        ("urgency_high", "wrong_type", 2),
        ("urgency_9", "out_of_range", 2),
        ("placeholder", "placeholder", 2),
        ("long_message", "too_long", 2),
        ("prose_json", "not_json", 2),
        ("other_name", "other_name", 2),
        ("bad_evidence", "evidence_not_found", 2),
    ],
)
def test_a_failing_answer_is_quarantined_with_its_code_text_and_cost(run: Run, trigger: str, code: str, attempts: int) -> None:
    result = run(noted(f"Fix and flip, 12 flips done [[sandbox:{trigger}]]"))
    assert result.classifications.is_empty()
    assert result.quarantine.schema == Quarantined.polars_schema()
    row = only(result.quarantine)
    assert (row["code"], row["attempt"]) == (code, attempts)
    assert (row["raw_text"] == "") == (trigger in ("refusal", "empty"))
    assert row["cost_usd"] > 0
    assert row["input_tokens"] > 0
    assert result.stats.total()["quarantined_by_code"] == {code: 1}


def test_a_thinking_block_before_the_answer_changes_nothing(run: Run) -> None:
    plain, thinking = run(noted("Fix and flip")), run(noted("Fix and flip [[sandbox:thinking_first]]"))
    assert only(thinking.classifications)["loan_type"] == only(plain.classifications)["loan_type"] == "bridge_rtl"


def test_an_answer_is_mended_once_with_what_is_wrong(run: Run, sandbox: Handle) -> None:
    result = run(noted("Fix and flip, 12 flips done [[sandbox:bad_once]]"))
    row = only(result.classifications)
    assert (row["loan_type"], row["attempts"], result.stats.total()["repaired"]) == ("bridge_rtl", 2, 1)
    told = json.loads(sandbox.requests("anthropic")[-1]["body"])["messages"][-1]["content"]
    assert "loan_type" in told
    billed = Decimal(str(sandbox.meter()["anthropic"]["messages"]["usd"]))
    assert row["cost_usd"] == pytest.approx(billed, abs=Decimal("0.000002"))


def test_without_repair_the_first_answer_decides(run: Run, settings: Settings, sandbox: Handle) -> None:
    book = load_rulebook(settings)
    book = replace(book, limits=book.limits.model_copy(update={"repair": False}))
    assert only(run(noted("[[sandbox:bad_once]]"), rulebook=book).quarantine)["attempt"] == 1
    assert sandbox.billed("anthropic") == 1


def test_another_prompt_is_bought_again_and_another_rule_of_governance_is_not(
    run: Run, settings: Settings, sandbox: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = noted("Fix and flip, 12 flips done", "[[sandbox:placeholder]] flip")
    before = run(leads)
    assert (before.classifications.height, before.quarantine.height, sandbox.billed("anthropic")) == (1, 1, 3)

    with monkeypatch.context() as patched:
        patched.setattr(message_rules, "has_placeholder", lambda message: False)
        forgiving = run(leads)
    assert (forgiving.classifications.height, forgiving.quarantine.height, sandbox.billed("anthropic")) == (2, 0, 3)

    book = load_rulebook(settings)
    worded = replace(book.profiles["lending"], system=book.profiles["lending"].system + "\nBe brief.")
    run(leads[:1], rulebook=Rulebook(book.limits, book.prices, {"lending": worded}))
    assert sandbox.billed("anthropic") == 4


def test_another_campaign_name_price_table_or_limit_is_not_bought_again(run: Run, settings: Settings, sandbox: Handle) -> None:
    run(noted("Fix and flip", campaign_id="spring"))
    book = load_rulebook(settings)
    calls = book.limits.calls.model_copy(update={"max_tokens": 3000, "concurrency": 2})
    run(noted("Fix and flip", campaign_id="autumn"), rulebook=replace(book, limits=book.limits.model_copy(update={"calls": calls})))
    assert sandbox.billed("anthropic") == 1


def test_only_declared_facts_are_sent(run: Run, sandbox: Handle) -> None:
    notes = "Flip. Mail me: jordan.private@maple.example or +1 (918) 555-0177, 918-555-0178"
    leads = frame(lead(1, notes=notes, payload='{"ssn": "123"}', extra='{"secret": 1}', linkedin_url="https://www.linkedin.com/in/jordan"))
    run(leads, enriched(leads, company_industry="Construction"))
    body = sandbox.requests("anthropic")[-1]["body"]
    shown = json.loads(json.loads(body)["messages"][0]["content"].removeprefix("<lead>").removesuffix("</lead>"))
    assert set(shown) == {"first_name", "notes", "company_industry"}
    assert "Construction" in body
    for private in ("maple.example", "555", "Okonkwo", "12 Maple Row", "linkedin", "ssn", "secret", "ld-0001", "spring"):
        assert private not in body


def test_a_lead_that_was_not_enriched_is_classified_all_the_same(run: Run) -> None:
    leads = noted("Fix and flip", "Rental refinance")
    assert run(leads, enriched(leads[:1])).classifications.height == 2


def test_no_leads_give_typed_empty_frames(run: Run, sandbox: Handle) -> None:
    result = run(noted())
    assert result.classifications.schema == Classification.polars_schema()
    assert result.quarantine.schema == Quarantined.polars_schema()
    assert sandbox.billed("anthropic") == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "status", "status": 500}, "provider_error"),
        ({"kind": "status", "status": 529}, "provider_error"),
        ({"kind": "status", "status": 400}, "provider_error"),
        ({"kind": "status", "status": 401}, "auth"),
        ({"kind": "status", "status": 402}, "quota"),
        ({"kind": "drop_before"}, "provider_error"),
        ({"kind": "truncated_json"}, "bad_answer"),
        ({"kind": "html"}, "bad_answer"),
        ({"kind": "empty"}, "bad_answer"),
        (
            {
                "kind": "status",
                "status": 429,
                "body": {
                    "type": "error",
                    "error": {"type": "rate_limit_error", "message": "no", "details": {"error_code": "enforced_spend_limit_reached"}},
                },
            },
            "quota",
        ),
    ],
)
def test_where_no_model_can_be_had_rules_answer_and_the_row_is_bought_later(
    run: Run, sandbox: Handle, impatient: Buy, fault: dict[str, Any], reason: str
) -> None:
    leads = noted("Fix and flip, we have done 12 flips, closing in 10 days.")
    kind = fault["kind"]
    sandbox.set_fault("anthropic", kind, **{name: value for name, value in fault.items() if name != "kind"})
    row = only(run(leads, buy=impatient).classifications)
    assert (row["model"], row["fallback_reason"], row["attempts"], row["cost_usd"], row["synthetic"]) == ("rules-v1", reason, 0, 0, False)
    assert (row["loan_type"], row["investor_experience"], row["outreach_message"]) == ("bridge_rtl", "experienced", None)
    assert row["enriched_at"] == leads["received_at"][0]
    if reason in ("quota", "auth"):
        assert len(sandbox.requests("anthropic")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "headers": {"retry-after-ms": "20"}},
        {"kind": "status", "status": 529},
        {"kind": "status", "status": 500},
        {"kind": "drop_before"},
        {"kind": "stall"},
    ],
    ids=["rate limit", "overload", "server error", "connection lost", "timeout"],
)
def test_a_bad_moment_is_waited_out(
    run: Run, ledger: Ledger, settings: Settings, sandbox: Handle, impatient: Buy, fault: dict[str, Any]
) -> None:
    book = load_rulebook(settings)
    hasty = replace(book, limits=book.limits.model_copy(update={"calls": book.limits.calls.model_copy(update={"timeout_seconds": 0.5})}))
    sandbox.set_fault("anthropic", times=1, **fault)
    row = only(run(noted("Fix and flip"), buy=functools.partial(impatient, book=hasty)).classifications)
    assert (row["model"], row["loan_type"]) == ("claude-haiku-5-5", "bridge_rtl")
    assert len(sandbox.requests("anthropic")) == 2
    # Who was not answered may have been charged for it: that is counted, and a refusal is not.
    assert ledger.billed()["uncertain_calls"] == (fault["kind"] in ("drop_before", "stall"))


def test_rules_rows_are_bought_when_the_model_is_back(run: Run, sandbox: Handle, impatient: Buy) -> None:
    leads = noted("Fix and flip", "Rental")
    sandbox.set_fault("anthropic", "status", status=401)
    assert set(run(leads, buy=impatient).classifications["model"]) == {"rules-v1"}
    sandbox.clear_faults()
    assert set(run(leads, buy=impatient).classifications["model"]) == {"claude-haiku-5-5"}


def test_a_failure_that_passes_is_tried_again(run: Run, sandbox: Handle, impatient: Buy) -> None:
    sandbox.set_fault("anthropic", "status", status=529, times=2)
    assert only(run(noted("Fix and flip"), buy=impatient).classifications)["model"] == "claude-haiku-5-5"


def test_over_budget_rules_answer_and_the_paid_answers_stay(run: Run, ledger: Ledger, sandbox: Handle) -> None:
    run(noted("Fix and flip"))
    ledger.set_budget("provider", 0, name="anthropic")
    result = run(noted("Fix and flip", "Rental refinance")).classifications
    assert result["model"].to_list() == ["claude-haiku-5-5", "rules-v1"]
    assert result["fallback_reason"].to_list() == [None, "over_budget"]
    assert sandbox.billed("anthropic") == 1


def test_an_answer_that_cannot_be_mended_for_want_of_budget_is_quarantined_and_mended_later(
    run: Run, ledger: Ledger, settings: Settings
) -> None:
    leads = noted("Fix and flip [[sandbox:bad_once]]")
    book = load_rulebook(settings)
    run(leads, rulebook=replace(book, limits=book.limits.model_copy(update={"repair": False})))
    ledger.set_budget("provider", 0, name="anthropic")
    assert only(run(leads).quarantine)["attempt"] == 1
    ledger.set_budget("provider", None, name="anthropic")
    assert only(run(leads).classifications)["attempts"] == 2


def test_without_a_key_what_was_bought_is_used_and_rules_do_the_rest(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run(noted("Fix and flip"))
    monkeypatch.setattr(Vendor, "key", lambda self, settings: None)
    result = run(noted("Fix and flip", "Rental refinance")).classifications
    assert result["model"].to_list() == ["claude-haiku-5-5", "rules-v1"]
    assert result["fallback_reason"][1] == "no_key"


def test_no_failure_shows_personal_data(run: Run, sandbox: Handle, impatient: Buy, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.set_fault(
        "anthropic", "status", status=400, body={"type": "error", "error": {"type": "invalid_request_error", "message": "by Jordan"}}
    )
    with caplog.at_level("WARNING"):
        result = run(noted("Fix and flip by Jordan"), buy=impatient)
    assert result.stats.total()["by_rules_for"] == {"provider_error": 1}
    assert "Jordan" not in caplog.text + str(result.stats.figures())
