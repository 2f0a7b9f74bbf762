"""How well places are read, by what a person says of them: the figures of issue "places" are held here. The labels were written before the reader.

`python -m benchmarks.places` prints the same figures, and each miss.
"""

from __future__ import annotations

from benchmarks.places import SETS, judged


def test_messy_leads_reach_their_owner() -> None:
    verdict = judged("messy_leads")
    assert len(verdict.decidable) >= 300
    assert verdict.share_right >= 0.99, verdict.misses
    assert verdict.wrong_of_undecidable == [], "an owner was given to a lead that a person could give to nobody"


def test_countries_with_one_typing_slip() -> None:
    verdict = judged("country_slips")
    assert len(verdict.decidable) >= 300
    assert verdict.share_right >= 0.95, verdict.misses
    assert verdict.wrong_of_undecidable == []
    assert verdict.read_wrongly == []


def test_cities() -> None:
    verdict = judged("cities")
    assert len(verdict.decidable) >= 300
    assert verdict.share_right >= 0.97, verdict.misses
    assert verdict.wrong_of_undecidable == []


def test_words_and_names_are_no_country() -> None:
    verdict = judged("no_country")
    assert len(verdict.undecidable) >= 10_000
    assert verdict.wrong_of_undecidable == []


def test_slips_in_ten_languages() -> None:
    verdict = judged("slips_made")
    assert verdict.share_right >= 0.95, verdict.misses
    assert verdict.read_wrongly == []


def test_every_set_has_its_test() -> None:
    assert set(SETS) == {"messy_leads", "country_slips", "cities", "no_country", "slips_made"}
