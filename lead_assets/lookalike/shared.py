"""What a lead and its neighbours share, in words: why a salesperson may believe that they are alike.

Does not belong here: who the neighbours are (see `index`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from lead_assets.lookalike.encoder import FeatureSpec

NEIGHBOURS = pl.List(pl.Struct({"id": pl.String, "similarity": pl.Float64, "outcome": pl.String, "shares": pl.List(pl.String)}))
_MOST_NAMED = 3
_SHORTEST = 3
_NEAR = 0.2
"""Two numbers are near if the smaller is at least four fifths of the greater."""
_WORD = re.compile(r"\w+")
_Row = Mapping[str, Any]


class Neighbours:
    """`shown`: an index's records as text: `id`, `outcome` and the columns of `spec`. Read once, so that a single lead costs only its own neighbours."""

    def __init__(self, spec: FeatureSpec, shown: pl.DataFrame) -> None:
        self._readers: dict[str, Callable[[str | None], Any]] = {
            **dict.fromkeys(spec.categories, _category),
            **dict.fromkeys(spec.numbers, _number),
            **dict.fromkeys(spec.text, _words),
        }
        self._spec = spec
        self._at = {name: at for at, name in enumerate(shown["id"])}
        self._outcomes = shown["outcome"].to_list()
        self._said = {name: shown[name].to_list() for name in self._readers if name in shown.columns}
        self._record = lru_cache(maxsize=50_000)(self._read_record)

    def of(self, table: pl.DataFrame, found: pl.DataFrame) -> list[list[dict[str, Any]]]:
        """For each row of `table`, what `index.ask` found for it: id, similarity, outcome, and what the two rows share."""
        told = []
        rows = self._rows(table)
        for row, ids, similarities in zip(rows, found["nn_all_ids"].to_list(), found["similarities"].to_list(), strict=True):
            near = []
            for name, similarity in zip(ids, similarities, strict=True):
                at = self._at[name]
                shares = list(_shared(self._spec, row, self._record(at)))
                near.append({"id": name, "similarity": round(similarity, 6), "outcome": self._outcomes[at], "shares": shares})
            told.append(near)
        return told

    def _rows(self, table: pl.DataFrame) -> Iterator[_Row]:
        columns = {name: read for name, read in self._readers.items() if name in table.columns}
        said = [table[name].cast(pl.String).to_list() for name in columns]
        if not columns:
            yield from ({} for _ in range(table.height))
        for row in zip(*said, strict=True):
            yield {name: read(text) for (name, read), text in zip(columns.items(), row, strict=True)}

    def _read_record(self, at: int) -> _Row:
        return {name: self._readers[name](said[at]) for name, said in self._said.items()}


def _shared(spec: FeatureSpec, one: _Row, other: _Row) -> Iterator[str]:
    for name in spec.categories:
        if (mine := one.get(name)) and mine.lower() == (other.get(name) or "").lower():
            yield f"same {_spaced(name)} ({mine})"
    for name in spec.numbers:
        mine, theirs = one.get(name), other.get(name)
        if mine is None or theirs is None:
            continue
        if mine == theirs:
            yield f"same {_spaced(name)} ({mine:g})"
        elif mine * theirs > 0 and abs(mine - theirs) <= _NEAR * max(abs(mine), abs(theirs)):
            yield f"similar {_spaced(name)} ({mine:g} and {theirs:g})"
    for name in spec.text:
        if both := (one.get(name) or _NO_WORDS) & (other.get(name) or _NO_WORDS):
            yield f"{_spaced(name)}: both say {_few(sorted(both, key=lambda word: (-len(word), word)))}"


_NO_WORDS: frozenset[str] = frozenset()


def _category(text: str | None) -> str | None:
    return (text or "").strip() or None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _words(text: str | None) -> frozenset[str]:
    """Words of a language with spaces, of three letters or more: "of" and "in" are no reason. CJK and the like have shorter ones."""
    return frozenset(word for word in _WORD.findall((text or "").lower()) if len(word) >= _SHORTEST or not word.isascii())


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _few(words: Sequence[str]) -> str:
    more = len(words) - _MOST_NAMED
    return ", ".join(words[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
