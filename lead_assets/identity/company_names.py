"""A company's name without its legal form: "Müller & Söhne GmbH" → "Müller & Söhne", but "Relax Spa", "Vitamin Co-op" and "PT Barnum Museum" as they are.

Belongs here: how a form is found and taken off. Does not belong here: the forms (`legal_forms.yaml`), or the domain of a company (`companies`).
Each distinct name is worked on once, and most names, which hold no form at all, are settled in the frame; a property test holds the two ways to one answer.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.columns import PLAIN_LETTERS, map_distinct
from lead_assets.core.shipped import read_shipped

_LONGEST_NAME = 300
_LONGEST_FORM = 6
"""Words: "sp. z o. o. sp. k." is two forms, "S. de R. L. de C. V." one of six words."""
_LONGEST_LEADING = 9
_CONJUNCTIONS = frozenset({"&", "+", "and", "und", "u", "u."})
_ARTICLES = frozenset({"the", "a", "an", "la", "le", "el", "die", "der", "das", *_CONJUNCTIONS})
_QUOTES = {'"': '"', "'": "'", "«": "»", "“": "”", "„": "“"}
# A letter's marks in the scripts of India and Southeast Asia belong to it.
_TAIL = re.compile(r"[^\w\u0300-\u036f\u0900-\u0fff.)\]»”“\"']+$")
_LETTERS = str.maketrans(PLAIN_LETTERS)


def clean_companies(names: pl.Series) -> pl.Series:
    """Company names without their legal form ("acme GmbH & Co. KG" → "acme"), case kept. A name that is nothing but a legal form stays as it is."""
    text = names.str.strip_chars().replace("", None)
    # Only an ASCII name that neither ends nor begins with a word of any form is settled here.
    simple = text.str.replace_all(r"\s+", " ").str.replace_all(r"[^.0-9A-Za-z_]+$", "")
    words = simple.str.to_lowercase().str.split(" ")
    first, last = words.list.first().str.replace_all(r"[^0-9a-z]", ""), words.list.last().str.replace_all(".", "", literal=True)
    forms = _forms()
    plain = (
        text.str.contains(r"^[A-Za-z0-9][\x20-\x7e]*$")
        & ~text.str.contains(r"""[()"\[\]]|'$""")
        & last.str.contains(r"^[a-z0-9_'&!]{2,}$")
        & ~last.is_in(forms.last_words)
        & ~first.is_in(forms.first_words)
    ).fill_null(False)
    odd = map_distinct(text.set(plain, None), _without_legal_form)
    cleaned = pl.select(pl.when(plain).then(simple).otherwise(odd)).to_series()
    return cleaned.set(_is_junk(text), None)


@lru_cache(maxsize=1 << 15)
def _without_legal_form(name: str) -> str | None:
    """One name without what is a legal form of it, at either end, as often as there is one. Kept, since leads are compared by it before it is their column."""
    if len(name) > _LONGEST_NAME:
        return name
    if not any(map(str.isalnum, name)):
        return None
    text = " ".join(name.split())
    if not text.isascii():
        for form in _forms().unspaced:
            text = text.replace(form, " ")
    text = _keep_a_name(_tidy(" ".join(text.split())), name)
    before, ended = "", False
    while text != before:
        before = text
        shorter = _without_the_end(text)
        if shorter != text and _is_company(text) and _makes_a_name(shorter):
            break
        text = _keep_a_name(_tidy(shorter), before)
        ended = ended or text != before
    before = ""
    while text != before:
        before = text
        text = _keep_a_name(_tidy(_without_the_start(text, name, ended)), before)
    return text


def _is_company(name: str) -> bool:
    return _bare(name.rpartition(" ")[2]) == "company"


def _makes_a_name(rest: str) -> bool:
    """Whether a name is one word of every day before "Company": "Honest Company", "The Cheese Company"."""
    words = [word for word in map(_bare, rest.split(" ")) if word not in _ARTICLES]
    return len(words) == 1 and words[0] in _forms().company_names


