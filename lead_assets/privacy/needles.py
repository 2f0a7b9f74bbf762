"""What to look for when nothing of a person may be left: their addresses, numbers, profiles and names, in every form that stores keep text in.

Belongs here: the forms, finding and masking them in bytes. Does not belong here: where to look (see `search`), or whose values these are (see `person`).
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, quote_plus

import ahocorasick_rs

NeedleKind = Literal["email", "phone", "profile", "name", "id"]

MASK = b"*"
_SHORTEST = 6
_STREAM = re.compile(rb"\x1f\x8b\x08|x[\x01\x5e\x9c\xda]")
"""How gzip (RFC 1952) and zlib (RFC 1950, windows of 32 KiB) begin."""
_DEEPEST = 3
_INFLATED_AT_ONCE = 8 << 20
_FIRST = 2 << 10
"""Bytes of a stream that are looked at first: most are short, or none."""
_MOST_INFLATED = 4 << 30
_GATHERED = 4 << 20
_DIGITS = b"0123456789"
_OF_TEXT = ("plain", "JSON", "URL-encoded", "base64")


@dataclass(frozen=True)
class Needle:
    """A text that only one person's data contains. `prefixes`: digits that may stand before a number (its country)."""

    kind: NeedleKind
    text: str
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """One form of a needle, as bytes in lower case, and what replaces one byte of it."""

    needle: Needle
    name: str
    pattern: bytes
    mask: bytes


@dataclass
class Needles:
    """Needles ready to be looked for. Letters count as equal in both cases; base64 is compared without case, too, which no chance text of its length meets."""

    needles: tuple[Needle, ...]
    beside: frozenset[str] = frozenset()
    """Longer texts that are somebody else's: what stands within one of them is not found (joann@acme.example when ann@acme.example is looked for)."""
    forms: list[Form] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[bytes, Form] = {}
        for needle in self.needles:
            for name, pattern, mask in _forms(needle.text):
                if len(pattern) >= _SHORTEST:
                    found.setdefault(pattern, Form(needle, name, pattern, mask))
        self.forms = list(found.values())
        others = {pattern: None for text in self.beside for _, pattern, _ in _forms(text) if pattern not in found}
        self._finder = ahocorasick_rs.BytesAhoCorasick([*found, *others]) if found else None

    @property
    def texts(self) -> list[str]:
        """The forms that can stand in text columns."""
        return [form.pattern.decode() for form in self.forms if form.name in _OF_TEXT]

    def places(self, data: bytes) -> list[tuple[int, int, Form]]:
        """(start, end, form) of each place where one stands in plain sight, in order; of overlapping ones all."""
        if self._finder is None:
            return []
        low = data.lower()
        found = self._finder.find_matches_as_indexes(low, overlapping=True)
        places = [(start, end, self.forms[number]) for number, start, end in found if number < len(self.forms)]
        others = sorted((start, end) for number, start, end in found if number >= len(self.forms))
        starts, ends = [start for start, _ in others], list(itertools.accumulate((end for _, end in others), max))
        return [
            (start, end, form)
            for start, end, form in places
            # Of those that begin before it, one ends after it.
            if not ((before := bisect.bisect_right(starts, start)) and ends[before - 1] >= end) and _stands_alone(low, start, end, form)
        ]

    def count(self, data: bytes) -> Counter[tuple[NeedleKind, str]]:
        """How often each kind stands in the data and in what form: also within gzip and zlib streams anywhere in it."""
        plain = Counter((form.needle.kind, form.name) for _, _, form in self.places(data))
        return plain + self.count_streams(data, 0, len(data))

    def count_streams(self, data: Any, start: int, end: int) -> Counter[tuple[NeedleKind, str]]:
        """`count` in the gzip and zlib streams that begin in this part of the data (bytes, or a file mapped into memory)."""
        counter: Counter[tuple[NeedleKind, str]] = Counter()
        gathered: list[tuple[str, bytes]] = []
        size = 0
        for stream, text in _inflated(data, start, end):
            gathered.append((stream, text))
            size += len(text)
            if size > _GATHERED:
                counter += self._count_texts(gathered)
                gathered, size = [], 0
        return counter + self._count_texts(gathered)

    def _count_texts(self, texts: list[tuple[str, bytes]]) -> Counter[tuple[NeedleKind, str]]:
        """Many small texts in one look, as long as there is nothing in them."""
        counter: Counter[tuple[NeedleKind, str]] = Counter()
        anything = bool(self.places(b"\0".join(text for _, text in texts)))
        for stream, text in texts:
            if anything or _STREAM.search(text):
                counter.update({(kind, f"{stream}, {name}"): count for (kind, name), count in self.count(text).items()})
        return counter

    def finds(self, data: bytes) -> bool:
        """Whether anything is in the data or in a stream in it."""
        return bool(self.places(data)) or bool(_STREAM.search(data) and self.count_streams(data, 0, len(data)))

    def mask(self, data: bytes) -> tuple[bytes, int]:
        """The data with every place overwritten, at the same length; and how many bytes were. Whole streams are packed again, so their length may differ."""
        places = self.places(data)
        if places:
            changed = bytearray(data)
            for start, end, form in places:
                length = end - start
                changed[start:end] = (form.mask * length)[:length]
            return bytes(changed), sum(map(len, _merged(places)))
        packed = _stream_of(data)
        if packed is not None:
            name, text = packed
            masked, count = self.mask(text)
            return (pack(masked, name), count) if count else (data, 0)
        return data, 0

    def mask_text(self, text: str) -> tuple[str, int]:
        masked, count = self.mask(text.encode("utf-8", "surrogatepass"))
        return (masked.decode("utf-8", "surrogatepass"), count) if count else (text, 0)


