"""What a lead and its neighbours share, in words: why a salesperson may believe that they are alike.

Does not belong here: who the neighbours are (see `index`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from lead_assets.lookalike.encoder import FeatureSpec
from lead_assets.lookalike.index import LookalikeIndex

NEIGHBOURS = pl.List(pl.Struct({"id": pl.String, "similarity": pl.Float64, "outcome": pl.String, "shares": pl.List(pl.String)}))
_MOST_NAMED = 3
_SHORTEST = 3
_NEAR = 0.2
"""Two numbers are near if the smaller is at least four fifths of the greater."""


def neighbours(index: LookalikeIndex, table: pl.DataFrame, found: pl.DataFrame) -> pl.Series:
    """For each row of `table`, the neighbours that `index.ask` found: id, similarity, outcome, and what the two rows share."""
    spec = index.spec
    shown = index.records.shown
    place = {name: at for at, name in enumerate(shown["id"])}
    theirs = {name: shown[name].to_list() for name in spec.columns if name in shown.columns and name in table.columns}
    outcomes = shown["outcome"].to_list()
    rows = table.select(pl.col(name).cast(pl.String) for name in theirs).to_dicts() if theirs else [{}] * table.height
    told = [
        [
            {
                "id": name,
                "similarity": similarity,
                "outcome": outcomes[place[name]],
                "shares": list(_shared(spec, row, {column: values[place[name]] for column, values in theirs.items()})),
            }
            for name, similarity in zip(ids, similarities, strict=True)
        ]
        for row, ids, similarities in zip(rows, found["nn_all_ids"].to_list(), found["similarities"].to_list(), strict=True)
    ]
    return pl.Series("neighbours", told, dtype=NEIGHBOURS)


def _shared(spec: FeatureSpec, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for name in spec.categories:
        mine, theirs = one.get(name), other.get(name)
        if mine and theirs and mine.strip().lower() == theirs.strip().lower() != "":
            yield f"same {_spaced(name)} ({mine.strip()})"
    for name in spec.numbers:
        mine, theirs = _number(one.get(name)), _number(other.get(name))
        if mine is None or theirs is None:
            continue
        if mine == theirs:
            yield f"same {_spaced(name)} ({mine:g})"
        elif mine * theirs > 0 and abs(mine - theirs) <= _NEAR * max(abs(mine), abs(theirs)):
            yield f"similar {_spaced(name)} ({mine:g} and {theirs:g})"
    for name in spec.text:
        if both := _words(one.get(name)).keys() & _words(other.get(name)).keys():
            yield f"{_spaced(name)}: both say {_few(sorted(both, key=lambda word: (-len(word), word)))}"


def _words(text: str | None) -> dict[str, None]:
    return dict.fromkeys(word for word in re.findall(r"\w+", (text or "").lower()) if len(word) >= _SHORTEST or not word.isascii())


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _few(words: Sequence[str]) -> str:
    more = len(words) - _MOST_NAMED
    return ", ".join(words[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
