"""Column helpers: fold text for comparison, or run a Python function once per distinct value.

Belongs here: what all normalisers share. Does not belong here: knowledge of one kind of value (e-mail, phone, place).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import polars as pl
from anyascii import anyascii

T = TypeVar("T")
WORTH_THREADS = 5_000
"""Rows; fewer are done before a second thread has begun."""

PLAIN_LETTERS = {
    letter: anyascii(letter)
    for letter in map(chr, range(0xC0, 0x180))
    if letter.isalpha() and letter.islower() and unicodedata.normalize("NFKD", letter) == letter
}
"""Letters in European names that Unicode does not decompose but people often type plainly: "ø" → "o", "ß" → "ss"."""

# One expression, because each `Series.str` is a query of its own.
_FOLDED = (
    pl.first()
    .str.to_lowercase()
    .str.normalize("NFKD")
    .str.replace_all(r"[\u0300-\u036f.]", "")
    .str.replace_many(list(PLAIN_LETTERS), list(PLAIN_LETTERS.values()))
    .str.replace_all("&", " and ", literal=True)
    .str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
    .str.strip_chars(" ")
)
# The same for text of ASCII letters, which has nothing to decompose.
_FOLDED_ASCII = (
    pl.first()
    .str.to_lowercase()
    .str.replace_all(".", "", literal=True)
    .str.replace_all("&", " and ", literal=True)
    .str.replace_all(r"[^a-z0-9]+", " ")
    .str.strip_chars(" ")
)
_NO_WORD = re.compile(r"[^a-z0-9]+")
_EUROPEAN = re.compile(r"[\x00-\x7f\xa0-\u017f]*")
"""Text that `_folded_one` reads as the expressions do."""
_MARKS = re.compile(r"[\u0300-\u036f.]")
_NO_LETTERS = re.compile(r"[\W_]+")
_AS_PLAIN = str.maketrans(PLAIN_LETTERS)
_FEW = 8
_FEW_ROWS = 200
"""Of so few, Python has read all values before a query has begun."""


def fold(text: pl.Series) -> pl.Series:
    """Text in the form used for comparison: lower case, no Latin accents or full stops, other punctuation as one space. "U.S.A. " → "usa".

    Only U+0300-036F is stripped: in Indic scripts combining marks are vowels, and without them different words would become equal.
    """
    foreign = text.str.contains(r"[^\x00-\x7f]").fill_null(False)
    if not foreign.any():
        return text.to_frame().select(_FOLDED_ASCII).to_series()
    if foreign.all():
        return text.to_frame().select(_FOLDED).to_series()
    plain = text.to_frame().select(_FOLDED_ASCII).to_series()
    return plain.scatter(foreign.arg_true(), text.filter(foreign).to_frame().select(_FOLDED).to_series())


def folded(words: Iterable[str]) -> list[str]:
    """`fold` for a declared list of words, or for a few texts, of which a frame costs a hundred times as much as the texts."""
    listed = list(words)
    if len(listed) <= _FEW and all(map(_EUROPEAN.fullmatch, listed)):
        return [_folded_one(text) for text in listed]
    return fold(pl.Series("words", listed, dtype=pl.String)).to_list()


def _folded_one(text: str) -> str:
    lower = text.lower()
    if lower.isascii():
        return _NO_WORD.sub(" ", lower.replace(".", "").replace("&", " and ")).strip(" ")
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", lower)).translate(_AS_PLAIN)
    return _NO_LETTERS.sub(" ", plain.replace("&", " and ")).strip(" ")


def map_distinct(values: pl.Series, function: Callable[[str], Any], dtype: Any = pl.String) -> pl.Series:
    """Apply `function` to every value, calling it once per distinct value; null stays null."""
    if values.len() <= _FEW_ROWS:
        listed = values.to_list()
        answer_to = {value: function(value) for value in dict.fromkeys(listed) if value is not None}
        return pl.Series(values.name, [None if value is None else answer_to[value] for value in listed], dtype=dtype)
    distinct = values.drop_nulls().unique()
    answers = pl.Series("answer", [function(value) for value in distinct.to_list()], dtype=dtype)
    if distinct.len() == 0:
        return pl.Series(values.name, [None] * values.len(), dtype=dtype)
    return values.replace_strict(distinct, answers, default=None, return_dtype=answers.dtype)


def at_once(rows: int, *steps: Callable[[], T]) -> list[T]:
    """The results of steps that do not need each other, by threads where there are many `rows`: polars does most of its work outside Python's lock."""
    if rows < WORTH_THREADS:
        return [step() for step in steps]
    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(lambda step: step(), steps))


def selected(frame: pl.DataFrame, expressions: Iterable[pl.Expr]) -> pl.DataFrame:
    """`frame.select`; one expression after the other where there are few rows, because to share them among threads takes longer than to work them out."""
    return frame.select_seq(expressions) if frame.height <= _FEW_ROWS else frame.select(expressions)


def widened(frame: pl.DataFrame, expressions: Iterable[pl.Expr]) -> pl.DataFrame:
    """`frame.with_columns`, as `selected`."""
    return frame.with_columns_seq(expressions) if frame.height <= _FEW_ROWS else frame.with_columns(expressions)


def beside(left: pl.DataFrame, right: pl.DataFrame, keys: Sequence[str], *, prefix: str = "") -> pl.DataFrame:
    """`left` with the columns of `right` (`prefix` before their names), found by the keys; null where it has no such row. Tables of the same leads stand in the
    same order, and are put side by side without a join; tables in another order are joined, and raise polars' ComputeError if `right` has a key twice."""
    added = [each.alias(prefix + each.name) if prefix else each for each in right.get_columns() if each.name not in keys]
    if left.height == right.height and all(left[key].equals(right[key]) for key in keys):
        return left.hstack(added)
    found = pl.DataFrame([*(right[key] for key in keys), *added])
    return left.join(found, on=list(keys), how="left", validate="m:1", maintain_order="left")


def conform(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The frame's columns in the order and the types of the schema."""
    own = frame.schema
    other = [pl.col(name).cast(dtype) for name, dtype in schema.items() if own[name] != dtype]
    return (frame.with_columns(other) if other else frame)[schema.names()]
