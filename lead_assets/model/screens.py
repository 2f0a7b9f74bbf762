"""Screens: patterns as the engines of polars and RE2 take them, to find at once the few of many texts that Python's patterns need to be tried on.

A screen matches wherever its patterns do, and perhaps elsewhere. Belongs here: how a pattern is rewritten. Does not belong here: any pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOOKAROUND = re.compile(r"\(\?<?[!=](?:[^()\\]|\\.|\((?:[^()\\]|\\.|\([^()]*\))*\))*\)", re.S)


def screen(patterns: Iterable[re.Pattern[str]]) -> str:
    """One pattern for all of these, without lookarounds, which the engines lack, and without names of groups."""
    return "|".join(f"(?{'x' if each.flags & re.VERBOSE else ''}m:{_rewritten(each.pattern)})" for each in patterns)


def _rewritten(pattern: str) -> str:
    return _LOOKAROUND.sub("", re.sub(r"\?P<\w+>", "?:", pattern))
