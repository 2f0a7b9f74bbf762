"""Where each lead is: the frame's side of `lead_assets.core.places`, which knows what texts mean.

Each distinct combination is decided once. What country and state leave open is decided with the city, the phone's country and the domain's.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from lead_assets.core.columns import map_distinct
from lead_assets.core.emails import email_domains
from lead_assets.core.places.deciding import Hints, Place, decide
from lead_assets.core.places.endings import country_of_domain
from lead_assets.core.places.names import WITH_STATES
from lead_assets.core.places.reading import PlaceText, read_texts
from lead_assets.identity.phones import normalise_phones

_FIELDS = ("country", "state", "city")
_HINTS = ("phone_country", "domain_country", "mail_country")
# A text that is no more than a city's name needs no reading where country and state are clear without it.
_MORE_THAN_A_CITY = r"[\d,/()\[\]|;:]|\s[-–—]\s"
_COLUMNS = ("country_code", "state_code", "region", "city", "country_source", "state_source", "postal_code")
_PLACE = pl.Schema(
    dict.fromkeys(("country_code", "found_region", "found_city", "country_source", "state_source"), pl.String) | {"settled": pl.Boolean}
)


def locate(leads: pl.DataFrame) -> pl.DataFrame:
    """Columns country_code, state_code, region, city, country_source, state_source and postal_code of contracts.Lead, one row for each of `leads`.

    Takes the columns country, state, city, postal_code, phone, email_normalized, email_kind and company_domain. Country and state are what the lead's fields
    mean together; where they mean nothing, the country is that of the phone (if it is international), then that of the domain. Where fields can mean several
    places, phone and domain decide; what stays open is null.
    """
    rows = leads.select(*_FIELDS, "postal_code", "phone", "email_normalized", "email_kind", "company_domain").with_row_index("row")
    texts = read_texts(pl.concat([rows[field] for field in ("country", "state")]).drop_nulls().unique().to_list())
    plain = _decided(rows, ("country", "state"), texts)
    settled = pl.col("settled") & (
        pl.col("city").is_null() | (pl.col("found_region").is_not_null() & ~pl.col("city").str.contains(_MORE_THAN_A_CITY))
    )
    open_rows = rows.join(plain, on=["country", "state"], how="left", nulls_equal=True, maintain_order="left").filter(~settled)
    texts |= read_texts(open_rows["city"].drop_nulls().unique().to_list())
    hinted = _with_hints(open_rows.select(rows.columns))
    decided = hinted.join(_decided(hinted, (*_FIELDS, *_HINTS), texts), on=[*_FIELDS, *_HINTS], how="left", nulls_equal=True)
    places = pl.concat(
        [
            decided.select("row", "country_code", "found_region", "found_city", "country_source", "state_source"),
            rows.join(open_rows, on="row", how="anti")
            .join(plain, on=["country", "state"], how="left", nulls_equal=True)
            .select(
                "row",
                "country_code",
                "found_region",
                pl.coalesce("city", "found_city").alias("found_city"),
                "country_source",
                "state_source",
            ),
        ]
    ).sort("row")
    has_states = pl.col("country_code").is_in(list(WITH_STATES))
    return (
        rows.join(places, on="row", how="left", maintain_order="left")
        .with_columns(
            state_code=pl.when(has_states).then("found_region"),
            region=pl.concat_str("country_code", "found_region", separator="-"),
            city=pl.col("found_city"),
            postal_code=pl.coalesce("postal_code", *_postal_codes(texts)),
        )
        .select(_COLUMNS)
    )


def _decided(rows: pl.DataFrame, columns: tuple[str, ...], texts: dict[str, PlaceText]) -> pl.DataFrame:
    """The distinct combinations of the columns, and the place of each."""
    distinct = rows.select(columns).unique()
    places = [_place(dict(zip(columns, row, strict=True)), texts) for row in distinct.iter_rows()]
    return distinct.hstack(pl.DataFrame(places, schema=_PLACE, orient="row"))


def _place(row: dict[str, str | None], texts: dict[str, PlaceText]) -> Place:
    country, state, city = (texts.get(row.get(field) or "") for field in _FIELDS)
    place = decide(country, state, city, Hints(*(row.get(hint) for hint in _HINTS)))
    # What could not be read stays as it came.
    return place if place.country else place._replace(city=row.get("city"))


def _with_hints(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the countries that phone, company domain and the mail provider's domain (gmx.de) say."""
    phones = normalise_phones(rows["phone"], pl.Series([None] * rows.height, dtype=pl.String))["phone_country"]
    free = pl.select(pl.when(rows["email_kind"] == "free").then(email_domains(rows["email_normalized"]))).to_series()
    return rows.with_columns(
        phone_country=phones,
        domain_country=map_distinct(rows["company_domain"], country_of_domain),
        mail_country=map_distinct(free, country_of_domain),
    )


def _postal_codes(texts: dict[str, PlaceText]) -> Iterable[pl.Expr]:
    """The postal codes that stand in the city, state and country field."""
    found = {text: read.postal_code for text, read in texts.items() if read.postal_code}
    if not found:
        return []
    return [pl.col(field).replace_strict(found, default=None, return_dtype=pl.String) for field in reversed(_FIELDS)]