def pack(data: bytes, name: str) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if name == "gzip" else 15)
    return packer.compress(data) + packer.flush()


def unpack(data: bytes) -> bytes | None:
    """The content of data that is one gzip or zlib stream; None if it is not."""
    found = _stream_of(data)
    return found[1] if found else None


def _merged(places: Iterable[tuple[int, int, Form]]) -> list[range]:
    merged: list[range] = []
    for start, end, _ in sorted(places, key=lambda place: place[:2]):
        if merged and start < merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(end, merged[-1].stop))
        else:
            merged.append(range(start, end))
    return merged


def _stream_of(data: bytes) -> tuple[str, bytes] | None:
    if not _STREAM.match(data):
        return None
    text = b"".join(_inflate(data, 0)[0])
    return ("gzip" if data[:1] == b"\x1f" else "zlib", text) if text else None


def _inflated(data: Any, start: int, end: int) -> Iterator[tuple[str, bytes]]:
    """(gzip or zlib, content) of each stream that begins in this part of the data, as far as it can be read."""
    at = start
    while found := _STREAM.search(data, at, end):
        texts, ends = _inflate(data, found.start())
        if texts:
            yield ("gzip" if found[0][:1] == b"\x1f" else "zlib"), b"".join(texts)
        at = max(ends, found.start() + 2)


def _inflate(data: Any, start: int) -> tuple[list[bytes], int]:
    """The parts of a stream that starts here, and where it ends (its start, if it is none)."""
    member = zlib.decompressobj(wbits=47)
    texts: list[bytes] = []
    size, at, step = 0, start, _FIRST
    try:
        while not member.eof and at < len(data) and size < _MOST_INFLATED:
            block = data[at : at + step]
            at, step = at + len(block), min(8 * step, _INFLATED_AT_ONCE)
            while block and not member.eof:
                part = member.decompress(block, _INFLATED_AT_ONCE)
                size += len(part)
                texts.append(part)
                block = member.unconsumed_tail
    except zlib.error:
        return (texts, start) if size else ([], start)
    return texts, at - len(member.unused_data)


def _stands_alone(low: bytes, start: int, end: int, form: Form) -> bool:
    """Whether a number is not a part of a longer one. For other needles see `Needles.beside`."""
    if form.needle.kind != "phone" or not form.pattern.isdigit():
        return True
    if low[end : end + 1] in _DIGITS_AND_NOTHING:
        return False
    before = low[max(0, start - 8) : start]
    digits = before[len(before.rstrip(_DIGITS)) :]
    return not digits or digits.decode() in form.needle.prefixes


_DIGITS_AND_NOTHING = frozenset(_DIGITS[at : at + 1] for at in range(10))


def _forms(text: str) -> Iterator[tuple[str, bytes, bytes]]:
    """(name, bytes in lower case, mask) of each form of a text."""
    spellings = dict.fromkeys((text, text.lower(), text.upper(), text.title()) if not text.isascii() else (text, text.lower()))
    for spelling in spellings:
        yield "plain", spelling.encode().lower(), MASK
        if (escaped := json.dumps(spelling)[1:-1]) != spelling:
            yield "JSON", escaped.encode().lower(), MASK
        for encoded in (quote(spelling, safe=""), quote_plus(spelling, safe=""), quote_plus(spelling, safe="@")):
            if encoded != spelling:
                yield "URL-encoded", encoded.encode().lower(), MASK
        yield "utf-16", spelling.encode("utf-16-le").lower(), MASK + b"\0"
        yield "utf-32", spelling.encode("utf-32-le").lower(), MASK + b"\0\0\0"
        if not spelling.isascii():
            with contextlib.suppress(UnicodeEncodeError):
                yield "latin-1", spelling.encode("latin-1").lower(), MASK
        raw = spelling.encode()
        for offset in range(3):
            # The characters that depend on the text alone, whatever stands around it (RFC 4648).
            first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                yield "base64", encode(b"\0" * offset + raw)[first:last].lower(), b"A"
