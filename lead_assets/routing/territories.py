"""Finds each lead's territory and the reason, for a whole frame at once.

Belongs here: matching. Does not belong here: the table (`table`), or who finally owns the account (`ownership`): a proposal is only what the table
says today.
"""

from __future__ import annotations

import polars as pl

from lead_assets.core.conditions import Between, plain_number
from lead_assets.routing.fields import FIELDS, KEYS, routing_schema
from lead_assets.routing.places import HEAD_OFFICE, said_by, subdivision, with_head_office
from lead_assets.routing.table import RoutingTable, Territory

_FALLBACK = "fallback"


def routing_frame(leads: pl.DataFrame, enriched: pl.DataFrame, classifications: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The frame to route: one row per scored lead, with the columns of `routing_schema` joined from their tables.

    Takes identity.leads, signals.enriched_leads, classification.classifications and scoring.scores, each with its contract's columns.
    """
    keys = ["campaign_id", "lead_id"]
    needed = {*routing_schema(), *HEAD_OFFICE}
    frame = scores
    for table in (leads, enriched, classifications):
        wanted = [column for column in table.columns if column in needed and column not in frame.columns]
        frame = frame.join(table.select(*keys, *wanted), on=keys, how="left")
    return with_head_office(frame).select(routing_schema().names())


def propose(leads: pl.DataFrame, table: RoutingTable) -> pl.DataFrame:
    """The owner that the table proposes for each lead: `leads` in `routing_schema` (extra columns are ignored) → one row per lead, in the same order:

    campaign_id, lead_id, account_key, received_at, drop_sha256, position, tier, score unchanged, and owner, territory, rule, reason (String),
    fallback (Boolean). Raises ValueError naming any missing column.
    """
    missing = [column for column in routing_schema() if column not in leads.columns]
    if missing:
        raise ValueError(f"routing: the frame lacks {', '.join(missing)}: build it with routing_frame()")
    territories = table.open_territories()
    values = leads.with_columns(field.value().alias(_value(name)) for name, field in FIELDS.items() if field.kind != "region")
    matched = values.with_columns(_first_match(table, territories).alias("_match"))
    chosen = pl.DataFrame(
        {
            "_match": range(-1, len(territories)),
            "owner": [table.fallback_owner, *(territory.owner for territory in territories)],
            "territory": [_FALLBACK, *(territory.name for territory in territories)],
            "rule": [_FALLBACK, *(territory.rule for territory in territories)],
        },
        schema={"_match": pl.Int32, "owner": pl.String, "territory": pl.String, "rule": pl.String},
    )
    reasons = [pl.when(pl.col("_match") == index).then(_reason(table, territory)) for index, territory in enumerate(territories)]
    return matched.join(chosen, on="_match", how="left", maintain_order="left").select(
        *KEYS,
        "owner",
        "territory",
        "rule",
        pl.coalesce([*reasons, _fallback_reason()]).alias("reason"),
        (pl.col("_match") == -1).alias("fallback"),
    )


def _value(name: str) -> str:
    return f"_value_{name}"


def _first_match(table: RoutingTable, territories: list[Territory]) -> pl.Expr:
    hits = [pl.when(_matches(table, territory)).then(pl.lit(index, pl.Int32)) for index, territory in enumerate(territories)]
    return pl.coalesce([*hits, pl.lit(-1, pl.Int32)])


def _matches(table: RoutingTable, territory: Territory) -> pl.Expr:
    return pl.all_horizontal(_test(table, name, test) for name, test in territory.when.items())


def _test(table: RoutingTable, name: str, test: tuple[str, ...] | Between) -> pl.Expr:
    """True if the lead meets the condition; a lead without a value does not."""
    if isinstance(test, Between):
        value = pl.col(_value(name))
        low = value >= test.min if test.min is not None else pl.lit(True)
        high = value <= test.max if test.max is not None else pl.lit(True)
        return (low & high & value.is_not_null()).fill_null(False)
    if FIELDS[name].kind == "region":
        return pl.any_horizontal(_inside(table.regions[region]) for region in test)
    return pl.col(_value(name)).str.to_lowercase().is_in([value.lower() for value in test]).fill_null(False)


def _inside(places: tuple[str, ...]) -> pl.Expr:
    countries = [place for place in places if "-" not in place]
    subdivisions = [place for place in places if "-" in place]
    return (pl.col("country_code").is_in(countries) | subdivision().is_in(subdivisions)).fill_null(False)


def _reason(table: RoutingTable, territory: Territory) -> pl.Expr:
    """The conditions in words, with the lead's values: "country DE is in DACH and stated company size 201 is at least 50"."""
    return pl.concat_str([_because(table, name, test) for name, test in territory.when.items()], separator=" and ")


def _because(table: RoutingTable, name: str, test: tuple[str, ...] | Between) -> pl.Expr:
    words = FIELDS[name].words
    if isinstance(test, Between):
        bounds = ((" is at least ", test.min), (" is at most ", test.max))
        limits = " and".join(f"{words}{plain_number(bound)}" for words, bound in bounds if bound is not None)
        return pl.concat_str(pl.lit(f"{words} "), _number_text(pl.col(_value(name))), pl.lit(limits))
    if FIELDS[name].kind == "region":
        return pl.coalesce(pl.when(_inside(table.regions[region])).then(_place_reason(region, table.regions[region])) for region in test)
    # Use the rule's spelling, not the lead's: equal conditions give equal reasons, and nothing typed by a stranger is repeated.
    spelling = {value.lower(): value for value in test}
    value = pl.col(_value(name)).str.to_lowercase().replace_strict(spelling, default=None, return_dtype=pl.String)
    source = said_by(f"{words}_source", words) if name in ("country_code", "state_code") else pl.lit("")
    return pl.concat_str(pl.lit(f"{words} "), value, source)


def _place_reason(region: str, places: tuple[str, ...]) -> pl.Expr:
    by_country = pl.col("country_code").is_in([place for place in places if "-" not in place]).fill_null(False)
    country = "country " + pl.col("country_code") + said_by("country_source", "country")
    place = pl.when(by_country).then(country).otherwise("state " + subdivision() + said_by("state_source", "state"))
    return place + f" is in {region}"


def _number_text(value: pl.Expr) -> pl.Expr:
    # A number too large for Int64 is written as a float: a reason without it would be the fallback's.
    whole = pl.when(value == value.round(0)).then(value.cast(pl.Int64, strict=False).cast(pl.String))
    return pl.coalesce(whole, value.cast(pl.String))


def _fallback_reason() -> pl.Expr:
    country = pl.when(pl.col("country_code").is_null()).then(pl.lit("country unknown")).otherwise("country " + pl.col("country_code"))
    return pl.concat_str(pl.lit("no territory takes this lead ("), country, pl.lit(")"))
