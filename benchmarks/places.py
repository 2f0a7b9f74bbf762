"""How well places are read: for each labelled set, the share that is read as a person reads it, and every miss.

`python -m benchmarks.places [SET…] [--json] [--speed]`. The sets lie in lead_assets_tests/identity/labels: leads as they come with the owner a person would
give them by rules/routing.yaml, cities, countries with one typing slip, and words and names that are no country. `slips_made` is made: one slip in each
country's name in ten languages, from a seed. `--speed` measures 100,000 leads whose places are drawn from these sets and from 20,000 towns.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.columns import folded
from lead_assets.core.places.gazetteer import CITIES
from lead_assets.core.places.names import country_names, every_language, names_in
from lead_assets.core.settings import Settings
from lead_assets.identity.places import locate
from lead_assets.routing.choose import Chooser
from lead_assets.routing.fields import routing_schema
from lead_assets.routing.matching import match
from lead_assets.routing.rehearse import Rehearsal
from lead_assets.routing.table import load_routing_table
from lead_assets_tests.identity.places import located, prepared

LABELS = Path(__file__).parent.parent / "lead_assets_tests" / "identity" / "labels"
UNDECIDABLE = "undecidable"
_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Verdict:
    """What became of one set. Each case is its fields, what a person says, and what was read."""

    decidable: list[dict[str, str]] = field(default_factory=list)
    undecidable: list[dict[str, str]] = field(default_factory=list)
    misses: list[dict[str, str]] = field(default_factory=list)
    """Cases that a person can decide and that were read otherwise, or not at all."""
    read_wrongly: list[dict[str, str]] = field(default_factory=list)
    """Those of the misses that were read as something else."""
    wrong_of_undecidable: list[dict[str, str]] = field(default_factory=list)

    @property
    def share_right(self) -> float:
        return 1 - len(self.misses) / max(len(self.decidable), 1)


def judged(name: str) -> Verdict:
    """The verdict on a set of `SETS`."""
    return SETS[name]()


def _owners() -> Verdict:
    rows = _labels("messy_leads")
    found = located(rows)
    lead = found.with_columns(
        campaign_id=pl.lit("c"), lead_id=pl.int_range(pl.len()).cast(pl.String), account_key=pl.int_range(pl.len()).cast(pl.String)
    )
    schema = routing_schema()
    frame = lead.select(pl.col(name) if name in lead.columns else pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items())
    table = load_routing_table(Settings(_env_file=None))
    chooser = Chooser(table, "", match(frame, table))
    routed = Rehearsal().route(chooser, [datetime.now(UTC)] * frame.height)
    owners = frame.join(routed, on=["campaign_id", "lead_id"], how="left", maintain_order="left")["owner"]
    cases = [(row, row["want_owner"], owner, row["want_country"] == UNDECIDABLE) for row, owner in zip(rows, owners, strict=True)]
    return _verdict(cases, table.fallback_owner)


def _cities() -> Verdict:
    rows = _labels("cities")
    found = located([{"city": row["city"]} for row in rows])
    cases = [
        (
            row,
            f"{row['want_country']} {row['want_state']}".strip(),
            f"{country or UNDECIDABLE} {state or ''}".strip(),
            row["want_country"] == UNDECIDABLE,
        )
        for row, country, state in zip(rows, found["country_code"], found["state_code"], strict=True)
    ]
    return _verdict(cases, UNDECIDABLE)


def _slips() -> Verdict:
    return _countries(_labels("country_slips"))


def _slips_made() -> Verdict:
    """One slip in each name of four letters or more. A slip that makes another country's name, or comes as near to one, is nobody's to decide: left out."""
    chance = random.Random(20261125)
    names = dict(zip(folded(name for name, _ in names_in(_LANGUAGES)), (code for _, code in names_in(_LANGUAGES)), strict=True))
    known = country_names().keys() | every_language().keys()
    rows = []
    for name, code in names_in(_LANGUAGES):
        key = folded([name])[0]
        if len(key) < 5 or not key.replace(" ", "").isalpha() or any(letter in name for letter in "()&,"):
            continue
        slip = _slip(name, chance)
        if (typed := folded([slip])[0]) not in names and typed not in known:
            rows.append({"country": slip, "want_country": code})
    return _countries(chance.sample(rows, 1_000))


def _slip(name: str, chance: random.Random) -> str:
    at, letter = chance.randrange(len(name) - 1), chance.choice(_LETTERS)
    return chance.choice(
        [
            name[:at] + name[at + 1 :],
            name[:at] + letter + name[at:],
            name[:at] + letter + name[at + 1 :],
            name[:at] + name[at + 1] + name[at] + name[at + 2 :],
        ]
    )


def _no_country() -> Verdict:
    """Words and names; those that are a country's name or a code in some language are left out, and so are a state's
    (Virginia) and Slovak's word for Slovak."""
    words = [word for word in (LABELS / "no_country.txt").read_text(encoding="utf-8").splitlines() if word]
    known = country_names().keys() | every_language().keys() | {"virginia", "slovensky"}
    strangers = [word for word, key in zip(words, folded(words), strict=True) if len(key) > 3 and key not in known]
    return _countries([{"country": word, "want_country": UNDECIDABLE} for word in strangers])


