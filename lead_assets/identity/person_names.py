"""Whether two full names can be one person's: short forms, spellings, initials, order, other scripts, generations.

Two names that are used as such are two names unless one is known as a form of the other. Does not belong here: which names are known (see `known_names`), how
words are written and sound (see `name_sounds`), the parts of a name (see `people`), or what else two rows share (see `same_person`).
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA

from lead_assets.core.columns import folded
from lead_assets.identity.known_names import (
    STEM,
    given_names,
    is_english_short_form,
    is_known_given_name,
    known_names,
    names_of,
    names_of_either,
    names_of_sexes,
    near_family_names,
    shares_of_women,
)
from lead_assets.identity.name_sounds import (
    SCRIPTS,
    VOWELLED,
    korean_sounds,
    plain_umlauts,
    romanised,
    script_of,
    skeleton_of,
    sound_of,
    without_labials,
    without_vav,
)

_LONG_WORD = 7
"""From here on one wrong letter is a slip more often than another name ("Petersen" and "Petersson" are the price of "Abernathy" and "Abernaty")."""
_LONG_GIVEN = 6


class Likeness(IntEnum):
    """How much two names say that they are one person's."""

    DIFFERENT = 0
    UNSAID = 1
    """One of them is no name, or is written in a script that does not tell how it is read."""
    PART = 2
    """A part is missing, a family name may have changed, or the given name may be a short form that nobody has listed."""
    INITIAL = 3
    SAME = 4


_Words = tuple[str, ...]


class Name(NamedTuple):
    """A name's words, folded and in Latin letters, without titles and particles; the generation it names ("younger" for Jr.), if any; the script it is written
    in ("" for Latin); pairs of words that a hyphen joins; the words with particles; "man" or "woman" if a title says so ("Mrs")."""

    words: tuple[str, ...]
    generation: str | None
    script: str = ""
    hyphened: frozenset[_Words] = frozenset()
    whole: tuple[str, ...] = ()
    sex: str = ""


_MARKED = re.compile("[,'\u2019`(\"\u201c\u201d]")
_HYPHENED = re.compile(r"(\w+)(?=[-\u2010\u2011](\w+))")
_ABBREVIATED = re.compile(r"([A-Z][a-z]{1,3})\.(?=\s*\w)")
_ABBREVIATIONS_READ = frozenset({"md", "ma", "sr", "jr", "st"})


@lru_cache(100_000)
def read_name(text: str) -> Name:
    """A full name, in any order and script; no words if it is none ("n/a", "Admin", "Test Test")."""
    turned = text
    if _MARKED.search(text):  # most names are words alone
        turned = re.sub(r"\b(O|D|L|o|d|l)['\u2019`](?=\w)", r"\1", re.sub(r"^([^,]+),\s*([^,\s][^,]*)$", _family_first, text))
        turned = re.sub(r"\((?:[^()]*)\)|[\"\u201c\u201d][^\"\u201c\u201d]*[\"\u201c\u201d]", " ", turned) if len(turned) > STEM else turned
    # "Chr. Roth" and "Wm. Penn" have an initial of more than one letter.
    if (short := _ABBREVIATED.match(turned)) and short[
        1
    ].lower() not in _ABBREVIATIONS_READ | known_names().titles | known_names().particles:
        turned = short[1][0] + turned[short.end() :]
    script = script_of(turned)
    key = folded([romanised(turned, script)])[0]
    spelt = key if turned == text and not script else folded([text])[0]
    known = known_names()
    if key in known.no_names:
        return Name((), None)
    words = key.split()
    generation = known.generations.get(words[-1]) if len(words) > 1 else None
    words = words[:-1] if generation else words
    if len(words) > 1 and words[0] in ("sr", "md"):
        # "Sr. García" and "Md. Yusuf"; behind the name they are the elder and a physician.
        words[0] = {"sr": "senor", "md": "mohammed"}[words[0]]
    # "Claude Morel (Mme)", and "M. Claude Morel".
    spoken = {*words, *spelt.split()} if not script else {*words}
    spoken |= {"monsieur"} if re.match(r"M\. \w\w", text) and len(words) > STEM - 1 else set()
    sexes = (
        {sex for sex, titles in known.titles_of.items() if not titles.isdisjoint(spoken)}
        if len(words) > 1 and script not in _WITHOUT_VOWELS
        else set()
    )
    if all(word in known.no_names for word in words):
        return Name((), None)
    # "Don McAllister": what is a title elsewhere is the given name here; and משה is no "Ms".
    bare = next(
        (
            left
            for titles in (known.titles, known.honorifics)
            if script not in _WITHOUT_VOWELS and len(left := [word for word in words if word not in titles]) > 1
        ),
        [],
    )
    words = bare or (words if script in _WITHOUT_VOWELS else [word for word in words if word not in known.titles]) or words
    if not generation and len(words) > 1 and words[-1] in known.generations:
        generation, words = known.generations[words[-1]], words[:-1]
    own = [word for at, word in enumerate(words) if not (0 < at < len(words) - 1 and word in known.particles)]
    hyphened = frozenset(tuple(folded(pair)) for pair in _HYPHENED.findall(turned))
    sex = sexes.pop() if len(sexes) == 1 and len(words) < len(spelt.split()) else ""
    return Name(tuple(own if len(own) > 1 else words), generation, script, hyphened, tuple(words), sex)


