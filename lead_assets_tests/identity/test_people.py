"""People's names: given and family name from whatever was sent, and that the fast path agrees with nameparser."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nameparser import HumanName

from lead_assets.identity.people import _parse, _recase, name_parts

FULL_NAMES: dict[str, tuple[str | None, str | None]] = {
    "Jane Doe": ("Jane", "Doe"),
    "  Jane \u00a0 Doe ": ("Jane", "Doe"),
    "JANE DOE": ("Jane", "Doe"),
    "jane doe": ("Jane", "Doe"),
    "Jane DOE": ("Jane", "Doe"),
    "DOE, Jane": ("Jane", "Doe"),
    "DUPONT Marie": ("Marie", "Dupont"),
    "FUJII Mika": ("Mika", "Fujii"),
    "Dr. Jane van der Berg Jr.": ("Jane", "van der Berg"),
    "VAN DER BERG, JAN": ("Jan", "van der Berg"),
    "JEROEN DE VRIES": ("Jeroen", "de Vries"),
    "Annika von der Heide": ("Annika", "von der Heide"),
    "Jean-Baptiste de La Tour": ("Jean-Baptiste", "de La Tour"),
    "anne-marie dupont": ("Anne-Marie", "Dupont"),
    "Siobhán O'Brien": ("Siobhán", "O'Brien"),
    "JANE O'BRIEN": ("Jane", "O'Brien"),
    "jane mcdonald": ("Jane", "McDonald"),
    "JANE MCDONALD": ("Jane", "McDonald"),
    "Jane MCDONALD": ("Jane", "McDonald"),
    "Wes McIntyre": ("Wes", "McIntyre"),
    "Mary Ann Smith": ("Mary", "Smith"),
    "Jane Q. Doe": ("Jane", "Doe"),
    "Shawna Reyes, MBA": ("Shawna", "Reyes"),
    "Mr John Smith": ("John", "Smith"),
    "MRS Smith": (None, "Smith"),
    "Prof. DR HANS MÜLLER": ("Hans", "Müller"),
    "LI WEI": ("Li", "Wei"),
    "JD Smith": ("JD", "Smith"),
    "Katya M.": ("Katya", "M."),
    "Madonna": ("Madonna", None),
    "山田太郎": (None, "山田太郎"),
    "坂本 陽翔": ("陽翔", "坂本"),
    "배민석": ("민석", "배"),
    "Ольга Шевчук": ("Ольга", "Шевчук"),
    "ОЛЬГА ШЕВЧУК": ("Ольга", "Шевчук"),
    "n/a": (None, None),
    "Test": (None, None),
    "jane@acme.example": (None, None),
    "12345": (None, None),
    "-": (None, None),
    "": (None, None),
}


def test_a_full_name_in_its_parts() -> None:
    absent = pl.Series([None] * len(FULL_NAMES), dtype=pl.String)
    assert dict(zip(FULL_NAMES, name_parts(pl.Series(list(FULL_NAMES)), absent, absent).rows(), strict=True)) == FULL_NAMES


@pytest.mark.parametrize(
    ("full", "first", "last", "parts"),
    [
        (None, "Jane", "Doe", ("Jane", "Doe")),
        ("Somebody Else", "Jane", "Doe", ("Jane", "Doe")),
        (None, "JANE", "DOE", ("Jane", "Doe")),
        (None, "jane", "van der berg", ("Jane", "van der Berg")),
        (None, "JAN", "VAN DER BERG", ("Jan", "van der Berg")),
        (None, "JD", "Smith", ("JD", "Smith")),
        (None, "LI", "WEI", ("Li", "Wei")),
        (None, "Mary Ann", "Smith", ("Mary Ann", "Smith")),
        (None, "Jane Doe", None, ("Jane", "Doe")),
        (None, "Jane", None, ("Jane", None)),
        (None, None, "Doe", (None, "Doe")),
        (None, None, "DOE", (None, "Doe")),
        ("Jane Doe", "n/a", "Doe", ("Jane", "Doe")),
        ("Jane Doe", None, None, ("Jane", "Doe")),
        (None, "太郎", "山田", ("太郎", "山田")),
        (None, "-", "12", (None, None)),
        (None, None, None, (None, None)),
    ],
)
def test_given_parts_come_before_the_full_name(
    full: str | None, first: str | None, last: str | None, parts: tuple[str | None, str | None]
) -> None:
    assert _names(full, first, last) == parts


def test_no_rows_give_typed_columns() -> None:
    nothing = pl.Series([], dtype=pl.String)
    assert name_parts(nothing, nothing, nothing).schema == {"name_first": pl.String, "name_last": pl.String}


LETTERS = "abcmdezßéüñøÅIÿ"
WORDS = st.one_of(
    st.text(LETTERS, min_size=1, max_size=7).map(str.capitalize),
    st.text(LETTERS, min_size=1, max_size=7),
    st.text("ABCMÉÜ", min_size=1, max_size=5),
    st.sampled_from(["Jane", "Anne-Marie", "mcdonald", "O'Brien", "van", "de", "Dr", "Major",
                      "Jr", "PhD", "II", "y", "Ma", "Esq", "Q.", "MD,", "Doe,", "St", "Al", "И", "Wei", "李", "D'Angelo",
                      "o'neil", "Łukasz", "ŠIMŮNEK", "yıldız", "İpek", "Doe7", "jane12", "DOE3", "Novák,", "mcbee,", "KIM,"]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), min_size=20, max_size=30))
@example(["Jane Doe", "JANE DOE", "Jane Mcdoe", "Van Doe", "Jane Ma", "A B", "Jane Q. Doe", "jane doe smith"])
@example(
    [
        "Dr. Jane Doe",
        "Dr. John Roe",
        "Roe, John, PhD",
        "Doe, Jane",
        "Anna Doe Née Roe",
        "Prof. Inés van der Berg",
        "Qazzv Doe, Jr.",
        "Doe Doe, Dean",
    ]
)
def test_the_frame_agrees_with_the_library(names: list[str]) -> None:
    names = [name for name in names if not _family_first(name)]
    expected = [_by_library(name) for name in names]
    assert _parse(pl.Series(names, dtype=pl.String)).rows() == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abcdez", min_size=3, max_size=7).filter(lambda word: not word.startswith(("mc", "mac"))), min_size=2, max_size=3))
def test_a_name_in_one_case_is_written_as_the_library_writes_it(words: list[str]) -> None:
    for name in (" ".join(words), " ".join(words).upper()):
        library = HumanName(name)
        library.capitalize()
        assert _by_library(name) == (library.first or None, library.last or None)


def _names(full: str | None, first: str | None, last: str | None) -> tuple[str | None, str | None]:
    row: tuple[str | None, str | None] = name_parts(*(pl.Series([value], dtype=pl.String) for value in (full, first, last))).row(0)  # type: ignore[assignment]
    return row


def _by_library(name: str) -> tuple[str | None, str | None]:
    parsed = HumanName(name)
    shouted = not any(map(str.islower, name))
    return _recase(parsed.first, shouted) or None, _recase(parsed.last, shouted) or None


def _family_first(name: str) -> bool:
    words = name.split(" ")
    return len(words) == 2 and len(words[0]) > 2 and words[0].isupper() and not words[1].isupper()
