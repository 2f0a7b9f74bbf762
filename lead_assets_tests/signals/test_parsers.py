"""What a provider's answer says, whatever it looks like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_assets.core.values import headcount_band, text, year
from lead_assets.vendors import all_parsers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("printed", "band"),
    [
        ("51-200", (51, 200)),
        ("51 - 200", (51, 200)),
        ("51–200 employees", (51, 200)),
        ("1-10 employees", (1, 10)),
        ("2 to 10 people", (2, 10)),
        ("10,001+", (10001, None)),
        ("10001+ employees", (10001, None)),
        ("10 001 +", (10001, None)),
        ("1,001-5,000", (1001, 5000)),
        ("1.001-5.000", (1001, 5000)),
        ("1.000.000", (1000000, 1000000)),
        ("5k-10K", (5000, 10000)),
        ("> 500", (500, None)),
        ("more than 500", (500, None)),
        ("<10", (None, 10)),
        ("up to 10 employees", (None, 10)),
        ("250", (250, 250)),
        ("200-51", (None, None)),
        ("about fifty", (None, None)),
        ("51-200-500", (None, None)),
        ("99999999999999999999", (None, None)),
        ("1.5-2.5", (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_headcount_bands(printed: str | None, band: tuple[int | None, int | None]) -> None:
    assert headcount_band(printed) == band


@given(
    low=st.integers(0, 900_000),
    span=st.integers(0, 99_999),
    comma=st.booleans(),
    dash=st.sampled_from(["-", " - ", "–", "—", " to "]),
    tail=st.sampled_from(["", " employees", " people"]),
)
def test_a_band_is_read_however_it_is_printed(low: int, span: int, comma: bool, dash: str, tail: str) -> None:
    spell = "{:,}" if comma else "{}"
    assert headcount_band(f"{spell.format(low)}{dash}{spell.format(low + span)}{tail}") == (low, low + span)
    assert headcount_band(f"{spell.format(low)}+{tail}") == (low, None)


@given(st.text(max_size=40))
def test_junk_gives_bounds_in_order_or_none(junk: str) -> None:
    low, high = headcount_band(junk)
    assert low is None or high is None or 0 <= low <= high


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1998", 1998),
        ("1998.0", 1998),
        (1998, 1998),
        ("Founded in 1998", 1998),
        ("98", None),
        ("19981", None),
        (True, None),
        ([1998], None),
    ],
)
def test_founding_years(said: Any, expected: int | None) -> None:
    assert year(said) == expected


def test_text_is_a_scalar_or_nothing() -> None:
    assert [text(value) for value in ("  a\x00b ", 12, "", "   ", None, True, {"a": 1}, ["a"])] == [
        "ab",
        "12",
        None,
        None,
        None,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("name", sorted(all_parsers()))
@given(
    body=st.none()
    | st.dictionaries(st.text(max_size=4), JSON, max_size=2)
    | st.fixed_dictionaries(
        {"fields": st.dictionaries(st.text(max_size=8), st.fixed_dictionaries({"status": st.just("completed"), "value": JSON}), max_size=3)}
    )
)
def test_no_well_formed_body_crashes_a_parser(name: str, body: Any) -> None:
    values = all_parsers()[name](body)
    assert values is None or isinstance(values, dict)
