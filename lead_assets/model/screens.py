"""Screens: patterns as the engines of polars and RE2 take them, to find at once the few of many texts that Python's patterns need to be tried on.

A screen matches wherever its patterns do, and perhaps elsewhere. Belongs here: how a pattern is rewritten. Does not belong here: any pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOOKAROUND = re.compile(r"\(\?<?[!=](?:[^()\\]|\\.|\((?:[^()\\]|\\.|\([^()]*\))*\))*\)", re.S)


def screen(patterns: Iterable[re.Pattern[str]], *, edges: bool = True) -> str:
    """One pattern for all of these, without lookarounds, which the engines lack, and without names of groups. `edges`: whether it asks for edges of words:
    polars' engine takes thirty times as long for them as soon as there is one letter beyond ASCII in a text."""
    written = "|".join(f"(?{'x' if each.flags & re.VERBOSE else ''}m:{_rewritten(each.pattern)})" for each in patterns)
    return written if edges else re.sub(r"\\.", lambda token: "" if token[0] == r"\b" else token[0], written, flags=re.S)


def _rewritten(pattern: str) -> str:
    return _with_all_spaces(_LOOKAROUND.sub("", re.sub(r"\?P<\w+>", "?:", pattern)))


def _with_all_spaces(pattern: str) -> str:
    """Python's `\\s` takes characters that the engines' does not: RE2's no vertical tab, and neither's the separators of ASCII."""
    is_in_set = False

    def rewritten(token: re.Match[str]) -> str:
        nonlocal is_in_set
        if token[0] in "[]":
            is_in_set = token[0] == "["
        if token[0] != r"\s":
            return token[0]
        return r"\s\x0b\x1c-\x1f" if is_in_set else r"[\s\x0b\x1c-\x1f]"

    return re.sub(r"\\.|[\[\]]", rewritten, pattern, flags=re.S)
