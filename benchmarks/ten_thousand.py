"""One campaign of 10,000 leads from 1,000 companies: bought from a sandbox without latency, rebuilt from the ledger with the warehouse deleted, run again after
a drop of ten more leads, and run again without anything new.

    python -m benchmarks.ten_thousand [--leads 10000] [--companies 1000] [--home FOLDER] [--json]

Targets on 2 cores, the sandbox on the same ones: 150 leads/s bought, 3,000 leads/s from the ledger. `wall` is the whole command, its start and the hashes of
all tables at its end included. A HOME given on the command line is kept, and filled only once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.main_job import command
from lead_assets.sandbox import start

CAMPAIGN = "ten-thousand"
_FIRST = (
    "Ana",
    "Ben",
    "Carla",
    "Dev",
    "Elif",
    "Femi",
    "Grace",
    "Hugo",
    "Inés",
    "Jamal",
    "Keiko",
    "Luis",
    "Mara",
    "Nils",
    "Olga",
    "Pavel",
    "Quinn",
    "Zoë",
)
_LAST = (
    "Okafor",
    "Lindqvist",
    "Marsh",
    "Delgado",
    "Novák",
    "Brandt",
    "Silva",
    "Osei",
    "Haddad",
    "Moreau",
    "Kowalski",
    "Varga",
    "O'Brien",
    "MacKay",
)
_ODD = ("Dr. {0} {1}", "{1}, {0}", "{0} van der {1}", "{0} {1} Jr.", "{0} {1}, PhD")
_LEVELS = ("VP of", "Director of", "Head of", "Chief", "Senior Manager,", "Manager,", "Intern,", "Analyst,")
_FIELDS = ("Sales", "Operations", "Engineering", "Marketing", "Finance", "Procurement", "IT", "Logistics")
_PLACES = (
    ("USA", "CA"),
    ("U.S.A.", "Texas"),
    ("Deutschland", "Bayern"),
    ("England", ""),
    ("India", "Karnataka"),
    ("Japan", ""),
    ("Canada", "ON"),
)
_SIZES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1,001-5,000")
_SOURCES = ("webinar", "demo request", "trade fair", "referral", "content download")


def drop(file: Path, leads: int, companies: int, seed: int = 9, prefix: str = "") -> None:
    """A CSV of business leads: ten distinct people per company, one name in twelve with a title, a particle or a comma, half of them with a profile."""
    chance = random.Random(seed)
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["email", "company", "full_name", "title", "source", "country", "state", "website", "company_size", "linkedin_url"])
        for number in range(leads):
            company = number % companies
            first, last = chance.choice(_FIRST), f"{chance.choice(_LAST)}{'abcdefghij'[number // companies % 10]}"
            name = chance.choice(_ODD).format(first, last) if number % 12 == 0 else f"{first} {last}"
            country, state = _PLACES[company % len(_PLACES)]
            rows.writerow(
                [
                    f"{prefix}p{number}@tenthousand{company}.example",
                    f"Ten Thousand {company} Inc.",
                    name,
                    f"{chance.choice(_LEVELS)} {chance.choice(_FIELDS)}",
                    chance.choice(_SOURCES),
                    country,
                    state,
                    f"https://www.tenthousand{company}.example",
                    _SIZES[company % len(_SIZES)],
                    f"https://www.linkedin.com/in/{prefix}tenthousand-{number}" if number % 2 else "",
                ]
            )


def seconds_per_asset(home: Path, run_id: str) -> dict[str, float]:
    """Of one run, by step, longest first."""
    from dagster import DagsterInstance

    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        steps = instance.get_run_step_stats(run_id)
    taken = {step.step_key: round(step.end_time - step.start_time, 2) for step in steps if step.start_time and step.end_time}
    return dict(sorted(taken.items(), key=lambda pair: -pair[1]))


def measure(home: Path, leads: int, companies: int) -> dict[str, Any]:
    home.parent.mkdir(parents=True, exist_ok=True)
    file = home.parent / f"{CAMPAIGN}.csv"
    drop(file, leads, companies)
    figures: dict[str, Any] = {"leads": leads, "companies": companies, "cores": os.cpu_count()}
    with start() as sandbox:
        if not (home / "archive").exists():
            command(home, sandbox.url, "ingest", str(file), "--campaign", CAMPAIGN)
            wall, cpu, bought = timed_run(home, sandbox.url)
            calls = {f"{service} {name}": entry for service, operations in sandbox.meter().items() for name, entry in operations.items()}
            figures["bought"] = _figures(home, wall, cpu, bought, leads) | {
                "calls": bought["billed"]["calls"],
                "requests": sum(entry["requests"] for entry in calls.values()),
            }
            (home.parent / "bought.json").write_text(json.dumps(bought["tables"]))
        first = json.loads((home.parent / "bought.json").read_text())
        before = sandbox.meter()
        shutil.rmtree(home / "warehouse")
        wall, cpu, again = timed_run(home, sandbox.url)
        figures["from_ledger"] = _figures(home, wall, cpu, again, again["campaigns"][0]["received"]) | {
            "calls": again["billed"]["calls"],
            "requests": 0 if sandbox.meter() == before else "some",
            "tables_equal": again["tables"] == first,
        }
        present = again["campaigns"][0]["received"]
        more = home.parent / f"{CAMPAIGN}-{present}.csv"
        drop(more, 10, companies, seed=present, prefix=f"more{present}-")
        command(home, sandbox.url, "ingest", str(more), "--campaign", CAMPAIGN)
        for label in ("ten_more", "nothing_new"):
            wall, cpu, answer = timed_run(home, sandbox.url)
            figures[label] = _figures(home, wall, cpu, answer, answer["campaigns"][0]["received"]) | {"calls": answer["billed"]["calls"]}
        (home.parent / "bought.json").write_text(json.dumps(answer["tables"]))
    return figures


def timed_run(home: Path, url: str) -> tuple[float, float, dict[str, Any]]:
    """Seconds by the clock and of the run's own CPU, which other work on the machine moves less, and what the run answered."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, answer = command(home, url, "run", "--campaign", CAMPAIGN)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, answer


def _figures(home: Path, wall: float, cpu: float, answer: dict[str, Any], leads: int) -> dict[str, Any]:
    (campaign,) = answer["campaigns"]
    if answer["failures"] or campaign["leads"] != leads:
        raise SystemExit(f"the run is not whole: {answer['failures'] or campaign}")
    steps = seconds_per_asset(home, answer["run_ids"][0])
    return {
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "leads_per_second_wall": round(leads / wall),
        "steps_seconds": round(sum(steps.values()), 1),
        "leads_per_second": round(leads / sum(steps.values())),
        "seconds_per_asset": steps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--companies", type=int, default=1_000)
    parser.add_argument("--home", type=Path, help="keep the home here, and do not buy again if it is there")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure((options.home or Path(folder) / "home").resolve(), options.leads, options.companies)
    if options.json:
        print(json.dumps(figures))
        return
    for label in ("bought", "from_ledger", "ten_more", "nothing_new"):
        if label in figures:
            part = dict(figures[label])
            assets = part.pop("seconds_per_asset")
            print(label, *(f"{name} {value}" for name, value in part.items()), sep="  ")
            for name, seconds in assets.items():
                print(f"{seconds:>8.2f} s  {name}")


if __name__ == "__main__":
    main()
