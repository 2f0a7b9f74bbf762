"""Text in the form used for comparison."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lead_assets.core.columns import _FOLDED, PLAIN_LETTERS, fold, folded


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


@given(st.one_of(st.text(st.characters(max_codepoint=127)), st.text()))
@example("1. U.S.A. &&\t_x\x00-Y ")
def test_one_text_is_folded_as_in_a_column(text: str) -> None:
    assert folded([text]) == fold(pl.Series([text, "another"])).to_list()[:1]


def test_a_few_european_texts_are_folded_as_in_a_column() -> None:
    letters = [chr(code) for code in (*range(0x80), *range(0xA0, 0x180))]
    texts = [form for letter in letters for form in (letter, f"a{letter}b", f"{letter}.{letter.upper()}&", f"İ{letter}", f"{letter}ſ ")]
    assert [folded([text])[0] for text in texts] == fold(pl.Series(texts)).to_list()
    assert folded(["Inés", "D. & Söhne"]) == ["ines", "d and sohne"]


@given(st.lists(st.none() | st.text(max_size=12) | st.text("aB .&-_7é", max_size=12), max_size=6))
def test_a_column_is_folded_value_by_value(texts: list[str | None]) -> None:
    """Those of plain letters take a shorter way."""
    alone = [None if text is None else pl.Series([text]).to_frame().select(_FOLDED).item() for text in texts]
    assert fold(pl.Series("text", texts, dtype=pl.String)).to_list() == alone
