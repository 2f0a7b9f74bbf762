"""Accounts as vectors: a company's words, technologies, size and place as a sparse row. The product of two rows is their similarity.

There is no corpus: the similarity of two companies depends on the two alone, so a new campaign does not change old numbers.

Belongs here: what is compared and how much it counts. Does not belong here: which accounts are compared (see `search`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lead_assets.lookalike.rules import Weights

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# The bands that providers print; a company also counts a little towards the neighbouring bands.
_BANDS = (11, 51, 201, 501, 1001, 5001, 10001)
# Words common in English company descriptions that say nothing specific.
_STOP_WORDS = """
a an and are as at based be by can company companies customers for founded from global has have help helps in inc into is it its leading llc ltd more of
offers on or our over provider provides services solutions such that the their they through to us was we which who with world your
"""


def tokens(accounts: pl.DataFrame) -> dict[str, pl.Series]:
    """For each weight in rules/lookalike.yaml, the values of each row of contracts.Account: lists of text, empty or null if nothing is known."""
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
    """The headcount band, 0 to 7; null if unknown. An open lower bound ("up to 50") uses the upper one."""
    size = accounts.select(pl.coalesce("headcount_min", "headcount_max")).to_series()
    return pl.select(pl.when(size.is_not_null()).then(pl.sum_horizontal((size >= lower).cast(pl.Int64) for lower in _BANDS))).to_series()


def vectors(one: pl.DataFrame, other: pl.DataFrame, weights: Weights) -> tuple[csr_array, csr_array]:
    """A sparse row for each account in two frames. The product of a row from the first and one from the second is their similarity, 0 to 1.

    The columns are the features of the first frame: only these can count, and the second frame may have a hundred thousand rows.
    """
    from scipy.sparse import csr_array

    mine, theirs = tokens(one), tokens(other)
    parts: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])
    width = 0
    for name, weight in weights.model_dump().items():
        entries = _entries(mine[name], weight)
        columns = entries.select(pl.col("token").unique().sort()).with_row_index("column", offset=width)
        width += columns.height
        for part, each in zip(parts, (entries, _entries(theirs[name], weight)), strict=True):
            part.append(each.join(columns, on="token", how="inner").select("row", "column", "value"))
    first, second = (pl.concat(part) for part in parts)
    shapes = ((first, one.height), (second, other.height))
    made = [
        csr_array((each["value"].to_numpy(), (each["row"].to_numpy(), each["column"].to_numpy())), shape=(height, width))
        for each, height in shapes
    ]
    return made[0], made[1]


def _words(column: str) -> pl.Expr:
    said = pl.col(column).str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]{2,}")
    return said.list.eval(pl.element().filter(~pl.element().is_in(_STOP_WORDS.split())))


def _entries(listed: pl.Series, weight: float) -> pl.DataFrame:
    """row, token, value: a unit vector scaled by the square root of its weight, so that the product of two is weight times cosine.

    A word said twice counts more, but not twice as much (1 + ln n).
    """
    said = pl.DataFrame({"token": listed}).with_row_index("row").explode("token").drop_nulls()
    counted = said.group_by("row", "token", maintain_order=True).agg(value=1 + pl.len().log())
    norm = pl.col("value").pow(2).sum().over("row").sqrt()
    return counted.select("row", "token", value=pl.col("value") / norm * weight**0.5)
