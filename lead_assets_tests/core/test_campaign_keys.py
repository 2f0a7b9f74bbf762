"""Whatever a campaign calls itself, its key is safe as a folder, an object name and a value in SQL, and no two campaigns share one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_assets.core.campaign_keys import campaign_key, inbound_key
from lead_assets.kit.partitions import contiguous_runs

NAMES = st.text(min_size=1).filter(lambda text: text.strip())


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("q4-us", "q4-us"),
        (" q4-us ", "q4-us"),
        ("Q4-US", "q4-us-31a909d1"),
        ("inbound-2026-01-01", "inbound-2026-01-01"),
        ("../../x", "x-9cdf6a50"),
        ("a'; drop table", "a-drop-table-80c56239"),
        ("日本", "campaign-cf2abf0c"),
        ("..", "campaign-5ec1f7e7"),
    ],
)
def test_an_id_becomes_a_key(raw: str, key: str) -> None:
    assert campaign_key(raw) == key


@given(st.text())
def test_a_key_is_safe_and_is_its_own_key(raw: str) -> None:
    try:
        key = campaign_key(raw)
    except ValueError:
        return
    assert re.fullmatch(r"[a-z0-9_][a-z0-9._-]{0,63}", key)
    assert ".." not in key
    assert campaign_key(key) == key


@given(NAMES, NAMES)
def test_different_ids_have_different_keys(one: str, other: str) -> None:
    keys = campaign_key(one), campaign_key(other)
    # A key is its own key: only who names a campaign by another's key means that one.
    assert (keys[0] == keys[1]) == (one.strip() == other.strip()) or {one.strip(), other.strip()} & set(keys)


def test_an_empty_id_is_refused() -> None:
    with pytest.raises(ValueError, match="the campaign id is empty"):
        campaign_key(" \t")


def test_a_lead_without_a_campaign_goes_to_its_day() -> None:
    assert inbound_key(datetime(2026, 11, 20, 23, 59, tzinfo=UTC)) == "inbound-2026-11-20"


def test_runs_hold_neighbours_only() -> None:
    known = list("abcdefg")
    assert contiguous_runs("abdefg", known, at_most=3) == [["a", "b"], ["d", "e", "f"], ["g"]]
    assert contiguous_runs("", known, at_most=3) == []
