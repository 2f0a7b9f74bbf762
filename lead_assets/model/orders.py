"""Orders in a lead's own words: what reads as an instruction to a model is withheld before any model sees it.

A prompt can ask a model not to obey, but not make sure of it. What is not shown cannot be obeyed, repeated in a message, or quoted as evidence, and costs
no second call. Withheld are the sentences from the first order to the last one, of a whole prompt also what
stands around them; a short fact (a name, a city) is withheld as a
whole, because nothing true is lost with it.

Belongs here: finding orders in text, whatever language or disguise. Does not belong here: the vocabulary (orders.yaml beside this module), what else is hidden
from a model (`prompt`), or answers that a fooled model gives all the same (`doubts`).
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import re2

from lead_assets.core.shipped import read_shipped
from lead_assets.model.screens import screen

WITHHELD = "(text removed)"
"""Stands in place of what was withheld, so that the model knows that something is missing."""

_NEAR = 60
# "Ignore my previous message": what a lead takes back is its own, and no order to a model.
_OWN = (
    r"\b(?:messages?|e-?mails?|mails?|mensajes?|mensagem|correos?|nachricht|antrag|formul\w+|forms?|calls?|bids?|offers?|quotes?|appraisals?|applications?"
    r"|inquir\w+|requests?|submissions?|prices?|numbers?|phone|messaggi\w*|bericht|wiadomo\w+)\b"
)
_PROMPT = 3
"""A text with this many orders is a prompt: the paragraph of the first order and everything after it is withheld."""
_SENTENCE = re.compile(r".+?(?:[.!?]+(?=\s|$)|[。！？]|\n|$)\s*", re.S)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX = re.compile(r"\b(?:[0-9a-fA-F]{2}[\s:]?){12,}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}){3,}")
_PERCENTS = re.compile(r"(?:%[0-9a-fA-F]{2}){3,}")
_ESCAPED = re.compile(r"\\u00(3[ceCE]|2[26])")
_SPACED = re.compile(r"\b(?:\w[ .\-_*]){3,}\w\b")
_LOOKALIKES = str.maketrans("аеорсухіјѕԁɡΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαικν", "aeopcyxijsdgABEZHIKMNOPTYXoaikv")
_LEET = str.maketrans("013457@$", "oieastas")
_LEET_WORD = re.compile(r"\b(?=\w*[a-z])(?=\w*[013457@$])[\w@$]{3,}")
# Of texts that are read backwards or through rot13, only those are looked at that then hold one of these words.
_TURNED_WORDS = ("ignore", "disregard", "forget", "instruction", "previous", "prompt", "system", "urgency", "classify")
_TURNED = re.compile(rf"\b(?:{'|'.join(_TURNED_WORDS)}|instructions)\b")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_MARKS = re.compile(r"[\[{<|]{2}|[\]}>|]{2}|^\s*[#*=>-]{3,}|</?[a-z][\w-]*>|\{[^{}]{3,}\}|`{3}|\[[A-Z][A-Z _]{3,}\]", re.M)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0900-\u097f\u0590-\u06ff]")


@lru_cache(maxsize=16_384)
def withhold(text: str) -> str:
    """The text without its orders. Text without orders comes back unchanged."""
    if not holds_orders(text):
        return text
    text = _BASE64.sub(lambda blob: WITHHELD if _from_base64(blob[0]) else blob[0], text)
    sentences = [found[0] for found in _SENTENCE.finditer(text)]
    ordering = [place for place, sentence in enumerate(sentences) if holds_orders(sentence)]
    if not ordering and not holds_orders(text):
        return text
    if not ordering:
        # An order may be spread over lines so that no single one shows it: what comes before its last possible beginning is kept.
        ordering = [max(place for place in range(len(sentences)) if holds_orders("".join(sentences[place:])))]
        last = len(sentences) - 1
    else:
        last = ordering[-1]
        if len(ordering) >= _PROMPT:
            while ordering[0] > 0 and "\n" not in sentences[ordering[0] - 1]:
                ordering.insert(0, ordering[0] - 1)
            last = len(sentences) - 1
    before, after = "".join(sentences[: ordering[0]]).rstrip(), "".join(sentences[last + 1 :]).strip()
    # What is left may still hold an order of which only the end was found.
    return "\n".join(part for part in (withhold(before), WITHHELD, withhold(after)) if part)


def withhold_whole(text: str) -> str | None:
    """The text, or None if there is an order in it: for facts of a few words."""
    return None if holds_orders(text) else text


def read_ahead(texts: Collection[str]) -> None:
    """Remember those of many texts that surely have no order and no hints, so that `holds_orders` and `hints` need not look at them one by one.

    These are texts of ASCII with no disguise but digits for letters, in which the patterns match nothing. RE2 tries all patterns at once, a hundred times as
    fast as Python tries them one by one. (polars would, too, but compiles them again for every query: it keeps 32 patterns, which others push out.)
    """
    if len(_ORDERLESS) + len(_HINTLESS) > _MOST_REMEMBERED:
        _ORDERLESS.clear()
        _HINTLESS.clear()
    kinds, marks = _kinds(), _marks()
    for text in texts:
        if not text.isascii() or (text in _ORDERLESS and text in _HINTLESS):
            continue
        folded = _fold(text)
        found = set(kinds.Match(folded) or ())
        if _DISGUISES in found:
            continue
        if (leet := _without_leet(folded)) != folded:
            found.update(kinds.Match(leet) or ())
        if _ORDERS not in found:
            _ORDERLESS.add(text)
        if max(found, default=0) < _FIRST_HINT and WITHHELD not in text and marks.search(text) is None:
            _HINTLESS.add(text)


_ORDERLESS: set[str] = set()
_HINTLESS: set[str] = set()
_MOST_REMEMBERED = 100_000


def holds_orders(text: str) -> bool:
    """True if the text, or what it reads like without a disguise, gives an order to a model."""
    return text not in _ORDERLESS and _holds_orders(text)


def hints(text: str) -> int:
    """How many kinds of words the text has that a model is spoken to with, and marks that people do not type; no order is needed. 0 for most leads."""
    return 0 if text in _HINTLESS else _hints_of(text)


def hints_in(values: Iterable[Any]) -> int:
    """The `hints` of texts and of lists of them, together, and 0 for any other value. Nearly all have none, which is seen without a call for each."""
    found = 0
    for value in values:
        if isinstance(value, str):
            if value not in _HINTLESS:
                found += _hints_of(value)
        elif isinstance(value, list):
            found += hints_in(value)
    return found


@lru_cache(maxsize=65_536)
def _holds_orders(text: str) -> bool:
    return any(_gives_orders(version) for version in _versions(text)) or _hides_text(text)


def _gives_orders(version: str) -> bool:
    if version.isascii() and _ORDERS not in (_kinds().Match(version) or ()):
        return False
    return any(pattern.search(version) for pattern in _patterns())


@lru_cache(maxsize=65_536)
def _hints_of(text: str) -> int:
    found = max(_kinds_of_hints(version) for version in _versions(text))
    return found + bool(_MARKS.search(text)) + 2 * (WITHHELD in text or _hides_text(text))


def _kinds_of_hints(version: str) -> int:
    hints = _hints()
    if version.isascii():
        hints = tuple(hints[kind - _FIRST_HINT] for kind in _kinds().Match(version) or () if kind >= _FIRST_HINT)
    return sum(pattern.search(version) is not None for pattern in hints)


def without_hints(text: str) -> str:
    """The text without the sentences that have such words, and without what stands between two of them."""
    sentences = [found[0] for found in _SENTENCE.finditer(text)]
    hinting = [place for place, sentence in enumerate(sentences) if hints(sentence)]
    if not hinting:
        return text
    kept = [*sentences[: hinting[0]], f"{WITHHELD}\n", *sentences[hinting[-1] + 1 :]]
    return "".join(kept).strip()


@cache
def _hints() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"(?<![a-z]){words}(?![a-z])") for words in _hinting_words())


@cache
def _hinting_words() -> tuple[str, ...]:
    # A verb and an object of an override that stand far apart are no order, but two hints.
    languages = [language for name, language in _declared()["overrides"].items() if name != "en"]
    apart = ["|".join(f"(?:{'|'.join(language[part])})" for language in languages) for part in ("verbs", "objects")]
    return tuple(_unaccented(f"(?:{each})") for each in (*_declared()["hints"], *apart))


@cache
def _declared() -> dict[str, Any]:
    declared: dict[str, Any] = read_shipped(Path(__file__).with_name("orders.yaml"))
    return declared


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    declared = _declared()
    plain = "|".join(_override(**language) for language in declared["overrides"].values())
    return tuple(
        re.compile(_unaccented(each)) for each in (plain, *("|".join(declared[kind]) for kind in ("addressed", "demands", "markup")))
    )


_ORDERS, _DISGUISES, _FIRST_HINT = range(3)


@cache
def _kinds() -> Any:
    """A set of RE2's patterns that are tried together on a folded text of ASCII: what finds orders, what finds disguises, and each kind of words that hint."""
    turned = re.compile("|".join(turn for word in _TURNED_WORDS for turn in (codecs.encode(word, "rot13"), word[::-1])))
    disguises = [_SPACED, turned, re.compile("&#|&lt;"), _BASE64, _HEX, _ESCAPES, _PERCENTS, _ESCAPED]
    hints = [[re.compile(f"(?:^|[^a-z]){words}(?:$|[^a-z])")] for words in _hinting_words()]
    kinds = re2.Set.SearchSet(_options())
    for patterns in (_patterns(), disguises, *hints):
        kinds.Add(screen(patterns))
    kinds.Compile()
    return kinds


