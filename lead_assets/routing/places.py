"""Where a lead is, for routing: what its own fields say, else its company's head office, else its phone and domain.

Belongs here: which of these holds. Does not belong here: reading any of them (see `lead_assets.core.places`).
"""

from __future__ import annotations

import polars as pl

HEAD_OFFICE = ("hq_country_code", "hq_region", "synthetic")
"""Columns of signals.enriched_leads."""
# What says less than the head office does.
_WEAKER = ("phone", "domain")


def with_head_office(leads: pl.DataFrame) -> pl.DataFrame:
    """Takes and returns country_code, country_source, state_code, state_source and region; drops `HEAD_OFFICE`.

    The head office says the country of a lead whose own fields do not, and the state where they leave only that open. It does not say where the property
    of a lending lead stands (profile "lending"), and one that the sandbox made up says nothing: an owner is given for good.
    """
    known = (
        pl.col("hq_country_code").is_not_null() & ~pl.col("synthetic").fill_null(False) & (pl.col("profile") != "lending").fill_null(True)
    )
    weak = pl.col("country_code").is_null() | pl.col("country_source").is_in(_WEAKER).fill_null(False)
    takes_country = known & weak
    takes_state = takes_country | (known & (pl.col("hq_country_code") == pl.col("country_code")) & _has_no_state())
    has_region = takes_state & pl.col("hq_region").is_not_null()
    return leads.with_columns(
        country_code=pl.when(takes_country).then("hq_country_code").otherwise("country_code"),
        country_source=pl.when(takes_country).then(pl.lit("head_office")).otherwise("country_source"),
        # Only the US and Canada have a state code; it is the region's without the country.
        state_code=pl.when(takes_state)
        .then(pl.when(pl.col("hq_country_code").is_in(["US", "CA"])).then(pl.col("hq_region").str.slice(3)))
        .otherwise("state_code"),
        state_source=pl.when(has_region).then(pl.lit("head_office")).when(takes_state).then(None).otherwise("state_source"),
        region=pl.when(takes_state).then("hq_region").otherwise("region"),
    ).drop(HEAD_OFFICE)


def _has_no_state() -> pl.Expr:
    return pl.col("state_code").is_null() & pl.col("region").is_null()


def subdivision() -> pl.Expr:
    """The lead's region in ISO 3166-2."""
    return pl.coalesce("region", pl.concat_str(["country_code", "state_code"], separator="-"))