def same_name(one: str, other: str, *, strict: bool) -> bool:
    """Whether two full names can be one person's. `strict`: the key is one that many share, so both given and family name must say so;
    otherwise a family name may have changed, and a part may be missing. No name is like any other unless `strict`."""
    return likeness(one, other) >= (Likeness.INITIAL if strict else Likeness.UNSAID)


@lru_cache(100_000)
def likeness(one: str, other: str, *, household: bool = False) -> Likeness:
    """What two full names say. `household`: what they share is a family's, so that a short form stands for its commonest long one only."""
    a, b = read_name(one), read_name(other)
    if not a.words or not b.words:
        return Likeness.UNSAID
    if a.sex and b.sex and a.sex != b.sex:
        return Likeness.DIFFERENT
    found = _like(a, b, household)
    if found < Likeness.INITIAL and "cyrillic" in (a.script, b.script) and a.script != b.script:
        # Ganna and Hanna are one letter in Ukraine.
        found = max(found, *(_like(*each, household) for each in ((_with_h(one, a), b), (a, _with_h(other, b)))))
    if found > Likeness.PART and _written_otherwise(one, other, a.script, b.script):
        found = Likeness.PART
    if a.generation != b.generation:
        return Likeness.DIFFERENT if a.generation and b.generation else min(found, Likeness.PART)
    return found


def _with_h(text: str, name: Name) -> Name:
    return read_name(text.translate(str.maketrans("гГ", "хХ"))) if name.script == "cyrillic" else name


def is_like_by_sound_alone(one: str, other: str) -> bool:
    """Whether given names that are not known as forms of each other only sound alike ("Rohith", "Rohit"): two colleagues, as often as one."""
    a, b = read_name(one), read_name(other)
    if a.script or b.script or len(a.words) < 2 or len(b.words) < 2:
        return False
    x, y = a.words[0], b.words[0]
    if {x, y} & {*a.words[1:], *b.words[1:]} or 1 in (len(x), len(y)) or plain_umlauts(x) == plain_umlauts(y) or _exchanged(x, y):
        return False
    return names_of(x).isdisjoint(names_of(y)) and not is_english_short_form(x, y) and _given_by_form(x, y, False, True) == Likeness.SAME


_WITHOUT_VOWELS = ("arabic", "hebrew")
_AS_WRITTEN = ("hangul", "kana", "other")
_ONE_LETTER = str.maketrans("أإآٱىة", "ااااية")


