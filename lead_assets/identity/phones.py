"""Converts phone numbers to E.164, with the lead's country as region, and finds the country named by an international number.

Uses phonenumbers (Google's metadata). It takes 23 µs per number, so North American numbers in plain spellings are matched in the
frame against the library's own patterns, and what has no country code and no region is not asked about; all others go through it, once per distinct
number. A property test checks that both ways agree.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

import polars as pl

from lead_assets.core.columns import map_distinct

# In North American spelling, whether or not the plan has such numbers; the library's patterns decide that.
_PLAIN = r"^(?:\+?1[ .-]?)?(?:\([1-9][0-9]{2}\) ?|[1-9][0-9]{2}[ .-]?)[0-9]{3}[ .-]?[0-9]{4}$"
_PLUS = "[+\uff0b]"
"""The signs that the library takes for the beginning of an international number."""
EXTENSION = r"(?i)[ ,;]*(?:x|ext\.?|extension)[ :.]*\d{1,6}$"
_SEPARATOR = "\x1f"
BETWEEN = re.compile(r"[/;,|\n&]|\s(?:or|and|oder|und|ou|et|o|y|e)\s", re.IGNORECASE)
"""What stands between several numbers in one text."""
# The library itself refuses longer texts as numbers; a few numbers fit into this.
_LONGEST = 250
_SHORTEST = 7
# North America's 1 and Russia's 8 before ten digits.
_WITH_TRUNK = 11
_NORTH_AMERICAN = 10
_TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})

# "call +1 212 555 2671 after 5", "0171 1234567 (mobil)", "(022) 12345 - office", "212-555-2671 ask for Jim", and a spreadsheet's "12125552671.0".
_AMID_WORDS = re.compile(
    r"^[^\d+]*(?P<number>\+[\d ().-]*\d(?=\s|$)|\(?\d[\d ().-]*\d(?=\s*[-\u2013:]?\s*\([^()]*\)$|\s+[-\u2013:]?\s*[^\W\d_][^\d]*$|\.0$))"
)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d\d?([./-])\d\d?\1\d{4}")

# A company's number, not a person's, in numbers without a country: free to call in most countries ("800 123 456"), or at one price from everywhere in
# Germany (01806) and Australia (1300). The like of other countries are somebody's mobile elsewhere.
_SERVICE = re.compile(r"0*800\d{0,6}|0180[2-7]\d{5,7}|1[38]00\d{6}")

# What people type to get past a form identifies nobody.
_JUNK_DIGITS = r"^(?:0*|1*|2*|3*|4*|5*|6*|7*|8*|9*)$|^0?1?234567|^9876543"
_JUNK_NUMBER = re.compile(
    r"(\d\d?\d?)\1+\d?|\d*(\d)\2{5,}\d*|(\d)\3\3(\d)\4\4(\d)\5{2,3}|0?1?2345678?9?0?|9876543(?:2(?:10?)?)?|(?:\d{3})?5551212|(?:555)?555(?:1234|5555)"
)


def normalise_phones(phones: pl.Series, regions: pl.Series) -> pl.DataFrame:
    """Columns `phone_e164` (null if absent or not a valid number) and `phone_country` (ISO 3166-1 alpha-2, for numbers written with + or 00).

    `regions` are alpha-2 codes that decide how to read numbers without a country code. Extensions are dropped. A number with neither is null.
    """
    if phones.null_count() == phones.len():
        # Compiling the plans' patterns takes longer than all else of a few leads.
        return pl.DataFrame({name: phones.cast(pl.String) for name in ("phone_e164", "phone_country")})
    text = phones.str.strip_chars().replace("", None).str.replace(r"^00", "+")
    bare = text.str.replace(EXTENSION, "")
    international = text.str.starts_with("+").fill_null(False)
    # For these, the library's answer does not depend on the region within the plan, so "US" covers both large countries.
    home = regions.is_in(["US", "CA"]).fill_null(False)
    in_plan = (home | international) & (~international | bare.str.starts_with("+1"))
    plain = (bare.str.contains(_PLAIN) & in_plan).fill_null(False)
    unasked = regions.is_null() & ~text.str.contains(_PLUS)
    national = bare.set(~plain, None).str.replace_all(r"[^0-9]", "").str.tail(10)
    us, ca, elsewhere = (national.str.contains(pattern).fill_null(False) for pattern in _nanp_patterns())

    odd_text = text.set((plain & (us | ca | ~elsewhere)) | unasked.fill_null(False), None)
    odd_key = pl.select(odd_text + _SEPARATOR + pl.when(~international).then(regions).otherwise(pl.lit("")).fill_null("")).to_series()
    odd = map_distinct(odd_key, _parsed).str.splitn(" ", 2).struct.unnest()
    return pl.select(
        phone_e164=pl.when(us | ca).then(pl.lit("+1") + national).otherwise(odd["field_0"]),
        phone_country=pl.when(international & us)
        .then(pl.lit("US"))
        .when(international & ca)
        .then(pl.lit("CA"))
        .when(international)
        .then(odd["field_1"].replace("", None)),
    )


_ABROAD = {54: r"^9(?=\d{10}$)", 52: r"^1(?=\d{10}$)"}


def has_number(phones: pl.Expr) -> pl.Expr:
    """Whether a text may be somebody's number: it has seven digits or more, and is not what people type to get past a form ("1234567890")."""
    digits = phones.str.replace_all(r"\D", "")
    return (digits.str.len_bytes() >= _SHORTEST) & ~digits.str.contains(_JUNK_DIGITS)


