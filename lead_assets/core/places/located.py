"""The places that a column of texts names, such as head offices ("Austin, Texas, United States"): each distinct text is read once."""

from __future__ import annotations

import polars as pl

from lead_assets.core.places.deciding import decide
from lead_assets.core.places.reading import read_texts

_MOST_REMEMBERED = 50_000
_remembered: dict[str, tuple[str | None, str | None]] = {}
_PLACE = pl.Schema({"country_code": pl.String, "region": pl.String})


def located(texts: pl.Series) -> pl.DataFrame:
    """Columns country_code (ISO 3166-1 alpha-2) and region (ISO 3166-2, e.g. US-TX), null where the text is or names no place for certain."""
    listed = texts.to_list()
    distinct = [text for text in dict.fromkeys(listed) if text is not None]
    known = {text: found for text in distinct if (found := _remembered.get(text)) is not None}
    if new := [text for text in distinct if text not in known]:
        read = read_texts(new)
        for text in new:
            place = decide(None, None, read.get(text))
            known[text] = (place.country, f"{place.country}-{place.region}" if place.region else None)
        if len(_remembered) + len(new) > _MOST_REMEMBERED:
            _remembered.clear()
        if len(new) <= _MOST_REMEMBERED:
            _remembered.update((text, known[text]) for text in new)
    nowhere = (None, None)
    places = [known.get(text, nowhere) for text in listed]
    return pl.DataFrame([pl.Series(name, [each[number] for each in places], dtype) for number, (name, dtype) in enumerate(_PLACE.items())])
