"""One lead as clients of the old scorer send it, and the answer that they expect."""

from __future__ import annotations

import json
import math

import polars as pl
import pytest

from lead_assets.lookalike.encoder import FeatureSpec
from lead_assets.lookalike.index import K, LookalikeIndex, build
from lead_assets.lookalike.service import score_lead
from lead_assets_tests.lookalike.leads import past_leads


@pytest.fixture(scope="module")
def past() -> pl.DataFrame:
    return past_leads(600)


@pytest.fixture(scope="module")
def index(past: pl.DataFrame) -> LookalikeIndex:
    return build(past, FeatureSpec(), id_column="customer_id")


def test_a_lead_gets_the_old_answer_and_more(past: pl.DataFrame, index: LookalikeIndex) -> None:
    lead = past.drop("email").row(7, named=True)
    answer = score_lead(index, lead)
    assert list(answer)[:6] == ["S_look", "S_novel", "contrast", "nn_all_ids", "nn_high_ids", "is_duplicate"]
    assert answer["is_duplicate"] is False
    assert answer["contrast"] == pytest.approx(answer["S_look"] - (1 - answer["S_novel"]))
    assert (len(answer["nn_all_ids"]), len(answer["nn_high_ids"])) == (K, K)
    assert answer["nn_all_ids"][0] == lead["customer_id"] == answer["neighbours"][0]["id"]
    assert answer["neighbours"][0]["similarity"] >= 0.999
    assert answer["neighbours"][0]["outcome"] in ("high value", "not high value")
    assert answer["index"]["rows"] == 600
    table = index.ask(past[7:8])
    assert answer["S_look"] == pytest.approx(table["s_look"][0], abs=1e-6), "the same as in a table"
    json.dumps(answer, allow_nan=False)


def test_the_email_of_a_record_is_answered_at_once(index: LookalikeIndex) -> None:
    assert score_lead(index, {"email": "PERSON7@firm0.example"}) == {"is_duplicate": True, "reason": "email_exact_match"}


def test_a_number_sent_as_text_is_a_number_and_what_is_odd_counts_as_empty(past: pl.DataFrame, index: LookalikeIndex) -> None:
    lead = past.drop("email").row(7, named=True)
    assert score_lead(index, {**lead, "company_size": str(lead["company_size"])}) == score_lead(index, lead)
    without = score_lead(index, {**lead, "company_size": None})
    for odd in (math.nan, math.inf, "many", [3], {}):
        assert score_lead(index, {**lead, "company_size": odd})["S_look"] == without["S_look"]


def test_a_lead_that_says_nothing_has_no_figures(index: LookalikeIndex) -> None:
    answer = score_lead(index, {"name": "Somebody"})
    assert (answer["S_look"], answer["S_novel"], answer["contrast"]) == (None, None, None)
    assert answer["neighbours"] == answer["nn_all_ids"] == []