def _without_the_end(name: str) -> str:
    """Without one form at the end; a place in brackets after it stays: "Acme Ltd (UK)" → "Acme (UK)"."""
    if name.endswith(")") and not name.startswith("("):
        # "Otto (GmbH & Co KG)".
        before, _, inside = name[:-1].rpartition(" (")
        if before and " " in inside and _is_nothing_but_forms(inside):
            return before
    words = name.split(" ")
    may_be = _bare(words[-1]) in _forms().ends
    for size in range(min(_LONGEST_FORM, len(words) - 1) if may_be else 0, 0, -1):
        if _is_form(words[-size:], name):
            left = words[:-size]
            if "(" in (before := " ".join(left)) and before.count("(") > before.count(")"):
                # A company in brackets, "Amul (GCMMF Ltd.)": without its form the bracket would stay open.
                return name
            return " ".join(left[:-1] if left[-1].casefold() in _CONJUNCTIONS and len(left) > 1 else left)
    if len(words) > 2 and words[-1].startswith("(") and words[-1].endswith(")"):
        head = " ".join(words[:-1])
        shorter = _without_the_end(head)
        return name if shorter == head else f"{_tidy(shorter)} {words[-1]}"
    stem, hyphen, form = words[-1].rpartition("-")
    if hyphen and stem and _bare(form) in _forms().hyphenated and not form.islower():
        return " ".join([*words[:-1], stem])
    return name


def _is_nothing_but_forms(text: str) -> bool:
    rest = f"Acme {text}"
    while (shorter := _tidy(_without_the_end(rest))) != rest:
        rest = shorter
    return rest == "Acme"


def _without_the_start(name: str, original: str, ended: bool) -> str:
    """Without one form at the start. `ended`: a form stood at the end, so that few letters at the start are a name ("SIA Engineering Ltd")."""
    words = name.split(" ")
    forms = _forms()
    if _bare(words[0]) not in forms.firsts and not _is_quoted(" ".join(words[1:])):
        return name
    for size in range(min(_LONGEST_LEADING, len(words) - 1), 0, -1):
        key, rest = _key(words[:size]), " ".join(words[size:])
        if _is_quoted(rest) and words[0].isupper() and (key in forms.all or key in forms.leading or key in forms.leading_only_with):
            return rest
        if size == 1 and words[0] in forms.leading_as_written:
            return rest
        if not (key in (forms.leading_too if ended else forms.leading) or _has_one_of(original, forms.leading_only_with.get(key, ()))):
            continue
        if _fits(key, original):
            short = len(key) <= 3 or key in forms.capitals
            as_usual = words[0].isupper() or words[0] in forms.as_written or original.islower()
            return rest if not short or as_usual else name
    return name


def _is_quoted(text: str) -> bool:
    return len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[-1] not in text[1:-1]


def _has_one_of(name: str, words: tuple[str, ...]) -> bool:
    """Whether a name has one of these words, or of these letters."""
    return any(word in name.casefold() if len(word) == 1 else word in map(_bare, name.split(" ")[1:]) for word in words)


def _is_form(words: list[str], name: str) -> bool:
    forms = _forms()
    key = _key(words)
    if key not in forms.all:
        return False
    written = " ".join(words).strip("(),")
    if key in forms.full_stops and "." in written and not forms.not_with.get(key):
        return True
    if not _fits(key, name):
        return False
    if key in forms.any or written in forms.as_written:
        return True
    if key in forms.capitals:
        return "." in written or (written.isupper() and len(words) == 1) or name.islower()
    return key in forms.only_with and (written.isupper() or len(key) > 3)


def _fits(key: str, name: str) -> bool:
    """Whether the rest of the name lets it be a form: "NA" is one of banks only, "PT" none beside "Clinic"."""
    forms = _forms()
    if key not in forms.not_with and key not in forms.only_with:
        return True
    rest = [_bare(word) for word in name.split(" ")]
    if not forms.not_with.get(key, frozenset()).isdisjoint(rest):
        return False
    return key not in forms.only_with or any(word.endswith(forms.only_with[key]) for word in rest)


def _keep_a_name(shorter: str, longer: str) -> str:
    return longer if not any(map(str.isalnum, shorter)) or shorter.casefold() in _ARTICLES else shorter


