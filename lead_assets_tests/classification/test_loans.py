"""Which loan a lead's words ask for, on labelled texts, and what a mistake in the words is told as."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.loans import labelled, misses
from lead_assets.classification.loans import LOANS, loan_wanted, shipped_loan_rules
from lead_assets.classification.profiles import load_profiles
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.core.document import RulesError, read_document
from lead_assets.core.settings import Settings

FEWEST = """\
loans:
  bridge_rtl: [{any: [bridge]}]
  rental: [{any: [rental]}]
"""


def test_labelled_texts_are_read_right() -> None:
    texts = labelled()
    assert len(texts) >= 800
    assert min(Counter(label for _, label, _ in texts).values()) >= 200
    wrong = misses()
    assert len(wrong) <= 0.03 * len(texts), wrong
    decided_wrongly = [each for each in wrong if each[2] != "unknown"]
    assert len(decided_wrongly) <= 0.01 * len(texts), decided_wrongly


def test_the_words_that_decided_are_quoted_as_they_stand() -> None:
    said = loan_wanted("I flip houses usually, but THIS ONE is a Rental with a ténant.", shipped_loan_rules())
    assert (said.label, said.quotes[0]) == ("rental", "Rental")


def test_the_users_own_words_decide(tmp_path: Path) -> None:
    (tmp_path / "loans.yaml").write_text(FEWEST.replace("bridge]", "zaggle]"))
    settings = Settings(rules_dir=tmp_path)
    own = load_rulebook(settings).profiles["lending"]
    assert own.by_rules({"notes": "a zaggle please"})["loan_type"] == "bridge_rtl"
    assert load_profiles()["lending"].by_rules({"notes": "a zaggle please"})["loan_type"] == "unknown"
    assert load_rulebook(settings).profiles["lending"] is own


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("noise: ['bridge (street']\n", "line 4: not a regular expression (missing ), unterminated subpattern): correct it (at noise.0)"),
        ("words: {sell: sells}\nlater: ['{sel} it']\n", "line 5: no words are named 'sel' (did you mean 'sell'?)"),
        ("turns: ['now|']\n", "line 4: matches an empty text"),
        ("settled: [Now]\n", "line 4: has a capital letter"),
        ("undecidet: [x]\n", "line 4: unknown key 'undecidet' (did you mean 'undecided'?)"),
    ],
)
def test_a_mistake_in_the_words_is_told(added: str, said: str) -> None:
    with pytest.raises(RulesError) as told:
        LOANS.parse(read_document(FEWEST + added, "loans.yaml"))
    assert said in str(told.value)