@cache
def _marks() -> Any:
    return re2.compile(screen([_MARKS]), _options())


@cache
def _options() -> Any:
    options = re2.Options()
    options.never_capture, options.max_mem = True, 64 << 20
    return options


def _override(verbs: list[str], objects: list[str], *, after: bool = False) -> str:
    verb, what = f"(?:{'|'.join(verbs)})", f"(?:{'|'.join(objects)})"
    edge = "" if _CJK.search(verb) else r"\b"
    first, second = (what, verb) if after else (verb, what)
    return rf"{edge}{first}(?:(?!{_OWN}).){{0,{_NEAR}}}?{edge}{second}"


def _versions(text: str) -> Iterator[str]:
    """The text folded, then as it reads without each disguise that it may wear."""
    folded = _fold(text)
    yield folded
    if "&#" in text or "&lt;" in text:
        yield _fold(html.unescape(text))
    if _PERCENTS.search(text):
        yield _fold(unquote(text))
    if _ESCAPES.search(text) or _ESCAPED.search(text):
        shown = re.sub(r"\\[ux]([0-9a-fA-F]{4}|[0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
        yield _fold(shown)
    if not text.isascii():
        yield _fold(text.translate(_LOOKALIKES))
    if _SPACED.search(folded):
        yield _SPACED.sub(lambda found: re.sub(r"[ .\-_*]", "", found[0]) + " ", folded)
    if (leet := _without_leet(folded)) != folded:
        yield leet
    for turned in (codecs.encode(folded, "rot13"), folded[::-1]):
        if _TURNED.search(turned):
            yield turned


def _without_leet(folded: str) -> str:
    return _LEET_WORD.sub(lambda word: word[0].translate(_LEET), folded)


def _hides_text(text: str) -> bool:
    """True if a part of the text is readable text in an encoding: people do not write to a company in base64."""
    if not text.isascii() and _TAGS.search(text):
        return True
    return any(_from_base64(blob) for blob in _BASE64.findall(text)) or any(_from_hex(blob) for blob in _HEX.findall(text))


def _from_base64(blob: str) -> bool:
    try:
        bare = blob.rstrip("=").replace("-", "+").replace("_", "/")
        return _is_readable(base64.b64decode(bare + "=" * (-len(bare) % 4)))
    except (binascii.Error, ValueError):
        return False


def _from_hex(blob: str) -> bool:
    try:
        return _is_readable(bytes.fromhex(re.sub(r"[\s:]", "", blob)))
    except ValueError:
        return False


def _is_readable(raw: bytes) -> bool:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return text.isprintable() and len(text.split()) > 1 and any(each.isalpha() for each in text)


def _fold(text: str) -> str:
    """Lower case, without accents and invisible characters, with single spaces and plain apostrophes."""
    if not text.isascii():
        text = "".join(each for each in _unaccented(text) if unicodedata.category(each) not in ("Cf", "Co"))
    return " ".join(text.casefold().split())


def _unaccented(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(each for each in text if not unicodedata.combining(each))


_LETTERS = str.maketrans({"’": "'", "ı": "i", "đ": "d", "ł": "l", "ø": "o"})
