"""How the words of a name are written and sound: scripts, Latin letters for them, and one text for spellings that sound alike.

Does not belong here: which names are forms of which (see `known_names`), whether two names are one person's (see `person_names`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from anyascii import anyascii


@lru_cache(100_000)
def plain_umlauts(word: str) -> str:
    """ "juergen" and "jurgen" alike, and "djordje" and "dorde": folding takes dots and strokes away, people write them as e and dj."""
    return re.sub(r"([aou])e", r"\1", word).replace("dj", "d").replace("aa", "a")


@lru_cache(100_000)
def sound_of(name: str) -> str:
    """One text for spellings of one given name that sound alike: Stephanie and Stefanie, Lukas and Lucas, Yulia and Julia, Kathryn and Cathrin."""
    # "Christine" and "Kristine", not "Charly" and "Carly"; "Alisa" and "Alyssa", not "Alisha"; "Tracey" and "Tracy".
    plain = re.sub("sch|sh", "\u0161", re.sub("ey$", "y", plain_umlauts(name)))
    text = (
        re.sub(r"ch(?![rl])", "x", plain)
        .replace("ee", "i")
        .replace("oo", "u")
        .replace("ph", "f")
        .replace("ck", "k")
        .translate(str.maketrans("cyj", "kii"))
    )
    text = re.sub(r"(?<=[^aeiou])h|(?<=.)h(?=[^aeiou]|$)", "", text)
    return re.sub(r"(.)\1+", r"\1", text)


@lru_cache(10_000)
def korean_sounds(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words in Latin letters, with one letter for each sound that is spelt in several ways: Yoon and Yun, Jeong and Jung."""
    text = " ".join(words)
    for spelt, sound in (
        ("oo", "u"),
        ("eo", "u"),
        ("ou", "u"),
        ("ee", "i"),
        ("ae", "e"),
        ("eu", "u"),
        ("o", "u"),
        ("ch", "j"),
        ("sh", "s"),
        ("k", "g"),
        ("p", "b"),
        ("t", "d"),
        ("r", "l"),
    ):
        text = text.replace(spelt, sound)
    return tuple(text.split())


def without_labials(word: str) -> str:
    """A word's consonants without those that Hebrew writes with one letter for two sounds, and for vowels: Yossi and Avraham in either script."""
    return re.sub("[vp]", "", skeleton_of(word))


def without_vav(word: str) -> str:
    """A word's consonants without waw, which is a u or an o as often: يوسف and Yousef."""
    return skeleton_of(word).replace("v", "")


VOWELLED = frozenset({"", "cyrillic", "greek"})


_CLASSES = str.maketrans(
    {"c": "k", "q": "k", "g": "k", "z": "s", "w": "v", "b": "p", "d": "t", "f": "p", "y": None, "h": None, "j": "s", "'": None}
    | dict.fromkeys("aeiou")
)


@lru_cache(100_000)
def skeleton_of(word: str) -> str:
    """The consonants of a word by classes, for words in two scripts: what is left of both "Dmitriy" and "Dmitry", "Georgioy" and "Georgiou"."""
    text = (
        word.replace("ph", "f")
        .replace("kh", "h")
        .replace("x", "ks")
        .replace("sch", "s")
        .replace("ch", "s")
        .replace("sh", "s")
        .replace("zh", "s")
        .replace("ts", "s")
    )
    return re.sub(r"(.)\1+", r"\1", text.translate(_CLASSES))


SCRIPTS = {
    "han": r"[\u3400-\u9fff]",
    "kana": r"[\u3040-\u30ff]",
    "hangul": r"[\uac00-\ud7af]",
    "arabic": r"[\u0600-\u06ff]",
    "hebrew": r"[\u0590-\u05ff]",
    "cyrillic": r"[\u0400-\u04ff]",
    "greek": r"[\u0370-\u03ff]",
}


# Kaf is Cohen's c more often than a ch; aleph, ayin and he are vowels, and no marks that end a word.
_HEBREW = str.maketrans("כך", "קק", "אעה\u05f3\u05f4'")


_KOREAN_FAMILIES = {"박": "Park", "이": "Lee", "임": "Lim", "노": "Roh"}
"""Family names that their bearers do not spell as they sound."""


def script_of(text: str) -> str:
    """The script of a text, by the names of `SCRIPTS`; "" for Latin, "other" for any that is not listed."""
    if text.isascii() or _is_latin(text):
        return ""
    return next((script for script, letters in SCRIPTS.items() if re.search(letters, text)), "other")


def romanised(text: str, script: str) -> str:
    """A text in Latin letters, as its bearers spell names of this script."""
    if not script:
        return text
    if script == "cyrillic":
        text = re.sub("[ьъЬЪ'\u2019\u02bc]", "", text)
    if script == "cyrillic" and re.search("[єіїґЄІЇҐ]", text):
        text = text.translate(str.maketrans("гГ", "hH"))
    if script == "arabic" and re.search("[\u06cc\u06a9\u06af\u067e\u0686]", text):
        text = text.translate(str.maketrans("ضظذث", "زززس"))
    if script == "hebrew":
        text = text.translate(_HEBREW)
    if script == "greek":
        text = re.sub("([αεΑΕ])[υύ]", r"\1β", text)
    if script == "hangul":
        text = re.sub(r"^\s*[박이임노]", lambda family: _KOREAN_FAMILIES[family[0].strip()], text)
    # One syllable per sign: "WangXiaoMing" is three words.
    spelt = anyascii(text)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", spelt) if script in ("han", "hangul") else spelt


def _is_latin(text: str) -> bool:
    return all(ord(letter) < 0x250 or 0x1E00 <= ord(letter) < 0x1F00 or not letter.isalpha() for letter in text)