def _letters_of(text: str) -> list[str]:
    """The words of a name as they are written, without vowel marks: علي and علاء sound alike in Latin consonants."""
    bare = "".join(letter for letter in text.translate(_ONE_LETTER) if not unicodedata.combining(letter))
    return sorted(re.findall(r"[^\W\d_]+", bare))


_VIETNAMESE = re.compile(r"[\u01a0\u01a1\u01af\u01b0\u0102\u0103\u0110\u0111\u1ea0-\u1ef9]")


def _written_otherwise(one: str, other: str, script: str, of_other: str) -> bool:
    """Whether two names that are spelt alike here are written with other signs or tones, of which each is another name: 李伟 and 李薇, Hùng and Hưng."""
    if script == of_other == "han":
        signs, others = ("".join(re.findall(SCRIPTS["han"], text)) for text in (one, other))
        return sorted(signs) != sorted(others)
    if script == of_other and script in _WITHOUT_VOWELS:
        return _letters_of(one) != _letters_of(other)
    if script == of_other and script in _AS_WRITTEN:
        # Vowels of Bengali, Tamil or Thai are marks; words may stand in any order, or without a space between them.
        signs, others = ("".join(sorted(re.sub(r"[\s\d.,'()-]", "", unicodedata.normalize("NFC", text)))) for text in (one, other))
        return signs != others
    if script or of_other or one.isascii() or other.isascii():
        return False
    words, beside = ({*re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text).casefold())} for text in (one, other))
    # Elsewhere than in Vietnam a word without its marks is one that somebody typed in haste.
    toned = bool(_VIETNAMESE.search(one) and _VIETNAMESE.search(other))
    alike = ((word, like) for word in words - beside for like in beside - words if folded([word]) == folded([like]))
    return any(toned or not (word.isascii() or like.isascii()) for word, like in alike)


def _like(a: Name, b: Name, household: bool) -> Likeness:
    same = len(a.words) == len(b.words) and sorted(a.words) == sorted(b.words)
    if same or not _spelt(a.words, a.whole).isdisjoint(_spelt(b.words, b.whole)):
        if len(a.words) == len(b.words) == 1 and household:
            # "Smith" and "Smith" in one house.
            return Likeness.PART
        # "J. Smith" twice: John, or Jane.
        return Likeness.SAME if max(map(len, a.words[:-1] or a.words)) > 1 or len(a.words[-1]) == 1 else Likeness.INITIAL
    foreign = a.script != b.script
    if foreign and _sounds_alike(a, b):
        return Likeness.PART if household and not _read_alike(a, b) else Likeness.SAME
    if foreign and not {"han", "other"}.isdisjoint((a.script, b.script)):
        return Likeness.UNSAID
    # Too few consonants to be sure: what they share must say the rest.
    if foreign and sorted(map(skeleton_of, a.words)) == sorted(map(skeleton_of, b.words)):
        return Likeness.PART
    if foreign and "arabic" in (a.script, b.script) and sorted(map(without_vav, a.words)) == sorted(map(without_vav, b.words)):
        return Likeness.PART
    if foreign and "hebrew" in (a.script, b.script) and sorted(map(without_labials, a.words)) == sorted(map(without_labials, b.words)):
        return Likeness.PART
    if len(a.words) == 1 or len(b.words) == 1:
        one, other = sorted((a.words, b.words), key=len)
        part = (
            _given(one[0], other[0], foreign, household) >= Likeness.INITIAL
            or one[0] == other[-1]
            or (len(other) == 1 and _family(one[0], other[0], foreign, household))
            or _is_login(one, other)
        )
        return Likeness.PART if part else Likeness.DIFFERENT
    hyphened, orders = _orders(a, b)
    return max([_aligned(short, long, hyphened, foreign, household) for short, long in orders])


