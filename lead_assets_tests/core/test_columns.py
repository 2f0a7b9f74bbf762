"""Text in the form used for comparison."""

from __future__ import annotations

import polars as pl
import pytest

from lead_assets.core.columns import PLAIN_LETTERS, fold


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("U.S.A. ", "usa"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("Łódź", "lodz"),
        ("Malmø & Ærø", "malmo and aero"),
        ("Đorđe Þór, Sæði", "dorde thor saedi"),
        ("Œuvre", "oeuvre"),
        ("Kırıkkale", "kirikkale"),
        ("Ħamrun", "hamrun"),
        ("Ŋamdo", "ngamdo"),
        ("Ŧorne", "torne"),
        ("Москва", "москва"),
        ("東京", "東京"),
    ],
)
def test_text_is_compared_without_what_people_leave_out(written: str, compared: str) -> None:
    assert fold(pl.Series([written])).to_list() == [compared]


def test_the_letters_that_were_always_read_are_read_as_before() -> None:
    always = {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
    assert {letter: PLAIN_LETTERS[letter] for letter in always} == always
