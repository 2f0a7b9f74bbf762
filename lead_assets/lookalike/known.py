"""What is known about each company: reduces a campaign's leads and their signals to one row per account.

Belongs here: choosing an account's values among its leads, and since when they are known. Does not belong here: comparing accounts (see `search`).
"""

from __future__ import annotations

import typing

import polars as pl

from lead_assets.contracts import Account
from lead_assets.contracts.lookalike import Outcome
from lead_assets.core.columns import map_distinct
from lead_assets.core.values import headcount_band

OUTCOMES: tuple[str, ...] = typing.get_args(Outcome)
"""Best first."""

_KEYS = ["campaign_id", "lead_id"]
_PAYLOAD = ["campaign_id", "drop_sha256", "position", "part"]
_ACCOUNT = ["campaign_id", "account_key"]
_LONGEST_INDUSTRY = 60
_BOUNDS = pl.Struct({"headcount_min": pl.Int64(), "headcount_max": pl.Int64()})


def known_accounts(raw_leads: pl.DataFrame, leads: pl.DataFrame, duplicates: pl.DataFrame, enriched: pl.DataFrame) -> pl.DataFrame:
    """Rows of contracts.Account, from frames of RawLead, Lead, Duplicate and EnrichedLead; only enriched leads count."""
    rows = (
        leads.filter(pl.col("company_domain").is_not_null())
        .join(enriched.drop("account_key", "company_domain"), on=_KEYS, how="inner", validate="1:1")
        .join(_places(raw_leads, leads, duplicates), on=_KEYS, how="left", validate="1:1")
        .sort("_place")
    )
    bounds = map_distinct(rows["company_size"], _stated_bounds, _BOUNDS).alias("_stated")
    stated = pl.col("headcount_min").is_null() & pl.col("headcount_max").is_null()
    said = rows.with_columns(bounds).with_columns(
        pl.when(stated).then(pl.col("_stated").struct.field(name)).otherwise(name).alias(name)
        for name in ("headcount_min", "headcount_max")
    )
    # Both bounds belong together: a lower bound from one lead and an upper one from another would be a band that nobody stated.
    band = pl.struct("headcount_min", "headcount_max")
    known = (pl.col("headcount_min").is_not_null() | pl.col("headcount_max").is_not_null()).fill_null(False)
    accounts = said.group_by(_ACCOUNT, maintain_order=True).agg(
        _first(_own_name("company_clean", "account_key")).fill_null(_name_of_domain("account_key").first()).alias("company_name"),
        pl.coalesce(_first(pl.col("company_industry")), _first(_stated_industry())).alias("industry"),
        band.filter(known).first().alias("_band"),
        _first(pl.col("country_code")),
        _first(pl.col("company_region")).alias("region"),
        _first(pl.col("technologies")),
        _first(pl.col("company_description")),
        pl.col("synthetic").any(),
    )
    comparable = pl.any_horizontal(pl.col("industry", "_band", "technologies", "company_description").is_not_null())
    return (
        accounts.filter(comparable)
        .with_columns(pl.col("_band").struct.field(name).alias(name) for name in ("headcount_min", "headcount_max"))
        .join(_since_when(raw_leads, rows, duplicates), on=_ACCOUNT, how="inner", validate="1:1")
        .select(pl.col(name).cast(dtype) for name, dtype in Account.polars_schema().items())
    )


def _places(raw_leads: pl.DataFrame, leads: pl.DataFrame, duplicates: pl.DataFrame) -> pl.DataFrame:
    """The place of each lead in the order in which leads first arrived. By its newest payload, a lead that is sent again would go to the end, its account could
    take the country or size that another lead states, and briefs about others would be asked for again."""
    arrived = leads.select(*_PAYLOAD, "lead_id", "received_at")
    if not duplicates.is_empty():
        times = raw_leads.select(*_PAYLOAD, "received_at")
        older = duplicates.select(*_PAYLOAD, lead_id="duplicate_of").join(times, on=_PAYLOAD, how="inner", validate="1:1")
        arrived = pl.concat([arrived, older])
    first = arrived.sort("received_at", "drop_sha256", "position", "part").unique(_KEYS, keep="first", maintain_order=True)
    return first.select(_KEYS).with_row_index("_place")


def _since_when(raw_leads: pl.DataFrame, leads: pl.DataFrame, duplicates: pl.DataFrame) -> pl.DataFrame:
    """When each account and each of its outcomes first appeared, over all payloads of its leads: the newest payload alone would change with each delivery."""
    kept = leads.select(*_PAYLOAD, "lead_id", "account_key")
    older = duplicates.select(*_PAYLOAD, lead_id="duplicate_of").join(
        kept.select(*_KEYS, "account_key"), on=_KEYS, how="inner", validate="m:1"
    )
    payloads = pl.concat([kept, older.select(kept.columns)]).join(
        raw_leads.select(*_PAYLOAD, "received_at", "outcome"), on=_PAYLOAD, how="inner", validate="1:1"
    )
    folded = pl.col("outcome").str.strip_chars().str.to_lowercase().str.replace_all(r"[\s-]+", "_")
    return payloads.group_by(_ACCOUNT).agg(
        pl.col("received_at").min().alias("known_at"),
        *(pl.col("received_at").filter(folded == outcome).min().alias(f"{outcome}_known_at") for outcome in OUTCOMES),
    )


def _first(value: pl.Expr) -> pl.Expr:
    return value.drop_nulls().first()


def _stated_industry() -> pl.Expr:
    """The industry as a lead wrote it, unless it is free text: briefs repeat it."""
    stated = pl.col("industry").str.strip_chars()
    return pl.when(stated.str.len_chars().is_between(1, _LONGEST_INDUSTRY)).then(stated)


def _stated_bounds(text: str) -> dict[str, int | None]:
    low, high = headcount_band(text)
    return {"headcount_min": low, "headcount_max": high}


def _name_of_domain(domain: str) -> pl.Expr:
    """ "harbor-bridge.example" → "Harbor Bridge"."""
    return pl.col(domain).str.split(".").list.first().str.replace_all("-", " ").str.to_titlecase()


def _own_name(name: str, domain: str) -> pl.Expr:
    """The company's name if its letters equal the domain or its beginning ("Kestrel Dynamics" for kestreldynamics.example); otherwise null.

    A name is typed by a stranger and shown to the model in other leads' briefs, so only the domain's own letters get there.
    """
    letters = pl.col(name).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "")
    label = pl.col(domain).str.split(".").list.first().str.replace_all("-", "")
    return pl.when((letters.str.len_chars() > 2) & label.str.starts_with(letters)).then(pl.col(name).str.strip_chars())
