"""Lines that are written alike: flat JSON objects with the same keys in the same order, as a form's export has them, are read as columns at once.

The first lines show how a block is written, and one pattern then takes all values out of all lines, without an object for each. A line that the pattern does
not match, for whatever reason (an escape, another type, a key twice, no JSON at all), is left to `json_payloads`, which is exact; a property test holds the
two to one answer. Does not belong here: what the values mean (see `rows`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import orjson
import polars as pl

WORTH_A_PATTERN = 64 << 10
"""Bytes; a smaller block is read sooner than a pattern is compiled."""
_SHOWN = 8
_MOST_KEYS = 40
_MOST_GROUPS = 16
"""Groups of one pattern: of more, the regex engine takes twice as long (its one-pass automaton has 32 slots)."""
# Text without escapes, and numbers that are written as they would be written again: of at most 15 digits, which a double holds exactly.
_TEXT = r'"([^"\\\x00-\x1f]*)"'
_WHOLE = r"(0|-?[1-9][0-9]{0,14})"
_REAL = r"(0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,9})\.[0-9]{0,3}[1-9])"
_TRUTH = "(true|false)"
_OF_KINDS = {
    frozenset({str}): ("text", _TEXT),
    frozenset({int}): ("number", _WHOLE),
    frozenset({float}): ("number", _REAL),
    frozenset({int, float}): ("number", _REAL),
    frozenset({bool}): ("truth", _TRUTH),
    frozenset[type](): ("null", ""),
}

_NULL = type(None)


class Leaf(NamedTuple):
    """One key's values: `kind` is text, number, truth or null (no line that was looked at has a value); the pattern of a value; whether some are null."""

    kind: str
    value: str
    may_lack: bool


@dataclass(frozen=True)
class Alike:
    """A block of lines that seem to be written alike: the names of their keys in order, and what kind of value each has."""

    block: bytes
    leaves: dict[str, Leaf]

    @cached_property
    def lines(self) -> pl.Series:
        return pl.Series([self.block.removesuffix(b"\n")], dtype=pl.Binary).cast(pl.String).str.split("\n").explode()

    def columns(self, names: Sequence[str]) -> pl.DataFrame:
        """The values of some keys as text (null for null), one row for each line: columns "=name"; and `is_alike`: whether the line is written as the others
        are. Raises PolarsError for lines that are not UTF-8."""
        lines = self.lines
        wanted = [name for name, leaf in self.leaves.items() if leaf.value and name in names]
        sure = next((name for name in wanted if not self.leaves[name].may_lack), None)
        columns: dict[str, pl.Series] = {f"={name}": pl.Series([None], dtype=pl.String).new_from_index(0, lines.len()) for name in names}
        size = _MOST_GROUPS if sure else _MOST_GROUPS - 1
        for some in [wanted[at : at + size] for at in range(0, len(wanted), size)] or [[]]:
            found = lines.str.extract_groups(_pattern(tuple(self.leaves.items()), frozenset(some), not sure)).struct.unnest()
            if not sure:
                columns["is_alike"] = found.to_series(0).is_not_null()
            columns |= {f"={name}": values for name, values in zip(some, found.get_columns()[not sure :], strict=True)}
        if sure:
            columns["is_alike"] = columns[f"={sure}"].is_not_null()
        return pl.DataFrame(columns)

    def documents(self, found: pl.DataFrame, names: Sequence[str]) -> pl.Series:
        """Objects with these keys of `columns`, as JSON with sorted keys."""
        parts: list[pl.Expr] = []
        for name in sorted(names):
            leaf = self.leaves[name]
            value = pl.col(f"={name}")
            if leaf.kind == "text":
                value = pl.concat_str(pl.lit('"'), value, pl.lit('"'))
            before = ("," if parts else "{") + orjson.dumps(name).decode() + ":"
            parts += [pl.lit(before), value.fill_null("null") if leaf.may_lack else value]
        return found.select(pl.concat_str(*parts, pl.lit("}"))).to_series() if parts else pl.repeat("{}", found.height, eager=True)


def alike(block: bytes) -> Alike | None:
    """How a block of lines seems to be written; None if it is small, or its first lines are not flat objects of equal keys."""
    if len(block) < WORTH_A_PATTERN:
        return None
    shown = block[: block.find(b"\n", _SHOWN << 10) + 1 or len(block)].splitlines()[:_SHOWN]
    try:
        values = [orjson.loads(line) for line in shown]
    except orjson.JSONDecodeError:
        return None
    if {*map(type, values)} != {dict} or len({tuple(value) for value in values}) != 1 or not 0 < len(values[0]) <= _MOST_KEYS:
        return None
    leaves = {name: _leaf({type(value[name]) for value in values}) for name in values[0]}
    # A key that has to be escaped is rare, and might be written in two ways.
    if not all(leaves.values()) or any(orjson.dumps(name).decode()[1:-1] != name for name in leaves):
        return None
    return Alike(block, {name: leaf for name, leaf in leaves.items() if leaf})


def _leaf(kinds: set[type]) -> Leaf | None:
    said = _OF_KINDS.get(frozenset(kinds - {_NULL}))
    return said and Leaf(*said, _NULL in kinds)


@lru_cache(64)
def _pattern(leaves: tuple[tuple[str, Leaf], ...], wanted: frozenset[str], with_brace: bool) -> str:
    """Matches a line that is written alike; a group for each wanted key. `with_brace`: before them one for the brace, which every such line has."""
    parts = []
    for name, leaf in leaves:
        value = leaf.value if name in wanted else re.sub(r"\((?!\?)", "(?:", leaf.value)
        either = "|".join(each for each in (value, "null" if leaf.may_lack else "") if each)
        parts.append(f"{pl.escape_regex(orjson.dumps(name).decode())}: ?(?:{either})")
    return ("^([{])" if with_brace else "^[{]") + ", ?".join(parts) + "[}]$"
