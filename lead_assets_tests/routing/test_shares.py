"""Pools are fair at every point, whatever the weights, and when people come and go."""

from __future__ import annotations

import os
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_assets.routing.shares import PoolShares

WEIGHTS = st.lists(st.integers(1, 60), min_size=1, max_size=12)

ROSTERS_TRIED = int(os.environ.get("LEAD_ASSETS_TEST_ROSTERS", "3000"))
"""Random rosters of the slow tests. 100,000 take about an hour."""


def _fair(weights: list[int], leads: int) -> None:
    people = {f"p{n}": weight for n, weight in enumerate(weights)}
    pool, given_to, whole = PoolShares.of(people), Counter[str](), sum(weights)
    for turn in range(1, leads + 1):
        given_to[pool.take()] += 1
        for person, weight in people.items():
            assert abs(Fraction(turn * weight, whole) - given_to[person]) < 1, (weights, turn)


@settings(max_examples=150, deadline=None)
@given(WEIGHTS, st.integers(1, 120))
def test_at_every_prefix_each_person_is_within_one_of_their_exact_share(weights: list[int], leads: int) -> None:
    _fair(weights, leads)


@pytest.mark.slow
@settings(max_examples=ROSTERS_TRIED, deadline=None)
@given(WEIGHTS, st.integers(1, 60))
def test_in_thousands_of_random_rosters_too(weights: list[int], leads: int) -> None:
    _fair(weights, leads)


def test_smooth_weighted_round_robin_would_not_be_fair() -> None:
    """nginx's rule gives to whoever has the largest lag. On these weights it leaves somebody more than a lead behind; ours does not."""
    weights = [1] * 6 + [6, 6]
    assert _worst(weights, by_largest_lag=True) >= 1 > _worst(weights, by_largest_lag=False)


def _worst(weights: list[int], *, by_largest_lag: bool) -> Fraction:
    whole, worst = sum(weights), Fraction(0)
    pool = PoolShares.of({str(n): weight for n, weight in enumerate(weights)})
    lags = [Fraction(0)] * len(weights)
    for _ in range(whole):
        lags = [lag + Fraction(weight, whole) for lag, weight in zip(lags, weights, strict=True)]
        lags[max(range(len(lags)), key=lambda n: lags[n]) if by_largest_lag else int(pool.take())] -= 1
        worst = max(worst, *map(abs, lags))
    return worst


ROSTERS = st.lists(st.tuples(st.sets(st.integers(0, 6), min_size=1), st.integers(1, 25)), min_size=2, max_size=8)


def _stays_fair(weights: list[int], rosters: list[tuple[set[int], int]]) -> None:
    pool = PoolShares.of({})
    for here, leads in rosters:
        people = {str(n): weights[n] for n in sorted(here)}
        pool = pool.changed(people)
        carried = {person: Fraction(lag, pool.whole) for person, lag in pool.lags.items()}
        counted, whole = Counter[str](), sum(people.values())
        assert all(abs(lag) < 1 for lag in carried.values())
        for turn in range(1, leads + 1):
            counted[pool.take()] += 1
            for person, weight in people.items():
                assert abs(carried[person] + Fraction(turn * weight, whole) - counted[person]) < 1


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=7, max_size=7), ROSTERS)
def test_a_roster_that_changes_midway_stays_within_one_of_what_was_carried_over_and_the_share_since(
    weights: list[int], rosters: list[tuple[set[int], int]]
) -> None:
    _stays_fair(weights, rosters)


@pytest.mark.slow
@settings(max_examples=ROSTERS_TRIED, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=7, max_size=7), ROSTERS)
def test_thousands_of_rosters_that_change_midway_do(weights: list[int], rosters: list[tuple[set[int], int]]) -> None:
    _stays_fair(weights, rosters)


def test_whoever_comes_back_goes_on_where_they_left_and_catches_up_on_nothing() -> None:
    pool = PoolShares.of({"ana": 1, "bo": 1})
    assert [pool.take(), pool.take(), pool.take()] == ["ana", "bo", "ana"]
    alone = pool.changed({"bo": 1})
    assert [alone.take() for _ in range(5)] == ["bo"] * 5
    both = alone.changed({"ana": 1, "bo": 1})
    # Bo was owed half a lead when ana left, and still is.
    assert [both.take() for _ in range(4)] == ["bo", "ana", "bo", "ana"]


def test_nobody_to_give_to() -> None:
    with pytest.raises(ValueError, match="a pool without people"):
        PoolShares.of({}).take()
    assert PoolShares.of({"ana": 1}).changed({}).away == {"ana": 0.0}
