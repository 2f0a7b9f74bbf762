"""Many small drops: one day of webhooks, a campaign that grows, a landing folder that is full. Own work only: no Dagster run is started.

    python -m benchmarks.intake_drops [--drops 2000] [--files 20000] [--json]

1. `--drops` single-lead drops come into one day, one after the other; the day is read as `intake/raw_leads` reads it, anew and with what was parsed before.
   The day's cost for each drop must not grow with the day: it is measured for a quarter of the drops as well.
2. After each of 200 further drops the day is read again: what one more drop costs, and how many drops are read for it.
3. One more drop of 10 leads into a campaign of 10,000.
4. `--files` single-lead files stand in the landing folder; the sensor's ticks until it is empty, with a run of the campaign that takes ten ticks.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lead_assets.core.limits import DropLimits
from lead_assets.intake.ingest import Arrival, ingest, ingest_many
from lead_assets.intake.landing import Standing, ask, scan, take
from lead_assets.intake.parsed import ParsedDrops
from lead_assets.intake.read import read_campaigns
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects.folder import Folder

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LIMIT = 1 << 20


def lead(number: int) -> bytes:
    return json.dumps(
        {
            "email": f"p{number}@acme{number % 97}.example",
            "company": f"Acme {number % 97}",
            "full_name": "Jane Doe",
            "title": "VP Sales",
            "country": "Germany",
            "message": "Please call me about a plan for fifty seats.",
        }
    ).encode()


class CountingArchive(Archive):
    """Counts the drops that are read."""

    reads = 0

    def get(self, sha256: str) -> bytes:
        self.reads += 1
        return super().get(sha256)


def a_day(folder: Path, drops: int) -> dict[str, Any]:
    archive, parsed = CountingArchive(str(folder / "archive")), ParsedDrops(Folder(folder / "derived"), limits=DropLimits(LIMIT))
    ingest(archive, lead(-1), name="warm", received_at=NOW)
    read_campaigns(archive, archive.campaigns())
    came = _seconds(lambda: [ingest(archive, lead(n), name=f"{n}", received_at=NOW + timedelta(seconds=n)) for n in range(drops)])
    anew = _seconds(lambda: read_campaigns(archive, archive.campaigns(), parsed=parsed))
    again = _seconds(lambda: read_campaigns(archive, archive.campaigns(), parsed=parsed))
    archive.reads, more = 0, []
    for number in range(200):
        ingest(archive, lead(drops + number), name="more", received_at=NOW + timedelta(seconds=drops + number))
        more.append(_seconds(lambda: read_campaigns(archive, archive.campaigns(), parsed=parsed)))
    return {
        "drops": drops,
        "taken_ms_each": round(came / drops * 1e3, 2),
        "read_ms_each": round(anew / drops * 1e3, 2),
        "both_ms_each": round((came + anew) / drops * 1e3, 2),
        "read_again_ms": round(again * 1e3, 1),
        "one_more_ms": round(sorted(more)[100] * 1e3, 1),
        "drops_read_for_one_more": archive.reads / 200,
    }


def a_campaign(folder: Path) -> dict[str, Any]:
    archive, parsed = CountingArchive(str(folder / "archive")), ParsedDrops(Folder(folder / "derived"), limits=DropLimits(LIMIT))
    ingest(archive, b"\n".join(lead(n) for n in range(10_000)), name="first", received_at=NOW, campaign="c")
    read_campaigns(archive, ["c"], parsed=parsed)
    more = []
    for number in range(5):
        data = b"\n".join(lead(20_000 + 10 * number + n) for n in range(10))
        began = time.perf_counter()
        ingest(archive, data, name="more", received_at=NOW + timedelta(seconds=number + 1), campaign="c")
        read_campaigns(archive, ["c"], parsed=parsed)
        more.append(time.perf_counter() - began)
    return {"leads": 10_000, "ten_more_ms": round(sorted(more)[2] * 1e3, 1)}


def a_full_folder(folder: Path, files: int) -> dict[str, Any]:
    landing, archive = folder / "landing" / "spring", Archive(str(folder / "archive"))
    landing.mkdir(parents=True)
    for number in range(files):
        (landing / f"{number:06}.ndjson").write_bytes(lead(number))
    now = datetime.now(UTC) + timedelta(seconds=60)
    cursor, runs, ticks, sizes, since_asked = "", 0, [], [], 10
    while True:
        standing: dict[str, Standing] = {"spring": "queued" if since_asked == 0 else "under_way"} if since_asked < 10 else {}
        began = time.perf_counter()
        taken = take(scan(Folder(folder / "landing"), cursor, now=now), archive, now=now)
        asked, after = ask(taken.cursor, standing)
        cursor = after.text()
        if not taken.drops and not taken.left and not asked and not after.due:
            break
        ticks.append(time.perf_counter() - began)
        sizes.append(len(cursor))
        since_asked = 0 if asked else since_asked + 1
        runs += len(asked)
        now += timedelta(seconds=1)
    return {
        "files": files,
        "ticks": len(ticks),
        "seconds": round(sum(ticks), 1),
        "ms_each": round(sum(ticks) / files * 1e3, 2),
        "longest_tick_s": round(max(ticks), 2),
        "largest_cursor_bytes": max(sizes),
        "cursor_bytes_at_rest": len(cursor),
        "runs_asked": runs,
        "files_left": sum(1 for _ in Folder(folder / "landing").entries()),
        "archived": len(archive.receipt_names("spring")),
    }


def a_batch(folder: Path, drops: int) -> dict[str, Any]:
    archive = Archive(str(folder / "archive"))
    arrivals = [Arrival(lead(number), f"{number}") for number in range(drops)]
    return {"together_ms_each": round(_seconds(lambda: ingest_many(archive, arrivals, received_at=NOW)) / drops * 1e3, 2)}


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--drops", type=int, default=2_000)
    options.add_argument("--files", type=int, default=20_000)
    options.add_argument("--json", action="store_true")
    wanted = options.parse_args()
    measured: dict[str, Any] = {}
    for name, measure in {
        "a quarter of the day": lambda folder: a_day(folder, wanted.drops // 4),
        "one day": lambda folder: a_day(folder, wanted.drops),
        "taken together": lambda folder: a_batch(folder, wanted.drops),
        "a campaign that grows": a_campaign,
        "a full landing folder": lambda folder: a_full_folder(folder, wanted.files),
    }.items():
        with tempfile.TemporaryDirectory() as folder:
            measured[name] = measure(Path(folder))
        if not wanted.json:
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in measured[name].items()), flush=True)
    if wanted.json:
        print(json.dumps(measured))
    day, quarter, full = measured["one day"], measured["a quarter of the day"], measured["a full landing folder"]
    whole = (
        full["files_left"] == 0
        and full["archived"] == wanted.files
        and day["drops_read_for_one_more"] == 1
        and day["read_ms_each"] < 2 * quarter["read_ms_each"] + 1
    )
    return 0 if whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
