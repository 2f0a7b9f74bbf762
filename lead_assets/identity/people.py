"""People's names: given and family name from whatever the payload contains.

Uses nameparser. It takes 160 µs per name, so names of two or three plain words, none of which it knows as a title, particle, suffix or
conjunction, are split in the frame; the others go through it, once per distinct name. A property test checks that both ways agree.
"""

from __future__ import annotations

import re
from functools import cache

import polars as pl

from lead_assets.core.columns import map_distinct

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
    frame = pl.DataFrame({"full": _text(full_names), "first": _text(first_names), "last": _text(last_names)}).with_columns(
        split=pl.col("first").is_not_null() & pl.col("last").is_not_null()
    )
    # A family name alone must not be parsed as a full name: a single word would come out as a given name.
    parsed = frame.select(
        pl.when(~pl.col("split")).then(pl.coalesce("full", "first")),
        last_only=pl.when(pl.col("full").is_null() & pl.col("first").is_null()).then("last"),
    )
    whole = _parse(parsed.to_series(0))
    shouted = frame.select(~pl.concat_str("first", "last").str.contains(r"\p{Ll}")).to_series()
    given = pl.DataFrame({"first": _recased(frame["first"], shouted), "last": _recased(frame["last"], shouted)})
    alone = _recased(parsed["last_only"], pl.Series([True]).new_from_index(0, frame.height))
    return pl.select(
        name_first=pl.when(frame["split"]).then(given["first"]).otherwise(whole["field_0"]),
        name_last=pl.when(frame["split"]).then(given["last"]).otherwise(pl.coalesce(whole["field_1"], alone)),
    )


def _text(names: pl.Series) -> pl.Series:
    text = names.str.replace_all(r"[\s\u00a0]+", " ").str.strip_chars(" ,;")
    junk = ~text.str.contains(r"\p{L}") | text.str.contains(
        r"@|://|(?i)^(?:n/?a|none|null|nil|unknown|tbd|test|name|first name|last name|full name)$"
    )
    return text.set((junk | (text.str.len_chars() > _LONGEST)).fill_null(True), None)


def _parse(names: pl.Series) -> pl.DataFrame:
    """Columns `field_0` (given) and `field_1` (family) of full names."""
    words = names.str.to_lowercase().str.replace_all(",", "", literal=True).str.splitn(" ", 3).struct.unnest()
    vocabulary = pl.Series("vocabulary", _vocabulary(), dtype=pl.String)
    known = pl.select(pl.any_horizontal(words[c].is_in(vocabulary.implode()).fill_null(False) for c in words.columns)).to_series()
    turned = (
        pl.when(names.str.contains(_COMMA)).then(names.str.replace(_COMMA, "$2 $1")).otherwise(names.str.replace(_FAMILY_FIRST, "$2 $1"))
    )
    text = pl.select(pl.when(known).then(names).otherwise(turned)).to_series()
    cased = text.str.contains(r"\p{Ll}").fill_null(True) & text.str.contains(r"\p{Lu}").fill_null(True)
    plain = (text.str.contains(_PLAIN) & ~known & (cased | ~text.str.contains(r"(?i)\bmc"))).fill_null(False)
    plain_text = text.set(~plain, None)
    halves = pl.DataFrame(
        {"first": plain_text.str.extract(r"^([^ ]+) ", 1), "last": plain_text.str.extract(r" ([^ ]+)$", 1), "cased": cased}
    )
    odd = map_distinct(text.set(plain, None), _parsed).str.splitn(_SEPARATOR, 2).struct.unnest()
    part = {c: pl.when(pl.col("cased")).then(_cased_part(pl.col(c))).otherwise(pl.col(c).str.to_titlecase()) for c in ("first", "last")}
    split = halves.select(**part)
    return pl.select(
        field_0=pl.when(plain).then(split["first"]).otherwise(odd["field_0"].replace("", None)),
        field_1=pl.when(plain).then(split["last"]).otherwise(odd["field_1"].replace("", None)),
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


def _recased(parts: pl.Series, shouted: pl.Series) -> pl.Series:
    keyed = pl.select(pl.when(shouted.fill_null(False)).then(pl.lit("!") + parts).otherwise(pl.lit("?") + parts)).to_series()
    plain = parts.str.contains(rf"^{_LETTER}*\p{{Ll}}{_LETTER}*$") & parts.str.contains(r"^\p{Lu}")
    odd = map_distinct(keyed.set(plain.fill_null(False), None), lambda key: _recase(key[1:], shouted=key[0] == "!"))
    return pl.select(pl.when(plain).then(parts).otherwise(odd)).to_series()


def _parsed(name: str) -> str:
    """Given and family name from one full name, with a separator between them."""
    from nameparser import HumanName

    parsed = HumanName(name)
    shouted = not any(character.islower() for character in name)
    return _recase(parsed.first, shouted) + _SEPARATOR + _recase(parsed.last, shouted)


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
