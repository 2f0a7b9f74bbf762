"""People's names: given and family name from whatever the payload contains.

Uses nameparser. It takes 160 µs per name, so names of two or three plain words, none of which it knows as a title, particle, suffix or
conjunction, are split in the frame; the others go through it, once per arrangement of words that it knows ("Dr. Jane Doe" and "Dr. John Roe" are one).
Property tests check that all ways agree.
"""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache, lru_cache

import polars as pl

from lead_assets.core.columns import map_distinct, selected, widened

_LETTER = "[A-Za-zÀ-ÖØ-Þà-öø-þĀ-įĴ-ňŊ-ŷŹ-ž]"
_WORD = rf"(?:{_LETTER}+(?:-{_LETTER}+)*|[A-Z]'[A-Z][a-z]+|{_LETTER}*[a-z]\d+)"
_PLAIN = rf"^{_WORD} (?:(?:{_WORD}|{_LETTER}\.) )?{_WORD}$"
# "DUPONT Marie": in France, Hungary and Japan the family name may come first, in capitals to mark it.
_FAMILY_FIRST = r"^(\p{Lu}{3,}(?:[-']\p{Lu}+)*) (\p{Lu}\p{Ll}+(?:-\p{Lu}\p{Ll}+)*)$"
# "Doe, Jane". Two letters may be a degree, so these are left to the library.
_COMMA = rf"^({_LETTER}{{3,}}), ({_LETTER}{{3,}})$"
_SEPARATOR = "\x1f"
# A longer text is not a name, and the library's time grows faster than the text.
_LONGEST = 200


def name_parts(full_names: pl.Series, first_names: pl.Series, last_names: pl.Series) -> pl.DataFrame:
    """Columns `name_first` and `name_last`: the received ones if both are present, otherwise from the full name. Middle names, titles and suffixes are dropped.

    Names in one case get the usual one ("JANE MCDONALD" → "Jane McDonald"). Anything that is not a name (no letter, an e-mail address, "n/a") is null.
    """
    given = {"full": full_names, "first": first_names, "last": last_names}
    frame = pl.DataFrame([series.alias(name) for name, series in given.items()])
    frame = widened(selected(selected(frame, _SPACED), _NO_JUNK), _WHOLE)
    whole = _parse(frame["whole"])
    keyed = selected(frame, _KEYED)
    odd = [map_distinct(keyed[name], lambda key: _recase(key[1:], shouted=key[0] == "!")).alias(f"odd_{name}") for name in keyed.columns]
    return frame.with_columns(*odd, given_whole=whole["given"], family_whole=whole["family"]).select(_PARTS)


# Expressions, and few of them: for a lead that arrives alone, a query of its own for each step would take twenty times as long as the steps.
_SPACED = [pl.col(name).str.replace_all(r"[\s\u00a0]+", " ").str.strip_chars(" ,;") for name in ("full", "first", "last")]
_JUNK = r"@|://|(?i)^(?:n/?a|none|null|nil|unknown|tbd|test|name|first name|last name|full name)$"
_NO_JUNK = [
    pl.when(pl.col(name).str.contains(r"\p{L}") & ~pl.col(name).str.contains(_JUNK) & (pl.col(name).str.len_chars() <= _LONGEST)).then(name)
    for name in ("full", "first", "last")
]
_SPLIT = pl.col("first").is_not_null() & pl.col("last").is_not_null()
# A family name alone must not be parsed as a full name: a single word would come out as a given name.
_WHOLE = [
    _SPLIT.alias("split"),
    pl.when(~_SPLIT).then(pl.coalesce("full", "first")).alias("whole"),
    pl.when(pl.col("full").is_null() & pl.col("first").is_null()).then("last").alias("alone"),
    (~pl.concat_str("first", "last").str.contains(r"\p{Ll}")).fill_null(False).alias("shouted"),
]


def _keyed(name: str, shouted: pl.Expr) -> pl.Expr:
    """The parts that are not in the usual case, with a mark for those of a name in capitals."""
    part = pl.col(name)
    plain = part.str.contains(rf"^{_LETTER}*\p{{Ll}}{_LETTER}*$") & part.str.contains(r"^\p{Lu}")
    return pl.when(~plain).then(pl.when(shouted).then(pl.lit("!") + part).otherwise(pl.lit("?") + part)).alias(name)


_KEYED = [_keyed("first", pl.col("shouted")), _keyed("last", pl.col("shouted")), _keyed("alone", pl.lit(True))]
_PARTS = [
    pl.when("split").then(pl.coalesce("odd_first", "first")).otherwise("given_whole").alias("name_first"),
    pl.when("split").then(pl.coalesce("odd_last", "last")).otherwise(pl.coalesce("family_whole", "odd_alone", "alone")).alias("name_last"),
]


def _parse(names: pl.Series) -> pl.DataFrame:
    """Columns given and family of full names."""
    frame = pl.DataFrame([names.alias("name")]).with_columns(_known()).with_columns(_TEXT).with_columns(_CASED).with_columns(_SIMPLE)
    halves = selected(frame, _HALVES)
    odd = map_distinct(frame.select(pl.when(~pl.col("plain")).then("text")).to_series(), _parsed)
    return selected(halves.hstack([frame["plain"], odd.alias("odd")]), _BOTH)