def phone_key(text: str) -> str | None:
    """Digits that are equal for one number with and without its country: the national number without trunk prefix; null for what may be nobody's."""
    from phonenumbers import NumberParseException, parse

    bare = re.sub(EXTENSION, "", text.strip().replace("\uff0b", "+"))
    international = re.sub(r"^\(?00", "+", bare) if bare.startswith(("00", "(00")) and not bare.startswith("000") else bare
    digits = re.sub(r"\D", "", bare)
    if international.lstrip("(").startswith("+"):
        try:
            number = parse(international.lstrip("("), None)
        except NumberParseException:
            return None
        # Argentina's mobiles have a 9 before their area code only if they are called from abroad, and Mexico's had a 1.
        digits = _as_at_home(number.country_code, number.national_number)
    digits = digits.lstrip("0")
    if len(digits) == _WITH_TRUNK and digits[0] in "18":
        digits = digits[1:]
    junk = bool(_JUNK_NUMBER.fullmatch(digits)) or (len(digits) == _NORTH_AMERICAN and digits[:3] in _TOLL_FREE)
    abroad = international.lstrip("(").startswith("+")
    junk = junk or (_is_service(bare) if abroad else bool(_SERVICE.fullmatch(re.sub(r"\D", "", bare))))
    return digits if len(digits) >= _SHORTEST and not junk else None


@lru_cache(10_000)
def _is_service(text: str) -> bool:
    from phonenumbers import PhoneNumberType

    kinds = (PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.UAN)
    return _kind(text) in kinds


def phone_keys(texts: pl.Series, blocks: pl.Series) -> pl.Series:
    """`phone_key` of each text. Of texts in one block (equal last digits), those without a country are read as numbers of the countries that others name, so
    that each country's trunk prefix is known ("06 30 …" in Hungary, "8 916 …" in Russia). A number that is free to call is a company's: null."""
    frame = pl.DataFrame({"text": texts, "block": blocks}).with_columns(key=map_distinct(texts, phone_key))
    unlike = frame.filter((pl.col("key").n_unique() > 1).over("block")).unique(["block", "text"])
    of_block: dict[str, list[tuple[str, str | None]]] = {}
    for block, text, key in unlike.select("block", "text", "key").iter_rows():
        of_block.setdefault(block, []).append((text, key))
    found: dict[tuple[str, str], str] = {}
    for block, group in of_block.items():
        region_of = {text: _region(text) for text, _ in group}
        regions = sorted({region for region in region_of.values() if region})
        known = {key for text, key in group if region_of[text]}
        for text in (text for text, region in region_of.items() if not region):
            if key := next((key for region in regions if (key := _national(text, region)) in known), None):
                found[block, text] = key
    if not found:
        return frame["key"]
    better = pl.DataFrame([(block, text, key) for (block, text), key in found.items()], schema=["block", "text", "better"], orient="row")
    return (
        frame.join(better, on=["block", "text"], how="left", maintain_order="left")
        .select(pl.coalesce("better", "key").alias("key"))
        .to_series()
    )


@lru_cache(10_000)
def two_people(one: str | None, other: str | None) -> bool:
    """Whether two texts are two numbers of one kind by their countries' plans: two mobiles, each its person's, or desks of two offices (another country or
    area; two lines of one office are one person's as often). A desk and a mobile may be one's."""
    from phonenumbers import PhoneNumberType

    if not one or not other:
        return False
    keys = phone_key(one), phone_key(other)
    if None in keys or keys[0] == keys[1] or keys[0].endswith(keys[1][-_SHORTEST:]):  # type: ignore[union-attr, index]
        return False
    kinds = {_kind(text) for text in (one, other)}
    if kinds <= {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}:
        return True
    return kinds == {PhoneNumberType.FIXED_LINE} and _area(one) != _area(other)