def _tidy(name: str) -> str:
    """Without the commas and hyphens that a form leaves behind, and without quotes around it all."""
    text = _TAIL.sub("", name.strip(" ,;-–—"))
    opened, closed = text[:1], text[-1:]
    if len(text) > 2 and _QUOTES.get(opened) == closed and closed not in text[1:-1]:
        return _TAIL.sub("", text[1:-1].strip())
    if (
        closed in _QUOTES.values()
        and text.count(closed) == 1
        and not any(each in text[:-1] for each in _QUOTES if _QUOTES[each] == closed and each != closed)
    ):
        return _TAIL.sub("", text[:-1].strip())
    if text.count("(") < text.count(")"):
        text = text.rstrip(")")
    return _TAIL.sub("", text)


def _key(words: list[str]) -> str:
    return "".join(map(_bare, words))


@lru_cache(maxsize=65_536)
def _bare(word: str) -> str:
    """A word as forms are compared: small letters without accents, full stops, commas, brackets and outer hyphens."""
    lowered = word.casefold().translate(_LETTERS)
    if not lowered.isascii():
        lowered = "".join(each for each in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(each))
    return re.sub(r"[.,()\[\]\"'«»“”„]", "", lowered).strip("-–—")


def _is_junk(text: pl.Series) -> pl.Series:
    return text.str.contains(
        r"(?i)^(?:n/?a|n\.a\.|none|null|nil|unknown|tbd|test|-+|\.+|\?+|self|self[ -]employed|individual|private|privat)$"
    ).fill_null(False)


@dataclass(frozen=True)
class _Forms:
    any: frozenset[str]
    capitals: frozenset[str]
    as_written: frozenset[str]
    full_stops: frozenset[str]
    leading: frozenset[str]
    hyphenated: frozenset[str]
    unspaced: tuple[str, ...]
    leading_too: frozenset[str]
    leading_as_written: frozenset[str]
    leading_only_with: dict[str, tuple[str, ...]]
    only_with: dict[str, tuple[str, ...]]
    not_with: dict[str, frozenset[str]]
    company_names: frozenset[str]
    all: frozenset[str]
    ends: frozenset[str]
    firsts: frozenset[str]
    first_words: list[str]
    last_words: list[str]


@cache
def _forms() -> _Forms:
    declared: dict[str, Any] = read_shipped(Path(__file__).with_name("legal_forms.yaml"))
    phrases = {kind: [form.strip() for form in declared[kind].split(",")] for kind in declared if isinstance(declared[kind], str)}
    keys = {kind: frozenset(_key(form.split(" ")) for form in forms) for kind, forms in phrases.items()}
    beside = {
        kind: {_key(form.split(" ")): tuple(word.strip() for word in words.split(",")) for form, words in declared[kind].items()}
        for kind in ("only_with", "not_with", "leading_only_with")
    }
    ending = [form for kind in ("any", "capitals", "as_written", "full_stops") for form in phrases[kind]] + list(declared["only_with"])
    whole = {_key(form.split(" ")) for form in ending}
    # "S. A." ends in its last letter.
    last = whole | {_bare(form.split(" ")[-1]) for form in ending} | {form[-1] for form in whole}
    first = (
        {_bare(form.split(" ")[0]) for form in phrases["leading"] + phrases["leading_too"]}
        | keys["leading"]
        | set(beside["leading_only_with"])
        | keys["leading_as_written"]
    )
    return _Forms(
        any=keys["any"],
        capitals=keys["capitals"],
        as_written=frozenset(phrases["as_written"]),
        full_stops=keys["full_stops"],
        leading=keys["leading"],
        hyphenated=keys["hyphenated"],
        unspaced=tuple(phrases["unspaced"]),
        leading_too=(keys["leading"] | keys["leading_too"]) - keys["leading_alone"],
        leading_as_written=frozenset(phrases["leading_as_written"]),
        leading_only_with=beside["leading_only_with"],
        company_names=keys["company_names"],
        only_with=beside["only_with"],
        not_with={form: frozenset(words) for form, words in beside["not_with"].items()},
        all=frozenset(whole),
        ends=frozenset(last),
        firsts=frozenset(first),
        first_words=sorted(first),
        last_words=sorted(last),
    )