def _orders(a: Name, b: Name) -> tuple[frozenset[_Words], list[tuple[_Words, _Words]]]:
    """What a hyphen joins in the longer name; and the words of both as they stand, and one of them with its first word last or its last first (the family name
    may come first), the shorter first."""
    if a.words != a.whole or b.words != b.whole:
        # "De Luca" and "DeLuca".
        a, b = _glued(a, b), _glued(b, a)
    short, long = (a, b) if len(a.words) <= len(b.words) else (b, a)
    longs = [long.words]
    if len(long.words) > len(short.words):
        # "Giovanni Battista" and "Giambattista", "Xiao Ming" and "Xiaoming".
        longs.append((long.words[0] + long.words[1], *long.words[2:]))
    pairs = [(words, each) for words in _turned(short.words) for each in longs if len(each) > 1]
    return long.hyphened, pairs + [(short.words, words) for words in _turned(long.words)[1:]]


def _glued(name: Name, other: Name) -> Name:
    """The name with its particles joined to the word behind them, if the other name has that as one word."""
    for at in range(1, len(name.whole) - 1):
        for end in range(at + 1, len(name.whole)):
            if (word := "".join(name.whole[at : end + 1])) in other.words:
                return name._replace(words=(*name.whole[:at], word, *name.whole[end + 1 :]))
    return name


@lru_cache(100_000)
def _turned(words: _Words) -> list[_Words]:
    return list(dict.fromkeys((words, (*words[1:], words[0]), (words[-1], *words[:-1]))))


def _aligned(short: _Words, long: _Words, hyphened: frozenset[_Words], foreign: bool, household: bool) -> Likeness:
    given = _given(short[0], long[0], foreign, household)
    if given == Likeness.DIFFERENT and 1 < len(short[0]) <= STEM and len(long) > len(short[0]):
        # "JF" for Jean-François.
        size = len(short[0])
        if short[0] == "".join(word[0] for word in long[:size]):
            return min(Likeness.INITIAL, _aligned(short, (short[0], *long[size:]), hyphened, foreign, household))
    at, found = 0, given
    if given == Likeness.DIFFERENT:
        # A middle name may be the one in use.
        if short[0] not in long[1:-1]:
            return Likeness.DIFFERENT
        at, found = long.index(short[0], 1), Likeness.PART
    rest = list(long[at + 1 :])
    for word in short[1:]:
        here = next(
            (
                i
                for i, other in enumerate(rest)
                if _family(word, other, foreign, household)
                or (word[:1] == other[:1] and 1 in (len(word), len(other)))
                or (word is not short[-1] and i < len(rest) - 1 and not names_of(word).isdisjoint(names_of(other)))
            ),
            -1,
        )
        if here < 0:
            # Of a short form and another family name nobody can tell.
            alike = short[0] == long[0] or sound_of(short[0]) == sound_of(long[0])
            changed = given >= Likeness.PART and (foreign or alike)
            return Likeness.PART if changed and 1 not in (len(short[0]), len(long[0])) else Likeness.DIFFERENT
        del rest[here]
    # What stands for the family name is more than an initial: "Jane D." may be anybody.
    if len(short[-1]) == 1 or not any(_family(short[-1], other, foreign, household) for other in long[1:]):
        found = min(found, Likeness.PART)
    # Jean and Jean-Pierre are two names, José and José Luis may be.
    double = len(long) > max(len(short), 2) and long[1] in rest and len(long[1]) > 1
    if double and (long[:2] in hyphened or (household and _is_double(*long[:2]))):
        found = min(found, Likeness.PART)
    # "Aung Kyaw Moe" is not Aung Kyaw; who has a second family name has a given name that is known as such.
    if household and rest and rest[-1:] == list(long[-1:]) and not is_known_given_name(long[0]):
        found = min(found, Likeness.PART)
    return found


def _is_double(one: str, other: str) -> bool:
    """Whether two given names are often one: "Ana Paula", "Hans Peter", "Lee Ann"; not "John Michael"."""
    _, women = names_of_sexes()
    return (one in known_names().first_of_two and other in given_names()) or (one not in women and other in women)


