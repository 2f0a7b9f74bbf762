"""A run with a limit: the first to arrive continue, whatever the order of the frame."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from lead_assets.contracts import Lead
from lead_assets.kit.declare import LIMIT_TAG, limited
from lead_assets_tests.signals.leads import START, lead


def at_most(number: int | None, leads: pl.DataFrame) -> list[tuple[str, str]]:
    tags = {} if number is None else {LIMIT_TAG: str(number)}
    return limited(cast(Any, SimpleNamespace(run=SimpleNamespace(tags=tags))), leads).select("campaign_id", "lead_id").rows()


# By arrival: L9 before L5 before L7 of one drop, L1 of another; ids, and the order of the frame, say otherwise.
FALL = [
    lead(1, campaign_id="fall"),
    lead(7, campaign_id="fall", received_at=START, position=3),
    lead(5, campaign_id="fall", received_at=START, position=2),
    lead(9, campaign_id="fall", received_at=START, position=1),
]
SPRING = [lead(4), lead(3)]


@pytest.mark.parametrize("turned", [False, True])
def test_the_first_of_each_campaign_to_arrive_go_on(turned: bool) -> None:
    frame = Lead.frame(reversed([*SPRING, *FALL]) if turned else [*SPRING, *FALL])
    assert at_most(1, frame) == [("fall", "L9"), ("spring", "L3")]
    assert at_most(3, frame) == [("fall", "L9"), ("fall", "L5"), ("fall", "L7"), ("spring", "L3"), ("spring", "L4")]


def test_without_a_limit_all_go_on_in_their_order() -> None:
    frame = Lead.frame([*SPRING, *FALL])
    assert at_most(None, frame) == frame.select("campaign_id", "lead_id").rows()
