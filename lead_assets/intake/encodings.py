"""Converts bytes in any encoding to UTF-8, as a stream. Undecodable bytes become a byte that is not valid UTF-8, so that only their own payload is rejected.

JSON is UTF-8, UTF-16 or UTF-32 (RFC 8259, RFC 4627 §3). Tables and forms may be in any encoding: if it is not UTF-8 it is guessed, but only
if one guess is clearly the best; `Decoded.guess` names it, so that it can be shown. Does not belong here: unpacking (see `unpacking`).
"""

from __future__ import annotations

import codecs
import functools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lead_assets.core.shipped import read_shipped

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, because it starts with the same mark
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 256 << 10
_NEUTRAL = re.compile(r"[\s\d!-/:-@\[-`{-~ €°ºª«»¿¡–—‘’“”…、。「」（）・：，；]+|[£¥](?=[\s\d]|$)|[a-z]+")
"""Characters in texts of any language, which are no evidence for or against an encoding."""
_ENOUGH_LINES = 50
_MAY_BE_CUT = 32 << 10
_LETTERS_AT_LEAST = 0.7
_CLEARLY_MORE = 0.03
_CLEARLY_LIKELIER = 1.5
"""A natural logarithm: four to one."""
_OF_MANY = 2_000
"""This many characters make up nearly all written Chinese, Japanese or Korean text."""
_OF_CHAOS = 10.0
"""Penalty per letter for what the library finds odd about a guess."""
_TWO_SCRIPTS = re.compile(r"[a-z][\u0370-\u05ff]|[\u0370-\u05ff][a-z]")
_OF_TWO_SCRIPTS = 3.0
"""Latin letters and Cyrillic, Greek or Hebrew ones in one word count against a guess."""
_RARE = {"cp1250": 1.2, "mac_roman": 4.0}
"""Written more seldom than cp1252: by so much the evidence for it must be stronger."""
_RANGE = re.compile(r"(.)-(.)")
_FILE = Path(__file__).with_suffix(".yaml")


class Decoded:
    """A stream in UTF-8. `guess`: the guessed encoding, if the bytes were the only evidence; known after the first non-ASCII byte."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.guess: str | None = None
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        head = b""
        for block in self._blocks:
            head += block
            if len(head) >= 4:
                break
        for mark, encoding in _BOMS:
            if head.startswith(mark):
                rest = head[len(mark) :]
                yield from self._plain(rest) if encoding == "utf-8" else self._decoded(rest, encoding)
                return
        if wide := _wide(head):
            yield from self._decoded(head, wide)
        elif head.lstrip()[:1] in (b"{", b"[") or b"\n{" in head:
            yield from self._plain(head)
        else:
            yield from self._guessed(head)

    def _plain(self, head: bytes) -> Iterator[bytes]:
        yield head
        yield from self._blocks

    def _decoded(self, head: bytes, encoding: str) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(encoding)("lead_assets.mark")
        for block in self._plain(head):
            yield decoder.decode(block).encode("utf-8", "surrogateescape")
        yield decoder.decode(b"", True).encode("utf-8", "surrogateescape")

    def _guessed(self, head: bytes) -> Iterator[bytes]:
        """ASCII is the same in all candidate encodings, so the first other byte decides."""
        for block in self._plain(head):
            if block.isascii():
                yield block
                continue
            self.guess = guess(block)
            yield from self._plain(block) if self.guess is None else self._decoded(block, self.guess)
            return


def guess(data: bytes) -> str | None:
    """The encoding of a table or form; None for UTF-8, or if no guess is clearly the best: its bytes are then rejected row by row."""
    import charset_normalizer  # for few drops

    # ASCII lines carry no evidence; a sample of the others is representative. The last one may be cut off within a letter.
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    sample = b"\n".join(lines[:-1] if len(lines) > _ENOUGH_LINES else lines)[:_SAMPLE]
    text = sample.decode("utf-8", "surrogateescape")
    broken = sum(1 for char in (text[:-3] if len(data) > _MAY_BE_CUT else text) if "\udc80" <= char <= "\udcff")
    whole = sum(1 for char in text if char > "\x7f" and not "\udc80" <= char <= "\udcff")
    if not broken or whole >= broken:
        return None
    declared = _languages()
    found = [
        _candidate(encoding, str(match), match.chaos)
        for match in charset_normalizer.from_bytes(sample, cp_isolation=list(declared), threshold=0.4)
        # If several encodings give the same text, the library names any of them; the first in our list is the most common.
        for encoding in (next(each for each in declared if each in match.could_be_from_charset),)
    ]
    found.sort(key=lambda each: (-each.share, -each.likely))
    if not found or found[0].share < _LETTERS_AT_LEAST:
        return None
    best = found[0]
    doubts = (other for other in found[1:] if best.share - other.share < _CLEARLY_MORE)
    return None if any(best.likely - other.likely < _CLEARLY_LIKELIER for other in doubts) else best.encoding


class _Candidate(NamedTuple):
    """`share`: the share of non-ASCII characters that are letters of one language using this encoding; `likely`: the logarithm of their likelihood."""

    encoding: str
    share: float
    likely: float


def _candidate(encoding: str, text: str, chaos: float) -> _Candidate:
    strange = _NEUTRAL.sub("", text.lower().replace("\u0307", ""))
    if not strange:
        return _Candidate(encoding, 1.0, 0.0)
    best = _Candidate(encoding, 0.0, -math.inf)
    against = _OF_CHAOS * chaos * len(strange) + _OF_TWO_SCRIPTS * len(_TWO_SCRIPTS.findall(text.lower())) + _RARE.get(encoding, 0.0)
    for letters in _languages()[encoding]:
        known = [letters[char] for char in strange if char in letters]
        best = max(best, _Candidate(encoding, len(known) / len(strange), sum(known) - against))
    return best


@functools.cache
def _languages() -> dict[str, list[dict[str, float]]]:
    """For each encoding, the languages that use it: their letters, with the logarithms of their likelihoods."""
    declared: dict[str, dict[str, str]] = read_shipped(_FILE)
    return {encoding: [_letters(text) for text in languages.values()] for encoding, languages in declared.items()}


def _letters(text: str) -> dict[str, float]:
    ranges, _, charset = text.partition("=")
    if "-" in ranges:
        letters = _RANGE.sub(lambda found: "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1))), ranges)
        usual = [each for each in letters if not charset or each.encode(charset, "ignore")]
        return dict.fromkeys(usual, -math.log(min(len(usual), _OF_MANY)))
    # The most frequent letters first, about as often as Zipf's law says.
    total = sum(1 / rank for rank in range(1, len(text) + 1))
    return {letter: -math.log(rank * total) for rank, letter in enumerate(text, start=1)}


def _wide(head: bytes) -> str | None:
    """Detects UTF-16 or UTF-32 without a mark by the position of zero bytes: at least a quarter of any table or JSON text is ASCII."""
    head = head[: 4 * (min(len(head), 4096) // 4)]
    if len(head) < 4 or b"\0" not in head:
        return None
    zeros = [head[place::4].count(0) * 4 / len(head) for place in range(4)]
    for encoding, few, many in (
        ("utf-32-le", (0,), (1, 2, 3)),
        ("utf-32-be", (3,), (0, 1, 2)),
        ("utf-16-le", (0, 2), (1, 3)),
        ("utf-16-be", (1, 3), (0, 2)),
    ):
        if all(zeros[place] < 0.05 for place in few) and all(zeros[place] > 0.25 for place in many):
            return encoding
    return None


def _mark(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error("lead_assets.mark", _mark)
