"""Whether two full names can be one person's: short forms, spellings, initials, other scripts, generations. What is known of names stands in `people.yaml`.

Does not belong here: the parts of a name (see `people`), or what else two rows share (see `same_person`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from anyascii import anyascii

from lead_assets.core.columns import folded
from lead_assets.core.shipped import read_shipped


class Name(NamedTuple):
    """A name's words, folded and in Latin letters, without titles; the generation it names ("younger" for Jr.), if any."""

    words: tuple[str, ...]
    generation: str | None


@lru_cache(100_000)
def read_name(text: str) -> Name:
    """A full name, in any order and script; no words if it is none ("n/a")."""
    turned = re.sub(r"^([^,]+),\s*([^,\s][^,]*)$", _family_first, text)
    # "Kaiser, PhD" is turned around only if what follows is a name.
    key = folded([anyascii(turned) if not turned.isascii() and not _is_latin(turned) else turned])[0]
    known = _known()
    if key in known.no_names:
        return Name((), None)
    words = [word for word in key.split() if word not in known.titles] or key.split()
    generation = known.generations.get(words[-1]) if len(words) > 1 else None
    return Name(tuple(words[:-1] if generation else words), generation)


def same_name(one: str, other: str, *, strict: bool) -> bool:
    """Whether two full names can be one person's. `strict`: the key is one that many share, so both given and family name must say so;
    otherwise a family name may have changed, and a part may be missing. No name is like any other unless `strict`."""
    a, b = read_name(one), read_name(other)
    if a.generation != b.generation and (strict or (a.generation and b.generation)):
        return False
    return _same_words(a.words, b.words, strict)


def _same_words(a: tuple[str, ...], b: tuple[str, ...], strict: bool) -> bool:
    if not a or not b:
        return not strict
    if sorted(a) == sorted(b) or "".join(a) == "".join(b):
        return True
    if len(a) == 1 or len(b) == 1:
        return not strict and (_same_given(a[0], b[0]) or a[-1] == b[-1] or _is_login(a, b) or _is_login(b, a))
    if a[0] == b[-1] and a[-1] == b[0]:
        return True
    if not _same_given(a[0], b[0]):
        return False
    return _same_family(a, b) or (not strict and len(a[0]) > 1 and len(b[0]) > 1)


def _is_login(login: tuple[str, ...], name: tuple[str, ...]) -> bool:
    """ "jdoe" for Jane Doe."""
    return len(login) == 1 and len(name) > 1 and login[0] in (name[0][0] + name[-1], name[0] + name[-1][0], name[0] + name[-1])


def _same_family(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return _near(a[-1], b[-1]) or _plain_umlauts(a[-1]) == _plain_umlauts(b[-1]) or "".join(a[1:]) == "".join(b[1:])


def _same_given(a: str, b: str) -> bool:
    if (len(a) == 1 or len(b) == 1) and a[0] == b[0]:
        return True
    return a == b or bool(_names_of(a) & _names_of(b)) or _near(a, b) or (len(a) > 2 < len(b) and _sound(a) == _sound(b))


def _near(a: str, b: str) -> bool:
    """Equal, or two neighbouring letters exchanged: a slip. One different letter is another name as often ("Mark", "Mary")."""
    if a == b:
        return True
    different = [index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    exchanged = len(a) == len(b) > 3 and len(different) == 2 and different[1] - different[0] == 1
    return exchanged and a[different[0]] == b[different[1]] and a[different[1]] == b[different[0]]


def _plain_umlauts(word: str) -> str:
    """ "juergen" and "jurgen" alike: folding takes dots away, people write them as e."""
    return re.sub(r"([aou])e", r"\1", word)


@lru_cache(100_000)
def _sound(name: str) -> str:
    """One text for spellings of one given name that sound alike: Stephanie and Stefanie, Lukas and Lucas, Yulia and Julia, Kathryn and Cathrin."""
    text = _plain_umlauts(name).replace("ph", "f").replace("ck", "k").translate(str.maketrans("cyj", "kii"))
    text = re.sub(r"(?<=[^aeiou])h|(?<=.)h(?=[^aeiou]|$)", "", text)
    return re.sub(r"(.)\1+", r"\1", text)


@lru_cache(100_000)
def _names_of(word: str) -> frozenset[str]:
    known = _known()
    return frozenset({word}) | known.long_names.get(word, frozenset()) | known.spellings.get(word, frozenset())


def _family_first(match: re.Match[str]) -> str:
    after = folded([match[2]])[0].split()
    known = _known()
    return match[0] if all(word in known.titles or word in known.generations for word in after) else f"{match[2]} {match[1]}"


def _is_latin(text: str) -> bool:
    return all(ord(letter) < 0x250 or 0x1E00 <= ord(letter) < 0x1F00 or not letter.isalpha() for letter in text)


class _KnownNames(NamedTuple):
    titles: frozenset[str]
    generations: dict[str, str]
    no_names: frozenset[str]
    long_names: dict[str, frozenset[str]]
    spellings: dict[str, frozenset[str]]


@cache
def _known() -> _KnownNames:
    declared = people_file()
    long_names: dict[str, frozenset[str]] = {}
    for long, shorts in declared["short_names"].items():
        for short in words_of(shorts):
            long_names[short] = long_names.get(short, frozenset()) | {long}
    spellings: dict[str, frozenset[str]] = {}
    for group in declared["spellings"]:
        names = words_of(group)
        for name in names:
            spellings[name] = spellings.get(name, frozenset()) | frozenset(names)
    generations = {word: generation for generation, words in declared["generations"].items() for word in words_of(words)}
    return _KnownNames(
        frozenset(words_of(declared["titles"])), generations, frozenset(words_of(declared["no_names"])), long_names, spellings
    )


def words_of(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


@cache
def people_file() -> dict[str, Any]:
    declared: dict[str, Any] = read_shipped(Path(__file__).with_name("people.yaml"))
    return declared