def _is_login(login: tuple[str, ...], name: tuple[str, ...]) -> bool:
    """ "jdoe" for Jane Doe."""
    return len(login) == 1 and len(name) > 1 and login[0] in (name[0][0] + name[-1], name[0] + name[-1][0], name[0] + name[-1])


@lru_cache(100_000)
def _spelt(words: _Words, whole: _Words) -> frozenset[str]:
    """A name in one word, without its particles and with them."""
    return _joined(words) | _joined(whole)


@lru_cache(100_000)
def _joined(words: _Words) -> frozenset[str]:
    return frozenset(("".join(words), "".join((*words[1:], words[0])), "".join((words[-1], *words[:-1]))))


@lru_cache(100_000)
def _family(a: str, b: str, foreign: bool, household: bool) -> bool:
    if a == b or plain_umlauts(a) == plain_umlauts(b) or _exchanged(a, b) or (foreign and skeleton_of(a) == skeleton_of(b)):
        return True
    if b in known_names().spellings.get(a, frozenset()):
        return True
    if min(len(a), len(b)) >= _LONG_WORD and OSA.distance(a, b, score_cutoff=1) <= 1:
        # "Ivanov" and "Ivanova" are two people, or one: not a slip, as "Zimmerman" is.
        longer = (a[:-1] == b or b[:-1] == a) and max(a, b, key=len)[-1] != min(a, b, key=len)[-1]
        if not household:
            return not longer
        # Neither are "Hansson" and "Jansson", but "Petersen" and "Peterson" are.
        two = {a, b} <= near_family_names() and (skeleton_of(a) != skeleton_of(b) or a[:-STEM] != b[:-STEM])
        other_letter = len(a) == len(b) and not _exchanged(a, b) and sound_of(a) != sound_of(b)
        return not (longer or two or other_letter)
    return False


@lru_cache(100_000)
def _given(a: str, b: str, foreign: bool, household: bool) -> Likeness:
    found = _given_by_form(a, b, foreign, household)
    if household and a != b and found == Likeness.SAME and (_of_two_people(a, b) or (foreign and _vowelled(a) != _vowelled(b))):
        return Likeness.PART
    return found


_MOST_OF_TWO_SEXES = 0.25
"""Chris and Christopher are 0.1, Vicky and Victoria 0.2, Val and Valerie 0.3, Marty and Martha 0.6."""


def _of_two_people(a: str, b: str) -> bool:
    """Whether two forms of one name are two people's too often for a key that a family shares: a man's and a woman's by those who have them, or two
    neighbouring letters exchanged that make another common name."""
    shares = shares_of_women()
    if a not in shares or b not in shares:
        return False
    two = shares[a] * (1 - shares[b]) + shares[b] * (1 - shares[a])
    return two > _MOST_OF_TWO_SEXES or (_exchanged(a, b) and sound_of(a) != sound_of(b))


@lru_cache(100_000)
def _vowelled(word: str) -> str:
    """One text for the usual ways to write a word of another alphabet in Latin letters, with its vowels: "Yuliia" and "Julija", not "Alina" and "Elena"."""
    text = word.replace("ou", "u").replace("kh", "h").replace("dzh", "j").replace("tz", "ts").replace("ch", "h").replace("x", "h")
    text = re.sub("[yj]", "i", text.replace("w", "v").replace("q", "k").replace("c", "k").replace("ph", "f").replace("g", "h"))
    return re.sub(r"(.)\1+", r"\1", re.sub("i?e", "e", re.sub("i?o", "o", text))).removesuffix("i")


