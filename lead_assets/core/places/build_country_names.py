"""`python -m lead_assets.core.places.build_country_names`: writes country_names.parquet anew from Babel, for a new edition of it.

Babel reads a file of its own for each of 300 languages, which takes one to two seconds in every process that meets a name it does not know. What is needed of
them is one table of 40,000 names, read in a few milliseconds. A test compares it with Babel.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import polars as pl

from lead_assets.core.columns import folded
from lead_assets.core.places.names import COUNTRY_NAMES, FIRST_LANGUAGES, OTHER_LANGUAGES, iso_codes


def main() -> None:
    from babel import __version__

    frame = names_of_countries()
    frame.write_parquet(COUNTRY_NAMES, compression="zstd", compression_level=19, metadata={"source": f"Babel {__version__}"})
    sys.stdout.write(f"{COUNTRY_NAMES}: {frame.height:,} names, {COUNTRY_NAMES.stat().st_size:,} bytes\n")


def names_of_countries() -> pl.DataFrame:
    """language, name, country_code (alpha-2): for each of `FIRST_LANGUAGES` and `OTHER_LANGUAGES` its own names of all countries, and with language null,
    folded, the names that mean one country in all languages of CLDR."""
    from babel.localedata import locale_identifiers

    first = [(language, name, code) for language in (*FIRST_LANGUAGES, *OTHER_LANGUAGES) for name, code in _names_in([language])]
    codes: dict[str, set[str]] = {}
    spelt = _names_in(sorted(identifier for identifier in locale_identifiers() if "_" not in identifier))
    for name, (_, code) in zip(folded(spelling for spelling, _ in spelt), spelt, strict=True):
        codes.setdefault(name, set()).add(code)
    every = [(None, name, min(named)) for name, named in sorted(codes.items()) if name and len(named) == 1]
    schema = {"language": pl.String, "name": pl.String, "country_code": pl.String}
    return pl.DataFrame([*first, *every], schema=schema, orient="row")


def _names_in(languages: Iterable[str]) -> list[tuple[str, str]]:
    """(name, alpha-2) of every country in these languages. Names of one or two letters are left out: they would pass for codes."""
    from babel import Locale

    iso = iso_codes()
    territories = (item for language in languages for item in Locale.parse(language).territories.items())
    return [(name, code) for code, name in territories if code in iso and (len(name) > 2 or not name.isascii())]


if __name__ == "__main__":
    main()
