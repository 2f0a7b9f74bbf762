"""Owners against what people say they should be: accuracy, misses, and labels that name nobody."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lead_assets.contracts import RoutingEvaluation
from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings
from lead_assets.routing.evaluation import content_of_labels, evaluate, figures, load_labels

LEADS = pl.DataFrame(
    {"campaign_id": ["fall"] * 3, "lead_id": ["a", "b", "c"], "email_normalized": ["a@x.example", "b@x.example", None]},
)
DECISIONS = pl.DataFrame(
    {
        "campaign_id": ["fall"] * 3,
        "lead_id": ["a", "b", "c"],
        "owner": ["nina", "omar", "nina"],
        "authority": ["rule"] * 3,
        "territory": ["dach"] * 3,
        "reason": ["country DE is in DACH"] * 3,
    }
)


def labelled(folder: Path, text: str) -> Settings:
    (folder / "owner_labels.csv").write_text(text)
    return Settings(rules_dir=folder)


def test_labels_are_compared_with_the_owners(tmp_path: Path) -> None:
    settings = labelled(
        tmp_path, "campaign_id,lead_id,Email,owner\nfall,a,,nina\nfall,,B@x.example,nina\nfall,c,,nina\nfall,,z@x.example,nina\n"
    )
    rows = evaluate(load_labels(settings), LEADS, DECISIONS)
    assert rows.schema == RoutingEvaluation.polars_schema()
    assert rows.select("lead_id", "expected", "owner", "correct").rows() == [
        ("(no such lead) 4", "nina", None, False),
        ("a", "nina", "nina", True),
        ("b", "nina", "omar", False),
        ("c", "nina", "nina", True),
    ]
    found = figures(rows)
    assert (found["labelled"], found["accuracy"]) == (4, 0.5)
    assert figures(RoutingEvaluation.empty()) == {"labelled": 0, "misses": []}, "no label says nothing of accuracy"
    assert found["misses"] == [
        {"campaign_id": "fall", "lead_id": "(no such lead) 4", "expected": "nina", "owner": None, "territory": None},
        {"campaign_id": "fall", "lead_id": "b", "expected": "nina", "owner": "omar", "territory": "dach"},
    ]


def test_without_labels_there_is_nothing_to_say(tmp_path: Path) -> None:
    settings = Settings(rules_dir=tmp_path)
    rows = evaluate(load_labels(settings), LEADS, DECISIONS)
    assert (rows.height, figures(rows)["labelled"], content_of_labels(settings)) == (0, 0, None)


def test_a_file_that_is_not_one_of_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"owner_labels\.csv line 1: lacks a column: write campaign_id, owner, and lead_id or email"):
        load_labels(labelled(tmp_path, "lead,owner\na,nina\n"))
    assert content_of_labels(Settings(rules_dir=tmp_path)) is not None