@lru_cache(100_000)
def _given_by_form(a: str, b: str, foreign: bool, household: bool) -> Likeness:
    if a == b:
        return Likeness.SAME
    if len(a) == 1 or len(b) == 1:
        return Likeness.INITIAL if a[0] == b[0] else Likeness.DIFFERENT
    listed = given_names()
    two = a in listed and b in listed
    of_two = _of_two_sexes(a, b)
    if names_of(a) & names_of(b):
        # Sam is Samuel and Samantha, Pino is Giuseppe and Giusi is Giuseppina: where several people answer, it is not said who.
        direct = _is_form_of(a, b) or _is_form_of(b, a) or is_english_short_form(a, b) or sound_of(a) == sound_of(b)
        if not direct and (_is_feminine_of(a, b) or _is_feminine_of(b, a)):
            # Michel and Michèle, both of Michael.
            return Likeness.DIFFERENT
        # Two short forms of one name, "Greta" and "Gretchen", are two names in use.
        unsaid = _may_be_another(a, b) or (not direct and (two or not known_names().of_either.isdisjoint((a, b))))
        unsaid = unsaid or (of_two and not _is_listed_form_of(a, b) and not _is_listed_form_of(b, a))
        # Juha is short for Juhani and Sandra for Alessandra, and both are in the register, for a sister; who is Tom in English is so for short more often.
        alike = a[:STEM] == b[:STEM] or a[-STEM:] == b[-STEM:]
        own = shares_of_women().keys() >= {a, b} and alike and abs(len(a) - len(b)) > 1
        unsaid = unsaid or (own and not is_english_short_form(a, b) and not _is_spelling_of(a, b))
        return Likeness.PART if household and unsaid else Likeness.SAME
    if _is_feminine_of(a, b) or _is_feminine_of(b, a):
        return Likeness.DIFFERENT
    # "Cristian" and "Cristina" are one exchange apart, and two people.
    slip = _exchanged(a, b) and not two and (a[-1] == "a") == (b[-1] == "a") and (not household or len(a) >= _LONG_GIVEN)
    # Jan and Ian sound alike here, too.
    shortest = STEM if household else STEM - 1
    alike = len(a) > shortest < len(b) and sound_of(a) == sound_of(b)
    if not of_two and (slip or alike):
        # Carol and Carroll: one of them is a man's name as often.
        return Likeness.PART if household and two and not slip and not names_of_either().isdisjoint((a, b)) else Likeness.SAME
    if foreign and skeleton_of(a) == skeleton_of(b) and len(skeleton_of(a)) > 1:
        return Likeness.SAME
    if household and not known_names().of_either.isdisjoint((a, b)):
        if _is_commonest_of(a, b) or _is_commonest_of(b, a):
            return Likeness.SAME
        return Likeness.PART if is_english_short_form(a, b) else Likeness.DIFFERENT
    if is_english_short_form(a, b):
        # Where several people answer, Amy may be Amelia, or her sister: the package has every form that registers had.
        own = two and not (_is_diminutive_of(a, b) or _is_diminutive_of(b, a))
        return Likeness.PART if household and (own or of_two or _may_be_another(a, b)) else Likeness.SAME
    if household or two or of_two:
        return Likeness.DIFFERENT
    short, long = sorted((a, b), key=len)
    begins_alike = STEM <= len(short) < len(long) and sound_of(a)[:STEM] == sound_of(b)[:STEM]
    if begins_alike and short[-1] in "iyo":
        # "Ursi" for Ursula, if nobody has listed it.
        return Likeness.PART
    if (a[-1] == "a") != (b[-1] == "a"):
        return Likeness.DIFFERENT
    if min(len(a), len(b)) >= _LONG_GIVEN and OSA.distance(a, b, score_cutoff=1) <= 1:
        return Likeness.SAME if a[-1] == b[-1] else Likeness.PART
    if min(len(a), len(b)) > STEM and (a.endswith(b) or b.endswith(a)):
        return Likeness.PART
    # "Manel" for Manuel, if nobody has listed it; names of one length ("Oumar", "Oumou") are two.
    return Likeness.PART if begins_alike else Likeness.DIFFERENT


def _of_two_sexes(a: str, b: str) -> bool:
    men, women = names_of_sexes()
    return (a in men and b in women) or (a in women and b in men)


def _may_be_another(a: str, b: str) -> bool:
    """Whether one is a short form of men's and of women's names, and the other not the commonest of these."""
    of_both = known_names().of_both
    return any(short in of_both and not _is_commonest_of(long, short) for short, long in ((a, b), (b, a)))


