"""The error for a word from outside that is not in the list it should be in: what was probably meant, and what is allowed.

The command line turns it into exit code 2. Does not belong here: any list of words.
"""

from __future__ import annotations

from collections.abc import Iterable

from lead_assets.core.document import nearest


class UnknownWord(ValueError):
    """An unknown word from a user. Nothing was done; the next step is to correct the word."""


def unknown(what: str, word: str, known: Iterable[str]) -> UnknownWord:
    """ "no table 'routing.decision' (did you mean 'routing.decisions'?): use one of …" for what="no table"."""
    listed = list(known)
    return UnknownWord(f"{what} {word!r}{nearest(word, listed)}: use one of {', '.join(listed)}")
