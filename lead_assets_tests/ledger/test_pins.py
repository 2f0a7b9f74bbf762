"""Pins on both databases: a campaign keeps what it was first made with, until a person moves it."""

from __future__ import annotations

from lead_assets.ledger import Ledger
from lead_assets.ledger.pins import NOTHING

MODEL = "score_model"


def test_a_campaign_keeps_what_was_in_use_when_it_was_made(ledger: Ledger) -> None:
    pins = ledger.pins
    assert pins.of(MODEL, ["old"]) == {"old": NOTHING}
    assert pins.hold(MODEL, ["old"]) == {"old": NOTHING}
    pins.use(MODEL, "a1", "the first one")
    assert pins.of(MODEL, ["old", "new"]) == {"old": NOTHING, "new": "a1"}
    assert pins.hold(MODEL, ["old", "new"]) == {"old": NOTHING, "new": "a1"}
    pins.use(MODEL, "b2", "better")
    assert (pins.of(MODEL, ["old", "new", "newest"])) == {"old": NOTHING, "new": "a1", "newest": "b2"}
    assert pins.in_use(MODEL) == "b2"


def test_what_is_in_use_of_one_name_says_nothing_of_another(ledger: Ledger) -> None:
    ledger.pins.use(MODEL, "a1", "the first one")
    assert ledger.pins.in_use("lookalike_index") == NOTHING


def test_moving_a_campaign_names_those_that_had_another_one(ledger: Ledger) -> None:
    pins = ledger.pins
    pins.hold(MODEL, ["old"])
    pins.use(MODEL, "a1", "the first one")
    pins.hold(MODEL, ["new"])
    assert pins.move(MODEL, ["old", "new", "never made"], "rescore") == ["old"]
    assert pins.of(MODEL, ["old", "new"]) == {"old": "a1", "new": "a1"}
    assert [(pin.campaign_id, pin.artifact) for pin in pins.history(MODEL)] == [
        ("old", NOTHING),
        (None, "a1"),
        ("new", "a1"),
        ("never made", "a1"),
        ("old", "a1"),
    ]