@cache
def _known() -> pl.Expr:
    """Whether a word of the name is one that the library knows as a title, particle, suffix or conjunction."""
    words = pl.col("name").str.to_lowercase().str.replace_all(",", "", literal=True).str.splitn(" ", 3)
    vocabulary = pl.Series("vocabulary", _vocabulary(), dtype=pl.String).implode()
    return pl.any_horizontal(words.struct.field(f"field_{n}").is_in(pl.lit(vocabulary).first()).fill_null(False) for n in range(3)).alias(
        "known"
    )


_TURNED = (
    pl.when(pl.col("name").str.contains(_COMMA))
    .then(pl.col("name").str.replace(_COMMA, "$2 $1"))
    .otherwise(pl.col("name").str.replace(_FAMILY_FIRST, "$2 $1"))
)
_TEXT = pl.when("known").then("name").otherwise(_TURNED).alias("text")
_CASED = (pl.col("text").str.contains(r"\p{Ll}").fill_null(True) & pl.col("text").str.contains(r"\p{Lu}").fill_null(True)).alias("cased")
_SIMPLE = (
    (pl.col("text").str.contains(_PLAIN) & ~pl.col("known") & (pl.col("cased") | ~pl.col("text").str.contains(r"(?i)\bmc")))
    .fill_null(False)
    .alias("plain")
)


def _cased_part(part: pl.Expr) -> pl.Expr:
    """In a mixed-case name, parts in capitals are recased from three letters on ("Jane DOE"), and parts in small letters always ("jane Doe")."""
    one_case = part.str.contains(r"^[^\p{Ll}]{3,}$") | ~part.str.contains(r"\p{Lu}")
    mc = part.str.contains(r"(?i)^mc")
    return (
        pl.when(one_case & ~mc).then(part.str.to_titlecase()).when(one_case).then(part.map_batches(_recased_mc, pl.String)).otherwise(part)
    )


def _recased_mc(parts: pl.Series) -> pl.Series:
    return map_distinct(parts, lambda part: _recase(part, shouted=False))


_HALF = {"given": r"^([^ ]+) ", "family": r" ([^ ]+)$"}
_HALVES = [
    pl.col("cased"),
    *(pl.when("plain").then(pl.col("text").str.extract(pattern, 1)).alias(name) for name, pattern in _HALF.items()),
]
_BOTH = [
    pl.when("plain")
    .then(pl.when("cased").then(_cased_part(pl.col(name))).otherwise(pl.col(name).str.to_titlecase()))
    .otherwise(pl.col("odd").str.splitn(_SEPARATOR, 2).struct.field(f"field_{n}").replace("", None))
    .alias(name)
    for n, name in enumerate(_HALF)
]


def _parsed(name: str) -> str:
    """Given and family name from one full name, with a separator between them."""
    words = [(word.removesuffix(","), word.endswith(",")) for word in name.split(" ")]
    unknown = [word for word in dict.fromkeys(word for word, _ in words) if _UNLISTED.fullmatch(word) and word.lower() not in _listed()]
    stand_ins = dict(zip(unknown, _STAND_INS, strict=False))
    arranged = _arranged(" ".join(stand_ins.get(word, word) + "," * comma for word, comma in words))
    meant = {stand_in: word for word, stand_in in stand_ins.items()}
    shouted = not any(character.islower() for character in name)
    return _SEPARATOR.join(_recase(" ".join(meant.get(word, word) for word in part.split(" ")), shouted) for part in arranged)


_UNLISTED = re.compile(r"[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ]{2,}")
"""Words that the library reads alike, unless it lists them."""
_STAND_INS = tuple(f"Q{letter}zzv" for letter in "abcdefghijkl")


@lru_cache(10_000)
def _arranged(name: str) -> tuple[str, str]:
    """Given and family name as the library reads them."""
    from nameparser import HumanName

    parsed = HumanName(name)
    return parsed.first, parsed.last


@cache
def _listed() -> frozenset[str]:
    """Every word that the library knows."""
    from nameparser import Lexicon

    lexicon = Lexicon.default()
    entries = [getattr(lexicon, field.name) for field in fields(lexicon)]
    return frozenset(word for listed in entries if isinstance(listed, frozenset) for entry in listed for word in entry.split())


def _recase(part: str, shouted: bool) -> str:
    """A name part in the usual case, if it has only one case. `shouted`: the whole name is in capitals, so two letters are not initials ("LI WEI")."""
    if not (part.islower() or (part.isupper() and (shouted or len(part) > 2))):
        return part
    words = part.lower().split(" ")
    particles = _particles()
    return " ".join(word if word in particles and index < len(words) - 1 else _capitalised(word) for index, word in enumerate(words))


def _capitalised(word: str) -> str:
    capitalised = re.sub(r"(?<![^\W\d_])[^\W\d_]", lambda match: match.group().upper(), word)
    return re.sub(r"\bMc([a-z])(?=[a-z])", lambda match: "Mc" + match.group(1).upper(), capitalised)


@cache
def _vocabulary() -> list[str]:
    from nameparser.config import CONSTANTS

    words: set[str] = set()
    for kind in ("titles", "prefixes", "suffix_acronyms", "suffix_not_acronyms", "first_name_titles", "conjunctions", "bound_first_names"):
        words.update(getattr(CONSTANTS, kind))
    return sorted(words)


@cache
def _particles() -> frozenset[str]:
    from nameparser.config import CONSTANTS

    return frozenset(CONSTANTS.prefixes)
