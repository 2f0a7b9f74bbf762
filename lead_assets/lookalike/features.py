"""Accounts as vectors: words, technologies, size and place of a company as a sparse row, so that the product of two rows is their similarity.

There is no corpus: how alike two companies are depends on the two alone, so a new campaign moves no number of an old one.

Belongs here: what is compared and how much it counts. Does not belong here: which accounts are compared (see `search`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lead_assets.lookalike.rules import Weights

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# The bands that providers print; a company is also a little of the bands beside its own.
_BANDS = (11, 51, 201, 501, 1001, 5001, 10001)
# What stands in any description of a company, in English, and tells nothing of it.
_STOP_WORDS = """
a an and are as at based be by can company companies customers for founded from global has have help helps in inc into is it its leading llc ltd more of
offers on or our over provider provides services solutions such that the their they through to us was we which who with world your
"""


def tokens(accounts: pl.DataFrame) -> dict[str, pl.Series]:
    """For each weight of rules/lookalike.yaml, what of it each row of contracts.Account has: lists of text, empty or null where nothing is known."""
    place = pl.concat_list(
        pl.concat_list(pl.col("country_code")), pl.col("region").str.to_lowercase().str.split(",").list.eval(pl.element().str.strip_chars())
    )
    shown = accounts.select(
        industry=_words("industry"),
        description=_words("company_description"),
        technologies=pl.col("technologies").list.eval(pl.element().str.to_lowercase().str.strip_chars()),
        headcount=pl.concat_list(band(accounts) + step for step in (-1, 0, 1)).cast(pl.List(pl.String)),
        place=pl.coalesce(place, pl.concat_list(pl.col("country_code"))),
    )
    return {name: shown[name].list.drop_nulls() for name in Weights.model_fields}


def band(accounts: pl.DataFrame) -> pl.Series:
    """The band of headcount, 0 to 7; null where none is known. An open lower bound ("up to 50") goes by the upper one."""
    size = accounts.select(pl.coalesce("headcount_min", "headcount_max")).to_series()
    return pl.select(pl.when(size.is_not_null()).then(pl.sum_horizontal((size >= lower).cast(pl.Int64) for lower in _BANDS))).to_series()


def vectors(one: pl.DataFrame, other: pl.DataFrame, weights: Weights) -> tuple[csr_array, csr_array]:
    """A sparse row for each account of two frames, in columns common to both. The product of two rows is their similarity, 0 to 1."""
    from scipy.sparse import csr_array

    shown = tokens(one), tokens(other)
    entries = pl.concat(
        _entries(pl.concat([part[name] for part in shown], rechunk=True), weight).with_columns(attribute=pl.lit(name))
        for name, weight in weights.model_dump().items()
    ).with_columns(column=pl.struct("attribute", "token").rank("dense").cast(pl.Int64) - 1)
    width = entries["column"].n_unique()
    where = (entries["row"].to_numpy(), entries["column"].to_numpy())
    both = csr_array((entries["value"].to_numpy(), where), shape=(one.height + other.height, width))
    return both[: one.height], both[one.height :]


def _words(column: str) -> pl.Expr:
    said = pl.col(column).str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]{2,}")
    return said.list.eval(pl.element().filter(~pl.element().is_in(_STOP_WORDS.split())))


def _entries(listed: pl.Series, weight: float) -> pl.DataFrame:
    """row, token, value: a unit vector scaled by the root of its weight, so that a product of two is weight times cosine.

    A word said twice counts more, but not twice as much (1 + ln n).
    """
    said = pl.DataFrame({"token": listed}).with_row_index("row").explode("token").drop_nulls()
    counted = said.group_by("row", "token").agg(value=1 + pl.len().log())
    norm = pl.col("value").pow(2).sum().over("row").sqrt()
    return counted.with_columns(pl.col("row").cast(pl.Int64), value=pl.col("value") / norm * weight**0.5).sort("row", "token")
