"""How long the explorer's pages take over 1,000,000 leads: lists, filters and searches as people make them, the same with own columns, a lead's page, and when
a browser first paints.

    python -m benchmarks explorer_speed    (or: python -m benchmarks.explorer_speed [--leads 1000000] [--campaigns 100] [--keep FOLDER] [--json])

Made-up rows in the tables that the pages read, one file per table and campaign as runs write them. The server is a process of its own, asked over HTTP by this
one. Goals: lists, filters and searches p95 ≤ 300 ms, a lead's page p95 ≤ 150 ms, first paint ≤ 1 s (with chromium on the PATH and playwright).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from benchmarks.marts_million import rows, write
from lead_assets.contracts import TABLES, SignalRow
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse

OWN = "tier,company,seniority,win_probability,team,headcount,technologies,icp_fit"
"""Columns of five tables, of which the copy has two."""
GOAL_LIST_MS, GOAL_LEAD_MS, GOAL_PAINT_MS = 300.0, 150.0, 1_000.0
_LISTED = ("identity.leads", "scoring.scores", "routing.decisions")
_OF_A_LEAD = (
    *("intake.raw_leads", "signals.enriched_leads", "classification.classifications", "delivery.deliveries"),
    *(name for name, contract in TABLES.items() if issubclass(contract, SignalRow)),
)
_JSON = {"parts": "[]", "facts": "{}", "passed_over": "[]", "history": "[]", "answer": "{}"}


def fill(warehouse: DuckDBWarehouse, leads: int, campaigns: int) -> None:
    """All campaigns of the list's tables; ten campaigns of those that only a lead's page reads."""
    size = leads // campaigns
    for name in (*_LISTED, *_OF_A_LEAD):
        for number in range(campaigns if name in _LISTED else min(10, campaigns)):
            lead = pl.DataFrame({"row": range(number * size, (number + 1) * size)})
            frame = rows(TABLES[name], f"c{number}", lead)
            said = {column: pl.lit(text) for column, text in _JSON.items() if column in frame.columns}
            write(warehouse, TABLES[name], f"c{number}", frame.with_columns(**said))


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    command = [str(Path(sys.executable).parent / "lead-assets"), "serve", "--port", "0", "--json"]
    environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home), "LEAD_ASSETS_SANDBOX_URL": "http://127.0.0.1:9"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"{json.loads(server.stdout.readline())['url']}/explorer"
        finally:
            server.terminate()


def lists(leads: int, campaigns: int) -> Iterator[str]:
    """Addresses of lists: every order, filters alone and together, searches that find nothing, few and most."""
    dice = random.Random(1)
    while True:
        some = {
            "campaign": f"c{dice.randrange(campaigns)}",
            "tier": dice.choice(["hot", "warm", "cold"]),
            "owner": f"owner{dice.randrange(40)}",
        }
        number = dice.randrange(leads)
        searches = [f"company{number // 3}.example", f"p{number}@", "nobody-at-all", "company", f"ld_{number}", "example"]
        yield f"/leads?sort={dice.choice(['received', 'oldest', 'score', 'lowest', 'company'])}"
        yield "/leads?" + "&".join(f"{name}={some[name]}" for name in dice.sample(sorted(some), dice.randint(1, 3)))
        yield f"/leads?q={dice.choice(searches)}"
        yield f"/leads?q={dice.choice(searches)}&tier={some['tier']}&sort=score"


def measure(client: httpx.Client, leads: int, campaigns: int, asked: int) -> dict[str, Any]:
    began = time.perf_counter()
    slow = _timed(client, "/leads")[0]
    while _timed(client, "/leads?tier=hot")[0] > 1_000:
        time.sleep(0.2)
    ready = time.perf_counter() - began
    took: dict[str, list[float]] = {"list": [], "next": [], "own": [], "lead": []}
    links: list[str] = []
    for address in itertools.islice(lists(leads, campaigns), asked):
        each, text = _timed(client, address)
        took["list"].append(each)
        took["own"].append(_timed(client, f"{address}&columns={OWN}")[0])
        links += [link.replace("&amp;", "&") for link in re.findall(r'href="/explorer(/lead\?campaign=c\d&amp;id=[^"]+)"', text)[:1]]
        if (following := re.search(r'href="(\?[^"]+)" rel="next"', text)) is not None:
            took["next"].append(_timed(client, "/leads" + following[1].replace("&amp;", "&"))[0])
    dice = random.Random(2)
    size = leads // campaigns
    links += [
        f"/lead?campaign=c{at}&id=ld_{at * size + dice.randrange(size)}" for at in range(min(10, campaigns)) for _ in range(asked // 10)
    ]
    for link in links:
        took["lead"].append(_timed(client, link)[0])
    found: dict[str, Any] = {f"{name}_ms": _spread(times) for name, times in took.items()}
    return {"first_list_ms": round(slow, 1), "copied_after_s": round(ready, 1), **found}


def painted(url: str, key: str) -> dict[str, float] | None:
    """First contentful paint in ms, of pages that a browser has not seen yet; None without chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = {}
        for name in ("/leads", "/lead?campaign=c0&id=ld_1", "/dashboard"):
            page = browser.new_context().new_page()
            page.goto(f"{url}/sign-in")
            page.get_by_label("Key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            page.goto(url + name)
            page.wait_for_timeout(300)
            found[name.split("?")[0]] = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        browser.close()
    return found


def _timed(client: httpx.Client, address: str) -> tuple[float, str]:
    began = time.perf_counter()
    answer = client.get(address)
    took = (time.perf_counter() - began) * 1_000
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    return took, answer.text


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {"n": len(ordered), "p50": round(ordered[len(ordered) // 2], 1), "p95": round(ordered[len(ordered) * 95 // 100], 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--campaigns", type=int, default=100)
    parser.add_argument("--asked", type=int, default=200, help="Lists, and lead's pages, to ask for.")
    parser.add_argument("--keep", type=Path, help="Home for the rows; if it has them already, they are measured again.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(home=given.keep or Path(temporary), sandbox_url="http://127.0.0.1:9")
        warehouse = DuckDBWarehouse(settings.warehouse_folder)
        if not warehouse.partitions(TABLES["identity.leads"]):
            warehouse.prepare()
            fill(warehouse, given.leads, given.campaigns)
        with opened_ledger(settings) as ledger:
            key = ledger.keys.create("benchmark", ["admin"])[1]
        with served(settings) as url, httpx.Client(base_url=url, timeout=120) as client:
            token = re.findall(r'name="token" value="(\w+)"', client.get("/sign-in").text)[0]
            assert client.post("/sign-in", data={"token": token, "key": key}).status_code == 303
            found = {"leads": given.leads, "campaigns": given.campaigns, **measure(client, given.leads, given.campaigns, given.asked)}
            found["first_paint_ms"] = painted(url, key)
    if given.json:
        print(json.dumps(found))
        return 0
    for name, goal in (("list_ms", GOAL_LIST_MS), ("next_ms", GOAL_LIST_MS), ("own_ms", GOAL_LIST_MS), ("lead_ms", GOAL_LEAD_MS)):
        print(f"{name:<12} {found[name]} (goal: p95 ≤ {goal:.0f} ms)")
    print(f"first list {found['first_list_ms']} ms, before the copy; copied after {found['copied_after_s']} s")
    print(f"first paint {found['first_paint_ms']} (goal: ≤ {GOAL_PAINT_MS:.0f} ms)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