def _is_form_of(short: str, long: str) -> bool:
    """Whether a name is a short form or a spelling of another one, or of a spelling of that."""
    known = known_names()
    return not names_of(short).isdisjoint({long} | known.spellings.get(long, frozenset()))


def _is_diminutive_of(short: str, long: str) -> bool:
    """Kathy of Kathleen, Edgar of Edgars: it begins as the long form, and is its beginning or ends as pet names do."""
    return short[:STEM] == long[:STEM] and (long.startswith(short) or short.endswith(("y", "ie", "i")))


def _is_listed_form_of(short: str, long: str) -> bool:
    known = known_names()
    return long in known.long_names.get(short, frozenset()) | known.spellings.get(short, frozenset())


def _is_spelling_of(a: str, b: str) -> bool:
    return b in known_names().spellings.get(a, frozenset())


def _is_commonest_of(long: str, short: str) -> bool:
    return sound_of(long) in known_names().commonest.get(short, frozenset())


_FEMININE = ("a", "e", "ia", "na", "ina", "ine", "in", "ie", "ella", "elle", "le", "etta", "ette", "ka", "ja", "ica", "ita", "nka", "y")


def _is_feminine_of(a: str, b: str) -> bool:
    """Paula of Paul, Simone of Simon, Maria of Mario."""
    men, women = names_of_sexes()
    if {a, b} <= men or {a, b} <= women:
        return False
    stem = b.rstrip("eo")
    return (a != b and (a.startswith(b) and a[len(b) :] in _FEMININE) and a[-1] in "ae") or (len(stem) > STEM - 1 and a == stem + "a")


def _exchanged(a: str, b: str) -> bool:
    """Two neighbouring letters exchanged: a slip. One different letter is another name as often ("Mark", "Mary")."""
    if not len(a) == len(b) > STEM:
        return False
    different = [index for index, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    exchanged = len(different) == 2 and different[1] - different[0] == 1
    return exchanged and a[different[0]] == b[different[1]] and a[different[1]] == b[different[0]]


def _sounds_alike(a: Name, b: Name) -> bool:
    """Whether two names in two scripts are the same consonants, in any order of words or run together."""
    one, other = ([skeleton_of(word) for word in name.words] for name in (a, b))
    feminine = a.words[-1][-1] == "a", b.words[-1][-1] == "a"
    if VOWELLED.issuperset((a.script, b.script)) and sorted(one) == sorted(other):
        return all(len(word) > 0 for word in one) and [w[-1] == "a" for w in sorted(a.words, key=skeleton_of)] == [
            w[-1] == "a" for w in sorted(b.words, key=skeleton_of)
        ]
    if "hangul" in (a.script, b.script) and not _joined(korean_sounds(a.words)).isdisjoint(_joined(korean_sounds(b.words))):
        return True
    if not VOWELLED.issuperset((a.script, b.script)):
        if "hebrew" in (a.script, b.script):
            # A vav is an o or a u within a word, as often as a v.
            one, other = ([word[:1] + word[1:].replace("v", "") for word in words] for words in (one, other))
        joined = _joined(tuple(one)) & _joined(tuple(other))
        return any(len(each) > STEM for each in joined) or (
            feminine[0] == feminine[1] and sorted(one) == sorted(other) and len("".join(one)) > STEM
        )
    return False


def _read_alike(a: Name, b: Name) -> bool:
    """Whether two names in two alphabets are the same letters, vowels included, as far as the alphabets have them."""
    return VOWELLED.issuperset((a.script, b.script)) and sorted(map(_vowelled, a.words)) == sorted(map(_vowelled, b.words))


def _family_first(match: re.Match[str]) -> str:
    after = folded([match[2]])[0].split()
    known = known_names()
    return match[0] if all(word in known.titles or word in known.generations for word in after) else f"{match[2]} {match[1]}"
