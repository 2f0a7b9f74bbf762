"""Cities by their names, from a file made of GeoNames' data (see `build_gazetteer`). GeoNames, https://www.geonames.org, CC BY 4.0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

CITIES = Path(__file__).with_name("cities.parquet")
_FEW = 200


@dataclass(frozen=True, slots=True)
class City:
    """A town that has a name."""

    country: str
    region: str | None
    """ISO 3166-2 without the country, where it is known."""
    population: int
    fame: int
    """In how many spellings the world knows it."""
    likeness: int
    """0: it is the town's own name; 1: short for that ("Newcastle") or spelt otherwise ("St. Petersburg"); 2: another name of it, or an old one."""


def cities_named(keys: Iterable[str]) -> dict[str, list[City]]:
    """For each folded name that towns have, the towns, largest first."""
    wanted = sorted(set(keys))
    if len(wanted) <= _FEW:
        return _of_few(wanted)
    found: dict[str, list[City]] = {}
    for key, *city in _cities().join(pl.DataFrame({"key": wanted}), on="key", how="semi", maintain_order="left").iter_rows():
        found.setdefault(key, []).append(City(*city))
    return found


def _of_few(keys: list[str]) -> dict[str, list[City]]:
    """By bisection, which takes microseconds for a key where a join takes milliseconds for all names."""
    cities = _by_key()
    names = cities["key"]
    asked = pl.Series("key", keys, dtype=pl.String)
    ends = zip(keys, names.search_sorted(asked, "left"), names.search_sorted(asked, "right"), strict=True)
    return {key: [City(*row[1:]) for row in cities[first:last].iter_rows()] for key, first, last in ends if first < last}


@cache
def _cities() -> pl.DataFrame:
    return pl.read_parquet(CITIES).select("key", "country", "region", "population", "fame", "likeness")


@cache
def _by_key() -> pl.DataFrame:
    return _cities().sort("key", maintain_order=True)
