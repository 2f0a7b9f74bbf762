"""The places that a column of texts names, such as head offices ("Austin, Texas, United States"): each distinct text is read once."""

from __future__ import annotations

import polars as pl

from lead_assets.core.places.deciding import decide
from lead_assets.core.places.reading import read_texts

_PLACE = pl.Schema({"country_code": pl.String, "region": pl.String})


def located(texts: pl.Series) -> pl.DataFrame:
    """Columns country_code (ISO 3166-1 alpha-2) and region (ISO 3166-2, e.g. US-TX), null where the text is or names no place for certain."""
    distinct = texts.drop_nulls().unique()
    read = read_texts(distinct.to_list())
    places = [decide(None, None, read.get(text)) for text in distinct]
    rows = [(place.country, f"{place.country}-{place.region}" if place.region else None) for place in places]
    found = pl.DataFrame(rows, schema=_PLACE, orient="row").insert_column(0, distinct.alias("text"))
    return pl.DataFrame({"text": texts}, schema={"text": pl.String}).join(found, on="text", how="left", maintain_order="left").drop("text")
