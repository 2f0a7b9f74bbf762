"""Phone numbers: E.164 with the country as region, and that the fast path agrees with phonenumbers."""

from __future__ import annotations

import phonenumbers
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lead_assets.identity.phones import normalise_phones

CASES: list[tuple[str | None, str | None, str | None, str | None]] = [
    # received, region, E.164, country of an international number
    ("(415) 555-2671", "US", "+14155552671", None),
    ("415-555-2671", "US", "+14155552671", None),
    ("415.555.2671", "US", "+14155552671", None),
    ("4155552671", "US", "+14155552671", None),
    ("1 415 555 2671", "US", "+14155552671", None),
    ("1-800-555-0199", "US", "+18005550199", None),
    ("604-555-0123", "CA", "+16045550123", None),
    ("604-555-0123", "US", "+16045550123", None),
    ("+1 415 555 2671", None, "+14155552671", "US"),
    ("+1 (604) 555-0123", None, "+16045550123", "CA"),
    ("+1 415 555 2671", "DE", "+14155552671", "US"),
    ("+1 876 555 1234", None, "+18765551234", "JM"),
    ("787 555 1234", "US", "+17875551234", None),
    ("(415) 555-2671 x123", "US", "+14155552671", None),
    ("415-555-2671 ext. 9", "US", "+14155552671", None),
    ("415-555-2671, extension 42", "US", "+14155552671", None),
    ("415-555-2671", None, None, None),
    ("415-555-2671", "DE", "+494155552671", None),
    ("020 7946 0958", "GB", "+442079460958", None),
    ("+44 (0)20 7946 0958", None, "+442079460958", "GB"),
    ("0044 20 7946 0958", None, "+442079460958", "GB"),
    ("00442079460958", "US", "+442079460958", "GB"),
    ("011 44 20 7946 0958", "US", "+442079460958", None),
    ("030 901820", "DE", "+4930901820", None),
    ("+49 30 901820", "FR", "+4930901820", "DE"),
    ("06 12 34 56 78", "FR", "+33612345678", None),
    ("03-1234-5678", "JP", "+81312345678", None),
    ("０３−１２３４−５６７８", "JP", "+81312345678", None),
    ("+55 11 96123-4567", None, "+5511961234567", "BR"),
    ("tel:+1-415-555-2671", None, "+14155552671", None),
    ("+883 5100 0123 4567", None, "+883510001234567", None),
    ("12345", "US", None, None),
    ("015-555-2671", "US", None, None),
    ("415-155-2671", "US", None, None),
    ("555-2671", "US", None, None),
    ("call me", "US", None, None),
    ("n/a", "US", None, None),
    ("", "US", None, None),
    (None, "US", None, None),
    ("+", None, None, None),
    ("(415) 555-2671", "XX", None, None),
]


def test_a_number_in_its_country() -> None:
    columns = list(zip(*CASES, strict=True))
    frame = normalise_phones(pl.Series(columns[0], dtype=pl.String), pl.Series(columns[1], dtype=pl.String))
    assert list(zip(columns[0], columns[1], *frame, strict=True)) == CASES


def test_no_rows_give_typed_columns() -> None:
    nothing = pl.Series([], dtype=pl.String)
    assert normalise_phones(nothing, nothing).schema == {"phone_e164": pl.String, "phone_country": pl.String}


# Area codes of every country of the plan, toll-free and premium ones, and such as do not exist.
AREAS = st.one_of(
    st.integers(200, 999),
    st.sampled_from([415, 212, 604, 416, 787, 876, 242, 268, 340, 658, 800, 833, 900, 500, 521, 710, 911, 670, 671, 684]),
)
SPELLINGS = st.sampled_from([
    "({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "{a} {b} {c}", "{a}{b}{c}", "1 {a} {b} {c}", "1-{a}-{b}-{c}", "+1 {a} {b} {c}", "+1{a}{b}{c}",
    "+1 ({a}) {b}-{c}", "1{a}{b}{c}", "({a}){b}-{c}", "001 {a} {b} {c}", "{a}-{b}-{c} x12", "{a}-{b}-{c}x1234567", "+1 {a} {b} {c} ext. 5",
    "{a}/{b}-{c}", "+{a}{b}{c}", "0{a}{b}{c}",
])  # fmt: skip
NUMBERS = st.builds(
    lambda s, a, b, c: s.format(a=a, b=f"{b:03d}", c=f"{c:04d}"), SPELLINGS, AREAS, st.integers(0, 999), st.integers(0, 9999)
)
REGIONS = st.sampled_from(["US", "CA", None, "DE", "JM", "PR"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NUMBERS, REGIONS), min_size=40, max_size=60))
@example([("(829) 000-0000", "US"), ("829-000-0000", None), ("1 829 000 0000", "CA")])
@example([("+1 242 300 1234", "US"), ("900-234-5678", "US"), ("(500) 345-6789", None)])
def test_the_frame_agrees_with_the_library(numbers: list[tuple[str, str | None]]) -> None:
    frame = normalise_phones(pl.Series([n for n, _ in numbers]), pl.Series([r for _, r in numbers], dtype=pl.String))
    assert frame.rows() == [_by_library(number, region) for number, region in numbers]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(NUMBERS, REGIONS), min_size=40, max_size=60))
def test_normalising_again_changes_nothing(numbers: list[tuple[str, str | None]]) -> None:
    once = normalise_phones(pl.Series([n for n, _ in numbers]), pl.Series([r for _, r in numbers], dtype=pl.String))["phone_e164"]
    assert normalise_phones(once, pl.Series([None] * once.len(), dtype=pl.String))["phone_e164"].equals(once)


def _by_library(number: str, region: str | None) -> tuple[str | None, str | None]:
    text = "+" + number[2:] if number.startswith("00") else number
    try:
        parsed = phonenumbers.parse(text, None if text.startswith("+") else region)
    except phonenumbers.NumberParseException:
        return None, None
    if not phonenumbers.is_valid_number(parsed):
        return None, None
    country = phonenumbers.region_code_for_number(parsed) if text.startswith("+") else None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), country
