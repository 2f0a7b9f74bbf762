"""Numbers as people write them: "$450,000", "450.000 €", "about 1.2M", "10k+", "400k - 500k".

Does not belong here: bands of headcount, which keep both bounds (see `lead_assets.core.values`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import cache, lru_cache

from lead_assets.core.number_words import alternatives, magnitudes

_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)")
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})*,\d{3}(?:\.\d*)?")


@cache
def _pattern() -> re.Pattern[str]:
    about, currency, units = (alternatives(kind) for kind in ("about_an_amount", "currencies", "magnitudes"))
    digits = r"[+-]?(?:\d[\d.,]*|[.,]\d+)(?:e[+-]?\d+)?"
    one = rf"(?:{currency})?\s*(?P<{{0}}>{digits})\s*(?P<{{0}}_unit>{units})?(?![^\W\d_])\.?\s*(?:{currency})?"
    return re.compile(
        rf"(?:(?:{about})\b\.?|[~≈<>≤≥±=])*\s*(?:(?:{about})\b\.?|[~≈<>≤≥±=])*\s*{one.format('low')}"
        rf"(?:\s*(?:-|–|—|to|bis|and|à|a|until|\.\.+)\s*{one.format('high')})?\s*(?:\+|plus|or more|or less|und mehr|et plus|%|per cent|percent)?"
    )


@lru_cache(maxsize=16_384)
def amount(text: str, *, money: bool = True) -> float | None:
    """The number; for a range or bound, its lower (or only) end; None if the text is not a number.

    A single separator followed by three digits groups thousands if the number is money, because nobody writes money with three decimals: "$450.000" is 450,000.
    Raises OverflowError if the number is not finite.
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    if not plain.isascii():
        plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in plain)
    if _NOT_FINITE.fullmatch(plain):
        raise OverflowError
    plain = re.sub(r"(?<=\d)['’_\s](?=\d{3}(?!\d))", "", plain)
    found = _pattern().fullmatch(plain)
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
        high *= magnitudes().get(found["high_unit"] or "", 1.0)
        # "400-500k": one unit for both ends.
        if unit is None and found["high_unit"] and low * magnitudes()[found["high_unit"]] <= high:
            unit = found["high_unit"]
        if low * magnitudes().get(unit or "", 1.0) > high:
            return None
    number = low * magnitudes().get(unit or "", 1.0)
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
