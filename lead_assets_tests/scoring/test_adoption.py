"""AI adoption: a sum that can be checked by hand."""

from __future__ import annotations

import pytest

from lead_assets.core.settings import Settings
from lead_assets.scoring.adoption import adoption
from lead_assets.scoring.ruleset import AdoptionRules, load_scoring_rules

RULES = AdoptionRules.model_validate(
    {
        "stack": {"each": 20, "most": 50, "words": ["OpenAI", "PyTorch", "C++", "Claude"]},
        "postings": {"each": 15, "most": 30, "words": ["AI", "machine learning"]},
        "description": {"each": 10, "most": 20, "words": ["AI", "robots"]},
    }
)


def score(
    technologies: list[str] | None = None, titles: list[str] | None = None, description: str | None = None
) -> tuple[int, tuple[str, ...]]:
    found = adoption(RULES, technologies=technologies or [], posting_titles=titles or [], description=description)
    return found.score, found.reasons


def test_points_add_up_and_every_point_has_its_reason() -> None:
    assert score(["OpenAI API", "Excel"], ["Head of Machine Learning"], "We build robots. Our robots use AI.") == (
        55,
        ("stack +20: OpenAI API", "postings +15: Head of Machine Learning", "description +20: ai, robots"),
    )


def test_nothing_seen_is_zero_without_a_reason() -> None:
    assert score() == score(["Excel"], ["Nurse"], "Runs clinics.") == (0, ())


def test_each_kind_of_evidence_has_its_ceiling() -> None:
    assert score(["OpenAI API", "PyTorch", "Claude", "C++"])[0] == 50
    assert score(["OpenAI", "OpenAI"])[0] == 20


@pytest.mark.parametrize("text", ["maintains air conditioning", "Mumbai", "said", "chAIr"])
def test_a_word_counts_only_as_a_whole_word(text: str) -> None:
    assert score(titles=[text], description=text) == (0, ())


def test_words_are_words_and_no_patterns() -> None:
    assert score(["C++ 20"])[0] == 20
    assert score(["Cxx"])[0] == 0


def test_the_shipped_rules_can_be_used() -> None:
    rules = load_scoring_rules(Settings()).company.adoption
    assert rules.stack.most + rules.postings.most + rules.description.most == 100
