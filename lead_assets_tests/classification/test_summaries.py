"""Briefs for owners: only for leads in selected tiers, under the same rules as any answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.briefs import brief
from lead_assets.briefs.summaries import Summarised, summarise
from lead_assets.contracts import QuarantinedSummary, Score, SimilarAccount, Summary
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import load_experience
from lead_assets.estimating.model import rehearse
from lead_assets.ledger.ledger import Ledger
from lead_assets.model import governance
from lead_assets.model.outcome import broken_contracts
from lead_assets.sandbox import Handle
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import NOON, enriched, frame, lead, noted

Brief = Callable[..., Summarised]
NOTES = ["Fix and flip, we have done 12 flips, closing in 10 days.", "Rental refinance, tenants in place", "hello"]


@pytest.fixture
def briefed(run: Run, ledger: Ledger, settings: Settings) -> Brief:
    """Classify, score and brief leads. `tier` replaces that of every score, `similar` are rows of SimilarAccount."""

    def briefed(leads: pl.DataFrame, *, tier: str | None = None, similar: Sequence[dict[str, Any]] = (), **arguments: Any) -> Summarised:
        added = enriched(leads, company_industry="Construction")
        classified = run(leads, added).classifications
        scores = score(classified, leads, added, load_scoring_rules(settings))
        scores = scores if tier is None else scores.with_columns(tier=pl.lit(tier))
        arguments = {"ledger": ledger, "settings": settings} | arguments
        return summarise(leads, added, classified, scores, SimilarAccount.frame(similar), **arguments)

    return briefed


def test_hot_and_warm_leads_have_a_brief_and_cold_ones_cost_nothing(briefed: Brief, sandbox: Handle) -> None:
    leads = noted(*NOTES)
    made = briefed(leads)
    assert made.summaries.schema == Summary.polars_schema()
    assert made.quarantine.schema == QuarantinedSummary.polars_schema()
    assert 0 < made.summaries.height < 3
    row = made.summaries.row(0, named=True)
    assert (row["profile"], row["schema_version"], row["model"], row["attempts"]) == ("brief", "brief-2", "claude-haiku-5-5", 1)
    assert "Construction" in row["brief"]
    assert row["next_step"]
    assert broken_contracts(made.summaries, {"brief": brief.PROFILE}) == {}
    assert sandbox.billed("anthropic") == 3 + made.summaries.height


def test_a_second_run_buys_no_brief_again_and_a_moved_number_in_the_score_neither(briefed: Brief, sandbox: Handle) -> None:
    leads = noted(*NOTES)
    first, calls = briefed(leads, tier="hot"), sandbox.billed("anthropic")
    assert briefed(leads, tier="hot").summaries.equals(first.summaries)
    assert sandbox.billed("anthropic") == calls
    briefed(leads, tier="warm")
    assert sandbox.billed("anthropic") == calls + 3


def test_what_a_brief_sees_is_declared(briefed: Brief, sandbox: Handle) -> None:
    briefed(frame(lead(1, notes="Flip. Mail me: jordan@maple.example", linkedin_url="https://www.linkedin.com/in/j")), tier="hot")
    shown = json.loads(json.loads(sandbox.requests("anthropic")[-1]["body"])["messages"][0]["content"][6:-7])
    assert shown["tier"] == "hot"
    assert len(shown["score_reasons"]) == 3
    assert shown["loan_type"] == "bridge_rtl"
    for private in ("maple.example", "555", "Okonkwo", "12 Maple Row", "linkedin"):
        assert private not in json.dumps(shown)


def like(**fields: Any) -> dict[str, Any]:
    """A company that is like that of the first lead."""
    row = {"campaign_id": "spring", "account_key": f"person:{0:016x}", "rank": 1, "similar_account_key": "harborbridge.example"}
    row |= {
        "similar_company": "Harbor Bridge",
        "similarity": 0.7,
        "shared": ["same industry (Construction)", "51-200 people"],
        "outcome": "won",
    }
    return row | {"similar_known_at": NOON, "synthetic": True} | fields


def test_a_brief_names_the_similar_accounts_it_is_shown_and_no_others(briefed: Brief, sandbox: Handle) -> None:
    second = like(rank=2, similar_company="Slow Creek", outcome="no_response", shared=["same country (US)", "a", "b", "c"])
    made = briefed(noted(*NOTES[:2]), tier="hot", similar=[second, like()])
    shown = [json.loads(json.loads(request["body"])["messages"][0]["content"][6:-7]) for request in sandbox.requests("anthropic")[-2:]]
    assert sorted(len(facts.get("similar_accounts", [])) for facts in shown) == [0, 2]
    told = next(facts["similar_accounts"] for facts in shown if "similar_accounts" in facts)
    assert told == ["Harbor Bridge (won): same industry (Construction), 51-200 people", "Slow Creek (went silent): same country (US), a, b"]
    assert made.quarantine.is_empty()
    assert [("Harbor Bridge (won)" in text) for text in made.summaries.sort("lead_id")["brief"]] == [True, False]


def test_rules_name_similar_accounts_too(briefed: Brief, sandbox: Handle) -> None:
    sandbox.set_fault("anthropic", "status", status=402)
    (row,) = briefed(
        noted(NOTES[0]), tier="hot", similar=[like(), like(rank=2, similar_company="Slow Creek", outcome=None)]
    ).summaries.to_dicts()
    assert row["model"] == "rules-v1"
    assert row["brief"].endswith("Similar accounts: Harbor Bridge (won), Slow Creek.")


def test_a_brief_whose_similar_accounts_stay_is_not_bought_again(briefed: Brief, sandbox: Handle) -> None:
    first, calls = briefed(noted(NOTES[0]), tier="hot", similar=[like()]), sandbox.billed("anthropic")
    # A number that changed slightly is not shown, so nothing is asked again.
    assert briefed(noted(NOTES[0]), tier="hot", similar=[like(similarity=0.71)]).summaries.equals(first.summaries)
    assert sandbox.billed("anthropic") == calls


@pytest.mark.parametrize(("trigger", "code"), [("refusal", "refusal"), ("max_tokens", "truncated"), ("bad_evidence", "evidence_not_found")])
def test_a_brief_that_fails_is_quarantined(run: Run, ledger: Ledger, settings: Settings, trigger: str, code: str) -> None:
    leads = noted("Fix and flip, 12 flips done")
    # The classification is good: the words that make the model fail come after it.
    classified = run(leads).classifications
    scores = Score.frame([{"campaign_id": "spring", "lead_id": "ld-0000", "score": 80.0, "tier": "hot", "parts": "[]", "ruleset": "r"}])
    spoiled = leads.with_columns(notes=pl.format("{} [[sandbox:{}]]", "notes", pl.lit(trigger)))
    made = summarise(spoiled, enriched(leads), classified, scores, SimilarAccount.empty(), ledger=ledger, settings=settings)
    assert made.summaries.is_empty()
    row = made.quarantine.row(0, named=True)
    assert row["code"] == code
    assert row["cost_usd"] > 0


def test_without_a_model_rules_brief_and_say_so(briefed: Brief, sandbox: Handle) -> None:
    sandbox.set_fault("anthropic", "status", status=402)
    rows = briefed(noted(*NOTES), tier="hot").summaries
    assert set(rows["model"]) == {"rules-v1"}
    assert set(rows["fallback_reason"]) == {"quota"}
    assert rows.height == 3
    sandbox.clear_faults()
    assert set(briefed(noted(*NOTES), tier="hot").summaries["model"]) == {"claude-haiku-5-5"}


@pytest.mark.parametrize(
    "facts", [{}, {"tier": "hot"}, {"first_name": "Jordan", "notes": "x", "tier": "warm"}, {"tier": "hot", "urgency": 5}]
)
def test_rules_meet_the_contract_of_a_brief_whatever_is_known(facts: dict[str, Any]) -> None:
    (judged,) = governance.judge_rules([(brief.PROFILE, facts)])
    assert [violation.code for violation in judged.violations] == ([] if facts else ["evidence_missing"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"brief": "Jordan plans a flip. Greta Vandermeer of Zephyrine Holdings sent him."}, "other_name"),
        ({"brief": "Jordan asks about [loan type] for a flip in Tulsa."}, "placeholder"),
        ({"next_step": "Write to jordan@maple.example."}, "contact_details"),
        ({"evidence": []}, "evidence_missing"),
        ({"evidence": ["owns a lighthouse"]}, "evidence_not_found"),
        ({"brief": "Jordan plans a flip. Harbor Bridge was won with such a flip."}, None),
        ({"brief": "Jordan plans a flip, much like Silver Lantern did."}, "other_name"),
        ({"brief": "Short."}, "too_short"),
        ({"brief": "Jordan asks for a guaranteed rate of 7 % on a flip in Tulsa."}, None),
    ],
)
def test_a_brief_is_held_to_the_rules(change: dict[str, Any], code: str | None) -> None:
    similar = ["Harbor Bridge (won): same industry (Construction)"]
    facts = {"first_name": "Jordan", "notes": "A flip in Tulsa", "tier": "hot", "similar_accounts": similar}
    good = {"brief": "Jordan plans a flip in Tulsa.", "next_step": "Call about the budget.", "evidence": ["A flip in Tulsa"]}
    (judged,) = governance.judge([governance.Claim(brief.PROFILE, facts, json.dumps(good | change))])
    assert [violation.code for violation in judged.violations] == ([code] if code else [])


def test_the_tiers_are_declared(briefed: Brief, settings: Settings, tmp_path: Path, sandbox: Handle) -> None:
    (tmp_path / "classification.yaml").write_text("summaries: {tiers: []}")
    made = briefed(noted(NOTES[0]), tier="hot", settings=settings.model_copy(update={"rules_dir": tmp_path}))
    assert (made.summaries.height, made.quarantine.height, sandbox.billed("anthropic")) == (0, 0, 1)


def test_an_estimate_names_briefs_that_other_scoring_rules_ask_again(
    briefed: Brief, ledger: Ledger, settings: Settings, sandbox: Handle, tmp_path: Path
) -> None:
    leads = noted(*NOTES)
    added = enriched(leads, company_industry="Construction")
    assert briefed(leads).summaries.height
    with_keys = {"ledger": ledger, "experience": load_experience(settings, ledger), "looks_at_briefs": True}
    asked = sandbox.billed("anthropic")
    assert rehearse(leads, added, settings=settings, **with_keys) == []
    rules = rules_file("scoring.yaml", settings).read_text("utf-8")
    assert "tiers: {hot: 65, warm: 40}" in rules
    (tmp_path / "scoring.yaml").write_text(rules.replace("tiers: {hot: 65, warm: 40}", "tiers: {hot: 99, warm: 1}"), "utf-8")
    (briefs,) = rehearse(leads, added, settings=settings.model_copy(update={"rules_dir": tmp_path}), **with_keys)
    assert (briefs.signal, briefs.subjects > 0, briefs.cost_micros > 0) == ("summaries", True, True)
    assert sandbox.billed("anthropic") == asked
