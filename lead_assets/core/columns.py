"""How a column is worked on here: folded for comparison, or sent through a Python library once for each distinct value.

Belongs here: what every normaliser of this room shares. Does not belong here: knowledge of any one kind of value (e-mail, phone, place).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
from anyascii import anyascii

PLAIN_LETTERS = {
    letter: anyascii(letter)
    for letter in map(chr, range(0xC0, 0x180))
    if letter.isalpha() and letter.islower() and unicodedata.normalize("NFKD", letter) == letter
}
"""Small letters of European names that Unicode does not decompose, though people write them without their stroke or as two: "ø" → "o", "ß" → "ss"."""


def fold(text: pl.Series) -> pl.Series:
    """Text as it is compared: lower case, Latin accents and full stops gone, other punctuation one space. "U.S.A. " → "usa".

    Only U+0300-036F is taken off: the marks of Indic scripts are vowels, and without them different words fall together.
    """
    return (
        text.str.to_lowercase()
        .str.normalize("NFKD")
        .str.replace_all(r"[\u0300-\u036f.]", "")
        .str.replace_many(list(PLAIN_LETTERS), list(PLAIN_LETTERS.values()))
        .str.replace_all("&", " and ", literal=True)
        .str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
        .str.strip_chars(" ")
    )


def folded(words: Iterable[str]) -> list[str]:
    """`fold` for a declared list of words."""
    return fold(pl.Series("words", list(words), dtype=pl.String)).to_list()


def map_distinct(values: pl.Series, function: Callable[[str], Any], dtype: Any = pl.String) -> pl.Series:
    """`function` of every value, called once for each distinct one; null stays null."""
    distinct = values.drop_nulls().unique()
    answers = pl.Series("answer", [function(value) for value in distinct.to_list()], dtype=dtype)
    if distinct.len() == 0:
        return pl.Series(values.name, [None] * values.len(), dtype=dtype)
    return values.replace_strict(distinct, answers, default=None, return_dtype=answers.dtype)