def _countries(rows: list[dict[str, str]]) -> Verdict:
    found = located([{"country": row["country"]} for row in rows])["country_code"]
    cases = [
        (row, row["want_country"], code or UNDECIDABLE, row["want_country"] == UNDECIDABLE) for row, code in zip(rows, found, strict=True)
    ]
    return _verdict(cases, UNDECIDABLE)


def _verdict(cases: list[tuple[dict[str, str], str, str, bool]], nobody: str) -> Verdict:
    verdict = Verdict()
    for row, wanted, read, undecidable in cases:
        case = {name: value for name, value in row.items() if value} | {"read": read}
        (verdict.undecidable if undecidable else verdict.decidable).append(case)
        if read == (nobody if undecidable else wanted):
            continue
        if undecidable:
            verdict.wrong_of_undecidable.append(case)
            continue
        verdict.misses.append(case)
        if read != nobody:
            verdict.read_wrongly.append(case)
    return verdict


def _speed(leads: int = 100_000) -> str:
    chance = random.Random(7)
    messy = _labels("messy_leads")
    towns = (
        pl.read_parquet(CITIES).filter((pl.col("likeness") == 0) & (pl.col("population") > 5_000)).sample(20_000, seed=7)["key"].to_list()
    )
    rows = [dict(chance.choice(messy)) for _ in range(leads)]
    for row in rows:
        row["city"] = row["city"] or chance.choice(towns).title()
    frame = prepared(rows)
    locate(frame.head(1_000))  # loads the lists
    start = time.perf_counter()
    locate(frame)
    seconds = time.perf_counter() - start
    distinct = frame.select("country", "state", "city").n_unique()
    return f"{leads:,} messy leads with {distinct:,} places: {seconds:.2f} s, {leads / seconds:,.0f} leads/s\n"


@cache
def _labels(name: str) -> list[dict[str, str]]:
    with (LABELS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


SETS: dict[str, Callable[[], Verdict]] = {
    "messy_leads": _owners,
    "country_slips": _slips,
    "slips_made": _slips_made,
    "cities": _cities,
    "no_country": _no_country,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--speed", action="store_true", help="leads per second instead")
    options = parser.parse_args()
    if options.speed:
        sys.stdout.write(_speed())
        return
    report: dict[str, dict[str, Any]] = {}
    for name in options.sets or SETS:
        verdict = judged(name)
        report[name] = {
            "decidable": len(verdict.decidable),
            "right": round(verdict.share_right, 4),
            "read_wrongly": len(verdict.read_wrongly),
            "undecidable": len(verdict.undecidable),
            "wrong_of_undecidable": len(verdict.wrong_of_undecidable),
            "misses": verdict.misses + verdict.wrong_of_undecidable,
        }
    if options.json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return
    for name, figures in report.items():
        misses = figures.pop("misses")
        sys.stdout.write(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()) + "\n")
        sys.stdout.writelines(f"  {miss}\n" for miss in misses)


if __name__ == "__main__":
    main()
