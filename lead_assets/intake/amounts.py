"""Numbers as people write them: "$450,000", "450.000 €", "about 1.2M", "10k+", "400k - 500k".

Does not belong here: bands of headcount, which keep both bounds (see `lead_assets.core.values`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache

_ABOUT = "|".join(
    (
        "about|approximately|approx|around|roughly|circa|ca|c|nearly|almost|some|up to|max|maximum|at most|less than|under|below|at least|min|minimum",
        "more than|over|above|from|starting at|ab|etwa|ungefähr|rund|mindestens|höchstens|bis zu|bis|environ|autour de|jusqu'à|plus de|moins de",
        "aproximadamente|aprox|unos|unas|alrededor de|cerca de|hasta|más de|menos de|até|mais de|intorno a|oltre|fino a|ongeveer|tot|około|ok|omkring",
    )
)
_CURRENCY = r"us\$|usd|ca\$|cad|a\$|aud|eur|euros?|gbp|chf|sek|nok|dkk|pln|inr|jpy|brl|mxn|dollars?|us-dollars?|bucks|pounds?|r\$|rs\.?|kr|zł|[$€£¥₹]"
_MAGNITUDES = {
    unit: scale
    for scale, units in {
        1e3: "k thousand tausend tsd mille mila mil tys tkr grand",
        1e5: "lakh lakhs",
        1e6: "m mm mn mio mln million millions millionen millones milhões milioni miljoen",
        1e7: "crore crores",
        1e9: "b bn billion mrd milliarden",
    }.items()
    for unit in units.split()
}
_DIGITS = r"[+-]?(?:\d[\d.,]*|[.,]\d+)(?:e[+-]?\d+)?"
_UNITS = "|".join(sorted(map(re.escape, _MAGNITUDES), key=len, reverse=True))
_ONE = rf"(?:{_CURRENCY})?\s*(?P<{{0}}>{_DIGITS})\s*(?P<{{0}}_unit>{_UNITS})?(?![^\W\d_])\.?\s*(?:{_CURRENCY})?"
_AMOUNT = re.compile(
    rf"(?:(?:{_ABOUT})\b\.?|[~≈<>≤≥±=])*\s*(?:(?:{_ABOUT})\b\.?|[~≈<>≤≥±=])*\s*{_ONE.format('low')}"
    rf"(?:\s*(?:-|–|—|to|bis|and|à|a|until|\.\.+|/)\s*{_ONE.format('high')})?\s*(?:\+|plus|or more|or less|und mehr|et plus|%|per cent|percent)?"
)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)")
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})*,\d{3}(?:\.\d*)?")


@lru_cache(maxsize=16_384)
def amount(text: str, *, money: bool = True) -> float | None:
    """The number; for a range or bound, its lower (or only) end; None if the text is not a number.

    A single separator followed by three digits groups thousands if the number is money, because nobody writes money with three decimals: "$450.000" is 450,000.
    Raises OverflowError if the number is not finite.
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in plain)
    if _NOT_FINITE.fullmatch(plain):
        raise OverflowError
    plain = re.sub(r"(?<=\d)['’_\s](?=\d{3}(?!\d))", "", plain)
    found = _AMOUNT.fullmatch(plain)
    if found is None:
        return None
    low = _number(found["low"], money=money and not found["low_unit"])
    if low is None:
        return None
    unit = found["low_unit"]
    if found["high"]:
        high = _number(found["high"], money=money and not found["high_unit"])
        if high is None:
            return None
        high *= _MAGNITUDES.get(found["high_unit"] or "", 1.0)
        # "400-500k": one unit for both ends.
        if unit is None and found["high_unit"] and low * _MAGNITUDES[found["high_unit"]] <= high:
            unit = found["high_unit"]
        if low * _MAGNITUDES.get(unit or "", 1.0) > high:
            return None
    number = low * _MAGNITUDES.get(unit or "", 1.0)
    if not math.isfinite(number):
        raise OverflowError
    return round(number, 6) if unit else number


def _number(digits: str, *, money: bool) -> float | None:
    """Digits with separators: the last separator is the decimal one, unless it groups thousands."""
    body, _, exponent = digits.partition("e")
    sign, body = (body[0], body[1:]) if body[0] in "+-" else ("", body)
    points, commas = body.count("."), body.count(",")
    if points and commas:
        decimal = max(".,", key=body.rfind)
        grouping = "," if decimal == "." else "."
        whole, _, fraction = body.rpartition(decimal)
        if decimal in whole or not (
            re.fullmatch(rf"\d{{1,3}}(?:\{grouping}\d{{3}})+", whole) or (decimal == "." and _INDIAN.fullmatch(whole))
        ):
            return None
        body = whole.replace(grouping, "") + "." + fraction
    elif points or commas:
        mark = "." if points else ","
        groups = body.split(mark)
        grouped = all(len(group) == 3 for group in groups[1:]) and 1 <= len(groups[0]) <= 3
        if len(groups) > 2:
            if not grouped and not (mark == "," and _INDIAN.fullmatch(body)):
                return None
            body = "".join(groups)
        elif grouped and groups[0] != "0" and (mark == "," or money):
            body = "".join(groups)
        else:
            body = body.replace(",", ".")
    try:
        return float(f"{sign}{body}{'e' if exponent else ''}{exponent}")
    except ValueError:
        return None
