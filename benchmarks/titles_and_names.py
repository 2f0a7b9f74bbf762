"""Job titles and company names against labelled sets: the share read as labelled, by language, and what was read otherwise.

`python -m benchmarks titles_and_names` prints figures, every miss and the speed on distinct values.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path

import polars as pl

import lead_assets_tests
from lead_assets.core.titles import title_roles
from lead_assets.identity.company_names import clean_companies

_TESTS = Path(lead_assets_tests.__file__).parent


def main() -> None:
    titles = pl.DataFrame(_labelled("core/titles.csv")).with_columns(pl.col("seniority", "department").replace("", None))
    read = titles.with_columns(
        title_roles(titles["title"]).rename({"seniority": "read_seniority", "department": "read_department"}).get_columns()
    )
    for column in ("seniority", "department"):
        right = pl.col(column).eq_missing(pl.col(f"read_{column}"))
        shares = read.group_by("part", "language").agg(right.mean().round(3)).sort("part", "language").pivot("language", index="part")
        print(f"{column}: {read.select(right.mean()).item():.3f} of {read.height}\n{shares}")
        for row in read.filter(~right).iter_rows(named=True):
            print(f"  {row['language']} {row['title']}: {row[column]}, read as {row[f'read_{column}']}")
    names = pl.DataFrame(_labelled("identity/company_names.csv"))
    cleaned = names.with_columns(read=clean_companies(names["name"]))
    print(f"company names: {cleaned.select((pl.col('clean') == pl.col('read')).mean()).item():.3f} of {names.height}")
    for name, clean, got in cleaned.filter(pl.col("clean") != pl.col("read")).select("name", "clean", "read").iter_rows():
        print(f"  {name}: {clean}, read as {got}")
    many = pl.Series([f"{title} {number}" for number, title in enumerate(titles["title"].to_list() * 200)])
    started = time.perf_counter()
    title_roles(many)
    print(f"{many.len() / (time.perf_counter() - started):,.0f} distinct titles/s")
    many = pl.Series([f"N{number} {name}" for number, name in enumerate(names["name"].to_list() * 100)])
    started = time.perf_counter()
    clean_companies(many)
    print(f"{many.len() / (time.perf_counter() - started):,.0f} distinct company names/s")


def _labelled(name: str) -> list[dict[str, str]]:
    with (_TESTS / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