@lru_cache(10_000)
def is_mobile(text: str | None) -> bool:
    """Whether a number with its country is a mobile's by the country's plan: one person's, where several people may answer any other."""
    from phonenumbers import PhoneNumberType

    return text is not None and _kind(text) == PhoneNumberType.MOBILE


@lru_cache(10_000)
def _kind(text: str) -> int | None:
    """The library's type of a number with its country; None if it is none."""
    from phonenumbers import NumberParseException, number_type, parse

    try:
        return number_type(parse(_dialled(text), None))
    except NumberParseException:
        return None


_TOWN = 2
"""Digits that say where a desk is in a country without area codes: Madrid's 91, Barcelona's 93."""


def _area(text: str) -> tuple[int | None, str]:
    from phonenumbers import length_of_geographical_area_code, national_significant_number, parse

    number = parse(_dialled(text), None)
    return number.country_code, national_significant_number(number)[: length_of_geographical_area_code(number) or _TOWN]


def _dialled(text: str) -> str:
    """A text as the library reads it: "0049 …" and "(+49) …" with their country, without an extension."""
    return re.sub(r"^\(?(?:00(?!0)|\+)", "+", re.sub(EXTENSION, "", text.strip().replace("\uff0b", "+")))


@lru_cache(10_000)
def _region(text: str) -> str | None:
    """The country that a number names."""
    from phonenumbers import NumberParseException, parse, region_code_for_country_code

    bare = _dialled(text)
    if not bare.startswith("+"):
        return None
    try:
        return region_code_for_country_code(parse(bare, None).country_code or 0)
    except NumberParseException:
        return None


@lru_cache(10_000)
def _national(text: str, region: str) -> str | None:
    from phonenumbers import NumberParseException, parse

    try:
        number = parse(re.sub(EXTENSION, "", text.strip()), region)
    except NumberParseException:
        return None
    return _as_at_home(number.country_code, number.national_number)


def _as_at_home(country: int | None, number: int | None) -> str:
    return re.sub(_ABROAD.get(country or 0, "^$"), "", str(number))


def extensions(texts: pl.Series) -> pl.Series:
    """The digits of an extension; null if there is none."""
    return texts.str.strip_chars().str.extract(EXTENSION.replace(r"\d{1,6}", r"(\d{1,6})"), 1)


@lru_cache(maxsize=1 << 16)
def _parsed(key: str) -> str | None:
    """ "+4930901820 DE" from a text and its region: of several numbers in one text the first valid one; None if there is none."""
    text, _, region = key.partition(_SEPARATOR)
    if len(text) > _LONGEST or _DATE.fullmatch(text):
        return None
    whole = _number(text, region)
    if whole is not None:
        return whole
    parts = [part for part in BETWEEN.split(text) if any(character.isdigit() for character in part)]
    if parts == [text]:
        found = _AMID_WORDS.search(text)
        return _number(found["number"], region) if found else None
    # "030/901820" is one number with its area code, so what is split off must be long enough to be one.
    if any(sum(character.isdigit() for character in part) < _SHORTEST for part in parts):
        return None
    return next((number for part in parts if (number := _number(part, region))), None)


def _number(text: str, region: str) -> str | None:
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse, region_code_for_number

    try:
        number = parse(text, region or None)
    except NumberParseException:
        return None
    if not is_valid_number(number):
        return None
    country = region_code_for_number(number)
    # "001" is the library's name for numbers without a country (satellite phones, international freephone).
    return f"{format_number(number, PhoneNumberFormat.E164)} {country if country and country.isalpha() else ''}"


@cache
def _nanp_patterns() -> tuple[str, str, str]:
    """Patterns of ten digits that are valid in the US, valid in Canada, or possibly valid in another country of the plan (the library decides)."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    others = [region for region in COUNTRY_CODE_TO_REGION_CODE[1] if region not in ("US", "CA")]
    return _pattern(["US"]), _pattern(["CA"]), _pattern(others)


def _pattern(regions: list[str]) -> str:
    from phonenumbers import PhoneMetadata

    kinds = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan", "voicemail")
    patterns: set[str] = set()
    for region in regions:
        metadata = PhoneMetadata.metadata_for_region(region)
        descriptions = [getattr(metadata, kind) for kind in kinds]
        patterns.update(d.national_number_pattern for d in descriptions if d is not None and d.national_number_pattern)
    return "^(?:" + "|".join(sorted(patterns)) + ")$"
