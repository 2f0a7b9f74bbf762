"""A word from outside that should be one of a list, and is not: what was probably meant, and what may be written.

Belongs here: the one error for such words, which the command line turns into exit code 2. Does not belong here: any list of words.
"""

from __future__ import annotations

from collections.abc import Iterable

from lead_assets.core.document import nearest


class UnknownWord(ValueError):
    """Somebody wrote a word that means nothing here: nothing was done, and writing it right is the next step."""


def unknown(what: str, word: str, known: Iterable[str]) -> UnknownWord:
    """ "no table 'routing.decision' (did you mean 'routing.decisions'?): use one of …" for what="no table"."""
    listed = list(known)
    return UnknownWord(f"{what} {word!r}{nearest(word, listed)}: use one of {', '.join(listed)}")
