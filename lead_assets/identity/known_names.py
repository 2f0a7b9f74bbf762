"""What is known of names: `people.yaml` (short forms, spellings, titles), the package `nicknames` (those of English), and lists of names in use.

Does not belong here: comparing two names (see `person_names`), how one sounds (see `name_sounds`).
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lead_assets.core.shipped import read_shipped
from lead_assets.identity.name_sounds import sound_of

STEM = 3
"""Letters at a word's beginning that tell little."""
SHARES = Path(__file__).with_name("given_name_shares.txt")


@lru_cache(100_000)
def names_of(word: str) -> frozenset[str]:
    """The given names that a folded one is a listed form or spelling of, itself included."""
    known = known_names()
    found = frozenset({word}) | known.long_names.get(word, frozenset()) | known.spellings.get(word, frozenset())
    # "Anastasiya" is listed as Anastasia.
    like = known.by_sound.get(sound_of(word), word) if len(found) == 1 and len(word) > STEM + 1 else word
    if like == word or (word in given_names() and not any({word, like} <= names for names in names_of_sexes())):
        return found
    return found | names_of(like)


def given_forms(word: str) -> str:
    """The given names that a folded one can stand for, itself included, sorted, with spaces between."""
    return " ".join(sorted(names_of(word) | english_long_forms().get(word, frozenset()) | english_short_forms().get(word, frozenset())))


def is_known_given_name(word: str) -> bool:
    """Whether a folded word is a given name of its own, so that another one that is spelt nearly alike is another name."""
    return word in given_names()


def is_english_short_form(a: str, b: str) -> bool:
    """Whether one of two folded names is an English short form of the other."""
    return b in english_short_forms().get(a, ()) or a in english_short_forms().get(b, ())


@cache
def household_words() -> frozenset[str]:
    """What mailboxes of families are called: "ba.famille@"."""
    return frozenset(words_of(people_file()["household_words"]))


@cache
def no_companies() -> frozenset[str]:
    """What people write in place of a company that they do not have, folded and joined: "selfemployed"."""
    return frozenset(words_of(people_file()["no_companies"]))


@cache
def english_short_forms() -> dict[str, frozenset[str]]:
    """Folded given name → its short forms in English."""
    from nicknames import name_triplets

    found: dict[str, set[str]] = {}
    refused = {frozenset(words_of(pair)) for pair in people_file()["no_short_forms"]}
    for triplet in name_triplets():
        if frozenset((triplet.name1, triplet.name2)) not in refused:
            found.setdefault(triplet.name1, set()).add(triplet.name2)
    for name, shorts in people_file()["more_short_names"].items():
        found.setdefault(name, set()).update(words_of(shorts))
    return {name: frozenset(shorts) for name, shorts in found.items()}


@cache
def english_long_forms() -> dict[str, frozenset[str]]:
    """Folded short form → the given names that it is short for in English."""
    found: dict[str, set[str]] = {}
    for name, shorts in english_short_forms().items():
        for short in shorts:
            found.setdefault(short, set()).add(name)
    return {short: frozenset(names) for short, names in found.items()}


@cache
def given_names() -> frozenset[str]:
    """Folded given names in use."""
    return frozenset().union(*_listed("given_names.txt").values())


@cache
def names_of_sexes() -> tuple[frozenset[str], frozenset[str]]:
    """Given names of men only, and of women only."""
    listed = _listed("given_names.txt")
    return listed["men"], listed["women"]


@cache
def shares_of_women() -> dict[str, float]:
    """Folded given name → the share of its bearers who are women, to a tenth."""
    return {word: int(tenth) / 10 for tenth, words in _listed(SHARES.name).items() for word in words}


def every_form() -> frozenset[str]:
    """Given names that are known as a form of another one, and these."""
    known = known_names()
    shorts = english_short_forms()
    return frozenset().union(known.long_names, *known.long_names.values(), known.spellings, shorts, *shorts.values())


@cache
def names_of_either() -> frozenset[str]:
    """Given names of men and of women."""
    return _listed("given_names.txt")["either"]


@cache
def near_family_names() -> frozenset[str]:
    """Family names in use that are a letter apart."""
    return frozenset().union(*_listed("near_family_names.txt").values())


@cache
def _listed(name: str) -> dict[str, frozenset[str]]:
    """The words of a list by the heading ("men:") that they stand under."""
    found: dict[str, set[str]] = {}
    heading = ""
    for line in Path(__file__).with_name(name).read_text("utf-8").splitlines():
        if line.endswith(":"):
            heading = line[:-1]
        elif not line.startswith("#"):
            found.setdefault(heading, set()).update(line.split())
    return {heading: frozenset(words) for heading, words in found.items()}


class KnownNames(NamedTuple):
    """What `people.yaml` declares, folded."""

    titles: frozenset[str]
    honorifics: frozenset[str]
    particles: frozenset[str]
    generations: dict[str, str]
    no_names: frozenset[str]
    of_either: frozenset[str]
    long_names: dict[str, frozenset[str]]
    spellings: dict[str, frozenset[str]]
    titles_of: dict[str, frozenset[str]]
    first_of_two: frozenset[str]
    of_both: frozenset[str]
    commonest: dict[str, frozenset[str]]
    by_sound: dict[str, str]


@cache
def known_names() -> KnownNames:
    """Everything that `people.yaml` declares of names."""
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
    men, women = names_of_sexes()
    every = {short: longs | english_long_forms().get(short, frozenset()) for short, longs in long_names.items()}
    of_both = frozenset(short for short, longs in every.items() if not (longs.isdisjoint(men) or longs.isdisjoint(women)))
    generations = {word: generation for generation, words in declared["generations"].items() for word in words_of(words)}
    return KnownNames(
        titles=frozenset(words_of(declared["titles"])),
        honorifics=frozenset(words_of(declared["titles"])) - given_names(),
        particles=frozenset(words_of(declared["particles"])),
        generations=generations,
        no_names=frozenset(words_of(declared["no_names"])),
        of_either=frozenset(words_of(declared["of_men_and_women"])),
        long_names=long_names,
        spellings=spellings,
        titles_of={sex: frozenset(words_of(titles)) for sex, titles in declared["titles_of"].items()},
        first_of_two=frozenset(words_of(declared["first_of_two"])),
        of_both=of_both,
        commonest={short: frozenset(map(sound_of, words_of(longs))) for short, longs in declared["commonest"].items()},
        by_sound={sound_of(name): name for name in (*spellings, *long_names, *declared["short_names"]) if len(name) > STEM + 1},
    )


def words_of(text: str) -> list[str]:
    """The words of a text with commas between."""
    return [word.strip() for word in text.split(",")]


@cache
def people_file() -> dict[str, Any]:
    """`people.yaml`, as it stands."""
    declared: dict[str, Any] = read_shipped(Path(__file__).with_name("people.yaml"))
    return declared
